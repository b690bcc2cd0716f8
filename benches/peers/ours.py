"""Our side of the comparison: the Python package, which calls the library as the program does."""

import numpy as np
import sparsewidth as sw

from mnist import test_images, training_and_test
from tasks import CLASSES, Enumeration, Ridge, training_epochs
from worker import Marginal, Whole


def versions(_):
    """What computes, as the table names it."""
    return {"sparsewidth": sw.__version__, "numpy": np.__version__}


def training(parameters, threads):
    """An epoch more of one run."""

    def run(epochs):
        records = sw.train(
            widths=[parameters["width"]],
            dense=parameters["dense"],
            learning_rate=parameters["rate"],
            runs=1,
            epochs=epochs,
            threads=threads,
        )
        if records[0]["diverged"]:
            raise RuntimeError("the run diverged, so its epochs are not all there")
        return records[0]

    best = run(training_epochs(parameters))["best_accuracy"]
    return Marginal(run, lambda _: {"accuracy": best})


def distances(inputs, parameters, threads, networks):
    """The record of the distances of drawn networks."""
    return sw.distance(
        inputs,
        networks=[(parameters["width"], parameters["connectivity"])],
        methods="sampled_all",
        initialisations=networks,
        threads=threads,
        seed=1,
    )[0]


def sampled(parameters, threads):
    """A network more than two, whose kernel of all pairs is compared with the closed form."""
    inputs = test_images()[: parameters["inputs"]]
    record = distances(inputs, parameters, threads, 10)
    values = {"mean": record["mean"], "error": record["mean_error_samples"]}
    return Marginal(
        lambda networks: distances(inputs, parameters, threads, networks), lambda _: values, base=2, most=64
    )


def sampled_whole(parameters, threads):
    """The closed form of all pairs and a few networks."""
    inputs, networks = test_images()[: parameters["inputs"]], parameters["networks"]
    return Whole(lambda: distances(inputs, parameters, threads, networks), lambda record: {"mean": record["mean"]})


def empirical_tangent(parameters, threads):
    """The tangent kernel of one drawn network with one output."""
    inputs = training_and_test()[0][: parameters["inputs"]]

    def run():
        return sw.monte_carlo_kernel(
            inputs,
            width=parameters["width"],
            connectivity=parameters["connectivity"],
            n_samples=1,
            get="ntk",
            outputs=1,
            mask="exact_count",
            threads=threads,
        ).mean

    return Whole(run, lambda kernel: {"kernel": kernel})


def infinite_width(parameters, threads):
    """Closed forms of all pairs."""
    inputs = training_and_test()[0][: parameters["inputs"]]
    get = tuple(parameters["get"])

    def values(kernels):
        return {name: getattr(kernels, name) for name in get}

    return Whole(lambda: sw.kernel(inputs, get=get, threads=threads), values)


def enumeration(parameters, threads):
    """The mean over all masks of one pair."""
    pair = Enumeration(parameters["dimension"])

    def run():
        return sw.kernel(pair.x[None], pair.y[None], connectivity=pair.p, method="enumerate", threads=threads)

    return Whole(run, lambda kernel: {"kernel": kernel})


def ridge_path(parameters, _):
    """Leave-one-out errors at all ridges, and the coefficients at the best."""
    problem = Ridge(parameters["inputs"])
    targets = np.eye(CLASSES)[problem.labels] - 1 / CLASSES

    def run():
        regression = sw.KernelRidge(problem.kernel, targets)
        steps = regression.path(problem.ridges)
        best = min(steps, key=lambda step: step.squared_error)
        return [step.squared_error for step in steps], best.ridge, regression.fit(best.ridge).coefficients

    return Whole(run, lambda found: dict(zip(["errors", "ridge", "coefficients"], found, strict=True)))


TASKS = {
    "training": training,
    "sampled": sampled,
    "sampled_whole": sampled_whole,
    "empirical_tangent": empirical_tangent,
    "infinite_width": infinite_width,
    "enumeration": enumeration,
    "ridge_path": ridge_path,
}
