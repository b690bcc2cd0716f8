"""What is compared: groups of cases, each with what either side does, and how far their values may differ."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from training_rates import DENSE_RATES, SPARSE_RATES, sparse_connectivity

FIGURE_WIDTHS = list(SPARSE_RATES)


class Peer(NamedTuple):
    """Who runs the other side: a module, the environment that it is installed in, and its variables."""

    name: str
    module: str
    environment: str = "venv"
    variables: dict | None = None


TORCH = Peer("PyTorch", "with_torch")
TANGENTS = Peer("neural-tangents", "with_jax", "jax", {"JAX_ENABLE_X64": "1"})
TANGENTS_SINGLE = Peer("neural-tangents", "with_jax", "jax", {"JAX_ENABLE_X64": "0"})
NUMBA = Peer("numba", "with_numba")
SKLEARN = Peer("scikit-learn", "with_sklearn")


@dataclass(frozen=True)
class Case:
    """One row of the table; `quick` replaces parameters where it is only to be seen that all works."""

    name: str
    parameters: dict
    quick: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Rows that share what is done on either side."""

    key: str
    title: str
    peer: Peer
    ours: str
    theirs: str
    check: str
    task: str
    their_task: str
    cases: list
    one_thread: bool = False


def close(ours, theirs, most):
    """The largest difference of arrays, in units of the largest entry."""
    found = max(np.abs(ours[name] - theirs[name]).max() / np.abs(ours[name]).max() for name in theirs)
    if not found <= most:
        raise AssertionError(f"values differ by {found:.1e} of the largest, more than {most:.0e}")
    return f"{found:.0e}"


def accuracies(ours, theirs):
    """Best test accuracies after the first epochs, of other random numbers."""
    ours, theirs = float(ours["accuracy"]), float(theirs["accuracy"])
    if max(ours, theirs) > 0.5 and abs(ours - theirs) > 0.04:
        raise AssertionError(f"accuracies {ours:.3f} and {theirs:.3f}")
    return f"accuracy {ours:.3f}, {theirs:.3f}"


def means(ours, theirs):
    """Means of ten networks each, of other random numbers."""
    error = float(np.hypot(ours["error"], theirs["error"]))
    score = float(ours["mean"] - theirs["mean"]) / error
    if abs(score) > 5:
        raise AssertionError(f"means {ours['mean']:.3e} and {theirs['mean']:.3e}, {score:.1f} standard errors apart")
    return f"{score:+.1f} standard errors"


def few_means(ours, theirs):
    """Means over pairs of a few networks."""
    ratio = float(ours["mean"] / theirs["mean"])
    if not 0.5 < ratio < 2:
        raise AssertionError(f"means {ours['mean']:.3e} and {theirs['mean']:.3e}")
    return f"{ratio:.2f} times"


def drawn_kernels(ours, theirs):
    """Kernels of one network each, of other random numbers."""
    ours, theirs = ours["kernel"], theirs["kernel"]
    ratio = ours.trace() / theirs.trace()
    similarity = (ours * theirs).sum() / np.linalg.norm(ours) / np.linalg.norm(theirs)
    if not (0.5 < ratio < 2 and similarity > 0.8):
        raise AssertionError(f"traces {ours.trace():.3e} and {theirs.trace():.3e}, alignment {similarity:.3f}")
    return f"alignment {similarity:.3f}"


def coefficients(ours, theirs):
    """Coefficients at the ridge that ours chose, of those at all."""
    index = round(np.log10(float(ours["ridge"]) / 1e-4) * 3)
    return close(ours, {"coefficients": theirs["all_coefficients"][index]}, 1e-7)


CHECKS = {
    "accuracies": accuracies,
    "means": means,
    "few means": few_means,
    "drawn kernels": drawn_kernels,
    "double precision": lambda ours, theirs: close(ours, theirs, 1e-7),
    "single precision": lambda ours, theirs: close(ours, theirs, 1e-3),
    "coefficients": coefficients,
}


def trained(width, dense, **more):
    """A case of training."""
    rates = DENSE_RATES if dense else SPARSE_RATES
    parameters = {"width": width, "dense": dense, "rate": rates[width], **more}
    return Case(f"width {width}", parameters, {"epochs": 3})


def at_eight(width):
    """Eight weights a unit times the width that has them all: n p = 8."""
    return {"width": width, "connectivity": min(1, 8 / width), "inputs": 10_000}


TRAINER = "`sparsewidth.train`: what an epoch more of a run costs, 784-n-10, batch 256, with a test on 10,000 images"
TRAINED = "the same epoch and test in eager mode, single precision"
KERNELS = "`sparsewidth.kernel`, double precision"
SPARSE = "6,352 weights"

GROUPS = [
    Group(
        key="training-masked",
        title=f"training, {SPARSE}",
        peer=TORCH,
        ours=f"{TRAINER}; {SPARSE} in all",
        theirs=f"dense weights with a mask: {TRAINED}, autograd",
        check="accuracies",
        task="training",
        their_task="training",
        cases=[trained(width, False) for width in FIGURE_WIDTHS if width > 8],
        one_thread=True,
    ),
    Group(
        key="training-compressed",
        title=f"training, {SPARSE}, against CSR",
        peer=TORCH,
        ours=f"{TRAINER}; {SPARSE} in all",
        theirs=f"compressed sparse rows: {TRAINED}, the gradient by hand at the weights that exist (`sampled_addmm`)",
        check="accuracies",
        task="training",
        their_task="training",
        cases=[trained(width, False, compressed=True) for width in FIGURE_WIDTHS if width > 8],
        one_thread=True,
    ),
    Group(
        key="training-dense",
        title="training, dense",
        peer=TORCH,
        ours=f"{TRAINER}; all weights",
        theirs=f"dense weights: {TRAINED}, autograd",
        check="accuracies",
        task="training",
        their_task="training",
        cases=[trained(width, True) for width in FIGURE_WIDTHS],
        one_thread=True,
    ),
    Group(
        key="sampled",
        title="sampled NNGP kernels, all pairs of 10,000, a network more",
        peer=TORCH,
        ours="`sparsewidth.distance`, method `sampled_all`: what a network more than two costs, its kernel of all "
        "pairs compared with the limit",
        theirs="CSR weights, single precision: one product of the features of all inputs, less the limit, which is at "
        "hand; its norm",
        check="means",
        task="sampled",
        their_task="sampled",
        cases=[Case(f"n p = 8, width {width}", at_eight(width), {"inputs": 1000}) for width in (8, 80, 512)],
    ),
    Group(
        key="sampled-whole",
        title="sampled NNGP kernels, all pairs of 10,000, whole job",
        peer=TORCH,
        ours="`sparsewidth.distance`, method `sampled_all`: the limit by the closed form of all pairs, and networks "
        "one after the other",
        theirs="the same: the closed form of all pairs as matrices, single precision, and networks",
        check="few means",
        task="sampled_whole",
        their_task="sampled_whole",
        cases=[
            Case(f"n p = 8, width 80, {name}", {**at_eight(80), "networks": networks}, {"inputs": 1000})
            for networks, name in [(1, "one network"), (10, "ten networks")]
        ],
    ),
    Group(
        key="empirical-ntk",
        title="NTK of one drawn network, 2,048 inputs, one output",
        peer=TORCH,
        ours='`sparsewidth.monte_carlo_kernel(get="ntk", n_samples=1)`, with the mean and standard error as '
        "double-precision matrices",
        theirs="`torch.func`: vmap of jacrev, 128 inputs at a time, single precision; product of the Jacobians at the "
        "weights that exist",
        check="drawn kernels",
        task="empirical_tangent",
        their_task="empirical_tangent",
        cases=[
            Case(
                f"sparse, width 216, {SPARSE}",
                {"width": 216, "connectivity": sparse_connectivity(216), "inputs": 2048},
                {"inputs": 300},
            ),
            Case("dense, width 64", {"width": 64, "connectivity": 1.0, "inputs": 2048}, {"inputs": 300}),
        ],
    ),
    Group(
        key="infinite-width",
        title="infinite-width kernels, 2,048 x 2,048, d = 784",
        peer=TANGENTS,
        ours=KERNELS,
        theirs="`stax.serial(Dense, Relu, Dense)`, NTK parametrisation, no biases; `kernel_fn` compiled by `jax.jit` "
        "beforehand; double precision",
        check="double precision",
        task="infinite_width",
        their_task="infinite_width",
        cases=[
            Case("NNGP", {"get": ["nngp"], "inputs": 2048}, {"inputs": 300}),
            Case("NNGP and NTK", {"get": ["nngp", "ntk"], "inputs": 2048}, {"inputs": 300}),
        ],
    ),
    Group(
        key="infinite-width-single",
        title="infinite-width kernels, theirs in single precision",
        peer=TANGENTS_SINGLE,
        ours=f"{KERNELS}, the only one it has",
        theirs="the same in single precision, which is their default",
        check="single precision",
        task="infinite_width",
        their_task="infinite_width",
        cases=[Case("NNGP and NTK", {"get": ["nngp", "ntk"], "inputs": 2048}, {"inputs": 300})],
    ),
    Group(
        key="enumeration",
        title="sum over all masks of a pair",
        peer=NUMBA,
        ours='`sparsewidth.kernel(method="enumerate")`, which sums two moments',
        theirs="a compiled loop over masks, parallel, `fastmath`, a table for each half of the inputs; one moment; "
        "without Intel's vector library",
        check="double precision",
        task="enumeration",
        their_task="enumeration",
        cases=[
            Case(f"d = {d}: {2**d:,} masks", {"dimension": d}, {"dimension": min(d, 18)}) for d in (16, 18, 20, 22, 24)
        ],
    ),
    Group(
        key="ridge-leave-one-out",
        title="kernel ridge regression, 19 ridges, leave-one-out",
        peer=SKLEARN,
        ours="`sparsewidth.KernelRidge` on the kernel matrix, 10 classes: leave-one-out errors at all ridges, "
        "coefficients at the best",
        theirs="`RidgeCV`, leave-one-out, the best ridge refitted, on a Cholesky factor of the kernel as features, "
        "made beforehand (`RidgeCV` takes no kernels; `GridSearchCV` would fit 38,912 times)",
        check="double precision",
        task="ridge_path",
        their_task="ridge_path",
        cases=[Case("2,048 samples", {"inputs": 2048}, {"inputs": 300})],
    ),
    Group(
        key="ridge-fits",
        title="kernel ridge regression, 19 ridges, their fits alone",
        peer=SKLEARN,
        ours="as above, leave-one-out errors and all",
        theirs="`KernelRidge` fitted at each ridge, which is less work: no leave-one-out errors",
        check="coefficients",
        task="ridge_path",
        their_task="ridge_fits",
        cases=[Case("2,048 samples", {"inputs": 2048}, {"inputs": 300})],
    ),
]

# OpenBLAS loses many times its time to threads that wait where other programs run: so one thread, too.
GROUPS += [
    replace(group, key=f"{group.key}-one-thread", title=f"{group.title}, one thread", one_thread=True)
    for group in GROUPS
    if group.peer is SKLEARN
]
