"""What both sides of the comparison are given: pairs, kernels and targets, by NumPy alone."""

import numpy as np

from mnist import training_and_test

CLASSES = 10


def training_epochs(parameters):
    """How many epochs a network is trained to compare its accuracy."""
    return parameters.get("epochs", 12)


def infinite_tangent_kernel(inputs):
    """K_1 + C K_0 over d, of all pairs."""
    norms = np.linalg.norm(inputs, axis=1)
    scale = np.outer(norms, norms)
    cosine = np.clip(inputs @ inputs.T / scale, -1, 1)
    np.fill_diagonal(cosine, 1.0)
    phi = np.pi - np.arccos(cosine)
    return scale * (np.sqrt(1 - cosine**2) + 2 * phi * cosine) / (2 * np.pi) / inputs.shape[1]


class Enumeration:
    """Two vectors at an angle, and the connectivity of their masks."""

    p = 0.3

    def __init__(self, dimension):
        generator = np.random.default_rng(dimension)
        self.x = generator.standard_normal(dimension)
        self.y = self.x + generator.standard_normal(dimension)


class Ridge:
    """The tangent kernel of infinite width of training images, their classes, and 19 ridges from 1e-4 to 100."""

    def __init__(self, samples):
        inputs, labels, _, _ = training_and_test()
        self.kernel = infinite_tangent_kernel(inputs[:samples])
        self.labels = labels[:samples]
        self.ridges = np.geomspace(1e-4, 100, 19)
        # What is added to the diagonal: ridges are in units of its mean.
        self.alphas = self.ridges * self.kernel.diagonal().mean()
