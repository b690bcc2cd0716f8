"""PyTorch's side of the comparison."""

import math

import numpy as np
import torch
from torch.func import jacrev, vmap

from mnist import test_images, training_and_test
from sampled import Sampler
from tasks import training_epochs
from training import Experiment
from training_rates import sparse_connectivity
from worker import Whole


def versions(threads):
    """What computes, as the table names it."""
    torch.set_num_threads(threads)
    return {"torch": torch.__version__, "numpy": np.__version__}


def training(parameters, _):
    """An epoch, by dense weights or by compressed rows."""
    torch.manual_seed(0)
    experiment = Experiment()
    kind = experiment.compressed if parameters.get("compressed") else experiment.masked
    width = parameters["width"]
    settings = width, 1 if parameters["dense"] else sparse_connectivity(width), parameters["rate"]
    epoch = kind(*settings)
    best = max(epoch() for _ in range(training_epochs(parameters)))
    return Whole(kind(*settings), lambda _: {"accuracy": best})


def sampled(parameters, _):
    """A network's distance over all pairs; the closed form is at hand."""
    sampler = Sampler(test_images()[: parameters["inputs"]])
    sampler.closed_form()
    network = parameters["width"], parameters["connectivity"]
    found = [sampler.distance(*network) for _ in range(10)]
    values = {"mean": np.mean(found), "error": np.std(found, ddof=1) / math.sqrt(len(found))}
    return Whole(lambda: sampler.distance(*network), lambda _: values)


def sampled_whole(parameters, _):
    """The closed form of all pairs and a few networks."""
    inputs = test_images()[: parameters["inputs"]]
    network = parameters["width"], parameters["connectivity"]

    def run():
        sampler = Sampler(inputs)
        sampler.closed_form()
        return np.mean([sampler.distance(*network) for _ in range(parameters["networks"])])

    return Whole(run, lambda mean: {"mean": mean})


def empirical_tangent(parameters, _):
    """Jacobians by vmap of jacrev, 128 inputs at a time, and their product over the weights that exist."""
    torch.manual_seed(0)
    inputs = torch.tensor(training_and_test()[0][: parameters["inputs"]], dtype=torch.float32)
    width, dimension, p = parameters["width"], inputs.shape[1], parameters["connectivity"]
    entries = width * dimension
    mask = torch.zeros(entries, dtype=torch.bool)
    mask[torch.randperm(entries)[: round(p * entries)]] = True
    mask = mask.reshape(width, dimension)
    scaled = mask / math.sqrt(p)
    variables = torch.randn(width, dimension), torch.randn(width)

    def network(variables, x):
        first, last = variables
        hidden = torch.relu(first * scaled @ x / math.sqrt(dimension))
        return last @ hidden / math.sqrt(width)

    def jacobian(some):
        first, last = vmap(jacrev(network), (None, 0))(variables, some)
        return torch.cat([first.flatten(1) if p == 1 else first[:, mask], last], dim=1)

    def run():
        whole = torch.cat([jacobian(some) for some in inputs.split(128)])
        return whole @ whole.T

    return Whole(run, lambda kernel: {"kernel": kernel.numpy()})


TASKS = {
    "training": training,
    "sampled": sampled,
    "sampled_whole": sampled_whole,
    "empirical_tangent": empirical_tangent,
}
