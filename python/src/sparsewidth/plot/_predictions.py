"""Charts of predicted errors, and of what following them costs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from ._chart import chart
from ._networks import accuracies_of, best_accuracy, evaluated_on, layers_of, networks_of, training_words
from ._records import (
    KERNELS,
    TEST_ERROR,
    Kernel,
    Record,
    expect,
    field_of,
    kernel_of,
    left_out,
    method_of,
    needed,
    normalisation_of,
    number_of,
    of_kind,
    rows_of,
    text_of,
    width_of,
)
from ._series import Point, Series, around, error_points, level, reach_of_mean, xs_of


def _prediction_kernel(row: Record) -> Kernel:
    name = str(field_of(row, "predictor")).removesuffix("_regression")
    return ("nngp", None) if name == "nngp" else ("ntk", text_of(row, "tangent") or "standardised")


def _of_setting(rows: Sequence[Record], kind: str) -> list[Record]:
    """Records of a kind under the normalisation of the training, or that of the first prediction."""
    first = [*of_kind(rows, "training"), *of_kind(rows, "prediction")][0]
    return [row for row in of_kind(rows, kind) if normalisation_of(row) == normalisation_of(first)]


def _predictions(rows: Sequence[Record], source: str, kernel: Kernel) -> list[Record]:
    found = [row for row in _of_setting(rows, "prediction") if row.get("source", "drawn") == source]
    return sorted(
        (row for row in found if _prediction_kernel(row) == kernel),
        key=lambda row: number_of(row, "width") or 0.0,
    )


def _predicted_point(row: Record) -> Point | None:
    """A predicted error with its 95 % interval over drawn networks, which two or fewer cannot tell."""
    x, error = number_of(row, "width"), number_of(row, "test_error")
    if x is None or error is None:
        return None
    if row.get("source", "drawn") != "drawn":
        return Point(x, error)
    count, spread = int(number_of(row, "initialisations") or 0), number_of(row, "spread")
    if count < 3 or spread is None:
        return Point(x, error, unknown=True)
    return around(x, error, reach_of_mean(spread, count))


def predictions(records: Sequence[Record], *, width: str | float = "column", ax: Axes | None = None) -> Axes:
    """Test error that kernel regression predicts, against width, beside that of trained networks.

    Parameters
    ----------
    records
        Of ``predict`` or ``figure``: dicts of kind ``"prediction"`` and, for trained errors, ``"training"``.
    width, ax
        As for :func:`distance`.

    Returns
    -------
    matplotlib.axes.Axes
        Logarithmic: kernels of the last layer alone predict several times the error of those of all layers.

    Raises
    ------
    ValueError
        Where nothing was predicted.
    TypeError
        Where ``records`` is not a list of dicts.

    Examples
    --------
    >>> from sparsewidth import plot
    >>> row = {"kind": "prediction", "predictor": "nngp_regression", "source": "drawn", "initialisations": 3}
    >>> records = [
    ...     {**row, "width": 8, "test_error": 0.3, "spread": 0.01},
    ...     {**row, "width": 64, "test_error": 0.2, "spread": 0.01},
    ... ]
    >>> plot.predictions(records).lines[0].get_ydata().tolist()
    [0.3, 0.2]
    """
    rows = rows_of(records, "predicted errors")
    first = expect(rows, "prediction")[0]
    kernels = list(dict.fromkeys(_prediction_kernel(row) for row in of_kind(rows, "prediction")))
    series = []
    for source, of, line in (("drawn", "", "-"), ("masked_limit", ", infinite width, sparse", "--")):
        for kernel in kernels:
            points = [
                point for row in _predictions(rows, source, kernel) if (point := _predicted_point(row)) is not None
            ]
            if points:
                series.append(Series(f"{KERNELS[kernel][0]} regression{of}", KERNELS[kernel][2], points, line))
    runs, trained = of_kind(rows, "training"), accuracies_of(rows, "sparse")
    if trained:
        series.append(Series(f"trained, best {evaluated_on(runs[0])} error", TEST_ERROR, error_points(trained)))
    ticks = xs_of(series)
    for kernel in kernels:
        for row in _predictions(rows, "dense_limit", kernel)[:1]:
            error = number_of(row, "test_error")
            if error is not None and ticks:
                label = f"{KERNELS[kernel][0]} regression, infinite width, dense"
                series.append(level(label, KERNELS[kernel][2], (ticks[0], ticks[-1]), error, ":"))
    evaluated = evaluated_on(first)
    known = dict.fromkeys(normalisation_of(row) for row in of_kind(rows, "prediction"))
    drawn = normalisation_of(_of_setting(rows, "prediction")[0]) if _of_setting(rows, "prediction") else None
    data = text_of(first, "data")
    words = ([data] if data else []) + training_words(first)
    return chart(
        ax,
        width,
        series,
        title=f"{'Predicted and trained' if trained else 'Predicted'} {evaluated} error, {', '.join(words)}",
        x_label="width",
        y_label=f"{evaluated} error",
        x_ticks=ticks,
        log=True,
        note=left_out(normalisations=(name for name in known if name != drawn)),
    )


LEAVE_ONE_OUT = "NTK (tau = 1) regression, leave-one-out squared error"
PREDICTORS = {
    "NNGP regression": 1,
    "NTK (tau = 1) regression": 2,
    LEAVE_ONE_OUT: 5,
    "NTK (tau = p) regression": 4,
    "NNGP distance, mean": 0,
    "Eq. (4)": 3,
    "16 times the narrowest": 7,
}


def _scores(rows: Sequence[Record], widths: Sequence[int]) -> dict[str, dict[int, float]]:
    """For each predictor a number for each width, of which the least names the best width."""
    scores: dict[str, dict[int, float]] = {}

    def add(name: str, found: Iterable[Record], field: str) -> None:
        values = {width_of(row): number_of(row, field) for row in found}
        scores[name] = {width: math.inf if value is None else value for width, value in values.items()}

    for kernel, (name, _, _) in KERNELS.items():
        found = _predictions(rows, "drawn", kernel)
        add(f"{name} regression", found, "test_error")
        if name == "NTK (tau = 1)":
            add(LEAVE_ONE_OUT, found, "leave_one_out_squared_error")
    of_nngp = [row for row in _of_setting(rows, "distance") if kernel_of(row) == ("nngp", None)]
    exact, sampled, paper = (
        [row for row in of_nngp if method_of(row) == method] for method in ("theorem1", "sampled", "paper")
    )
    add("NNGP distance, mean", exact or sampled, "mean")
    add("Eq. (4)", paper, "mean")
    scores["16 times the narrowest"] = {width: abs(math.log(width / (16 * min(widths)))) for width in widths}
    return scores


def _regrets(rows: Sequence[Record], final: bool) -> tuple[float, dict[str, float]]:
    """The budget of a setting, and what following each predictor costs there."""
    runs = [run for run in of_kind(rows, "training") if run.get("family") == "sparse" and not run.get("validation")]

    def accuracy(run: Record) -> float:
        """A run that diverged, so that it has none, counts as a guess among the classes."""
        found = number_of(run, "final_accuracy") if final else best_accuracy(run)
        return 1.0 / layers_of(run)[-1].width if found is None else found

    networks = networks_of(runs)
    trained = {width_of(of[0]): float(np.mean([accuracy(run) for run in of])) for of in networks}
    if len(trained) < 3 or len(trained) < len(networks):
        raise ValueError(
            f"settings: expected three or more trained sparse networks of different widths in each, found "
            f"{len(networks)}; run predict with train=True and more widths"
        )
    if not of_kind(rows, "prediction"):
        raise ValueError("settings: expected predicted errors in each setting, found none; pass the records of predict")
    regrets = {}
    for name, score in _scores(rows, list(trained)).items():
        known = {width: value for width, value in score.items() if width in trained and math.isfinite(value)}
        if known:
            regrets[name] = max(trained.values()) - trained[min(known, key=lambda width: known[width])]
    return max(needed(run, "weights") for run in runs), regrets


def regret(
    settings: Iterable[Sequence[Record]] | Mapping[str, Sequence[Record]],
    *,
    last_epoch: bool = False,
    width: str | float = "column",
    ax: Axes | None = None,
) -> Axes:
    """What a predictor's choice of width costs against the budget, a line for each predictor.

    Regret is the best mean test accuracy over the trained widths less that of the width that the predictor names; the
    mean over the settings of each budget.

    Parameters
    ----------
    settings
        For each setting - data, normalisation, budget - the records of ``predict`` with trained networks, as a list of
        lists; or a dict of such lists by name. Of two budgets or more, which are the abscissa.
    last_epoch
        Whether accuracies are those after the last epoch instead of the best ones.
    width, ax
        As for :func:`distance`.

    Returns
    -------
    matplotlib.axes.Axes
        Linear in the regret. Predictors that lack a number in a setting are left out.

    Raises
    ------
    ValueError
        Where there are fewer than two budgets, or a setting lacks predictions or three trained widths.
    TypeError
        Where a setting is not a list of dicts.

    Examples
    --------
    >>> from sparsewidth import plot
    >>> def setting(weights):
    ...     run = {"kind": "training", "family": "sparse", "connectivity": 1.0, "last_connectivity": 1.0}
    ...     row = {"kind": "prediction", "predictor": "nngp_regression", "source": "drawn"}
    ...     runs = [(8, 0.8), (32, 0.9), (128, 0.85)]
    ...     return [
    ...         *({**run, "width": n, "weights": weights, "best_accuracy": accuracy} for n, accuracy in runs),
    ...         *({**row, "width": n, "test_error": error} for n, error in ((8, 0.3), (32, 0.2), (128, 0.1))),
    ...     ]
    >>> ax = plot.regret([setting(6352), setting(12704)])
    >>> [round(float(y), 3) for y in ax.lines[0].get_ydata()]
    [0.05, 0.05]
    """
    groups = list(settings.values() if isinstance(settings, Mapping) else settings)
    if groups and isinstance(groups[0], Mapping):
        raise TypeError(
            "settings: expected a list of records for each setting, found one list; pass [records, records, ...]"
        )
    found = [_regrets(rows_of(group, "records of a setting"), last_epoch) for group in groups]
    budgets = sorted({weights for weights, _ in found})
    if len(budgets) < 2:
        raise ValueError(
            f"settings: expected two or more budgets, found {len(budgets)}; pass the settings of others too"
        )
    series = []
    for name, style in PREDICTORS.items():
        if all(name in regrets for _, regrets in found):
            means = [float(np.mean([regrets[name] for of, regrets in found if of == weights])) for weights in budgets]
            series.append(Series(name, style, [Point(x, y) for x, y in zip(budgets, means)]))
    return chart(
        ax,
        width,
        series,
        title=f"What a predictor's choice of width costs, mean over {len(found)} settings",
        x_label="weights",
        y_label="mean regret (test accuracy)",
        x_ticks=budgets,
        shares=True,
    )
