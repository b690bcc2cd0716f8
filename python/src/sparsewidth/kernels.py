"""Kernels of sparse ReLU networks with one hidden layer, as matrices.

The network is ``f(x) = (n d)^(-1/2) v^T [u x]_+``: inputs of dimension ``d``, width ``n``; an entry of ``u`` exists
with probability ``p``, the connectivity or density, and is then drawn from ``N(0, 1/p)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from ._arguments import bar, check_memory, listed, mask_of, options, rows, whole

__all__ = ["Kernels", "MonteCarlo", "kernel", "monte_carlo_kernel"]


class Kernels(NamedTuple):
    """Both kernels; one that was not asked for is None.

    Attributes
    ----------
    nngp : ndarray, shape (n1, n2), or None
        The kernel of the last layer.
    ntk : ndarray, shape (n1, n2), or None
        The tangent kernel, that of all layers.
    """

    nngp: NDArray[np.float64] | None
    ntk: NDArray[np.float64] | None


class MonteCarlo(NamedTuple):
    """The kernel of drawn networks.

    Attributes
    ----------
    mean : ndarray, shape (n1, n2)
        The mean over networks.
    standard_error : ndarray, shape (n1, n2)
        Its standard error, NaN for a single network.
    n_samples : int
        The number of networks.
    """

    mean: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    n_samples: int


@overload
def kernel(
    x1: ArrayLike,
    x2: ArrayLike | None = ...,
    *,
    get: str = ...,
    connectivity: float | None = ...,
    tangent: str | None = ...,
    method: str = ...,
    tolerance: float = ...,
    n_masks: int = ...,
    mask: ArrayLike | None = ...,
    scale: str | float | None = ...,
    seed: int = ...,
    threads: int | None = ...,
    progress: bool = ...,
) -> NDArray[np.float64]: ...
@overload
def kernel(
    x1: ArrayLike,
    x2: ArrayLike | None = ...,
    *,
    get: tuple[str, ...],
    connectivity: float | None = ...,
    tangent: str | None = ...,
    method: str = ...,
    tolerance: float = ...,
    n_masks: int = ...,
    mask: ArrayLike | None = ...,
    scale: str | float | None = ...,
    seed: int = ...,
    threads: int | None = ...,
    progress: bool = ...,
) -> Kernels: ...
def kernel(
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    *,
    get: str | tuple[str, ...] = "nngp",
    connectivity: float | None = None,
    tangent: str | None = None,
    method: str = "auto",
    tolerance: float = 1e-6,
    n_masks: int = 1_000,
    mask: ArrayLike | None = None,
    scale: str | float | None = None,
    seed: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> NDArray[np.float64] | Kernels:
    """Compute the expected kernel of all rows of ``x1`` with all rows of ``x2``.

    Dense networks have ``K_1 / d`` (NNGP) and ``(K_1 + C K_0) / d`` (NTK), with the arc-cosine moments ``K_l`` and
    ``C = x.y``. At a connectivity below 1 it is the mean over Bernoulli masks and weights, ``K~_1 / d`` and
    ``(K~_1 + tau J~_1) / d`` of Theorem 1 of Golubeva, Neyshabur and Gur-Ari (2021), and with ``mask`` the mean over
    the weights that this mask keeps. The width does not enter a mean.

    Parameters
    ----------
    x1, x2 : array_like, shape (n1, d) and (n2, d)
        Inputs in rows; further dimensions are flattened. Contiguous float64 arrays are read where they are, without a
        copy: do not write to them meanwhile. Without ``x2``, the rows of ``x1`` with each other.
    get : {"nngp", "ntk"} or tuple of these
        Which kernel; a tuple gives a named tuple.
    connectivity : float, optional
        Density in (0, 1]; 1 unless given.
    tangent : {"standardised", "paper"}, optional
        Which weights gradient descent moves in the NTK: "standardised" ones (tau = 1), the default, or those of the
        "paper" (tau = p).
    method : {"auto", "quadrature", "enumerate", "sampling", "expansion"}
        How masked moments are found. "auto" is the quadrature, and sampling where it misses the tolerance: it takes
        milliseconds for each pair, of which ``n`` inputs have ``n (n + 1) / 2``, so a few hundred inputs take minutes.
        "expansion" is a matrix product, fast for thousands of inputs, whose error is unknown. This, ``tolerance``,
        ``n_masks`` and ``seed`` matter below connectivity 1 only.
    tolerance : float
        Relative error that the quadrature is to reach.
    n_masks : int
        Masks per pair, where the tolerance is missed or ``method="sampling"``.
    mask : array_like of 0 and 1, shape (n, d), optional
        A mask of your own, instead of a connectivity.
    scale : {"density", "fan_in"} or float, optional
        Variance of the weights that ``mask`` keeps: ``1/density``, ``d/fan_in`` of each row, or ``1/p`` for a number
        ``p``; "density" unless given.
    seed : int
        Seed of sampled masks.
    threads : int, optional
        Number of threads, one per core unless given. Results do not depend on it.
    progress : bool
        Show a bar (needs tqdm).

    Returns
    -------
    ndarray of float64, shape (n1, n2), or Kernels
        The kernel, or both in a named tuple.

    Raises
    ------
    ValueError
        Where shapes do not fit, an entry is not finite, or an option is out of its range or has no effect.
    TypeError
        Where an argument is of the wrong type.
    MemoryError
        Where the matrix does not fit in memory.

    Examples
    --------
    >>> import numpy as np, sparsewidth as sw
    >>> x = np.array([[1.0, 2.0, 0.5], [3.0, -1.0, 1.0]])
    >>> dense, sparse = sw.kernel(x), sw.kernel(x, connectivity=0.5)
    >>> bool(np.allclose(np.diag(dense), (x**2).sum(1) / 6))
    True
    >>> bool(sparse[0, 1] > dense[0, 1])  # masks make inputs look more alike
    True
    """
    get = tuple(get) if isinstance(get, list) else get
    if isinstance(get, tuple) and (not get or not set(get) <= {"nngp", "ntk"}):
        raise ValueError(f'get = {get!r}: are not kernels; use "nngp", "ntk" or both')
    kinds = get if isinstance(get, tuple) else (get,)
    if mask is not None and connectivity is not None:
        raise ValueError("connectivity: has no effect beside a mask; leave one of the two out")
    if mask is None and scale is not None:
        raise ValueError("scale: has no effect without a mask; leave it out")
    first, second = rows("x1", x1), None if x2 is None else rows("x2", x2)
    given = None if mask is None else mask_of("mask", mask)
    if given is not None and given.ndim != 2:
        raise ValueError(f"mask: has shape {given.shape}; give units x inputs, shape (n, d)")
    n1, n2 = len(first), len(first if second is None else second)
    what = f"the kernel of {n1} with {n2} inputs"
    remedy = "give fewer rows, or blocks of x1 with x2"
    check_memory("x1", what, 8 * (n1 * n2 * len(set(kinds)) + (n1 + n2) * first.shape[1]), remedy)
    is_sparse = given is None and connectivity is not None and connectivity != 1
    of_masks = {"method": method, "tolerance": tolerance, "n_masks": n_masks, "seed": seed} if is_sparse else {}
    found: dict[str, NDArray[np.float64]] = {}
    for kind in kinds:
        convention = tangent if kind == "ntk" or len(kinds) == 1 else None
        chosen = options(
            get=kind, tangent=convention, connectivity=connectivity, scale=scale, threads=threads, **of_masks
        )
        with bar(progress, kind) as show:
            found[kind], _ = _core.kernel(first, second, given, chosen, show)
    return Kernels(found.get("nngp"), found.get("ntk")) if isinstance(get, tuple) else found[get]


@overload
def monte_carlo_kernel(
    x1: ArrayLike,
    x2: ArrayLike | None = ...,
    *,
    width: int,
    connectivity: float = ...,
    n_samples: int = ...,
    get: str = ...,
    tangent: str | None = ...,
    outputs: int = ...,
    mask: str = ...,
    law: str = ...,
    seed: int = ...,
    threads: int | None = ...,
    progress: bool = ...,
) -> MonteCarlo: ...
@overload
def monte_carlo_kernel(
    x1: ArrayLike,
    x2: ArrayLike | None = ...,
    *,
    width: int,
    connectivity: float = ...,
    n_samples: Sequence[int] | NDArray[np.integer[Any]],
    get: str = ...,
    tangent: str | None = ...,
    outputs: int = ...,
    mask: str = ...,
    law: str = ...,
    seed: int = ...,
    threads: int | None = ...,
    progress: bool = ...,
) -> list[MonteCarlo]: ...
def monte_carlo_kernel(
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    *,
    width: int,
    connectivity: float = 1.0,
    n_samples: int | Sequence[int] | NDArray[np.integer[Any]] = 10,
    get: str = "nngp",
    tangent: str | None = None,
    outputs: int = 10,
    mask: str = "bernoulli",
    law: str = "gaussian",
    seed: int = 0,
    threads: int | None = None,
    progress: bool = False,
) -> MonteCarlo | list[MonteCarlo]:
    """Compute the mean kernel of drawn networks, with its standard error.

    Parameters
    ----------
    x1, x2 : array_like, shape (n1, d) and (n2, d)
        Inputs in rows, two at least. Without ``x2``, the rows of ``x1`` with each other. With ``x2``, the kernel of
        both sets together is computed: the cost grows as (n1 + n2)^2.
    width : int
        Hidden width of the networks.
    connectivity : float
        Density of the first layer, in (0, 1].
    n_samples : int or sequence of int
        Number of networks; if a sequence, return the running mean after each count, as in neural-tangents.
    get : {"nngp", "ntk"}
        Which kernel. The NTK of several outputs is the mean over them.
    tangent : {"standardised", "paper"}, optional
        As in :func:`kernel`; "standardised" unless given.
    outputs : int
        Outputs of the dense last layer, which only the NTK depends on.
    mask : {"bernoulli", "exact_count", "constant_fan_in"}
        Mask family: each weight with the probability ``connectivity``, exactly that share of the layer, or of each row.
    law : {"gaussian", "uniform"}
        Distribution of the weights. Uniform ones have a third of the variance.
    seed : int
        Network r of a seed is initialisation r of the program's studies.
    threads, progress
        As in :func:`kernel`.

    Returns
    -------
    MonteCarlo or list of MonteCarlo
        ``mean`` and ``standard_error`` of shape (n1, n2), and ``n_samples``.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As :func:`kernel`; it takes the memory of five matrices or more.

    Examples
    --------
    >>> import numpy as np, sparsewidth as sw
    >>> x = np.random.default_rng(0).standard_normal((5, 20))
    >>> drawn = sw.monte_carlo_kernel(x, width=50, connectivity=0.5, n_samples=200)
    >>> scores = (drawn.mean - sw.kernel(x, connectivity=0.5)) / drawn.standard_error
    >>> bool(abs(scores).max() < 5)
    True
    """
    if n_samples is None:
        raise TypeError("n_samples = None: is a NoneType; give a whole number or a list of these")
    several = np.ndim(n_samples) > 0
    counts = [whole("n_samples", count) for count in listed("n_samples", n_samples) or []]
    if not counts or min(counts) < 1 or sorted(set(counts)) != counts:
        raise ValueError(f"n_samples = {n_samples}: must be positive, and rise; give for instance 10 or [10, 100]")
    chosen = options(
        get=get,
        tangent=tangent,
        connectivity=connectivity,
        n_samples=counts,
        width=width,
        outputs=outputs,
        mask=mask,
        law=law,
        seed=seed,
        threads=threads,
    )
    inputs = first = rows("x1", x1)
    if x2 is not None:
        second = rows("x2", x2)
        if second.shape[1] != first.shape[1]:
            problem = f"has rows of {second.shape[1]} entries, those of x1 have {first.shape[1]}"
            raise ValueError(f"x2: {problem}; give inputs of one dimension")
        inputs = np.concatenate([first, second])
    # Sums, means and errors of every count, and what is being added to them.
    size = 8 * len(inputs) ** 2 * max(5, 2 * len(counts) + 3)
    remedy = "give fewer rows" if x2 is None else "give fewer rows, or blocks of x1 or x2"
    check_memory("x1", f"the kernel of {len(inputs)} inputs, in several matrices,", size, remedy)
    with bar(progress, "networks") as show:
        found = _core.monte_carlo_kernel(inputs, chosen, show)
    if x2 is not None:
        n1 = len(first)
        found = [(mean[:n1, n1:].copy(), error[:n1, n1:].copy()) for mean, error in found]
    each = [MonteCarlo(mean, error, count) for (mean, error), count in zip(found, counts)]
    return each if several else each[0]
