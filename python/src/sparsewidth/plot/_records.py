"""Records and their fields: read, checked, named."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ._style import counted

Record = Mapping[str, Any]

# Names in records, as charts say them; and their colours.
METHODS = {
    "sampled": ("sampled networks", 0),
    "sampled_all": ("sampled, all pairs", 7),
    "theorem1": ("Theorem 1", 1),
    "theorem1_fixed_count": ("Theorem 1, fixed counts", 9),
    "expansion": ("second-order expansion", 2),
    "expansion_all": ("expansion, all pairs", 6),
    "paper": ("Eq. (4), own p", 3),
    "paper_fixed_np": ("Eq. (4), fixed n p", 4),
}
# Names of earlier versions.
OLDER = {
    "moments": "expansion",
    "moments_all": "expansion_all",
    "paper_even": "paper_fixed_np",
    "theorem1_masks": "theorem1_fixed_count",
}
DRAWN = ("sampled", "sampled_all")
TEST_ERROR = 5
NORMALISATIONS = {
    "pixel": "pixel normalisation",
    "global": "global normalisation",
    "none": "no normalisation",
    "global_mnist": "global normalisation by MNIST's scale",
    "rescale": "rescaled to 0 to 1",
}
MASKS = {"bernoulli": "Bernoulli", "exact_count": "exact-count", "constant_fan_in": "constant-fan-in"}
BUDGETS = {
    "bernoulli": "fixed number of weights on average",
    "exact_count": "fixed number of weights",
    "constant_fan_in": "fixed number of weights but for rounding",
}
LAWS = {"gaussian": "Gaussian", "uniform": "uniform"}
Kernel = tuple[str, "str | None"]
KERNELS: dict[Kernel, tuple[str, str, int]] = {
    ("nngp", None): ("NNGP", "Kernel", 4),
    ("ntk", "standardised"): ("NTK (tau = 1)", "Tangent kernel (tau = 1)", 1),
    ("ntk", "paper"): ("NTK (tau = p)", "Tangent kernel (tau = p)", 2),
}
DISTANCE = "mean squared distance to the infinite-width kernel"


def rows_of(records: Any, of: str) -> list[dict[str, Any]]:
    """Records as a list of dicts, also those of a data frame."""
    if hasattr(records, "to_dict") and hasattr(records, "columns"):
        records = records.to_dict("records")
    if isinstance(records, (str, bytes)) or hasattr(records, "__fspath__"):
        raise TypeError(f"records = {records!r}: expected records, found a path; pass load_records({str(records)!r})")
    if isinstance(records, Mapping):
        found = ", ".join(map(str, list(records)[:4]))
        raise TypeError(f"records: expected a list of {of}, found a dict ({found}, ...); a report has another function")
    if not isinstance(records, Iterable):
        raise TypeError(f"records = {records!r}: expected a list of {of}; pass what the study returned")
    rows = list(records)
    if not rows:
        raise ValueError(f"records: expected {of}, found none; run the study, or look where its records are")
    for place, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise TypeError(f"records[{place}] = {row!r}: expected a dict; pass what the study returned")
    return [dict(row) for row in rows]


KINDS = {
    "distance": ("distances", "plot.distance"),
    "training": ("training runs", "plot.training"),
    "prediction": ("predicted errors", "plot.predictions"),
}


def of_kind(rows: Sequence[Record], kind: str) -> list[Record]:
    return [row for row in rows if row.get("kind") == kind]


def expect(rows: Sequence[Record], kind: str) -> list[Record]:
    """The records of one kind, of which there is one at least."""
    found = of_kind(rows, kind)
    if not found:
        others = sorted({str(row.get("kind")) for row in rows})
        draws = [KINDS[other][1] for other in others if other in KINDS]
        raise ValueError(
            f"records: expected {KINDS[kind][0]} (kind = {kind!r}), found {counted(len(rows), 'record')} of kind "
            f"{' and '.join(map(repr, others))}; {' or '.join(draws) + ' draws these' if draws else 'pass others'}"
        )
    return found


def field_of(row: Record, name: str) -> Any:
    if name not in row:
        found = ", ".join(map(str, list(row)[:5]))
        raise ValueError(
            f"records: expected a field {name!r}, found {found}, ...; pass records as the study returned them"
        )
    return row[name]


def number_of(row: Record, name: str) -> float | None:
    """A number that may be missing: data frames have NaN for none."""
    value = row.get(name)
    return None if value is None or math.isnan(value) else float(value)


def needed(row: Record, name: str) -> float:
    field_of(row, name)
    value = number_of(row, name)
    return math.nan if value is None else value


def text_of(row: Record, name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) else None


def width_of(row: Record) -> int:
    return int(needed(row, "width"))


def check_report(report: Any, parts: Sequence[str], by: str) -> Mapping[str, Any]:
    if not isinstance(report, Mapping):
        raise TypeError(f"report: expected a dict, found {type(report).__name__}; pass what {by} returned")
    missing = [part for part in parts if part not in report]
    if missing:
        found = ", ".join(map(str, list(report)[:6]))
        raise ValueError(f"report: expected {' and '.join(parts)}, found {found}; pass what {by} returned")
    return report


def one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise ValueError(f"{name} = {value!r}: expected {' or '.join(map(repr, allowed))}; use one of these")
    return value


def method_of(row: Record) -> str:
    name = str(field_of(row, "method"))
    name = OLDER.get(name, name)
    if name not in METHODS:
        raise ValueError(f"method = {name!r}: expected {', '.join(METHODS)}; pass records of the present program")
    return name


def kernel_of(row: Record) -> Kernel:
    if (text_of(row, "kernel") or "nngp") == "nngp":
        return "nngp", None
    return "ntk", text_of(row, "tangent") or "standardised"


def wanted_kernels(rows: Sequence[Record], get: str | None, tangent: str | None) -> list[Kernel]:
    """The kernels of some records, as far as they are asked for; there is one at least."""
    if get is not None:
        one_of("get", get, ["nngp", "ntk"])
    if tangent is not None:
        one_of("tangent", tangent, ["standardised", "paper"])
        get = get or "ntk"
    kernels = list(dict.fromkeys(kernel_of(row) for row in rows))
    wanted = [kernel for kernel in kernels if get in (None, kernel[0]) and tangent in (None, kernel[1])]
    if not wanted:
        named = " and ".join(f"get = {name!r}" + (f", tangent = {of!r}" if of else "") for name, of in kernels)
        raise ValueError(f"get = {get!r}, tangent = {tangent!r}: the records have {named}; choose one of these")
    return wanted


def left_out(kernels: Iterable[Kernel] = (), normalisations: Iterable[str] = ()) -> str:
    """What the records have and a chart of one kernel and normalisation does not, in words."""
    names = [KERNELS[kernel][0] for kernel in kernels] + [NORMALISATIONS.get(name, name) for name in normalisations]
    return f"Left out: {', '.join(names)}." if names else ""


def normalisation_of(row: Record) -> str:
    return text_of(row, "normalisation") or "none"


def normalisation_words(row: Record) -> str:
    name = normalisation_of(row)
    return NORMALISATIONS.get(name, name)
