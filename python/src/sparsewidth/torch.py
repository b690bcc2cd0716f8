"""Sparse networks in PyTorch: masks of an exact number of weights, drawn, applied, read, saved; kernels of perceptrons.

    import sparsewidth.torch as sparse

    masks = sparse.sparsify(network, density=0.05, seed=0)    # then train as ever, with any optimizer
    sparse.make_permanent(network)                            # an ordinary network, with zeros

Layers are `torch.nn.Linear` and convolutions, in the order of `named_modules`; embeddings, biases and normalisation
stay as they are. A layer's weights are called `LAYER.weight`, as in `state_dict()`, and so is its mask: an array of the
weights' shape, true where a weight exists.

Masks are those of `torch.nn.utils.prune`: PyTorch multiplies `LAYER.weight_orig` by `LAYER.weight_mask` whenever a
layer is used, so that weights which do not exist stay exactly zero, whatever momentum or weight decay do.
`LAYER.weight` is the product of the last use: after a training step a part of its graph, which `copy.deepcopy` refuses
until the network is used under `torch.no_grad()`, as in an evaluation. Sparsify a network before it is wrapped, as by
`DistributedDataParallel`.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .budgets import draw_masks

try:
    import torch
    from torch import Tensor, nn
    from torch.nn.utils import prune
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise ImportError("sparsewidth.torch needs PyTorch: pip install torch (see https://pytorch.org)") from error

__all__ = [
    "apply_masks",
    "empirical_kernel",
    "load_sparse",
    "make_permanent",
    "masks_of",
    "shapes_of",
    "sparsify",
    "summary",
    "widen",
]

Module = TypeVar("Module", bound=nn.Module)
Masks = dict[str, NDArray[np.bool_]]

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, *TRANSPOSED)
# Names that an error lists.
LISTED = 30
# Tiles of a kernel have at most so many rows and columns, and gradients of at most so many numbers.
TILE_ROWS, TILE_NUMBERS = 512, 1 << 25


# -------------------------------------------------------------------------------------------------- masks onto networks


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

    Masks are those of :func:`sparsewidth.draw_masks` for `shapes_of(module)`. In place; a call that is refused leaves
    the network as it was.

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
    every = _layers(module, computed=True)
    left_out = _resolved(every, exclude, "exclude")
    layers = {name: layer for name, layer in every.items() if name not in left_out}
    if not layers:
        raise ValueError(_wrong("exclude", sorted(left_out), "no layer is left", "leave some to sparsify"))
    _check_usable(module, layers)
    if fan_in is not None:
        transposed = [name for name, layer in layers.items() if isinstance(layer.users[0], TRANSPOSED)]
        if transposed:
            problem = f"the first axis of transposed convolutions is inputs, not outputs ({_listed(transposed)})"
            raise ValueError(_wrong("fan_in", fan_in, problem, "exclude these layers, or leave fan_in out"))
    if keep is not None and not isinstance(keep, Mapping):
        raise TypeError(_wrong("keep", keep, "is no mapping of layers to densities", 'write keep={"fc": 0.2}'))
    shares = {_resolve(layers, name, "keep"): share for name, share in (keep or {}).items()}
    masks = draw_masks(
        {name: tuple(layer.weight.shape) for name, layer in layers.items()},
        density=density,
        sparsity=sparsity,
        weights=weights,
        rule=rule,
        keep=shares or None,
        dense=_resolved(layers, dense, "dense"),
        fan_in=fan_in,
        pattern=pattern,
        seed=seed,
    )
    _apply(layers, masks, rescale)
    return masks


def apply_masks(module: nn.Module, masks: Mapping[str, ArrayLike | Tensor], *, rescale: bool = False) -> None:
    """Apply masks that are given: of another network, a file (:func:`sparsewidth.load_masks`), a pruning method.

    In place; a call that is refused leaves the network as it was.

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
    layers, given = _given(module, masks, "masks")
    _apply(layers, given, rescale)


def make_permanent(module: nn.Module) -> None:
    """Multiply weights and masks for good: an ordinary network, with zeros that nothing holds any longer.

    In place. Layers that are not pruned stay as they are.

    Examples
    --------
    >>> import torch, sparsewidth.torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(40, 30))
    >>> _ = sparsewidth.torch.sparsify(network, density=0.1)
    >>> sparsewidth.torch.make_permanent(network)
    >>> sorted(network.state_dict()), int(network[0].weight.count_nonzero())
    (['0.bias', '0.weight'], 120)
    """
    for layer in _layers(module).values():
        for user in layer.users:
            if _is_pruned(user):
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
        base = _layers(weights, computed=True)
        left_out = _resolved(base, exclude, "exclude")
        weights = sum(layer.kept() for name, layer in base.items() if name not in left_out)
    if not callable(module_factory):
        what = _kind(module_factory)
        raise TypeError(_wrong("module_factory", what, "cannot be called", "give what makes a network of a width"))
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


# ------------------------------------------------------------------------------------------------- what a network holds


def masks_of(module: nn.Module, *, zeros_are_masked: bool = False) -> Masks:
    """The masks of a network's pruned layers, however they were pruned; `{}` where none is.

    Parameters
    ----------
    module
        A network.
    zeros_are_masked
        Take the zeros of layers that are not pruned for their masks, as :func:`make_permanent` leaves them; the masks
        are then those of all layers.

    Returns
    -------
    dict of str to ndarray of bool
        `LAYER.weight` to an array of the weights' shape, for :func:`sparsewidth.save_masks` or :func:`apply_masks`.

    Examples
    --------
    >>> import torch, sparsewidth.torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(40, 30), torch.nn.ReLU(), torch.nn.Linear(30, 10))
    >>> masks = sparsewidth.torch.sparsify(network, density=0.1, exclude=["2"])
    >>> {name: (mask == masks[name]).all() for name, mask in sparsewidth.torch.masks_of(network).items()}
    {'0.weight': np.True_}
    """
    masks = {}
    for name, layer in _layers(module).items():
        if zeros_are_masked or layer.mask is not None:
            masks[name] = layer.kept_at().cpu().contiguous().numpy()
    return masks


def shapes_of(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """The shapes of a network's weights, for :func:`sparsewidth.allocate` and its kin; shared weights once.

    Examples
    --------
    >>> import torch, sparsewidth.torch
    >>> network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 5), torch.nn.Flatten(), torch.nn.Linear(8, 2))
    >>> sparsewidth.torch.shapes_of(network)
    {'0.weight': (8, 3, 5, 5), '2.weight': (2, 8)}
    """
    return {name: tuple(layer.weight.shape) for name, layer in _layers(module).items()}


def summary(module: nn.Module) -> list[dict[str, Any]]:
    """What each layer keeps: a list of records, as `pandas.DataFrame` takes them.

    Returns
    -------
    list of dict
        With the keys `layer`, `shape`, `weights` (all of the layer's), `kept`, `density` and `pruned`.

    Examples
    --------
    >>> import torch, sparsewidth.torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(40, 30))
    >>> _ = sparsewidth.torch.sparsify(network, density=0.1)
    >>> sparsewidth.torch.summary(network)
    [{'layer': '0', 'shape': (30, 40), 'weights': 1200, 'kept': 120, 'density': 0.1, 'pruned': True}]
    """
    return [
        {
            "layer": _layer_of(name),
            "shape": tuple(layer.weight.shape),
            "weights": layer.weight.numel(),
            "kept": layer.kept(),
            "density": layer.kept() / layer.weight.numel(),
            "pruned": layer.mask is not None,
        }
        for name, layer in _layers(module).items()
    ]


def load_sparse(module: nn.Module, state_dict: Mapping[str, Any]) -> None:
    """Load the state of a sparse network into a fresh one, which is given the masks of the state.

    Parameters
    ----------
    module
        The network as it was before it was sparsified. One that is sparse already takes the state by its own
        `load_state_dict`.
    state_dict
        With `LAYER.weight_orig` and `LAYER.weight_mask` for each layer that is sparse: `network.state_dict()`, or what
        `torch.load` or `safetensors.torch.load_file` read of it. Arrays are read as tensors.

    Raises
    ------
    ValueError
        Where the state has no masks, or its names or shapes are those of another network; which then stays as it was.
    TypeError
        Where an argument is of another kind.

    Examples
    --------
    >>> import torch, sparsewidth.torch
    >>> trained, fresh = torch.nn.Sequential(torch.nn.Linear(40, 30)), torch.nn.Sequential(torch.nn.Linear(40, 30))
    >>> _ = sparsewidth.torch.sparsify(trained, density=0.1)
    >>> sparsewidth.torch.load_sparse(fresh, trained.state_dict())
    >>> x = torch.randn(3, 40)
    >>> bool((fresh(x) == trained(x)).all())
    True
    """
    if not isinstance(state_dict, Mapping):
        problem = "is no mapping of names to tensors"
        raise TypeError(_wrong("state_dict", _kind(state_dict), problem, "give network.state_dict()"))
    found = {key: value for key, value in state_dict.items() if key == "weight_mask" or key.endswith(".weight_mask")}
    if not found:
        problem = "has no LAYER.weight_mask, so it is not of a sparse network"
        raise ValueError(_wrong("state_dict", _listed(state_dict), problem, "load it with module.load_state_dict"))
    layers, masks = _given(module, found, "state_dict")

    expected, remedy = dict(module.state_dict()), "give the state of the same network"
    for layer in layers.values():
        for name in layer.names:
            weight = expected.pop(name)
            expected |= {f"{name}_orig": weight, f"{name}_mask": weight}
    missing, unknown = expected.keys() - state_dict.keys(), state_dict.keys() - expected.keys()
    if missing or unknown:
        parts = [("lacks", missing), ("has beside those of the network", unknown)]
        problem = " and ".join(f"{what} {_listed(sorted(keys))}" for what, keys in parts if keys)
        raise ValueError(_wrong("state_dict", f"{len(state_dict)} names", problem, remedy))
    state = {}
    for key, value in state_dict.items():
        # What modules add of their own (`_extra_state`) is for them to read.
        if isinstance(expected[key], Tensor):
            if not isinstance(value, Tensor):
                value = torch.as_tensor(_array(value, f"state_dict[{key!r}]", remedy))
            if value.shape != expected[key].shape:
                problem = f"the network has the shape {tuple(expected[key].shape)}"
                raise ValueError(_wrong("state_dict", f"{key} of shape {tuple(value.shape)}", problem, remedy))
        state[key] = value
    _apply(layers, masks, rescale=False)
    module.load_state_dict(state)
    for layer in layers.values():
        layer.refresh()


# ---------------------------------------------------------------------------------------------------------- the kernels


@overload
def empirical_kernel(
    module: nn.Module,
    x1: ArrayLike | Tensor,
    x2: ArrayLike | Tensor | None = None,
    *,
    get: str = "nngp",
    tangent: str = "torch",
    dtype: torch.dtype = torch.float64,
) -> NDArray[np.float64]: ...


@overload
def empirical_kernel(
    module: nn.Module,
    x1: ArrayLike | Tensor,
    x2: ArrayLike | Tensor | None = None,
    *,
    get: tuple[str, ...],
    tangent: str = "torch",
    dtype: torch.dtype = torch.float64,
) -> tuple[NDArray[np.float64], ...]: ...


def empirical_kernel(
    module: nn.Module,
    x1: ArrayLike | Tensor,
    x2: ArrayLike | Tensor | None = None,
    *,
    get: str | tuple[str, ...] = "nngp",
    tangent: str = "torch",
    dtype: torch.dtype = torch.float64,
) -> NDArray[np.float64] | tuple[NDArray[np.float64], ...]:
    r"""The kernels of a perceptron as it is, with its own weights, biases and masks.

    With `z_l = W_l h_(l-1) + b_l` and `h_l = relu(z_l)` from `h_0 = x` on, `n_l` entries of `h_l`, and the outputs
    `f = W_L h_(L-1) + b_L`, of which there are `k`:

    - `nngp = h_(L-1)(x) . h_(L-1)(y) / n_(L-1)`, the covariance of an output over dense last weights of variance
      `1 / n_(L-1)`; the last layer's own weights, mask and bias do not enter.
    - `ntk = 1/k sum_o sum_l { c_l sum_(W_l,ij exists) df_o(x)/dW_l,ij df_o(y)/dW_l,ij + sum_i df_o(x)/db_l,i
      df_o(y)/db_l,i }`, the mean over outputs, where

      - `c_l = 1` for `tangent="torch"`: what gradient descent on the network's own parameters sees;
      - `c_l = 1 / n_(l-1)` for `"paper"`: gradients by `u` with `W_l = u / sqrt(n_(l-1))`;
      - `c_l = 1 / (p_l n_(l-1))` for `"standardised"`, `p_l` the density of the layer: gradients by variables `g` with
        `W_l = g / sqrt(p_l n_(l-1))`.

    Weights of variance `1 / (p_l n_(l-1))` without biases make these the kernels of :func:`sparsewidth.kernel`, in the
    limit of infinite width. Those that PyTorch draws by default have a third of it.

    Closed products of activations and gradients, tile by tile; the network is neither called nor changed. Parameters
    that do not require a gradient count as well; dropout is left out, as in evaluation.

    Parameters
    ----------
    module
        `torch.nn.Sequential` of `Linear` and `ReLU`, with any masks; `Flatten` at the beginning, `Identity`, `Dropout`.
    x1, x2
        Inputs, shapes `(n1, d)` and `(n2, d)`; more dimensions where the network flattens them. `x2=None` means `x1`.
    get
        "nngp", "ntk", or a tuple of them.
    tangent
        "torch", "standardised" or "paper": the variables that the tangent kernel is of.
    dtype
        What it is computed in, on the network's device: `torch.float64`, or `torch.float32`.

    Returns
    -------
    ndarray or namedtuple of ndarray
        Shape `(n1, n2)`, float64; a namedtuple where `get` is a tuple.

    Raises
    ------
    ValueError
        Where inputs have another shape or are not finite, layers share weights, or a word is unknown.
    TypeError
        Where the network is not such a perceptron, or an argument is of another kind.

    Examples
    --------
    >>> import torch, sparsewidth.torch
    >>> network = torch.nn.Sequential(torch.nn.Linear(3, 50), torch.nn.ReLU(), torch.nn.Linear(50, 2))
    >>> _ = sparsewidth.torch.sparsify(network, density=0.5)
    >>> x = torch.randn(4, 3)
    >>> kernels = sparsewidth.torch.empirical_kernel(network, x, get=("nngp", "ntk"))
    >>> kernels.nngp.shape, kernels.ntk.shape
    ((4, 4), (4, 4))
    >>> hidden = network[:2](x)
    >>> bool(abs(kernels.nngp - (hidden @ hidden.T / 50).detach().numpy()).max() < 1e-6)
    True
    """
    asked = (get,) if isinstance(get, str) else get
    if not isinstance(asked, tuple) or not all(isinstance(name, str) for name in asked):
        raise TypeError(_wrong("get", get, "is neither a word nor a tuple of words", 'write get=("nngp", "ntk")'))
    if not asked or len(set(asked)) < len(asked) or not set(asked) <= {"nngp", "ntk"}:
        raise ValueError(_wrong("get", get, "kernels are nngp and ntk", "ask for one of them, or for both once"))
    if tangent not in ("torch", "standardised", "paper"):
        remedy = 'choose "torch", "standardised" or "paper"'
        raise ValueError(_wrong("tangent", tangent, "no such variables of a tangent kernel", remedy))
    if dtype not in (torch.float64, torch.float32):
        raise ValueError(_wrong("dtype", dtype, "too coarse for a kernel", "choose torch.float64 or torch.float32"))
    network = _Perceptron.of(module, tangent, dtype)
    first = network.inputs(x1, "x1")
    second = first if x2 is None else network.inputs(x2, "x2")

    kernels = {name: np.zeros((len(first), len(second))) for name in asked}
    with torch.no_grad():
        rows = network.tile_rows()
        for top in range(0, len(first), rows):
            ours = network.trace(first[top : top + rows], "ntk" in asked)
            # A matrix of inputs with themselves is its upper triangle.
            for left in range(top if x2 is None else 0, len(second), rows):
                is_same = x2 is None and left == top
                theirs = ours if is_same else network.trace(second[left : left + rows], "ntk" in asked)
                for name, kernel in kernels.items():
                    tile = network.nngp(ours, theirs) if name == "nngp" else network.ntk(ours, theirs)
                    kernel[top : top + rows, left : left + rows] = tile.cpu().numpy()
    if not all(np.isfinite(kernel).all() for kernel in kernels.values()):
        problem, remedy = "its kernel is not finite", "look at its weights, or choose dtype=torch.float64"
        raise ValueError(_wrong("module", _kind(module), problem, remedy))
    if x2 is None:
        kernels = {name: np.triu(kernel) + np.triu(kernel, 1).T for name, kernel in kernels.items()}
    if isinstance(get, str):
        return kernels[get]
    # Its fields are what was asked for.
    kind: Callable[..., tuple[NDArray[np.float64], ...]] = namedtuple("Kernels", asked)  # type: ignore[misc]
    return kind(**kernels)


class _Linear(NamedTuple):
    """A linear layer of a perceptron."""

    # Zero where masked.
    weight: Tensor
    bias: Tensor | None
    # 1 where a weight of a unit exists, and in one column more where its bias does: the weight of an input that is 1.
    exists: Tensor
    # `c_l`.
    factor: float

    @classmethod
    def of(cls, layer: nn.Linear, tangent: str, dtype: torch.dtype) -> _Linear:
        weight, weight_exists = _values_and_mask(layer, "weight", dtype)
        bias, bias_exists = None, weight.new_zeros(len(weight))
        if _parameter(layer, "bias") is not None:
            bias, bias_exists = _values_and_mask(layer, "bias", dtype)
        density = float(weight_exists.double().mean())
        scale = {"torch": 1.0, "paper": weight.shape[1], "standardised": weight.shape[1] * density}[tangent]
        # Of a layer without weights there is nothing to multiply.
        factor = 1 / scale if scale > 0 else 0.0
        return cls(weight, bias, torch.cat([weight_exists, bias_exists[:, None]], 1), factor)


class _Trace(NamedTuple):
    """What kernels take of some inputs `x`, for each linear layer."""

    # What it takes, shape (x, entries).
    inputs: list[Tensor]
    # Gradients of the outputs by its units, shape (units, x, outputs); None for the last layer, whose units they are.
    gradients: list[Tensor | None]


class _Perceptron:
    """Linear layers, and whether ReLU follows each."""

    def __init__(self, layers: list[_Linear], is_relu: list[bool], flattens: bool) -> None:
        self.layers, self.is_relu, self.flattens = layers, is_relu, flattens

    @classmethod
    def of(cls, module: nn.Module, tangent: str, dtype: torch.dtype) -> _Perceptron:
        _check_module(module)
        layers: list[nn.Linear] = []
        is_relu: list[bool] = []
        flattens = False
        for step in _steps(module):
            if isinstance(step, nn.Linear):
                layers.append(step)
                is_relu.append(False)
            elif isinstance(step, nn.ReLU) and layers:
                is_relu[-1] = True
            elif isinstance(step, nn.Flatten) and (step.start_dim, step.end_dim) == (1, -1):
                flattens = flattens or not layers
            elif not isinstance(step, (nn.Identity, nn.Dropout)):
                problem = f"{_kind(step)} is no layer of a perceptron" + ("" if layers else "'s beginning")
                remedy = "give a torch.nn.Sequential of Linear and ReLU, beginning with Linear or Flatten"
                raise TypeError(_wrong("module", _kind(module), problem, remedy))
        if not layers or is_relu[-1]:
            problem = "does not end with a linear layer" if layers else "has no linear layer"
            raise ValueError(_wrong("module", _kind(module), problem, "give a network with linear outputs"))
        usable = _layers(module, computed=True)
        _check_usable(module, usable, pruned=True)
        if len(usable) < len(layers):
            shared = [name for layer in usable.values() for name in layer.names if len(layer.names) > 1]
            remedy = "give a network whose layers have weights of their own"
            raise ValueError(_wrong("module", _kind(module), f"layers share weights ({_listed(shared)})", remedy))
        for before, after in itertools.pairwise(layers):
            if before.out_features != after.in_features:
                problem = f"a layer of {after.in_features} inputs follows one of {before.out_features} outputs"
                raise ValueError(_wrong("module", _kind(module), problem, "give layers that fit"))
        return cls([_Linear.of(layer, tangent, dtype) for layer in layers], is_relu, flattens)

    def inputs(self, value: ArrayLike | Tensor, argument: str) -> Tensor:
        """Inputs as a matrix, checked."""
        weight = self.layers[0].weight
        if isinstance(value, Tensor):
            x = value.detach()
            what = f"tensor of shape {tuple(x.shape)}"
        else:
            array = _array(value, argument, "give an array of numbers")
            what, x = f"array of shape {array.shape}", torch.from_numpy(np.array(array, dtype=np.float64))
        if x.is_complex():
            raise TypeError(_wrong(argument, what, "is complex", "give real numbers"))
        if self.flattens and x.dim() > 2:
            x = x.flatten(1)
        if x.dim() != 2 or len(x) == 0 or x.shape[1] != weight.shape[1]:
            problem = f"the network takes inputs of shape (n, {weight.shape[1]})"
            remedy = "give a row for each input" + ("" if self.flattens else ", or begin the network with Flatten")
            raise ValueError(_wrong(argument, what, problem, remedy))
        wrong = (~torch.isfinite(x)).any(1).nonzero()
        if len(wrong) > 0:
            raise ValueError(_wrong(argument, what, f"row {int(wrong[0])} is not finite", "leave such rows out"))
        return x.to(weight.device, weight.dtype)

    def tile_rows(self) -> int:
        """So many inputs that the largest gradients fit."""
        widest = max(layer.weight.shape[1] for layer in self.layers)
        return max(1, min(TILE_ROWS, TILE_NUMBERS // (widest * len(self.layers[-1].weight))))

    def trace(self, x: Tensor, has_gradients: bool) -> _Trace:
        """Activations forward, gradients of all outputs backward."""
        inputs = [x]
        for layer, is_relu in zip(self.layers[:-1], self.is_relu):
            x = x @ layer.weight.T if layer.bias is None else torch.addmm(layer.bias, x, layer.weight.T)
            x = x.relu() if is_relu else x
            inputs.append(x)
        gradients: list[Tensor | None] = [None]
        # Shape (inputs, outputs, units).
        gradient = self.layers[-1].weight.expand(len(x), -1, -1)
        for at in reversed(range(len(self.layers) - 1) if has_gradients else ()):
            if self.is_relu[at]:
                gradient = gradient * (inputs[at + 1] > 0)[:, None]
            gradients.insert(0, gradient.permute(2, 0, 1).contiguous())
            if at > 0:
                gradient = gradient @ self.layers[at].weight
        return _Trace(inputs, gradients)

    @staticmethod
    def nngp(ours: _Trace, theirs: _Trace) -> Tensor:
        return ours.inputs[-1] @ theirs.inputs[-1].T / ours.inputs[-1].shape[1]

    def ntk(self, ours: _Trace, theirs: _Trace) -> Tensor:
        """The sum over layers and units `i` of `G_i (c_l sum_(j: W_ij exists) h_j(x) h_j(y) + 1 where it has a bias)`,
        with `G_i` the mean over outputs of the products of their gradients by the unit."""
        outputs = len(self.layers[-1].weight)
        kernel = ours.inputs[0].new_zeros(len(ours.inputs[0]), len(theirs.inputs[0]))
        for at, layer in enumerate(self.layers):
            h1, h2 = _with_one(layer.factor * ours.inputs[at]), _with_one(theirs.inputs[at])
            g1, g2 = ours.gradients[at], theirs.gradients[at]
            if g1 is None or g2 is None:
                # Units are outputs: what is left is the share of them that has a weight.
                kernel += (h1 * layer.exists.mean(0)) @ h2.T
                continue
            g1 = g1 / outputs
            if (layer.exists == layer.exists[0]).all():
                kernel += torch.tensordot(g1, g2, dims=([0, 2], [0, 2])) * ((h1 * layer.exists[0]) @ h2.T)
                continue
            for exists, of_1, of_2 in zip(layer.exists.cpu(), g1, g2):
                columns = exists.nonzero()[:, 0].to(h1.device)
                kernel.addcmul_(of_1 @ of_2.T, h1[:, columns] @ h2[:, columns].T)
        return kernel


def _with_one(x: Tensor) -> Tensor:
    """Inputs, and the 1 that biases are weights of."""
    return nn.functional.pad(x, (0, 1), value=1.0)


def _steps(module: nn.Module) -> Iterator[nn.Module]:
    """The modules of nested sequences, in order."""
    if isinstance(module, nn.Sequential):
        for step in module:
            yield from _steps(step)
    else:
        yield module


def _values_and_mask(layer: nn.Module, name: str, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """A parameter as it acts, and 1 where it exists. `layer.weight` itself may be of an earlier step."""
    parameter, mask = _parameter(layer, name), layer._buffers.get(f"{name}_mask")
    assert parameter is not None, "a layer's parameters were checked"
    values = parameter.detach().to(dtype)
    exists = torch.ones_like(values) if mask is None else (mask != 0).to(dtype)
    return values * exists, exists


# ------------------------------------------------------------------------------------------------ layers by their names


class _Layer(NamedTuple):
    """Weights, the modules that use them (more than one where they are shared), and all names that they go by."""

    # A parameter; a tensor of no entries where weights are computed from others (`torch.nn.utils.parametrize`), which
    # is not done here, as spectral_norm counts how often it is.
    weight: Tensor
    users: list[nn.Module]
    names: list[str]

    @property
    def mask(self) -> Tensor | None:
        return self.users[0]._buffers.get("weight_mask")

    def kept_at(self) -> Tensor:
        """Which weights exist and are not 0; by the mask alone where there is one."""
        return (self.weight.detach() if self.mask is None else self.mask) != 0

    def kept(self) -> int:
        """How many weights exist."""
        return self.weight.numel() if self.mask is None else int(self.mask.count_nonzero())

    def refresh(self) -> None:
        """Sets `weight` anew, outside of any graph, so that the network can be copied."""
        for user in self.users:
            user.weight = _values_and_mask(user, "weight", self.weight.dtype)[0]


def _parameter(layer: nn.Module, name: str) -> nn.Parameter | None:
    """What an optimizer moves: `weight`, or `weight_orig` of a layer that is pruned."""
    whole = layer._parameters.get(name)
    return layer._parameters.get(f"{name}_orig") if whole is None else whole


def _is_pruned(layer: nn.Module) -> bool:
    return layer._buffers.get("weight_mask") is not None


def _layers(module: nn.Module, *, computed: bool = False) -> dict[str, _Layer]:
    """The layers by the first names of their weights, with or without those whose weights are computed."""
    _check_module(module)
    found: dict[int, _Layer] = {}
    for path, layer in module.named_modules(remove_duplicate=False):
        if not isinstance(layer, LAYERS):
            continue
        name = f"{path}.weight" if path else "weight"
        weight = _parameter(layer, "weight")
        if weight is not None and nn.parameter.is_lazy(weight):
            problem = "its weights have no shape yet"
            raise ValueError(_wrong("layer", _layer_of(name), problem, "call the network once on an input"))
        key, values = (id(layer), torch.empty(0)) if weight is None else (id(weight), weight)
        entry = found.setdefault(key, _Layer(values, [], []))
        entry.names.append(name)
        if all(user is not layer for user in entry.users):
            entry.users.append(layer)
    if not found:
        remedy = "give a network with torch.nn.Linear or torch.nn.Conv layers"
        raise ValueError(_wrong("module", _kind(module), "has neither linear nor convolutional layers", remedy))
    return {layer.names[0]: layer for layer in found.values() if computed or isinstance(layer.weight, nn.Parameter)}


def _layer_of(name: str) -> str:
    """The layer of some weights, empty where it is the whole network."""
    return name.removesuffix("weight").removesuffix(".")


def _check_module(module: nn.Module) -> None:
    if not isinstance(module, nn.Module):
        raise TypeError(_wrong("module", _kind(module), "is no torch.nn.Module", "give a network"))


def _check_usable(module: nn.Module, layers: dict[str, _Layer], *, pruned: bool = False) -> None:
    """Refuses layers whose weights a mask would not hold, or whose values are not there."""
    outside: set[int] = set()
    uncalled: set[int] = set()
    for part in module.modules():
        if not isinstance(part, LAYERS):
            outside.update(id(parameter) for parameter in part.parameters(recurse=False))
        if isinstance(part, nn.MultiheadAttention):
            uncalled.add(id(part.out_proj))
    for name, layer in layers.items():
        problem, exclude = None, "leave it out, by `exclude` or by giving no mask for it"
        if not isinstance(layer.weight, nn.Parameter):
            problem = "its weights are computed from other parameters"
            remedy = f"remove the parametrization (weight_norm and the like), or {exclude}"
        elif layer.weight.is_meta:
            problem, remedy = "its weights have no values yet", "initialise them: module.to_empty(device=...)"
        elif not layer.weight.is_floating_point():
            problem, remedy = f"its weights are {layer.weight.dtype}", exclude
        elif not pruned and any(_is_pruned(user) for user in layer.users):
            problem, remedy = "it is pruned already", f"call make_permanent(module), take a fresh network, or {exclude}"
        elif not pruned and id(layer.weight) in outside:
            problem, remedy = "a module of another kind, such as an embedding, shares its weights", exclude
        elif not pruned and any(id(user) in uncalled for user in layer.users):
            problem = "torch.nn.MultiheadAttention uses its weights without calling it, so that a mask would not last"
            remedy = exclude
        if problem is not None:
            raise ValueError(_wrong("layer", _layer_of(name), problem, remedy))


def _apply(layers: dict[str, _Layer], masks: Mapping[str, NDArray[np.bool_]], rescale: bool) -> None:
    """Prunes layers, which are checked already."""
    tensors = {name: torch.tensor(masks[name], device=layer.weight.device) for name, layer in layers.items()}
    empty = [name for name, mask in masks.items() if not mask.any()]
    if empty:
        warnings.warn(f"nothing passes through layers that keep no weight: {_listed(empty)}", stacklevel=3)
    for name, layer in layers.items():
        density = float(masks[name].mean())
        if rescale and density > 0:
            with torch.no_grad():
                layer.weight.div_(math.sqrt(density))
        for user in layer.users:
            prune.custom_from_mask(user, "weight", tensors[name])  # type: ignore[no-untyped-call]
        layer.refresh()


def _given(
    module: nn.Module, masks: Mapping[str, ArrayLike | Tensor], argument: str
) -> tuple[dict[str, _Layer], Masks]:
    """Masks, and the layers that they are for, checked."""
    if not isinstance(masks, Mapping):
        remedy = "give a dict, LAYER.weight to an array of 0 and 1"
        raise TypeError(_wrong(argument, _kind(masks), "is no mapping of layers to masks", remedy))
    if not masks:
        raise ValueError(_wrong(argument, "{}", "holds no mask", "give the mask of one layer at least"))
    layers = _layers(module, computed=True)
    names = {key: _resolve(layers, key, argument) for key in masks}
    layers = {name: layers[name] for name in names.values()}
    _check_usable(module, layers)
    found: Masks = {}
    for key, value in masks.items():
        name = names[key]
        remedy = "give arrays of 0 and 1, of the weights' shapes"
        if isinstance(value, Tensor):
            value = value.detach().cpu()
            value = (value.double() if value.is_floating_point() else value).numpy()
        array = _array(value, f"{argument}[{key!r}]", remedy)
        shape = tuple(layers[name].weight.shape)
        if array.shape != shape:
            problem = f"the weights have the shape {shape}"
            raise ValueError(_wrong(f"{argument}[{key!r}]", f"mask of shape {array.shape}", problem, remedy))
        mask = array == 1
        wrong = ~mask & (array != 0)
        if wrong.any():
            problem = f"{int(wrong.sum())} entries are neither 0 nor 1, such as {array[wrong][0]}"
            raise ValueError(_wrong(f"{argument}[{key!r}]", f"mask of {array.dtype}", problem, remedy))
        if name in found and (found[name] != mask).any():
            problem = f"differs from another mask of the same weights, {name}"
            raise ValueError(_wrong(f"{argument}[{key!r}]", "mask", problem, "give shared weights one mask"))
        found[name] = mask
    return layers, found


def _array(value: Any, argument: str, remedy: str) -> NDArray[Any]:
    """An array of numbers."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise TypeError(_wrong(argument, _kind(value), f"is no array ({error})", remedy)) from error
    if array.dtype.kind not in "biuf":
        raise TypeError(_wrong(argument, f"array of {array.dtype}", "does not hold numbers", remedy))
    return array


def _resolve(layers: dict[str, _Layer], name: Any, argument: str) -> str:
    """The first name of the weights that `LAYER`, `LAYER.weight` or `LAYER.weight_mask` names."""
    if not isinstance(name, str):
        raise TypeError(_wrong(argument, repr(name), "is no name of a layer", f"the layers are {_listed(layers)}"))
    for first, layer in layers.items():
        if any(name in (other, f"{other}_mask", _layer_of(other)) for other in layer.names):
            return first
    raise ValueError(_wrong(argument, repr(name), "no such layer", f"the layers are {_listed(layers)}"))


def _resolved(layers: dict[str, _Layer], names: Iterable[str], argument: str) -> list[str]:
    """The same of several names, or of one."""
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, Iterable):
        raise TypeError(_wrong(argument, repr(names), "is no list of layers", f"the layers are {_listed(layers)}"))
    return list(dict.fromkeys(_resolve(layers, name, argument) for name in names))


# ---------------------------------------------------------------------------------------------------------------- words


def _wrong(argument: str, value: object, problem: str, remedy: str) -> str:
    return f"{argument} = {value}: {problem}; {remedy}"


def _kind(value: object) -> str:
    return type(value).__name__


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")
