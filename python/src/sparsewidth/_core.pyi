"""The compiled part of sparsewidth. Private: its signatures change with the modules that wrap it."""

from collections.abc import Callable, Sequence
from os import PathLike
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

VERSION: str

_Progress: TypeAlias = Callable[[int, int], object] | None
_Shapes: TypeAlias = str | Sequence[tuple[str, Sequence[int]]]

class Dataset:
    @staticmethod
    def open(source: str) -> Dataset: ...
    @staticmethod
    def from_bytes(name: str, bytes: bytes) -> Dataset: ...
    def arrays(self, seed: int) -> dict[str, NDArray[np.generic]]: ...

def read_records(folder: str | PathLike[str]) -> str: ...
def kernel(
    x: NDArray[np.float64],
    y: NDArray[np.float64] | None,
    mask: NDArray[np.bool_] | None,
    options: str,
    progress: _Progress,
) -> tuple[NDArray[np.float64], float | None]: ...
def monte_carlo_kernel(
    x: NDArray[np.float64], options: str, progress: _Progress
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]: ...
def allocate(shapes: _Shapes, options: str) -> list[tuple[str, list[int], int]]: ...
def draw_masks(shapes: _Shapes, options: str) -> list[tuple[str, NDArray[np.bool_]]]: ...
def load_masks(path: str | PathLike[str], zeros_are_masked: bool) -> list[tuple[str, NDArray[np.bool_]]]: ...
def save_safetensors(masks: Sequence[tuple[str, NDArray[np.bool_]]]) -> bytes: ...
