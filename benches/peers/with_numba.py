"""Numba's side of the comparison: the sum over all masks as a compiled loop."""

import math

import numba
import numpy as np
from numba import njit, prange

from tasks import Enumeration
from worker import Whole


def versions(threads):
    """What computes, as the table names it."""
    numba.set_num_threads(threads)
    return {"numba": numba.__version__, "numpy": np.__version__}


@njit
def table(products, p):
    """A row of |x_s|^2, |y_s|^2, x_s.y_s and the probability of s, for each mask of some inputs."""
    inputs = len(products)
    found = np.zeros((1 << inputs, 4))
    found[0, 3] = (1 - p) ** inputs
    for bit in range(inputs):
        for mask in range(1 << bit):
            above = mask | 1 << bit
            found[above, :3] = found[mask, :3] + products[bit]
            found[above, 3] = found[mask, 3] * p / (1 - p)
    return found


@njit(parallel=True, fastmath=True)
def mean_over_masks(high, low):
    """The mean of K_1(x_s, y_s), by a table for each half of the inputs."""
    total = 0.0
    for i in prange(len(high)):
        part = 0.0
        for j in range(len(low)):
            norms = math.sqrt((high[i, 0] + low[j, 0]) * (high[i, 1] + low[j, 1]))
            if norms > 0:
                cosine = min(max((high[i, 2] + low[j, 2]) / norms, -1.0), 1.0)
                value = math.sqrt(1 - cosine * cosine) + (math.pi - math.acos(cosine)) * cosine
                part += low[j, 3] * norms * value
        total += high[i, 3] * part
    return total / (2 * math.pi)


def enumeration(parameters, _):
    """The mean over all masks of one pair."""
    pair = Enumeration(parameters["dimension"])
    half = parameters["dimension"] // 2

    def run():
        products = np.stack([pair.x**2, pair.y**2, pair.x * pair.y], axis=1)
        mean = mean_over_masks(table(products[half:], pair.p), table(products[:half], pair.p))
        return mean / pair.p / len(pair.x)

    run()  # Compilation.
    return Whole(run, lambda kernel: {"kernel": np.array([[kernel]])})


TASKS = {"enumeration": enumeration}
