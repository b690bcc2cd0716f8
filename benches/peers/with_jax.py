"""The side of neural-tangents, whose precision JAX_ENABLE_X64 decides."""

from importlib.metadata import version

import jax
import neural_tangents as nt
import numpy as np
from neural_tangents import stax

from mnist import training_and_test
from worker import Whole


def versions(_):
    """What computes, as the table names it."""
    return {"neural-tangents": nt.__version__, "jax": jax.__version__, "jaxlib": version("jaxlib")}


def infinite_width(parameters, _):
    """The compiled kernel function of a network of infinite width without biases, in NTK parametrisation."""
    inputs = jax.numpy.asarray(training_and_test()[0][: parameters["inputs"]])
    get = tuple(parameters["get"])
    _, _, kernel_fn = stax.serial(stax.Dense(512), stax.Relu(), stax.Dense(1))
    compiled = jax.jit(kernel_fn, static_argnames="get")

    def run():
        return jax.block_until_ready(compiled(inputs, None, get=get))

    run()  # Compilation.
    return Whole(
        run,
        lambda kernels: {name: np.asarray(getattr(kernels, name)) for name in get},
    )


TASKS = {"infinite_width": infinite_width}
