"""Makes testdata/regression.npz, which tests/regression.rs compares kernel ridge regression with; `--check` compares what it would
make with what is there, and exits with 1 where they differ by more than 1e-10 of the largest entry.

Predictions and coefficients are those of scikit-learn's KernelRidge, by Cholesky's factors; predictive variances and log marginal
likelihoods those of its GaussianProcessRegressor with the same kernel, as a function of inputs. Of each case, for the arrays' names
see `case`: m = 50 training and t = 20 test samples, c outputs, and ridges from 1e-4 to 100 times the mean of the diagonal.
"""

import pathlib
import sys

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, DotProduct, Kernel
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import accuracy_score

PATH = pathlib.Path(__file__).resolve().parent.parent / "testdata" / "regression.npz"
TRAINING, TEST, DIMENSION = 50, 20, 6
RIDGES = np.array([1e-4, 1e-2, 1.0, 100.0])
# Of the largest entry: what solutions of condition number 1e6 may differ by between two libraries of linear algebra.
TOLERANCE = 1e-10


class ArcCosine(Kernel):
    """The NNGP kernel of one hidden layer of ReLU units, `1/d E [u.x]_+ [u.y]_+`."""

    def __init__(self):
        # scikit-learn finds a kernel's parameters by this signature.
        pass

    def __call__(self, X, Y=None, eval_gradient=False):
        Y = X if Y is None else Y
        norms = np.outer(np.linalg.norm(X, axis=1), np.linalg.norm(Y, axis=1))
        cosine = np.clip(X @ Y.T / norms, -1, 1)
        return norms * (np.sqrt(1 - cosine**2) + (np.pi - np.arccos(cosine)) * cosine) / (2 * np.pi * X.shape[1])

    def diag(self, X):
        return (X**2).sum(axis=1) / (2 * X.shape[1])

    def is_stationary(self):
        return False


def case(kernel, seed, classes=None):
    """Arrays of one case: of numbers, or of classes where their number is given."""
    generator = np.random.default_rng(seed)
    x, new = generator.standard_normal((TRAINING, DIMENSION)), generator.standard_normal((TEST, DIMENSION))
    weights = generator.standard_normal((DIMENSION, classes or 2))
    values, true = ((np.sin(inputs @ weights) + inputs @ weights) for inputs in (x, new))
    found = {"kernel": kernel(x), "cross": kernel(new, x), "with_itself": kernel.diag(new), "ridges": RIDGES}
    if classes:
        labels, true = (part.argmax(axis=1).astype(np.uint8) for part in (values, true))
        found |= {"labels": labels, "test_labels": true}
        values = np.eye(classes)[labels] - 1 / classes
    found["targets"] = values
    parts = {name: [] for name in ["alphas", "coefficients", "means", "variances", "likelihoods", "error_rates"]}
    for ridge in RIDGES:
        alpha = ridge * np.trace(found["kernel"]) / TRAINING
        regression = KernelRidge(kernel="precomputed", alpha=alpha).fit(found["kernel"], values)
        process = GaussianProcessRegressor(kernel, alpha=alpha, optimizer=None, normalize_y=False).fit(x, values)
        means = regression.predict(found["cross"])
        of_process, deviations = process.predict(new, return_std=True)
        # Two ways to the same numbers.
        assert np.abs(means - of_process).max() < 1e-9 * np.abs(means).max()
        parts["alphas"].append(alpha)
        parts["coefficients"].append(regression.dual_coef_)
        parts["means"].append(means)
        # One variance for all outputs, which share the kernel.
        parts["variances"].append(deviations[:, 0] ** 2)
        parts["likelihoods"].append(process.log_marginal_likelihood_value_)
        if classes:
            parts["error_rates"].append(1 - accuracy_score(true, means.argmax(axis=1)))
    return found | {name: np.array(part) for name, part in parts.items() if part}


def make():
    # The last has rank 7, so that its small ridges are all that keeps it from being singular.
    cases = {"rbf": case(RBF(2.0), 1), "arc_cosine": case(ArcCosine(), 2, 3), "linear": case(DotProduct(1.0), 3, 4)}
    return {f"{name}/{part}": values for name, arrays in cases.items() for part, values in arrays.items()}


made = make()
if sys.argv[1:] == ["--check"]:
    there = np.load(PATH)
    assert set(there) == set(made), set(there) ^ set(made)
    differences = {name: np.abs(there[name] - values).max() / np.abs(values).max() for name, values in made.items()}
    worst = max(differences, key=differences.get)
    print(f"{len(made)} arrays, the largest difference {differences[worst]:.1e} of the largest entry, in {worst}")
    sys.exit(int(differences[worst] > TOLERANCE))
np.savez(PATH, **made)
print(f"{PATH.stat().st_size} bytes")
for name, values in made.items():
    if name.endswith(("likelihoods", "error_rates")):
        print(name, values)
