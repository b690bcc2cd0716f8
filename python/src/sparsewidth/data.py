"""Data sets and records, as the program reads and writes them."""

from __future__ import annotations

import json
import re
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import _core
from ._arguments import check_memory, path_of, whole

__all__ = ["load_data", "load_records"]


def opened(name: str, source: str | PathLike[str]) -> _core.Dataset:
    """A data set of the program."""
    path = path_of(name, source)
    drawn = re.fullmatch(r"gaussian:(\d+)(?:,(\d+))?", path)
    if drawn:
        size = 8 * int(drawn[1]) * int(drawn[2] or 1)
        check_memory(name, f"{path!r}", size, "give fewer inputs or dimensions")
    return _core.Dataset.open(path)


def load_data(source: str | PathLike[str], *, seed: int = 0) -> dict[str, NDArray[np.generic]]:
    """Load a data set that the program takes as ``--data``.

    Parameters
    ----------
    source : str or path
        "mnist" (embedded: 2,048 training and 10,000 test images), a folder of files as MNIST, EMNIST, KMNIST, QMNIST
        and CIFAR (binary version) have them, an NPZ or .npy file, or "gaussian:D,N".
    seed : int
        Seed of inputs that are drawn, 0 or more.

    Returns
    -------
    dict of str to ndarray
        ``x_train``, ``x_test``, shape (N, d), as stored; ``y_train``, ``y_test``, classes numbered from 0; ``labels``,
        the label of each class. Without labels, ``x`` alone.

    Raises
    ------
    ValueError
        Where there is no such data, or it is damaged.
    TypeError
        Where an argument is of the wrong type.
    MemoryError
        Where inputs that are to be drawn do not fit in memory.

    Examples
    --------
    >>> import sparsewidth as sw
    >>> mnist = sw.load_data("mnist")
    >>> mnist["x_train"].shape, mnist["x_test"].shape, mnist["x_test"].dtype.name
    ((2048, 784), (10000, 784), 'uint8')
    """
    return opened("source", source).arrays(whole("seed", seed))


def load_records(folder: str | PathLike[str]) -> list[dict[str, Any]]:
    """Load the records of a study from its output folder, also those of older versions.

    Parameters
    ----------
    folder : str or path
        A folder with ``records.jsonl``.

    Returns
    -------
    list of dict
        One for each record, ready for ``pandas.DataFrame``; ``kind`` is "distance", "training" or "prediction".

    Raises
    ------
    ValueError
        Where there are no records, or they are damaged.

    Examples
    --------
    >>> import sparsewidth as sw
    >>> sw.load_records("no such folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: no such folder/records.jsonl: ...
    """
    return [json.loads(line) for line in _core.read_records(path_of("folder", folder)).splitlines()]
