"""Kernels of infinite width and what they predict against neural-tangents.

`python scripts/check_predictive.py PROGRAM EXAMPLE`, with `pip install neural-tangents==0.6.5 "jax[cpu]==0.4.30" "numpy<2"`; PROGRAM is
target/release/sparsewidth, EXAMPLE is made by `cargo build --release --example regression`. Of 500 MNIST images the first 400 are for
training. The network is `Dense(512) Relu Dense(10)` in NTK parametrisation with `W_std = 1` and no biases: its kernels are ours, `1/d`
times expectations over standard normal weights, without a factor between them. Kernels agree to 1e-12, and means and covariances
of the Gaussian process to 1e-11 of the largest, where the diagonal of their kernel is that of the closed form.
"""

import gzip
import pathlib
import subprocess
import sys
import tempfile

import jax

jax.config.update("jax_enable_x64", True)

import neural_tangents as nt
import numpy as np
from neural_tangents import stax

TRAINING, TEST, RIDGE = 400, 100, 1e-2
DATA = pathlib.Path(__file__).resolve().parent.parent / "data" / "mnist"


def idx(name, header):
    return np.frombuffer(gzip.open(DATA / name).read(), np.uint8, offset=header)


images = idx("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 784)[: TRAINING + TEST]
labels = idx("t10k-labels-idx1-ubyte.gz", 8)[: TRAINING + TEST]
inputs = (images / 255 - 0.1307) / 0.3081
# What our targets are: the class less the mean over classes.
targets = np.eye(10)[labels] - 0.1


def relative(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


_, _, kernel_fn = stax.serial(stax.Dense(512), stax.Relu(), stax.Dense(10))
for name in ["nngp", "ntk"]:
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        np.save(folder / "inputs.npy", inputs)
        command = [sys.argv[1], "kernel", "--x", folder / "inputs.npy", "--kernel", name, "--matrix", folder / "all.npy", "--quiet"]
        subprocess.run(command, check=True, capture_output=True)
        ours = np.load(folder / "all.npy")
        theirs = np.array(kernel_fn(inputs, None, name))
        off = ~np.eye(len(ours), dtype=bool)
        ratios = (theirs / ours)[off]
        print(f"{name}: off the diagonal, theirs over ours from 1 - {1 - ratios.min():.1e} to 1 + {ratios.max() - 1:.1e}")
        # The angle of an input with itself is 0; theirs has the rounding of its cosine, of which the tangent kernel sees the root.
        own = (inputs**2).mean(axis=1) * {"nngp": 0.5, "ntk": 1.0}[name]
        errors = [np.abs(np.diag(kernel) / own - 1).max() for kernel in (ours, theirs)]
        print(f"{name}: on the diagonal, from the closed form: ours {errors[0]:.1e}, theirs {errors[1]:.1e}")
        np.fill_diagonal(theirs, own)
        assert max(relative(ours, theirs), np.abs(ratios - 1).max()) < 1e-12

        training, cross = ours[:TRAINING, :TRAINING], ours[TRAINING:, :TRAINING]
        np.save(folder / "kernel.npy", training)
        np.save(folder / "cross.npy", cross)
        np.save(folder / "labels.npy", labels[:TRAINING])
        np.save(folder / "test_labels.npy", labels[TRAINING:])
        np.save(folder / "test_kernel.npy", ours[TRAINING:, TRAINING:])
        print(subprocess.run([sys.argv[2], folder, str(RIDGE)], check=True, capture_output=True, text=True).stdout, end="")
        found, covariance = np.load(folder / "predictions.npy"), np.load(folder / "covariance.npy")

    # Their Gaussian process with their kernel, which is taken as the NNGP kernel whichever it is.
    parts = theirs[:TRAINING, :TRAINING], theirs[TRAINING:, :TRAINING], theirs[TRAINING:, TRAINING:]
    infer = nt.predict.gp_inference(parts[0], targets[:TRAINING], diag_reg=RIDGE, diag_reg_absolute_scale=False)
    mean, expected = infer("nngp", k_test_train=parts[1], k_test_test=parts[2])
    assert relative(found, mean) < 1e-11 and relative(covariance, expected) < 1e-11
    variances = np.abs(np.diag(covariance) / np.diag(expected) - 1).max()
    rate = (np.asarray(mean).argmax(axis=1) != labels[TRAINING:]).mean()
    print(f"{name}: mean {relative(found, mean):.1e}, covariance {relative(covariance, expected):.1e} of the largest")
    print(f"{name}: variance {variances:.1e} of one; their error rate {rate}")
