"""Arguments on their way to the compiled part: arrays checked, options as JSON, progress as a bar."""

from __future__ import annotations

import contextlib
import json
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike, fspath
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def options(**given: object) -> str:
    """The options that are not None, as a JSON object."""
    return json.dumps({name: plain(name, value) for name, value in given.items() if value is not None})


def plain(name: str, value: object) -> object:
    """A value as JSON has it: NumPy's numbers and arrays as Python's."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return operator.index(value)
    if isinstance(value, (float, np.floating)):
        if not math.isfinite(value):
            raise ValueError(f"{name} = {value}: is not finite; give a number")
        return float(value)
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, np.ndarray):
        return plain(name, value.tolist())
    if isinstance(value, (list, tuple, range)):
        return [plain(name, item) for item in value]
    raise TypeError(f"{name} = {value!r}: is a {type(value).__name__}; give a number, a string or a list of these")


def whole(name: str, value: object, least: int = 0, most: int = 2**64 - 1) -> int:
    """A whole number."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} = {value!r}: is a {type(value).__name__}; give a whole number")
    if not isinstance(value, (int, np.integer)) or not least <= value <= most:
        raise ValueError(f"{name} = {value}: is not a whole number from {least} to {most}; give one")
    return int(value)


def real(name: str, value: object) -> float:
    """A real number."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise TypeError(f"{name} = {value!r}: is a {type(value).__name__}; give a number")
    return float(value)


def listed(name: str, value: Any) -> list[Any] | None:
    """A list, also of a single value; an empty one is refused, as it is not the default."""
    if value is None:
        return None
    if isinstance(value, (str, int, float, np.number)):
        return [value]
    if isinstance(value, np.ndarray):
        value = value.reshape(-1)
    if not isinstance(value, Iterable) or isinstance(value, (bytes, Mapping)):
        raise TypeError(f"{name} = {value!r}: is a {type(value).__name__}; give a value or a list of values")
    found = list(value)
    if not found:
        raise ValueError(f"{name}: is empty; give one value or more, or leave it out")
    return found


def path_of(name: str, path: str | PathLike[str]) -> str:
    """A path as a string."""
    if not isinstance(path, (str, PathLike)):
        raise TypeError(f"{name} = {path!r}: is a {type(path).__name__}; give a path")
    found = fspath(path)
    if not found:
        raise ValueError(f"{name} = '': is an empty string; give a path, '.' for this folder")
    return found


def check_memory(name: str, what: str, size: int, remedy: str) -> None:
    """Raises a MemoryError if that many bytes cannot be allocated; the compiled part would end the process."""
    # Beside it, threads and what they work on.
    beside = min(size, 2**28)
    try:
        np.empty(size + beside, dtype=np.uint8)
    except (MemoryError, ValueError, OverflowError):
        raise MemoryError(f"{name}: {what} would take {size / 1e9:.3g} GB, more than there is; {remedy}") from None


def numbers(name: str, values: ArrayLike, of: str = "real numbers") -> np.ndarray[Any, Any]:
    """An array of real numbers, of whatever can be one."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name}: is not an array ({error}); give rows of one length") from error
    except (TypeError, RuntimeError, NotImplementedError) as error:
        # A tensor on a GPU, one with a gradient, one without data.
        problem = f"is a {type(values).__name__} that NumPy cannot read ({error})"
        raise TypeError(f"{name}: {problem}; give an array, for instance tensor.detach().cpu().numpy()") from error
    if array.dtype == object or array.dtype.kind not in "biuf":
        raise TypeError(f"{name}: has entries of type {array.dtype}; give an array of {of}")
    return array


def rows(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Inputs as float64 rows of shape (n, d); a contiguous float64 array is passed on as it is."""
    array = numbers(name, values)
    if array.ndim == 1:
        raise ValueError(f"{name}: has shape {array.shape}; give rows, shape (n, d): {name}[None, :] is one row")
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"{name}: has shape {array.shape}, which holds no inputs; give rows, shape (n, d)")
    flat = array.reshape(len(array), -1)
    return np.ascontiguousarray(flat, dtype=np.float64)


def mask_of(name: str, mask: ArrayLike) -> NDArray[np.bool_]:
    """A mask of zeros and ones as booleans."""
    array = numbers(name, mask, "0 and 1")
    if array.dtype != np.bool_ and not np.isin(array, (0, 1)).all():
        raise ValueError(f"{name}: has entries that are neither 0 nor 1; give a mask, for instance {name} != 0")
    return np.ascontiguousarray(array, dtype=np.bool_)


@contextlib.contextmanager
def bar(progress: bool, what: str) -> Iterator[Callable[[int, int], object] | None]:
    """What shows progress, where it is asked for: a bar of tqdm."""
    if not progress:
        yield None
        return
    try:
        from tqdm.auto import tqdm  # type: ignore[import-untyped]
    except ImportError as error:
        raise ImportError("progress=True draws its bar with tqdm: pip install tqdm") from error
    shown: Any = tqdm(desc=what, total=1, bar_format="{desc}: {percentage:3.0f} % [{elapsed}<{remaining}]")

    def show(done: int, total: int) -> None:
        # Estimates of the work may turn out too small.
        shown.total, shown.n = total, min(done, total)
        shown.refresh()

    try:
        yield show
        # The work is done, whether or not its last step was shown.
        shown.n = shown.total
        shown.refresh()
    finally:
        shown.close()
