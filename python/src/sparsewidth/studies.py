"""Studies: what the program's commands do, on arrays or on data that the program knows.

Every function gives the records or the report that the program ``sparsewidth`` prints with ``--json``, the same to the
last bit for the same data, settings and seed. Remarks that the program prints are issued as Python warnings.

``data`` is what the program takes as ``--data`` ("mnist", a folder, a file, "gaussian:D,N"), an array of inputs in rows
(also as ``{"x": array}``), or training and test samples: a tuple or a mapping of ``x_train``, ``y_train``, ``x_test``
and ``y_test``. Distances of data with labels are those of the test inputs, and labels change the default of
``normalisation`` from "none" to "pixel". Normalisations are

- "none": the inputs as they are;
- "global": one shift and one scale for all entries, by their mean and deviation (MNIST's published ones for MNIST);
- "pixel": ``(x - mean) / deviation`` of each pixel, and 0 where it never varies, as in the paper;
- "global_mnist": one shift and one scale, those of MNIST for any data;
- "rescale": ``x / 255`` for images of bytes, other numbers as they are.

With ``out``, a study writes the program's records, tables, pictures and page to that folder, keeps a journal there, and
goes on where it was interrupted. Without ``out``, nothing is written. Other arguments that are left out, or None, have
the defaults of the program, which are named below.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike, fspath
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from . import _core
from ._arguments import bar, listed, mask_of, numbers, options, path_of, real, whole
from .budgets import by_layer, load_masks
from .data import opened

__all__ = ["distance", "mask_distance", "mask_report", "optimum", "predict", "train", "tune", "verify"]

Record: TypeAlias = dict[str, Any]
Data: TypeAlias = str | PathLike[str] | ArrayLike | Mapping[str, ArrayLike] | tuple[ArrayLike, ...]
Path: TypeAlias = str | PathLike[str]

_SETS = ("x_train", "y_train", "x_test", "y_test")


def _array(name: str, values: Any) -> np.ndarray[Any, Any]:
    array = numbers(name, values)
    if array.dtype == np.float16:
        array = array.astype(np.float32)
    return np.ascontiguousarray(array)


def _refuse_lists(data: list[Any]) -> None:
    """Refuses a list of arrays: stacked, they would be taken for inputs, which four sets are not."""
    if not any(len(getattr(part, "shape", ())) for part in data):
        return
    remedy = "give a tuple (x_train, y_train, x_test, y_test), or numpy.stack of inputs of one shape"
    if len(data) == len(_SETS):
        raise ValueError(f"data: is a list of four arrays, which may be inputs or sets; {remedy}")
    if len({tuple(part.shape) if hasattr(part, "shape") else np.shape(part) for part in data}) > 1:
        raise ValueError(f"data: is a list of arrays of differing shapes; {remedy}")


def _dataset(data: Data) -> _core.Dataset:
    """A data set of the program; arrays go as the file that they would be saved to."""
    if isinstance(data, (str, PathLike)):
        return opened("data", data)
    file = io.BytesIO()
    if isinstance(data, tuple):
        if len(data) != len(_SETS):
            raise ValueError(f"data: is a tuple of {len(data)}; give (x_train, y_train, x_test, y_test) or one array")
        data = dict(zip(_SETS, data))
    if isinstance(data, Mapping) and list(data) == ["x"]:
        # As load_data gives inputs without labels.
        data = data["x"]
    if isinstance(data, Mapping):
        unknown = [name for name in data if name not in (*_SETS, "labels")]
        missing = [name for name in _SETS if name not in data]
        if missing or unknown:
            found = ", ".join(map(str, data)) or "nothing"
            raise ValueError(f"data: has {found}; give {', '.join(_SETS)}, or x alone")
        arrays: dict[str, Any] = {name: _array(f"data[{name!r}]", data[name]) for name in _SETS}
        np.savez(file, **arrays)
        return _core.Dataset.from_bytes("data.npz", file.getvalue())
    if isinstance(data, list):
        _refuse_lists(data)
    try:
        array = _array("data", data)
    except ValueError as error:
        if not isinstance(data, list) or len(data) != len(_SETS):
            raise
        raise ValueError(f"{error}, or sets as a tuple ({', '.join(_SETS)})") from error
    if array.ndim < 2 or array.size == 0:
        raise ValueError(f"data: has shape {array.shape}; give inputs in rows, shape (N, d)")
    np.save(file, array.reshape(len(array), -1))
    return _core.Dataset.from_bytes("data.npy", file.getvalue())


def _of_arrays(words: str) -> str:
    """Words about the file that arrays go as, as words about the argument."""
    return re.sub(r"(data = )?\bdata\.np[yz]\b", "data", words)


@contextlib.contextmanager
def _arrays_are_no_file(data: object) -> Iterator[None]:
    """Rewrites what is said of arrays as if they were a file."""
    try:
        yield
    except (ValueError, TypeError) as error:
        words = _of_arrays(str(error))
        if isinstance(data, (str, PathLike)) or words == str(error):
            raise
        raise type(error)(words) from None


def _networks(networks: Any) -> list[str] | None:
    """Networks as text: `WIDTH:CONNECTIVITY`."""
    if networks is None:
        return None
    if isinstance(networks, (str, Mapping)) or not isinstance(networks, Iterable):
        raise TypeError(f"networks = {networks!r}: is not a list; give pairs of width and connectivity")

    def text(network: Any) -> str:
        if isinstance(network, str):
            return network
        try:
            width, connectivity = network
        except (TypeError, ValueError) as error:
            raise TypeError(f"networks: {network!r} is not a pair; give a width and a connectivity") from error
        return f"{whole('networks, width', width)}:{real('networks, connectivity', connectivity)!r}"

    return [text(network) for network in listed("networks", networks) or []]


def _path(name: str, path: Path | None) -> str | None:
    return None if path is None else path_of(name, path)


def _flag(value: bool) -> bool | None:
    """A switch that is given only where it is on."""
    return True if value else None


def _run(
    study: Callable[..., tuple[str, list[str]]],
    what: str,
    progress: bool,
    data: Data | None,
    chosen: str,
    *before: Any,
    depth: int = 3,
) -> list[Any]:
    """Runs a study, says its remarks, and gives what it found."""
    with _arrays_are_no_file(data):
        # Only a verification has data of its own.
        dataset = None if data is None and study is _core.verify else _dataset(data)  # type: ignore[arg-type]
        with bar(progress, what) as show:
            found, remarks = study(*before, dataset, chosen, show)
    for remark in remarks:
        words = remark if isinstance(data, (str, PathLike)) else _of_arrays(remark)
        # Where the public function was called.
        warnings.warn(words, stacklevel=depth)
    return [json.loads(line) for line in found.splitlines()]


def distance(
    data: Data = "mnist",
    *,
    widths: int | Iterable[int] | None = None,
    networks: Iterable[str | tuple[int, float]] | None = None,
    weights: int | None = None,
    outputs: int | None = None,
    methods: str | Iterable[str] | None = None,
    get: str = "nngp",
    tangent: str | None = None,
    normalisation: str | Iterable[str] | None = None,
    pairs: int | None = None,
    initialisations: int | None = None,
    tolerance: float | None = None,
    n_masks: int | None = None,
    mask: str | None = None,
    law: str | None = None,
    reference: str | None = None,
    device: str | None = None,
    seed: int = 0,
    out: Path | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> list[Record]:
    """Compute how far the kernels of finite, sparse networks are from the infinite-width kernel, as a function of
    width.

    The distance of a pair of inputs is ``E[(Theta - Theta_inf)^2] = bias^2 + variance / n``, Theorem 1 of Golubeva,
    Neyshabur and Gur-Ari (2021); records have its mean and median over pairs.

    Parameters
    ----------
    data : str, path, array_like of shape (N, d), or training and test samples
        See :mod:`sparsewidth.studies`; labels are not needed.
    widths : int or iterable of int, optional
        Hidden widths at the weight budget; the paper's (8, 32, 128, 216, 328, 512 and 635), or others that fit the
        budget, unless given.
    networks : iterable of (int, float), optional
        Pairs of a width, a whole number, and a connectivity in (0, 1], instead of widths at a budget; also as
        "WIDTH:CONNECTIVITY".
    weights : int, optional
        Total number of weights; 8 (d + outputs) unless given.
    outputs : int, optional
        Outputs of the dense last layer, whose weights are part of the budget; the classes of the data, or 0 without
        labels, unless given.
    methods : str or iterable of str, optional
        "sampled", "theorem1", "expansion", "paper", "paper_fixed_np"; "sampled_all", "expansion_all" over all pairs;
        "theorem1_fixed_count". The first five unless given.
    get : {"nngp", "ntk"}
        Which kernel.
    tangent : {"standardised", "paper"}, optional
        Which weights gradient descent moves in the NTK: "standardised" ones (tau = 1), the default, or those of the
        "paper" (tau = p).
    normalisation : str or iterable of {"none", "global", "pixel", "global_mnist", "rescale"}, optional
        See :mod:`sparsewidth.studies`, by the statistics of the inputs that are used, which are the test inputs of data
        with labels. Unless given, "pixel" for images and data with labels, "none" for other data.
    pairs : int, optional
        Number of random pairs; 10,000 unless given.
    initialisations : int, optional
        Networks of each width that "sampled" draws at least; 10 unless given. More are drawn until there are 20,000
        weights in all.
    tolerance : float, optional
        Relative error of the masked moments, pair by pair; 1e-4 unless given.
    n_masks : int, optional
        Masks per pair where the tolerance is missed; 1,000 unless given.
    mask : {"bernoulli", "exact_count", "constant_fan_in"}, optional
        Mask family of sampled networks: each weight with the probability p, exactly that share of the layer, or of each
        row; "bernoulli" unless given.
    law : {"gaussian", "uniform"}, optional
        Distribution of their weights; "gaussian" unless given. Uniform ones have a third of the variance.
    reference : str, optional
        What sampled kernels are compared with: "analytic", the default, or "dense:N" for one sampled dense network of
        width N.
    device : {"auto", "cpu", "cuda"}, optional
        For "sampled_all": "auto", the default, is a GPU where there is one.
    seed : int
        Seed of everything random.
    out : str or path, optional
        Folder for records, pictures and page, and the journal from which an interrupted study resumes.
    threads : int, optional
        Number of threads, one per core unless given. Results do not depend on it.
    progress : bool
        Show a bar (needs tqdm).

    Returns
    -------
    list of dict
        A record for each normalisation, method and width: ``width``, ``connectivity``, ``method``, ``mean``,
        ``median``, their errors, ``bias_squared``, ``variance`` and what produced them.

    Raises
    ------
    ValueError
        Where a value is out of its range, has no effect, or the data do not fit.
    TypeError
        Where an argument is of the wrong type.
    OSError
        Where the folder cannot be written.

    Examples
    --------
    >>> import numpy as np, sparsewidth as sw
    >>> x = np.random.default_rng(0).standard_normal((40, 20))
    >>> records = sw.distance(x, widths=[8, 32], weights=160, methods="theorem1", pairs=50)
    >>> [(record["width"], round(record["connectivity"], 3)) for record in records]
    [(8, 1.0), (32, 0.25)]
    """
    chosen = options(
        widths=listed("widths", widths),
        networks=_networks(networks),
        weights=weights,
        outputs=outputs,
        methods=listed("methods", methods),
        kernel=get,
        tangent=tangent,
        normalisation=listed("normalisation", normalisation),
        pairs=pairs,
        initialisations=initialisations,
        tolerance=tolerance,
        masks=n_masks,
        mask=mask,
        law=law,
        reference=reference,
        device=device,
        seed=seed,
        out=_path("out", out),
        threads=threads,
    )
    return _run(_core.distance, "distance", progress, data, chosen)


def predict(
    data: Data = "mnist",
    *,
    widths: int | Iterable[int] | None = None,
    weights: int | None = None,
    get: str | Iterable[str] | None = None,
    tangent: str | Iterable[str] | None = None,
    normalisation: str | Iterable[str] | None = None,
    initialisations: int | None = None,
    limits: bool = False,
    ridges: float | Iterable[float] | None = None,
    pairs: int | None = None,
    tolerance: float | None = None,
    train: bool = False,
    rates: Path | None = None,
    runs: int | None = None,
    samples: int | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    training_mask: str | None = None,
    training_law: str | None = None,
    parametrisation: str | None = None,
    biases: bool = False,
    seed: int = 0,
    out: Path | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> list[Record]:
    """Predict test errors by ridge regression with the kernels of drawn networks.

    Parameters
    ----------
    data : str, path, or training and test samples
        Data with labels, see :mod:`sparsewidth.studies`.
    widths, weights
        As in :func:`distance`; the outputs are the classes.
    get : str or iterable of {"nngp", "ntk"}, optional
        Kernels to predict by; both unless given.
    tangent : str or iterable of {"standardised", "paper"}, optional
        Conventions of the NTK; both unless given.
    normalisation : str or iterable of {"none", "global", "pixel", "global_mnist", "rescale"}, optional
        See :mod:`sparsewidth.studies`, by the statistics of the training samples; "pixel" unless given. Networks are
        trained under the first one.
    initialisations : int, optional
        Networks drawn of each width; 5 unless given.
    limits : bool
        Also predict for networks of infinite width.
    ridges : float or iterable of float, optional
        Ridges to choose from, in units of the mean of the kernel's diagonal; 19 from 1e-4 to 100 unless given.
    pairs, tolerance
        For distances beside the predictions: 500 pairs of test samples to 1e-2 unless given; ``pairs=0`` takes none.
    train : bool
        Train the networks as well.
    rates : str or path, optional
        The rates.toml of :func:`tune`, for ``train``; the rates of the paper's authors, for their widths and budget on
        MNIST, unless given.
    runs : int, optional
        Training runs per network; 5 unless given.
    samples, epochs, batch, training_mask, training_law, parametrisation, biases
        As in :func:`train`.
    seed, out, threads, progress
        As in :func:`distance`.

    Returns
    -------
    list of dict
        Records of the ``kind`` "prediction", "distance" and "training".

    Raises
    ------
    ValueError, TypeError, OSError
        As :func:`distance`.

    Examples
    --------
    >>> import numpy as np, sparsewidth as sw
    >>> rng = np.random.default_rng(0)
    >>> x, x_test = rng.standard_normal((60, 10)), rng.standard_normal((40, 10))
    >>> sets = (x, x[:, 0] > 0, x_test, x_test[:, 0] > 0)
    >>> records = sw.predict(sets, widths=[12], weights=96, get="nngp", initialisations=2, pairs=0, samples=60)
    >>> [record["kind"] for record in records]
    ['prediction']
    """
    chosen = options(
        widths=listed("widths", widths),
        weights=weights,
        kernel=listed("get", get),
        tangent=listed("tangent", tangent),
        normalisation=listed("normalisation", normalisation),
        initialisations=initialisations,
        limits=_flag(limits),
        ridges=listed("ridges", ridges),
        pairs=pairs,
        tolerance=tolerance,
        train=_flag(train),
        rates=_path("rates", rates),
        runs=runs,
        **_training(samples, epochs, batch, training_mask, training_law, parametrisation, biases),
        seed=seed,
        out=_path("out", out),
        threads=threads,
    )
    return _run(_core.predict, "predict", progress, data, chosen)


def _training(
    samples: int | None,
    epochs: int | None,
    batch: int | None,
    training_mask: str | None,
    training_law: str | None,
    parametrisation: str | None,
    biases: bool,
) -> dict[str, object]:
    return {
        "samples": samples,
        "epochs": epochs,
        "batch": batch,
        "training_mask": training_mask,
        "training_law": training_law,
        "parametrisation": parametrisation,
        "biases": _flag(biases),
    }


def train(
    data: Data = "mnist",
    *,
    widths: int | Iterable[int],
    weights: int | None = None,
    connectivity: float | None = None,
    dense: bool = False,
    last_connectivity: float | None = None,
    activation: str | None = None,
    learning_rate: float | None = None,
    rates: Path | None = None,
    samples: int | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    training_mask: str | None = None,
    training_law: str | None = None,
    parametrisation: str | None = None,
    biases: bool = False,
    runs: int | None = None,
    normalisation: str | None = None,
    keep_weights: bool = False,
    seed: int = 0,
    out: Path | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> list[Record]:
    """Train sparse or dense networks of several widths.

    Parameters
    ----------
    data : str, path, or training and test samples
        Data with labels, see :mod:`sparsewidth.studies`.
    widths : int or iterable of int
        Hidden widths.
    weights : int, optional
        Total number of weights; 8 (d + classes) unless given.
    connectivity : float, optional
        Density of the first layer, instead of a weight budget.
    dense : bool
        Train dense networks.
    last_connectivity : float, optional
        Density of the last layer; 1 unless given.
    activation : {"relu", "linear"}, optional
        Of the hidden layer; "relu" unless given.
    learning_rate : float, optional
        For all networks; the rates of the paper's authors, for their widths and budget on MNIST, unless given.
    rates : str or path, optional
        The rates.toml of :func:`tune`.
    samples : int, optional
        Training samples, a random subset if there are more; 2,048 unless given.
    epochs, batch : int, optional
        300 passes over the samples, and 256 samples per step, unless given.
    training_mask : {"exact_count", "bernoulli", "constant_fan_in"}, optional
        Mask family, as ``mask`` in :func:`distance`; "exact_count" unless given.
    training_law : {"uniform", "gaussian"}, optional
        Distribution of the initial weights; "uniform" unless given.
    parametrisation : {"neural_tangent", "standard"}, optional
        Which variable gradient descent updates: w, the default, or W = w / sqrt(inputs).
    biases : bool
        Give every layer biases, which are not counted as weights.
    runs : int, optional
        Runs per network; 3 unless given.
    normalisation : {"none", "global", "pixel", "global_mnist", "rescale"}, optional
        See :mod:`sparsewidth.studies`, by the statistics of the training samples; "pixel" unless given.
    keep_weights : bool
        Save the weights of each run to the folder ``weights`` inside ``out``.
    seed, out, threads, progress
        As in :func:`distance`.

    Returns
    -------
    list of dict
        A record for each run: ``width``, ``connectivity``, ``best_accuracy`` over all epochs, ``final_accuracy`` after
        the last, ``curve`` and more.

    Raises
    ------
    ValueError, TypeError, OSError
        As :func:`distance`.

    Examples
    --------
    >>> import numpy as np, sparsewidth as sw
    >>> rng = np.random.default_rng(0)
    >>> x, x_test = rng.standard_normal((60, 10)), rng.standard_normal((40, 10))
    >>> sets = (x, x[:, 0] > 0, x_test, x_test[:, 0] > 0)
    >>> records = sw.train(sets, widths=[8, 16], weights=96, learning_rate=1, epochs=5, runs=1, samples=60)
    >>> [record["width"] for record in records]
    [8, 16]
    """
    if widths is None:
        raise TypeError("widths = None: is a NoneType; give a width or a list of widths")
    chosen = options(
        widths=listed("widths", widths),
        weights=weights,
        connectivity=connectivity,
        dense=_flag(dense),
        last_connectivity=last_connectivity,
        activation=activation,
        learning_rate=learning_rate,
        rates=_path("rates", rates),
        **_training(samples, epochs, batch, training_mask, training_law, parametrisation, biases),
        runs=runs,
        normalisation=normalisation,
        keep_weights=_flag(keep_weights),
        seed=seed,
        out=_path("out", out),
        threads=threads,
    )
    return _run(_core.train, "train", progress, data, chosen)


def tune(
    data: Data = "mnist",
    *,
    widths: int | Iterable[int] | None = None,
    weights: int | None = None,
    connectivity: float | None = None,
    dense: bool = False,
    last_connectivity: float | None = None,
    activation: str | None = None,
    lowest: float | None = None,
    highest: float | None = None,
    validation: int | None = None,
    samples: int | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    training_mask: str | None = None,
    training_law: str | None = None,
    parametrisation: str | None = None,
    biases: bool = False,
    runs: int | None = None,
    normalisation: str | None = None,
    seed: int = 0,
    out: Path | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> Record:
    """Search the learning rate of each width, on validation samples.

    Parameters
    ----------
    data, widths, weights, connectivity, dense, last_connectivity, activation
        As in :func:`train`; widths as in :func:`distance`.
    lowest, highest : float, optional
        Range of rates, in factors of two: 0.25 to 4,096 unless given.
    validation : int, optional
        Number of validation samples, taken from unused training samples if there are enough, otherwise held out of
        those used. 10,000 unless given, or 512 of "mnist"; for smaller data all unused samples, or a quarter of the
        training samples if that is more.
    samples, epochs, batch, training_mask, training_law, parametrisation, biases, normalisation
        As in :func:`train`.
    runs : int, optional
        Runs per rate in the last stage; 3 unless given.
    seed, out, threads, progress
        As in :func:`distance`. With ``out``, rates.toml is there, which :func:`train` and :func:`predict` read; without
        it, nothing is written, not even to the program's folder "tune".

    Returns
    -------
    dict
        The program's report: ``tried``, a dict for each rate that was tried, with its ``network``, ``error`` and
        ``standard_error``; ``tuned``, for each network its ``best`` one.

    Raises
    ------
    ValueError, TypeError, OSError
        As :func:`distance`.

    Examples
    --------
    >>> import numpy as np, sparsewidth as sw
    >>> rng = np.random.default_rng(0)
    >>> x, x_test = rng.standard_normal((60, 10)), rng.standard_normal((40, 10))
    >>> sets = (x, x[:, 0] > 0, x_test, x_test[:, 0] > 0)
    >>> found = sw.tune(sets, widths=[8], weights=96, highest=4, epochs=9, runs=1, samples=40, validation=20)
    >>> 0.25 <= found["tuned"][0]["best"]["network"]["learning_rate"] <= 4
    True
    """
    chosen = options(
        widths=listed("widths", widths),
        weights=weights,
        connectivity=connectivity,
        dense=_flag(dense),
        last_connectivity=last_connectivity,
        activation=activation,
        lowest=lowest,
        highest=highest,
        validation=validation,
        **_training(samples, epochs, batch, training_mask, training_law, parametrisation, biases),
        runs=runs,
        normalisation=normalisation,
        seed=seed,
        out=_path("out", out),
        threads=threads,
    )
    [report] = _run(_core.tune, "tune", progress, data, chosen)
    return dict(report)


def optimum(
    data: Data = "mnist",
    *,
    by: str = "distance",
    weights: int | None = None,
    outputs: int | None = None,
    get: str | None = None,
    tangent: str | None = None,
    normalisation: str | None = None,
    pairs: int | None = None,
    median: bool = False,
    tolerance: float | None = None,
    initialisations: int | None = None,
    samples: int | None = None,
    seed: int = 0,
    out: Path | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> Record:
    """Find the width that minimises the distance, or the error that kernels predict, at a weight budget.

    Parameters
    ----------
    data, weights, outputs, get, tangent
        As in :func:`distance`.
    by : {"distance", "ntk-regression", "nngp-regression"}
        What is minimised; regression needs labels.
    normalisation : {"none", "global", "pixel", "global_mnist", "rescale"}, optional
        As in :func:`distance`.
    pairs : int, optional
        Number of random pairs; 1,000 unless given.
    median : bool
        Minimise the median over pairs instead of the mean.
    tolerance : float, optional
        Relative error of the masked moments; 1e-3 unless given.
    initialisations, samples : int, optional
        For regression: networks drawn of each width, 3 unless given, and training samples, 2,048 unless given.
    seed, out, threads, progress
        As in :func:`distance`.

    Returns
    -------
    dict
        The program's report. By distance: ``optima``, a minimum for each ``method``, with the point ``at`` which it is
        and the widths ``within_5_percent`` of it; ``curve``, every width that was searched. By regression: ``width``,
        its ``interval``, the widths that are ``alike``, and ``curve``.

    Raises
    ------
    ValueError, TypeError, OSError
        As :func:`distance`.

    Examples
    --------
    >>> import numpy as np, sparsewidth as sw
    >>> x = np.random.default_rng(0).standard_normal((40, 20)) ** 3
    >>> found = sw.optimum(x, weights=400, outputs=2, pairs=50)
    >>> theorem1 = next(optimum for optimum in found["optima"] if optimum["method"] == "theorem1")
    >>> 30 < theorem1["at"]["width"] < 120
    True
    """
    chosen = options(
        by=by,
        weights=weights,
        outputs=outputs,
        kernel=get,
        tangent=tangent,
        normalisation=normalisation,
        pairs=pairs,
        median=_flag(median),
        tolerance=tolerance,
        initialisations=initialisations,
        samples=samples,
        seed=seed,
        out=_path("out", out),
        threads=threads,
    )
    [report] = _run(_core.optimum, "optimum", progress, data, chosen)
    return dict(report)


def verify(
    data: Data | None = None,
    *,
    weights_per_row: float | Iterable[float] | None = None,
    widths: int | Iterable[int] | None = None,
    pairs: int | None = None,
    mask: str | None = None,
    get: str = "nngp",
    tangent: str | None = None,
    normalisation: str | None = None,
    initialisations: int | None = None,
    tolerance: float | None = None,
    seed: int = 0,
    out: Path | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> Record:
    """Verify Theorem 1 against drawn networks, as statistics.

    Parameters
    ----------
    data : as in :func:`distance`, optional
        Gaussian inputs of dimension 12, 100 and 784 and MNIST in two normalisations unless given.
    weights_per_row : float or iterable of float, optional
        Expected numbers of weights per row, d p; 4, 16 and 100 unless given. Dense rows are verified as well.
    widths : int or iterable of int, optional
        8 and 64 unless given.
    pairs : int, optional
        Pairs per cell; 16 unless given.
    mask : {"bernoulli", "exact_count", "constant_fan_in"}, optional
        Mask family of networks and theory; "bernoulli" unless given.
    get, tangent, normalisation
        As in :func:`distance`.
    initialisations : int, optional
        Networks per cell, at least 1,000; 10,000 unless given.
    tolerance : float, optional
        Relative error of the masked moments; 1e-6 unless given.
    seed, out, threads, progress
        As in :func:`distance`.

    Returns
    -------
    dict
        The program's report: ``tests`` of each quantity, ``cells`` with estimates and predictions. Where the networks
        reject the theorem there is a warning.

    Raises
    ------
    ValueError, TypeError, OSError
        As :func:`distance`.

    Examples
    --------
    >>> import sparsewidth as sw
    >>> found = sw.verify("gaussian:12,20", weights_per_row=[4], widths=[8], pairs=4, initialisations=2000)
    >>> len(found["cells"])
    2
    """
    chosen = options(
        weights_per_row=listed("weights_per_row", weights_per_row),
        widths=listed("widths", widths),
        pairs=pairs,
        mask=mask,
        kernel=get,
        tangent=tangent,
        normalisation=normalisation,
        initialisations=initialisations,
        tolerance=tolerance,
        seed=seed,
        out=_path("out", out),
        threads=threads,
    )
    [report] = _run(_core.verify, "verify", progress, data, chosen)
    return dict(report)


def _set_of(name: str, masks: Any) -> tuple[str, list[tuple[str, np.ndarray[Any, Any]]]]:
    """The masks of a network by its name: one of its first layer, some by layer, or those of a file."""
    if isinstance(masks, (str, PathLike)):
        masks = load_masks(masks)
    if not isinstance(masks, Mapping):
        masks = {"weight": masks}
    if not masks:
        raise ValueError(f"masks[{name!r}]: is empty; give a mask for each layer")
    layers = by_layer(f"masks[{name!r}]", masks)
    return name, [(layer, mask_of(f"masks[{name!r}]", mask)) for layer, mask in layers.items()]


def mask_distance(
    masks: Mapping[str, Any] | Sequence[Path] | ArrayLike | Path,
    data: Data = "mnist",
    *,
    get: str | Iterable[str] | None = None,
    tangent: str | None = None,
    normalisation: str | None = None,
    pairs: int | None = None,
    scale: str | None = None,
    drawn: int | None = None,
    initialisations: int | None = None,
    seed: int = 0,
    out: Path | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> list[Record]:
    """Compute the kernel distance of your own masks, and compare it with random masks that keep the same number of
    weights.

    These are the records of :func:`mask_report`, without the rest of it.

    Parameters
    ----------
    masks : array_like, mapping, path or list of paths
        A mask of the first layer, shape (n, d); or the masks of one network, its layers in order, by names that all end
        in ".weight" or ".weight_mask", as of :func:`sparsewidth.draw_masks` or ``sparsewidth.torch.masks_of``; or, by
        other names of your own, several networks: masks of first layers, mappings of layers to masks, or NPZ or
        safetensors files; or such files alone.
    data : as in :func:`distance`
        The first layer must take its inputs.
    get : str or iterable of {"nngp", "ntk"}, optional
        Kernels; both unless given.
    tangent : {"standardised", "paper"}, optional
        Which weights gradient descent moves in the NTK: "standardised" ones (tau = 1), the default, or those of the
        "paper" (tau is the inverse of their variance).
    normalisation : {"none", "global", "pixel", "global_mnist", "rescale"}, optional
        As in :func:`distance`.
    pairs : int, optional
        Number of random pairs; 1,000 unless given.
    scale : {"density", "fan_in"}, optional
        Variance of the weights that a mask keeps: ``1/density``, the default, or ``d/fan_in`` of each row.
    drawn : int, optional
        Random masks that each given one is compared with; 100 unless given.
    initialisations : int, optional
        Times that the weights of deeper networks are drawn; 32 unless given.
    seed, out, threads, progress
        As in :func:`distance`.

    Returns
    -------
    list of dict
        A record for each network and kernel: its name as ``file``, ``distance``, ``percentile`` among the random masks,
        and more. Networks whose first layer is a convolution or is empty get no record, and a warning.

    Raises
    ------
    ValueError, TypeError, OSError
        As :func:`distance`.

    Examples
    --------
    >>> import numpy as np, sparsewidth as sw
    >>> x = np.random.default_rng(0).standard_normal((40, 20))
    >>> half = np.zeros((30, 20), dtype=bool)
    >>> half[:, :10] = True
    >>> [record] = sw.mask_distance(half, x, get="nngp", drawn=20, pairs=50)
    >>> record["density"], record["percentile"]
    (0.5, 100.0)
    """
    report = _masks(
        masks,
        data,
        False,
        progress,
        kernel=listed("get", get),
        tangent=tangent,
        normalisation=normalisation,
        pairs=pairs,
        scale=scale,
        drawn=drawn,
        initialisations=initialisations,
        seed=seed,
        out=out,
        threads=threads,
    )
    records: list[Record] = report["records"]
    return records


def mask_report(
    masks: Mapping[str, Any] | Sequence[Path] | ArrayLike | Path,
    data: Data = "mnist",
    *,
    get: str | Iterable[str] | None = None,
    tangent: str | None = None,
    normalisation: str | None = None,
    pairs: int | None = None,
    scale: str | None = None,
    drawn: int | None = None,
    initialisations: int | None = None,
    seed: int = 0,
    out: Path | None = None,
    threads: int | None = None,
    progress: bool = False,
) -> Record:
    """Report on your own masks: what each layer keeps, their distances, and those of random masks by density.

    Parameters
    ----------
    masks, data, get, tangent, normalisation, pairs, scale, drawn, initialisations, seed, out, threads, progress
        As in :func:`mask_distance`.

    Returns
    -------
    dict
        ``layers``, a dict for each layer with its density, fan-in, dead units and unused inputs; ``records``, those of
        :func:`mask_distance`; ``curves``, the distance of random masks against density.

    Raises
    ------
    ValueError, TypeError, OSError
        As :func:`distance`.

    Examples
    --------
    >>> import numpy as np, sparsewidth as sw
    >>> x = np.random.default_rng(0).standard_normal((40, 20))
    >>> report = sw.mask_report(np.eye(30, 20, dtype=bool), x, drawn=0, pairs=50)
    >>> report["layers"][0]["dead_units"]
    10
    """
    return _masks(
        masks,
        data,
        True,
        progress,
        kernel=listed("get", get),
        tangent=tangent,
        normalisation=normalisation,
        pairs=pairs,
        scale=scale,
        drawn=drawn,
        initialisations=initialisations,
        seed=seed,
        out=out,
        threads=threads,
    )


def _is_network(masks: Mapping[Any, Any]) -> bool:
    """Whether names are those of the weights of one network's layers, as in a state dictionary."""

    def is_layer(name: object, mask: object) -> bool:
        is_array = not isinstance(mask, (str, PathLike, Mapping))
        return is_array and isinstance(name, str) and name.endswith((".weight", ".weight_mask"))

    return all(is_layer(name, mask) for name, mask in masks.items())


def _is_mask(mask: object) -> bool:
    """Whether this is a mask or more by itself, and not a row of one."""
    return isinstance(mask, (str, PathLike, Mapping)) or len(getattr(mask, "shape", ())) > 1


def _masks(masks: Any, data: Data, curves: bool, progress: bool, out: Path | None, **chosen: object) -> Record:
    """The report on masks, with the curves of random ones where they are wanted."""
    if isinstance(masks, (Mapping, list, tuple)) and not masks:
        raise ValueError("masks: is empty; give a mask or more")
    paths = isinstance(masks, (list, tuple)) and all(isinstance(path, (str, PathLike)) for path in masks)
    # Rows of one mask are no masks.
    if isinstance(masks, (list, tuple)) and not paths and any(_is_mask(mask) for mask in masks):
        raise ValueError("masks: is a list of several masks; give a mapping of names to masks")
    if isinstance(masks, Mapping) and _is_network(masks):
        named: Mapping[Any, Any] = {"mask": masks}
    elif isinstance(masks, Mapping):
        named = masks
    elif isinstance(masks, (str, PathLike)):
        named = {fspath(masks): masks}
    elif paths:
        named = {fspath(path): path for path in masks}
    else:
        named = {"mask": masks}
    sets = [_set_of(str(name), given) for name, given in named.items()]
    chosen["out"] = _path("out", out)
    [report] = _run(_core.mask_report, "masks", progress, data, options(**chosen, curves=_flag(curves)), sets, depth=4)
    return dict(report)
