"""scikit-learn's side of the comparison: kernel ridge regression at 19 ridges."""

import numpy as np
import scipy
import sklearn
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import RidgeCV

from tasks import CLASSES, Ridge
from worker import Whole


def versions(_):
    """What computes, as the table names it."""
    return {"scikit-learn": sklearn.__version__, "scipy": scipy.__version__, "numpy": np.__version__}


def ridge_path(parameters, _):
    """Leave-one-out errors at all ridges, coefficients at the best; the features are a square root of the kernel."""
    problem = Ridge(parameters["inputs"])
    targets = np.eye(CLASSES)[problem.labels] - 1 / CLASSES
    features = np.linalg.cholesky(problem.kernel)

    def run():
        return RidgeCV(problem.alphas, fit_intercept=False, store_cv_results=True).fit(features, targets)

    def values(fitted):
        # Dual coefficients, of which the features make the coefficients.
        dual = np.linalg.solve(features.T, fitted.coef_.T)
        ridge = problem.ridges[np.argmin(np.abs(problem.alphas - fitted.alpha_))]
        return {"errors": fitted.cv_results_.mean(axis=(0, 1)), "ridge": ridge, "coefficients": dual}

    return Whole(run, values)


def ridge_fits(parameters, _):
    """Coefficients at all ridges, each by a Cholesky factorisation of its own, without leaving one out."""
    problem = Ridge(parameters["inputs"])
    targets = np.eye(CLASSES)[problem.labels] - 1 / CLASSES

    def run():
        return [KernelRidge(alpha=alpha, kernel="precomputed").fit(problem.kernel, targets) for alpha in problem.alphas]

    return Whole(run, lambda fits: {"all_coefficients": np.stack([fit.dual_coef_ for fit in fits])})


TASKS = {"ridge_path": ridge_path, "ridge_fits": ridge_fits}
