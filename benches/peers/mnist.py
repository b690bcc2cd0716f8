"""The embedded images of MNIST as the paper normalises them: by mean and deviation of each pixel."""

import gzip
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parents[2] / "data" / "mnist"


def read(path, head):
    """Bytes of a compressed IDX file after its header."""
    return np.frombuffer(gzip.open(path).read()[head:], dtype=np.uint8)


def images(path):
    """Pixels as real numbers, an image in each row."""
    return read(path, 16).reshape(-1, 784).astype(np.float64)


def normalised(values, of=None):
    """By the statistics of `of`, or by their own."""
    of = values if of is None else of
    mean, deviation = of.mean(0), of.std(0)
    return np.where(deviation > 0, (values - mean) / np.where(deviation > 0, deviation, 1), 0)


def test_images(path=FOLDER / "t10k-images-idx3-ubyte.gz"):
    """The 10,000 test images by their own statistics."""
    return normalised(images(path))


def training_and_test(folder=FOLDER):
    """2,048 training images and labels, 10,000 test images and labels, both by the statistics of the former."""
    folder = Path(folder)
    training, test = (images(folder / f"{name}-images-idx3-ubyte.gz") for name in ("train2048", "t10k"))
    labels = [read(folder / f"{name}-labels-idx1-ubyte.gz", 8) for name in ("train2048", "t10k")]
    return normalised(training), labels[0], normalised(test, training), labels[1]
