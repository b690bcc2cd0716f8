"""The kernels of a perceptron with its own weights."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import Any, cast, overload

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from ._layers import kind_of, refusal
from ._perceptron import Perceptron


class Kernels(tuple[NDArray[np.float64], ...]):
    """For type checkers: a namedtuple, which has those of the fields that were asked for."""

    _fields: tuple[str, ...]
    nngp: NDArray[np.float64]
    ntk: NDArray[np.float64]


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
) -> Kernels: ...


def empirical_kernel(
    module: nn.Module,
    x1: ArrayLike | Tensor,
    x2: ArrayLike | Tensor | None = None,
    *,
    get: str | tuple[str, ...] = "nngp",
    tangent: str = "torch",
    dtype: torch.dtype = torch.float64,
) -> NDArray[np.float64] | Kernels:
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
        raise TypeError(refusal("get", get, "is neither a word nor a tuple of words", 'write get=("nngp", "ntk")'))
    if not asked or len(set(asked)) < len(asked) or not set(asked) <= {"nngp", "ntk"}:
        raise ValueError(refusal("get", get, "kernels are nngp and ntk", "ask for one of them, or for both once"))
    if tangent not in ("torch", "standardised", "paper"):
        remedy = 'choose "torch", "standardised" or "paper"'
        raise ValueError(refusal("tangent", tangent, "no such variables of a tangent kernel", remedy))
    if dtype not in (torch.float64, torch.float32):
        raise ValueError(refusal("dtype", dtype, "too coarse for a kernel", "choose torch.float64 or torch.float32"))
    network = Perceptron.of(module, tangent, dtype)
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
        raise ValueError(refusal("module", kind_of(module), problem, remedy))
    if x2 is None:
        kernels = {name: np.triu(kernel) + np.triu(kernel, 1).T for name, kernel in kernels.items()}
    if isinstance(get, str):
        return kernels[get]
    # Its fields are what was asked for.
    kind: Callable[..., Any] = namedtuple("Kernels", asked)  # type: ignore[misc]
    return cast(Kernels, kind(**kernels))
