"""Kernels of sparse, finite-width ReLU networks, weight budgets and masks.

Given the same number of weights, is a wider, sparser network better? See the paper of Golubeva, Neyshabur and Gur-Ari,
"Are wider nets better given the same number of parameters?", ICLR 2021, arXiv 2010.14495.

``sparsewidth.plot`` (matplotlib) draws the charts of the program from its records, ``sparsewidth.torch`` (PyTorch) puts
masks on modules; both are imported when they are asked for.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from ._core import VERSION as __version__
from .budgets import (
    allocate,
    draw_masks,
    er,
    erk,
    largest_first,
    last_dense,
    load_masks,
    save_masks,
    shapes,
    uniform,
    uniform_plus,
)
from .data import load_data, load_records
from .kernels import Kernels, MonteCarlo, kernel, monte_carlo_kernel
from .ridge import KernelRidge, regression
from .studies import distance, mask_distance, mask_report, optimum, predict, train, tune, verify

if TYPE_CHECKING:
    from . import plot as plot
    from . import torch as torch

__all__ = [
    "KernelRidge",
    "Kernels",
    "MonteCarlo",
    "__version__",
    "allocate",
    "distance",
    "draw_masks",
    "er",
    "erk",
    "kernel",
    "largest_first",
    "last_dense",
    "load_data",
    "load_masks",
    "load_records",
    "mask_distance",
    "mask_report",
    "monte_carlo_kernel",
    "optimum",
    "predict",
    "regression",
    "save_masks",
    "shapes",
    "train",
    "tune",
    "uniform",
    "uniform_plus",
    "verify",
]

# Imported when they are asked for, as they need matplotlib and PyTorch.
_LATER = ("plot", "torch")


def __getattr__(name: str) -> ModuleType:
    if name in _LATER:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
