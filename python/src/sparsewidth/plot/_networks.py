"""Networks and their training runs, as records have them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ._records import LAWS, MASKS, Record, field_of, needed, normalisation_words, number_of, of_kind, text_of, width_of
from ._style import counted

# Ways to widen at a fixed budget, and their colours.
WAYS = {
    "sparse": ("sparse", 1),
    "deep_sparse": ("sparse, two hidden layers", 2),
    "linear_bottleneck": ("linear bottleneck", 0),
    "nonlinear_bottleneck": ("non-linear bottleneck", 3),
}
FAMILIES = {**WAYS, "dense": ("dense", 3)}


class Layer(NamedTuple):
    activation: str
    width: int
    connectivity: float


def layers_of(row: Record) -> list[Layer]:
    """The layers of a network, of which records before `schema` have one of a width and at most one before it."""
    text = text_of(row, "architecture")
    if text is None:
        connectivity = row.get("connectivity", 1.0)
        hidden = f"{row.get('activation', 'relu')}:{row.get('width')}@{connectivity}"
        text = f"{row['before']}@{connectivity} {hidden}" if text_of(row, "before") else hidden
        last = number_of(row, "last_connectivity")
        text += "" if last is None else f" linear:10@{last}"
    layers = []
    for layer in text.split():
        found = re.fullmatch(r"(\w+):(\d+)(?:@([^/]+))?(?:/\w+)?", layer)
        if not found:
            raise ValueError(
                f"architecture = {text!r}: expected layers such as 'relu:216@0.0375'; pass records as written"
            )
        layers.append(Layer(found[1], int(found[2]), float(found[3] or 1.0)))
    return layers


def _expected_weights(layers: Sequence[Layer], inputs: float) -> float:
    total = 0.0
    for layer in layers:
        total += inputs * layer.width * layer.connectivity
        inputs = layer.width
    return total


def weights_of(row: Record) -> float:
    """The expected number of weights of a network."""
    return _expected_weights(layers_of(row), needed(row, "dimension"))


def budget_of(run: Record) -> int:
    """The weights that are expected in all layers but the last, and those that its last one keeps."""
    (*hidden, last), inputs = layers_of(run), needed(run, "dimension")
    units = hidden[-1].width if hidden else inputs
    return round(_expected_weights(hidden, inputs) + round(last.connectivity * last.width * units))


def are_alike(network: Sequence[Layer], other: Sequence[Layer]) -> bool:
    """Whether networks have the same layers, whichever weights exist; connectivities that were rounded are the same."""
    return [layer[:2] for layer in network] == [layer[:2] for layer in other] and all(
        math.isclose(one.connectivity, two.connectivity, rel_tol=1e-9) for one, two in zip(network, other)
    )


def networks_of(rows: Sequence[Record]) -> list[list[Record]]:
    """The training runs of each network."""
    networks: dict[Any, list[Record]] = {}
    for run in of_kind(rows, "training"):
        key = str(field_of(run, "family")), tuple(layers_of(run)), run.get("learning_rate"), run.get("epochs")
        networks.setdefault(key, []).append(run)
    return list(networks.values())


def curve_of(run: Record, name: str) -> list[float]:
    """A learning curve, a list of its own or within `curve`."""
    curve = run.get("curve")
    found = curve.get(name) if isinstance(curve, Mapping) else run.get(f"curve.{name}", run.get(f"curve_{name}"))
    return [math.nan if value is None else float(value) for value in found] if found is not None else []


def best_accuracy(run: Record) -> float | None:
    """The best accuracy of an epoch of finite losses; older records also counted the epoch that diverged."""
    accuracies, epoch = curve_of(run, "test_accuracy"), number_of(run, "best_epoch")
    if run.get("diverged") and epoch is not None and epoch > len(accuracies):
        return max(accuracies, default=None)
    return number_of(run, "best_accuracy")


def best_accuracies(runs: Sequence[Record]) -> list[float]:
    """Those of the runs that have one."""
    return [accuracy for run in runs if (accuracy := best_accuracy(run)) is not None]


def accuracies_of(rows: Sequence[Record], family: str) -> dict[int, list[float]]:
    """The best accuracies of the runs of one family by width; none where several networks have one width."""
    networks = [runs for runs in networks_of(rows) if runs[0]["family"] == family]
    widths = [width_of(runs[0]) for runs in networks]
    if len(set(widths)) < len(widths):
        return {}
    found = dict(sorted(zip(widths, map(best_accuracies, networks))))
    return {width: accuracies for width, accuracies in found.items() if accuracies}


def evaluated_on(run: Record) -> str:
    return "validation" if run.get("validation") else "test"


def trained_name(run: Record) -> str:
    """A trained network by its family and width, and by what else is not usual."""
    *before, _, last = layers_of(run)
    name = f"{FAMILIES.get(run['family'], (run['family'],))[0]} {width_of(run)}"
    if run["family"] != "deep_sparse":
        name += "".join(f" after {layer.width}" for layer in before)
    if run.get("activation") == "linear":
        name += " linear"
    return name if last.connectivity == 1.0 else f"{name}, last {last.connectivity:g}"


# What titles say, as far as records know it.


def sample_words(run: Record) -> list[str]:
    samples = number_of(run, "samples")
    return [] if samples is None else [f"{samples:.0f} training samples"]


def epoch_words(run: Record) -> list[str]:
    epochs = number_of(run, "epochs")
    return [] if epochs is None else [counted(int(epochs), "epoch")]


def training_words(run: Record) -> list[str]:
    return [*sample_words(run), normalisation_words(run)]


def drawn_words(row: Record, masked: bool) -> list[str]:
    """How a network was drawn; dense networks have no masks."""
    mask, law = MASKS.get(text_of(row, "mask") or ""), LAWS.get(text_of(row, "law") or "")
    return ([f"{mask} masks"] if mask and masked else []) + ([f"{law} weights"] if law else [])
