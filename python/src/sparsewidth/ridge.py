"""Kernel ridge regression: the test error that a kernel predicts, without training a network.

``f(x) = k(x, X) (K + alpha I)^-1 Y`` with ``alpha = ridge tr K / m``: ridges are in units of the mean of the kernel's
diagonal, so that nothing depends on the kernel's scale.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from ._arguments import numbers, plain, rows
from .kernels import kernel as _kernel

__all__ = ["Fit", "KernelRidge", "Regression", "RidgeStep", "regression"]


class RidgeStep(NamedTuple):
    """A ridge with its errors of leaving one sample out.

    Attributes
    ----------
    ridge : float
        In units of the mean of the kernel's diagonal.
    squared_error : float
        Mean over samples and outputs.
    error_rate : float or None
        Share of samples in a wrong class, where targets are classes.
    """

    ridge: float
    squared_error: float
    error_rate: float | None


class Fit:
    """A regression at one ridge, from :meth:`KernelRidge.fit`.

    Attributes
    ----------
    ridge, alpha : float
        The ridge, and what it adds to the diagonal.
    coefficients : ndarray, shape (m, c)
        ``(K + alpha I)^-1 Y``.
    log_marginal_likelihood : float
        Of the Gaussian process with noise of variance alpha, summed over outputs.
    """

    def __init__(self, core: _core.KernelRidge, ridge: float) -> None:
        self._core = core
        self.ridge = ridge
        self.coefficients, self.alpha, self.log_marginal_likelihood, warning = core.fit(ridge)
        if warning is not None:
            warnings.warn(warning, stacklevel=3)

    def predict(self, cross: ArrayLike) -> NDArray[np.float64]:
        """Predict for new inputs.

        Parameters
        ----------
        cross : array_like, shape (t, m)
            Kernels of new inputs with the training samples.

        Returns
        -------
        ndarray, shape (t, c)
            One column per output.

        Raises
        ------
        ValueError
            Where the shape does not fit, or an entry is not finite.

        Examples
        --------
        >>> import sparsewidth as sw
        >>> sw.KernelRidge([[1.0]], [3.0]).fit(0.5).predict([[1.0]])
        array([[2.]])
        """
        return self._core.predict(self.ridge, rows("cross", cross))

    def variance(self, cross: ArrayLike, diagonal: ArrayLike) -> NDArray[np.float64]:
        """Return the posterior variance of the Gaussian process, without noise.

        Parameters
        ----------
        cross : array_like, shape (t, m)
            Kernels of new inputs with the training samples.
        diagonal : array_like, shape (t,)
            Kernel of each new input with itself.

        Returns
        -------
        ndarray, shape (t,)
            ``k(x, x) - k(x, X) (K + alpha I)^-1 k(X, x)``.

        Raises
        ------
        ValueError
            Where the shapes do not fit, or an entry is not finite.

        Examples
        --------
        >>> import sparsewidth as sw
        >>> sw.KernelRidge([[1.0]], [3.0]).fit(1.0).variance([[1.0]], [1.0])
        array([0.5])
        """
        with_itself = numbers("diagonal", diagonal).astype(np.float64)
        if with_itself.ndim != 1:
            raise ValueError(f"diagonal: has shape {with_itself.shape}; give one number per new input, shape (t,)")
        return self._core.variance(self.ridge, rows("cross", cross), with_itself)


class KernelRidge:
    """Kernel ridge regression by one eigendecomposition, which serves every ridge.

    Parameters
    ----------
    kernel : array_like, shape (m, m)
        Kernel matrix of the training samples; its lower triangle is read.
    targets : array_like, shape (m,) or (m, c)
        A 1-D array of whole numbers is read as class labels, encoded as ``1 - 1/c`` and ``-1/c``; anything else as
        numbers to predict.

    Attributes
    ----------
    eigenvalues : ndarray, shape (m,)
        Of the kernel matrix, in increasing order.

    Raises
    ------
    ValueError
        Where the shapes do not fit, or the matrix is not a kernel matrix.
    TypeError
        Where entries are no real numbers.

    Examples
    --------
    >>> import numpy as np, sparsewidth as sw
    >>> x = np.array([[1.0, 0.1], [0.9, -0.2], [0.1, 1.0], [-0.2, 0.9]])
    >>> regression = sw.KernelRidge(sw.kernel(x, get="ntk"), [0, 0, 1, 1])
    >>> fit = regression.fit(regression.select())
    >>> fit.predict(sw.kernel([[1.0, 0.0], [0.0, 1.0]], x, get="ntk")).argmax(1)
    array([0, 1])
    """

    def __init__(self, kernel: ArrayLike, targets: ArrayLike) -> None:
        matrix, given = rows("kernel", kernel), numbers("targets", targets)
        if given.dtype.kind in "biu" and given.ndim == 1 and given.size:
            labels, classes = given.astype(np.int64), int(given.max()) + 1
            if labels.min() < 0 or classes > 256:
                raise ValueError(
                    f"targets: classes are from {labels.min()} to {classes - 1}; number them from 0 to at most 255"
                )
            self._core = _core.KernelRidge.of_classes(matrix, labels.tolist(), max(classes, 2))
        else:
            column = given[:, None] if given.ndim == 1 else given
            self._core = _core.KernelRidge.of_numbers(matrix, rows("targets", column))
        self.eigenvalues = self._core.eigenvalues()

    def path(self, ridges: Iterable[float] | None = None) -> list[RidgeStep]:
        """Return the leave-one-out errors at every ridge that the precision of the kernel allows.

        Parameters
        ----------
        ridges : iterable of float, optional
            19 values, three per factor of ten, from 1e-4 to 100, unless given.

        Returns
        -------
        list of RidgeStep
            In increasing order of the ridge.

        Raises
        ------
        ValueError
            Where a ridge is not positive, or all are too small or too large.

        Examples
        --------
        >>> import numpy as np, sparsewidth as sw
        >>> sw.KernelRidge(np.eye(2), [1.0, -1.0]).path([1.0])
        [RidgeStep(ridge=1.0, squared_error=1.0, error_rate=None)]
        """
        return [RidgeStep(*step) for step in self._core.path(_ridges(ridges))]

    def select(self, ridges: Iterable[float] | None = None, *, criterion: str = "squared_error") -> float:
        """Return the ridge with the least leave-one-out error, the largest of equal ones.

        Parameters
        ----------
        ridges : iterable of float, optional
            As in :meth:`path`.
        criterion : {"squared_error", "classification"}
            Which error.

        Returns
        -------
        float
            The ridge.

        Raises
        ------
        ValueError
            As :meth:`path`; where targets are no classes.

        Examples
        --------
        >>> import numpy as np, sparsewidth as sw
        >>> sw.KernelRidge(np.eye(2), [1.0, -1.0]).select([0.1, 1.0])
        1.0
        """
        return self._core.select(_ridges(ridges), criterion)

    def fit(self, ridge: float) -> Fit:
        """Return the regression at one ridge.

        Parameters
        ----------
        ridge : float
            In units of the mean of the kernel's diagonal.

        Returns
        -------
        Fit
            With a warning where few digits of its results are right.

        Raises
        ------
        ValueError
            Where the ridge is not positive, too small for the precision of the kernel, or too large.

        Examples
        --------
        >>> import sparsewidth as sw
        >>> sw.KernelRidge([[2.0]], [3.0]).fit(0.5).alpha
        1.0
        """
        return Fit(self._core, float(ridge))


def _ridges(ridges: Iterable[float] | None) -> list[float] | None:
    if ridges is None:
        return None
    found = plain("ridges", list(ridges))
    assert isinstance(found, list)
    return found


class Regression(NamedTuple):
    """What :func:`regression` found.

    Attributes
    ----------
    outputs : ndarray, shape (t, c)
        Predictions for the test inputs.
    test_error : float or None
        Share of test samples in a wrong class, or mean squared error; None without test targets.
    ridge : float
        The ridge that leaving one out chose.
    fit : Fit
        The regression.
    """

    outputs: NDArray[np.float64]
    test_error: float | None
    ridge: float
    fit: Fit


def regression(
    x_train: ArrayLike,
    y_train: ArrayLike,
    x_test: ArrayLike,
    y_test: ArrayLike | None = None,
    *,
    get: str = "nngp",
    connectivity: float | None = None,
    tangent: str | None = None,
    method: str = "auto",
    mask: ArrayLike | None = None,
    ridges: Iterable[float] | None = None,
    threads: int | None = None,
) -> Regression:
    """Predict by ridge regression with the expected kernel of dense, masked or given networks.

    Parameters
    ----------
    x_train, x_test : array_like, shape (m, d) and (t, d)
        Inputs, as they are: normalise them first.
    y_train, y_test : array_like, shape (m,) or (m, c)
        Classes as whole numbers, or numbers to predict, see :class:`KernelRidge`.
    get, connectivity, tangent, method, mask, threads
        As in :func:`sparsewidth.kernel`. ``method="expansion"`` is fast at any size.
    ridges : iterable of float, optional
        Candidate ridges; the one with the smallest leave-one-out squared error is used.

    Returns
    -------
    Regression
        ``outputs``, ``test_error``, ``ridge`` and ``fit``.

    Raises
    ------
    ValueError, TypeError
        As :func:`sparsewidth.kernel` and :class:`KernelRidge`.

    Examples
    --------
    >>> import numpy as np, sparsewidth as sw
    >>> x = np.random.default_rng(0).standard_normal((200, 5))
    >>> y = (x[:, 0] > 0).astype(int)
    >>> found = sw.regression(x[:150], y[:150], x[150:], y[150:], get="ntk")
    >>> found.test_error < 0.2
    True
    """
    chosen = {"get": get, "connectivity": connectivity, "tangent": tangent, "mask": mask, "threads": threads}
    if connectivity is not None and connectivity != 1:
        chosen["method"] = method
    train, test = rows("x_train", x_train), rows("x_test", x_test)
    machine = KernelRidge(_kernel(train, **chosen), y_train)  # type: ignore[call-overload]
    fit = machine.fit(machine.select(ridges))
    outputs = fit.predict(_kernel(test, train, **chosen))  # type: ignore[call-overload]
    error = None
    if y_test is not None:
        expected = numbers("y_test", y_test)
        if len(expected) != len(outputs):
            raise ValueError(f"y_test: has {len(expected)} entries for {len(outputs)} inputs; give one for each")
        if expected.dtype.kind in "biu" and expected.ndim == 1:
            error = float(np.mean(outputs.argmax(1) != expected))
        else:
            error = float(np.mean((outputs - expected.reshape(outputs.shape)) ** 2))
    return Regression(outputs, error, fit.ridge, fit)
