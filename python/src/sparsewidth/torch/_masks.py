"""Masks onto networks: drawn, given, made permanent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn.utils import prune

from ..budgets import draw_masks
from ._layers import (
    TRANSPOSED,
    Masks,
    check_masks,
    check_usable,
    is_pruned,
    kind_of,
    layers_of,
    listed,
    prune_layers,
    refusal,
    resolve,
    resolved,
)

Module = TypeVar("Module", bound=nn.Module)


def sparsify(
    module: nn.Module,
    *,
    density: float | None = None,
    sparsity: float | None = None,
    weights: int | None = None,
    rule: str = "largest-first",
    keep: Mapping[str, float] | None = None,
    dense: Iterable[str] = (),
    fan_in: str | None = None,
    pattern: str = "unstructured",
    exclude: Iterable[str] = (),
    seed: int = 0,
    rescale: bool = True,
) -> Masks:
    """Draw static masks for a network, which then keeps exactly the number of weights that is asked for.

    Masks are those of :func:`sparsewidth.draw_masks` for `shapes_of(module)`. Modifies the network in place; if an
    error is raised, it is unchanged.

    Parameters
    ----------
    module
        Any network with linear or convolutional layers, on any device, initialised and not pruned yet. Layers that
        share their weights share one mask.
    density, sparsity, weights
        Exactly one of them: the share of the layers' weights to keep, the share to leave out, or the number to keep.
    rule
        How layers divide the weights: "largest-first" (that of Golubeva, Neyshabur and Gur-Ari), "uniform",
        "uniform-plus", "last-dense", "last:SHARE", "er", "erk", "erk:POWER".
    keep, dense
        Layers that keep a given share, whatever the rule, and layers that keep everything: `{"fc": 0.2}`, `["conv1"]`.
    fan_in
        "constant" or "even": as many weights at every output of a layer.
    pattern
        "unstructured", or "kernel-wise" for whole kernels of convolutions.
    exclude
        Layers that are left alone and not counted.
    seed
        Of the masks. Initial weights are the network's own: `torch.manual_seed` before it is made.
    rescale
        Divide the weights of each layer by the root of its density, so that activations keep their size.

    Returns
    -------
    dict of str to ndarray of bool
        The masks, `LAYER.weight` to an array of the weights' shape.

    Raises
    ------
    ValueError
        Where the budget cannot be kept, a layer is unknown, pruned, uninitialised or of no weights of its own, or the
        network has no layers.
    TypeError
        Where an argument is of another kind.

    Examples
    --------
    >>> import torch, sparsewidth.torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(784, 216), torch.nn.ReLU(), torch.nn.Linear(216, 10))
    >>> masks = sparsewidth.torch.sparsify(network, weights=6352, rule="last-dense")
    >>> {name: int(mask.sum()) for name, mask in masks.items()}
    {'0.weight': 4192, '2.weight': 2160}
    >>> int(network[0].weight.count_nonzero())
    4192
    """
    every = layers_of(module, computed=True)
    left_out = resolved(every, exclude, "exclude")
    layers = {name: layer for name, layer in every.items() if name not in left_out}
    if not layers:
        raise ValueError(refusal("exclude", sorted(left_out), "no layer is left", "leave some to sparsify"))
    check_usable(module, layers)
    if fan_in is not None:
        transposed = [name for name, layer in layers.items() if isinstance(layer.users[0], TRANSPOSED)]
        if transposed:
            problem = f"the first axis of transposed convolutions is inputs, not outputs ({listed(transposed)})"
            raise ValueError(refusal("fan_in", fan_in, problem, "exclude these layers, or leave fan_in out"))
    if keep is not None and not isinstance(keep, Mapping):
        raise TypeError(refusal("keep", keep, "is no mapping of layers to densities", 'write keep={"fc": 0.2}'))
    shares = {resolve(layers, name, "keep"): share for name, share in (keep or {}).items()}
    masks = draw_masks(
        {name: tuple(layer.weight.shape) for name, layer in layers.items()},
        density=density,
        sparsity=sparsity,
        weights=weights,
        rule=rule,
        keep=shares or None,
        dense=resolved(layers, dense, "dense"),
        fan_in=fan_in,
        pattern=pattern,
        seed=seed,
    )
    prune_layers(layers, masks, rescale)
    return masks


def apply_masks(module: nn.Module, masks: Mapping[str, ArrayLike | Tensor], *, rescale: bool = False) -> None:
    """Apply masks that are given: of another network, a file (:func:`sparsewidth.load_masks`), a pruning method.

    Modifies the network in place; if an error is raised, it is unchanged.

    Parameters
    ----------
    module
        A network, of which the layers that masks are given for are not pruned yet.
    masks
        `LAYER.weight` (or `LAYER.weight_mask`, or `LAYER`) to an array or tensor of the weights' shape, of any type,
        whose entries are 1 where a weight is kept and 0 elsewhere. Layers without a mask stay as they are.
    rescale
        Divide the weights of each layer by the root of its density, for weights that are not trained yet.

    Raises
    ------
    ValueError
        Where a layer is unknown or pruned, or a mask has another shape or other entries than 0 and 1.
    TypeError
        Where an argument is of another kind.

    Examples
    --------
    >>> import torch, sparsewidth.torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(2, 2))
    >>> sparsewidth.torch.apply_masks(network, {"0.weight": [[1, 0], [0, 1]]})
    >>> network[0].weight.count_nonzero(dim=1).tolist()
    [1, 1]
    """
    layers, given = check_masks(module, masks, "masks")
    prune_layers(layers, given, rescale)


def make_permanent(module: nn.Module) -> None:
    """Multiply weights and masks for good: an ordinary network, with zeros that nothing holds any longer.

    Modifies the network in place. Layers that are not pruned stay as they are.

    Examples
    --------
    >>> import torch, sparsewidth.torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(40, 30))
    >>> _ = sparsewidth.torch.sparsify(network, density=0.1)
    >>> sparsewidth.torch.make_permanent(network)
    >>> sorted(network.state_dict()), int(network[0].weight.count_nonzero())
    (['0.bias', '0.weight'], 120)
    """
    for layer in layers_of(module).values():
        for user in layer.users:
            if is_pruned(user):
                prune.remove(user, "weight")  # type: ignore[no-untyped-call]


def widen(
    module_factory: Callable[[int], Module],
    width: int,
    *,
    weights: int | nn.Module,
    rule: str = "largest-first",
    keep: Mapping[str, float] | None = None,
    dense: Iterable[str] = (),
    fan_in: str | None = None,
    pattern: str = "unstructured",
    exclude: Iterable[str] = (),
    seed: int = 0,
    rescale: bool = True,
) -> Module:
    """A wider, sparser network with as many weights as a narrow one: the experiment of Golubeva, Neyshabur and Gur-Ari.

    Parameters
    ----------
    module_factory
        Makes the dense network of a width.
    width
        What it is called with.
    weights
        How many weights the network keeps: a number, or the narrow network, whose layers' weights are counted (those
        that exist, where it is sparse), without those of `exclude`.
    rule, keep, dense, fan_in, pattern, exclude, seed, rescale
        As for :func:`sparsify`.

    Returns
    -------
    Module
        `module_factory(width)`, sparsified.

    Raises
    ------
    ValueError, TypeError
        As :func:`sparsify`, such as where the network of this width has fewer weights.

    Examples
    --------
    >>> import torch, sparsewidth.torch
    >>> def perceptron(width):
    ...     return torch.nn.Sequential(torch.nn.Linear(784, width), torch.nn.ReLU(), torch.nn.Linear(width, 10))
    >>> wide = sparsewidth.torch.widen(perceptron, 64, weights=perceptron(8))
    >>> sum(row["kept"] for row in sparsewidth.torch.summary(wide)), 8 * 794
    (6352, 6352)
    """
    if isinstance(weights, nn.Module):
        base = layers_of(weights, computed=True)
        left_out = resolved(base, exclude, "exclude")
        weights = sum(layer.kept() for name, layer in base.items() if name not in left_out)
    if not callable(module_factory):
        what = kind_of(module_factory)
        raise TypeError(refusal("module_factory", what, "cannot be called", "give what makes a network of a width"))
    wide = module_factory(width)
    sparsify(
        wide,
        weights=weights,
        rule=rule,
        keep=keep,
        dense=dense,
        fan_in=fan_in,
        pattern=pattern,
        exclude=exclude,
        seed=seed,
        rescale=rescale,
    )
    return wide
