"""Weight budgets over the layers of a network, and masks: drawn, read and written.

Density is connectivity, the share of weights that exist; sparsity is one less it. Every function takes exactly one of
``density``, ``sparsity`` and ``weights``. Masks are boolean arrays of a weight's own shape, true where it is kept, by
the weight's name, as in a PyTorch state dictionary.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from ._arguments import check_memory, mask_of, options, path_of, plain, real

__all__ = [
    "allocate",
    "draw_masks",
    "er",
    "erk",
    "largest_first",
    "last_dense",
    "load_masks",
    "save_masks",
    "shapes",
    "uniform",
    "uniform_plus",
]

Shapes = str | PathLike[str] | Mapping[str, Any]
"""A network: names with shapes or with arrays, such as a state dictionary, or the program's name of an architecture."""


def _layers(shapes: Shapes) -> str | list[tuple[str, list[int]]]:
    if isinstance(shapes, (str, PathLike)):
        return path_of("shapes", shapes)
    if not isinstance(shapes, Mapping):
        kind = type(shapes).__name__
        raise TypeError(f'shapes: is a {kind}; give a mapping of names to shapes, or a string such as "mlp:784-128-10"')
    layers = []
    for name, shape in shapes.items():
        # As torch.nn.utils.prune keeps them: X is the product of X_orig and X_mask.
        if isinstance(name, str) and name.endswith("_mask") and f"{name.removesuffix('_mask')}_orig" in shapes:
            continue
        if isinstance(name, str) and name.endswith("_orig") and f"{name.removesuffix('_orig')}_mask" in shapes:
            name = name.removesuffix("_orig")
        sizes = getattr(shape, "shape", shape)
        if not isinstance(name, str) or not isinstance(sizes, Iterable) or isinstance(sizes, str):
            raise TypeError(f"shapes: {name!r} is {shape!r}; give a name, and a shape or an array")
        whole = [plain(f"shapes[{name!r}]", size) for size in sizes]
        if not all(isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**63 for size in whole):
            raise ValueError(f"shapes: {name!r} has shape {tuple(whole)}; give sizes that are whole numbers")
        # Biases and normalisation are no layers of weights.
        if len(whole) >= 2 or not hasattr(shape, "shape"):
            layers.append((name, [int(size) for size in whole]))  # type: ignore[call-overload]
    return layers


def _amounts(
    density: float | None,
    sparsity: float | None,
    weights: int | None,
    rule: str,
    keep: Mapping[str, float] | None,
    dense: Iterable[str],
    **others: object,
) -> str:
    if isinstance(dense, str):
        raise TypeError(f"dense = {dense!r}: is a string; give a list of layers")
    if not isinstance(dense, Iterable):
        raise TypeError(f"dense = {dense!r}: is a {type(dense).__name__}; give a list of layers")
    whole = list(dense)
    for name in [*whole, *(keep if isinstance(keep, Mapping) else ())]:
        if not isinstance(name, str):
            raise TypeError(f"layer = {name!r}: is a {type(name).__name__}; give the name of a layer")
    if keep is not None and not isinstance(keep, Mapping):
        raise TypeError(f"keep = {keep!r}: is a {type(keep).__name__}; give a mapping of layers to densities")
    kept = [[name, real(f"keep[{name!r}]", share)] for name, share in (keep or {}).items()]
    kept += [[name, 1.0] for name in whole]
    return options(density=density, sparsity=sparsity, weights=weights, rule=rule, keep=kept or None, **others)


def shapes(network: Shapes) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a network's layers.

    Parameters
    ----------
    network : mapping, str or path
        As ``shapes`` in :func:`allocate`.

    Returns
    -------
    dict of str to tuple of int
        The shape of each layer, in the order of the network: outputs, inputs, and those of a convolution's kernel.

    Raises
    ------
    ValueError, TypeError
        Where there is no such network, or a shape is not one.

    Examples
    --------
    >>> import sparsewidth as sw
    >>> sw.shapes("mlp:784-128-10")
    {'layer0.weight': (128, 784), 'layer1.weight': (10, 128)}
    """
    return {name: tuple(shape) for name, shape, _ in _core.allocate(_layers(network), options(density=1.0))}


def allocate(
    shapes: Shapes,
    *,
    density: float | None = None,
    sparsity: float | None = None,
    weights: int | None = None,
    rule: str = "largest-first",
    keep: Mapping[str, float] | None = None,
    dense: Iterable[str] = (),
    fan_in: str | None = None,
) -> dict[str, int]:
    """Divide a weight budget over layers.

    Parameters
    ----------
    shapes : mapping, str or path
        Names with shapes or arrays, such as a state dictionary (arrays of fewer than two dimensions are left out, and
        ``X_orig`` beside ``X_mask``, as torch.nn.utils.prune keeps them, is the layer ``X``);
        "mlp:784-128-10", "resnet18:64", or a .toml or .safetensors file.
    density, sparsity : float
        Share of all weights to keep in (0, 1], or to leave out in [0, 1).
    weights : int
        Number of weights to keep. Give exactly one of the three.
    rule : str
        "largest-first" (the paper's), "uniform", "uniform-plus", "last-dense", "last:SHARE", "er" or "erk", the
        last two also with a power as in "erk:0.5".
    keep : mapping of str to float, optional
        Densities of some layers, whatever the rule.
    dense : iterable of str
        Layers to keep dense.
    fan_in : {"constant", "even"}, optional
        Keep as many weights at every output of a layer.

    Returns
    -------
    dict of str to int
        How many weights each layer keeps; their sum is the budget, except with ``fan_in="constant"``, which rounds.

    Raises
    ------
    ValueError, TypeError
        Where the budget does not fit, a layer is unknown, or not exactly one amount is given.

    Examples
    --------
    >>> import sparsewidth as sw
    >>> sw.allocate("mlp:784-216-10", weights=6352, rule="last-dense")
    {'layer0.weight': 4192, 'layer1.weight': 2160}
    >>> sum(sw.allocate({"a": (30, 20), "b": (10, 30)}, density=0.1, rule="erk").values())
    90
    """
    chosen = _amounts(density, sparsity, weights, rule, keep, dense, fan_in=fan_in)
    return {name: kept for name, _, kept in _core.allocate(_layers(shapes), chosen)}


def _densities(shapes: Shapes, rule: str, amounts: Mapping[str, Any]) -> dict[str, float]:
    keep, dense = amounts.get("keep"), amounts.get("dense", ())
    chosen = _amounts(amounts["density"], amounts["sparsity"], amounts["weights"], rule, keep, dense)
    return {name: kept / int(np.prod(shape)) for name, shape, kept in _core.allocate(_layers(shapes), chosen)}


def erk(
    shapes: Shapes,
    *,
    density: float | None = None,
    sparsity: float | None = None,
    weights: int | None = None,
    power: float = 1.0,
    keep: Mapping[str, float] | None = None,
    dense: Iterable[str] = (),
) -> dict[str, float]:
    """Return densities by the Erdos-Renyi-kernel rule.

    Densities are in proportion to
    ``((n_out + n_in + k_1 + ...) / (n_out n_in k_1 ...))^power``, at most 1; Evci et al., "Rigging the lottery", 2020.

    Parameters
    ----------
    shapes, density, sparsity, weights, keep, dense
        As in :func:`allocate`.
    power : float
        Power of the rule, from 0 to 10.

    Returns
    -------
    dict of str to float
        The density of each layer, whose weights are whole numbers.

    Raises
    ------
    ValueError, TypeError
        As :func:`allocate`.

    Examples
    --------
    >>> import sparsewidth as sw
    >>> densities = sw.erk("mlp:100-40-10", density=0.2)
    >>> round(4000 * densities["layer0.weight"] + 400 * densities["layer1.weight"])
    880
    """
    amounts = {"density": density, "sparsity": sparsity, "weights": weights, "keep": keep, "dense": dense}
    return _densities(shapes, f"erk:{real('power', power)}", amounts)


def er(
    shapes: Shapes,
    *,
    density: float | None = None,
    sparsity: float | None = None,
    weights: int | None = None,
    power: float = 1.0,
    keep: Mapping[str, float] | None = None,
    dense: Iterable[str] = (),
) -> dict[str, float]:
    """Return densities by the Erdos-Renyi rule.

    Densities are in proportion to
    ``((n_out + n_in) / (n_out n_in))^power``, at most 1; Mocanu et al., 2018.

    Parameters
    ----------
    shapes, density, sparsity, weights, keep, dense
        As in :func:`allocate`.
    power : float
        Power of the rule, from 0 to 10.

    Returns
    -------
    dict of str to float
        The density of each layer, whose weights are whole numbers.

    Raises
    ------
    ValueError, TypeError
        As :func:`allocate`.

    Examples
    --------
    >>> import sparsewidth as sw
    >>> densities = sw.er("mlp:100-40-10", density=0.2)
    >>> round(4000 * densities["layer0.weight"] + 400 * densities["layer1.weight"])
    880
    """
    amounts = {"density": density, "sparsity": sparsity, "weights": weights, "keep": keep, "dense": dense}
    return _densities(shapes, f"er:{real('power', power)}", amounts)


def uniform(
    shapes: Shapes,
    *,
    density: float | None = None,
    sparsity: float | None = None,
    weights: int | None = None,
    keep: Mapping[str, float] | None = None,
    dense: Iterable[str] = (),
) -> dict[str, float]:
    """Return the uniform allocation: every layer has the same density.

    Parameters
    ----------
    shapes, density, sparsity, weights, keep, dense
        As in :func:`allocate`.

    Returns
    -------
    dict of str to float
        The density of each layer, whose weights are whole numbers.

    Raises
    ------
    ValueError, TypeError
        As :func:`allocate`.

    Examples
    --------
    >>> import sparsewidth as sw
    >>> densities = sw.uniform("mlp:100-40-10", density=0.2)
    >>> round(4000 * densities["layer0.weight"] + 400 * densities["layer1.weight"])
    880
    """
    amounts = {"density": density, "sparsity": sparsity, "weights": weights, "keep": keep, "dense": dense}
    return _densities(shapes, "uniform", amounts)


def uniform_plus(
    shapes: Shapes,
    *,
    density: float | None = None,
    sparsity: float | None = None,
    weights: int | None = None,
    keep: Mapping[str, float] | None = None,
    dense: Iterable[str] = (),
) -> dict[str, float]:
    """Return the uniform allocation, except that the first layer is dense and the last has a density of 20 % at least.

    Parameters
    ----------
    shapes, density, sparsity, weights, keep, dense
        As in :func:`allocate`.

    Returns
    -------
    dict of str to float
        The density of each layer, whose weights are whole numbers.

    Raises
    ------
    ValueError, TypeError
        As :func:`allocate`.

    Examples
    --------
    >>> import sparsewidth as sw
    >>> sw.uniform_plus("mlp:100-40-40-10", weights=4800)
    {'layer0.weight': 1.0, 'layer1.weight': 0.4, 'layer2.weight': 0.4}
    """
    amounts = {"density": density, "sparsity": sparsity, "weights": weights, "keep": keep, "dense": dense}
    return _densities(shapes, "uniform-plus", amounts)


def largest_first(
    shapes: Shapes,
    *,
    density: float | None = None,
    sparsity: float | None = None,
    weights: int | None = None,
    keep: Mapping[str, float] | None = None,
    dense: Iterable[str] = (),
) -> dict[str, float]:
    """Return densities by the paper's rule: weights are taken from the largest layers first.

    Parameters
    ----------
    shapes, density, sparsity, weights, keep, dense
        As in :func:`allocate`.

    Returns
    -------
    dict of str to float
        The density of each layer, whose weights are whole numbers.

    Raises
    ------
    ValueError, TypeError
        As :func:`allocate`.

    Examples
    --------
    >>> import sparsewidth as sw
    >>> densities = sw.largest_first("mlp:100-40-10", density=0.2)
    >>> round(4000 * densities["layer0.weight"] + 400 * densities["layer1.weight"])
    880
    """
    amounts = {"density": density, "sparsity": sparsity, "weights": weights, "keep": keep, "dense": dense}
    return _densities(shapes, "largest-first", amounts)


def last_dense(
    shapes: Shapes,
    *,
    density: float | None = None,
    sparsity: float | None = None,
    weights: int | None = None,
    keep: Mapping[str, float] | None = None,
    dense: Iterable[str] = (),
) -> dict[str, float]:
    """Keep the last layer dense, and allocate the rest largest-first.

    Parameters
    ----------
    shapes, density, sparsity, weights, keep, dense
        As in :func:`allocate`.

    Returns
    -------
    dict of str to float
        The density of each layer, whose weights are whole numbers.

    Raises
    ------
    ValueError, TypeError
        As :func:`allocate`.

    Examples
    --------
    >>> import sparsewidth as sw
    >>> densities = sw.last_dense("mlp:100-40-10", density=0.2)
    >>> round(4000 * densities["layer0.weight"] + 400 * densities["layer1.weight"])
    880
    """
    amounts = {"density": density, "sparsity": sparsity, "weights": weights, "keep": keep, "dense": dense}
    return _densities(shapes, "last-dense", amounts)


def draw_masks(
    shapes: Shapes,
    *,
    density: float | None = None,
    sparsity: float | None = None,
    weights: int | None = None,
    rule: str = "largest-first",
    keep: Mapping[str, float] | None = None,
    dense: Iterable[str] = (),
    fan_in: str | None = None,
    pattern: str = "unstructured",
    seed: int = 0,
) -> dict[str, NDArray[np.bool_]]:
    """Draw masks that keep exactly a budget, at uniformly random positions.

    They are those of the program's ``budget --masks`` with this seed, bit for bit. Layers are numbered in the order of
    ``shapes``, on which the bits depend.

    Parameters
    ----------
    shapes, density, sparsity, weights, rule, keep, dense, fan_in
        As in :func:`allocate`.
    pattern : {"unstructured", "kernel-wise"}
        Single weights, or whole kernels of a convolution.
    seed : int
        Seed, 0 or more.

    Returns
    -------
    dict of str to ndarray of bool
        Masks of the layers' shapes, true where a weight is kept.

    Raises
    ------
    ValueError, TypeError
        As :func:`allocate`.
    MemoryError
        Where the masks do not fit in memory.

    Examples
    --------
    >>> import sparsewidth as sw
    >>> masks = sw.draw_masks({"fc1.weight": (30, 20), "fc2.weight": (10, 30)}, density=0.1)
    >>> masks["fc1.weight"].shape, sum(int(mask.sum()) for mask in masks.values())
    ((30, 20), 90)
    """
    layers = _layers(shapes)
    amounts = (density, sparsity, weights, rule, keep, dense)
    divided = _core.allocate(layers, _amounts(*amounts, fan_in=fan_in, pattern=pattern))
    sizes = [math.prod(shape) for _, shape, _ in divided]
    # A byte for each weight, and for the layer that is drawn its positions and flags.
    remedy = "give fewer or smaller layers, or draw them one at a time"
    check_memory("shapes", f"masks of {sum(sizes)} weights", 9 * max(sizes) + sum(sizes), remedy)
    return dict(_core.draw_masks(layers, _amounts(*amounts, fan_in=fan_in, pattern=pattern, seed=seed)))


def load_masks(path: str | PathLike[str], *, zeros_are_masked: bool = False) -> dict[str, NDArray[np.bool_]]:
    """Read the masks of an NPZ or safetensors file.

    Parameters
    ----------
    path : str or path
        Arrays of 0 and 1 of any type, named ``LAYER.weight``, ``LAYER.weight_mask`` (as torch.nn.utils.prune does) or
        otherwise.
    zeros_are_masked : bool
        Whether the file holds pruned weights, of which a mask keeps every one that is not 0.

    Returns
    -------
    dict of str to ndarray of bool
        Masks by ``LAYER.weight``, in the order of the file.

    Raises
    ------
    ValueError
        Where the file is missing or damaged, or holds no masks.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import sparsewidth as sw
    >>> masks = sw.draw_masks("mlp:20-10-2", density=0.5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "masks.safetensors"
    ...     sw.save_masks(path, masks, keys="torch")
    ...     again = sw.load_masks(path)
    >>> all((again[name] == masks[name]).all() for name in masks)
    True
    """
    return {f"{layer}.weight": mask for layer, mask in _core.load_masks(path_of("path", path), zeros_are_masked)}


def by_layer(argument: str, masks: Mapping[Any, Any]) -> dict[str, Any]:
    """Masks by the names of their layers, as files of masks name them."""
    found: dict[str, Any] = {}
    names: dict[str, str] = {}
    for name, mask in masks.items():
        if not isinstance(name, str):
            raise TypeError(f"{argument}: has a name that is a {type(name).__name__}, {name!r}; give strings")
        layer = name.removesuffix("_mask").removesuffix(".weight")
        if layer in found:
            raise ValueError(f"{argument}: {names[layer]!r} and {name!r} name one layer; give one mask for each")
        found[layer], names[layer] = mask, name
    return found


def save_masks(path: str | PathLike[str], masks: Mapping[str, ArrayLike], *, keys: str = "weights") -> None:
    """Write masks to an NPZ or safetensors file, by its ending: whole, or not at all.

    Parameters
    ----------
    path : str or path
        A name that ends in .npz or .safetensors. A file that is there is replaced.
    masks : mapping of str to array_like of 0 and 1
        Masks by the names of their weights.
    keys : {"weights", "torch"}
        Name them ``LAYER.weight``, or ``LAYER.weight_mask`` as torch.nn.utils.prune does.

    Raises
    ------
    ValueError, TypeError
        Where ``masks`` is empty, two names are those of one layer, an array is not a mask, or the path has another
        ending.
    OSError
        Where the file cannot be written.

    Examples
    --------
    See :func:`load_masks`.
    """
    target = path_of("path", path)
    ending = os.path.splitext(target)[1].lower()
    if ending not in (".npz", ".safetensors"):
        raise ValueError(f"path = {target!r}: ends in neither .npz nor .safetensors; give such a name")
    if keys not in ("weights", "torch"):
        raise ValueError(f'keys = {keys!r}: is no way to name masks; use "weights" or "torch"')
    if not isinstance(masks, Mapping) or not masks:
        raise ValueError("masks: holds no mask; give a mapping of names to arrays")
    end = "weight_mask" if keys == "torch" else "weight"
    given = by_layer("masks", masks)
    named = {f"{layer}.{end}": mask_of(f"masks[{layer!r}]", mask) for layer, mask in given.items()}
    folder = os.path.dirname(target) or "."
    try:
        # Closed before it is renamed, so not by the outer block.
        part = tempfile.NamedTemporaryFile(dir=folder, suffix=".part", delete=False)  # noqa: SIM115
    except OSError as error:
        # Not of the part, whose name nobody gave.
        raise type(error)(error.errno, f"path: cannot be written ({error.strerror}); give another", target) from error
    try:
        with part:
            if ending == ".npz":
                np.savez(part, **named)  # type: ignore[arg-type]
            else:
                part.write(_core.save_safetensors(list(named.items())))
        os.replace(part.name, target)
    except BaseException:
        os.unlink(part.name)
        raise
