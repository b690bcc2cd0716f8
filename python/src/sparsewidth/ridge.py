"""Kernel ridge regression: the test error that a kernel predicts, without training a network.

``f(x) = k(x, X) (K + alpha I)^-1 Y`` with ``alpha = ridge tr K / m``: ridges are in units of the mean of the kernel's
diagonal, so that nothing depends on the kernel's scale.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from ._arguments import check_memory, numbers, plain, real, rows
from .kernels import kernel as _kernel

__all__ = ["Fit", "KernelRidge", "Regression", "RidgeStep", "regression"]

# As many matrices of the kernel's size as a regression needs beside it.
_MATRICES = 4


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

    def __init__(self, machine: KernelRidge, ridge: float) -> None:
        self._build(machine, ridge)
        if self._warning is not None:
            warnings.warn(self._warning, stacklevel=3)

    def _build(self, machine: KernelRidge, ridge: float) -> None:
        self._machine, self._core, self.ridge = machine, machine._core, ridge
        self.coefficients, self.alpha, self.log_marginal_likelihood, self._warning = self._core.fit(ridge)

    def __getstate__(self) -> tuple[KernelRidge, float]:
        return self._machine, self.ridge

    def __setstate__(self, state: tuple[KernelRidge, float]) -> None:
        self._build(*state)

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
    MemoryError
        Where four matrices of the kernel's size do not fit in memory.

    Warns
    -----
    UserWarning
        Where whole numbers that may be numbers to predict are taken as classes: more than half as many as samples.

    Notes
    -----
    It can be copied and pickled, and so can a :class:`Fit`; for that it keeps the kernel matrix, and the
    eigendecomposition is made again.

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
        given, classes = _targets("targets", targets)
        square = numbers("kernel", kernel)
        remedy = "give fewer samples"
        check_memory("kernel", f"a regression of {len(given)} samples", 8 * _MATRICES * square.size, remedy)
        # Copied, as it is pickled, whatever happens to the array meanwhile.
        self._build(np.array(rows("kernel", square)), given, classes)

    @classmethod
    def _of(cls, matrix: NDArray[np.float64], targets: np.ndarray[Any, Any], classes: int | None) -> KernelRidge:
        """A regression of targets that were checked."""
        made = cls.__new__(cls)
        check_memory("x_train", f"a regression of {len(matrix)} samples", 8 * _MATRICES * matrix.size, "give fewer")
        made._build(matrix, targets, classes)
        return made

    def _build(self, matrix: NDArray[np.float64], targets: np.ndarray[Any, Any], classes: int | None) -> None:
        self._state = matrix, targets, classes
        if classes is None:
            self._core = _core.KernelRidge.of_numbers(matrix, rows("targets", targets))
        else:
            self._core = _core.KernelRidge.of_classes(matrix, targets.tolist(), classes)
        self.eigenvalues = self._core.eigenvalues()

    def __getstate__(self) -> tuple[NDArray[np.float64], np.ndarray[Any, Any], int | None]:
        return self._state

    def __setstate__(self, state: tuple[NDArray[np.float64], np.ndarray[Any, Any], int | None]) -> None:
        self._build(*state)

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
        if not isinstance(criterion, str):
            remedy = 'use "squared_error" or "classification"'
            raise TypeError(f"criterion = {criterion!r}: is a {type(criterion).__name__}; {remedy}")
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
        return Fit(self, real("ridge", ridge))


def _targets(name: str, targets: ArrayLike) -> tuple[np.ndarray[Any, Any], int | None]:
    """Classes with their number, or numbers to predict in columns."""
    given = numbers(name, targets)
    if given.ndim == 0 or given.size == 0:
        raise ValueError(
            f"{name}: has shape {given.shape}; give a class or numbers for each sample, shape (m,) or (m, c)"
        )
    if given.dtype.kind not in "biu" or given.ndim > 1:
        return (given[:, None] if given.ndim == 1 else given), None
    least, most = int(given.min()), int(given.max())
    if least < 0 or most > 255:
        problem = f"classes are from {least} to {most}"
        raise ValueError(f"{name}: {problem}; number them from 0 to at most 255, or give floats for numbers to predict")
    classes = max(most + 1, 2)
    if given.dtype.kind != "b" and classes > max(len(given) / 2, 2):
        words = f"whole numbers are taken as {classes} classes, of {len(given)} samples"
        warnings.warn(f"{name}: {words}; give floats for numbers to predict", stacklevel=3)
    return given.astype(np.int64), classes


def _expected(targets: ArrayLike, samples: int, outputs: int, classes: int | None) -> np.ndarray[Any, Any]:
    """Test targets of the kind that the training targets are of."""
    found = numbers("y_test", targets)
    if classes is None:
        column = found[:, None] if found.ndim == 1 else found.reshape(len(found), -1) if found.ndim else found
        if column.shape != (samples, outputs):
            problem = f"has shape {found.shape}, the outputs have {(samples, outputs)}"
            raise ValueError(f"y_test: {problem}; give the numbers that y_train has, one row for each test input")
        return column
    if found.shape != (samples,):
        problem = f"has shape {found.shape} for {samples} inputs"
        raise ValueError(f"y_test: {problem}; give a class for each, as y_train has classes, shape ({samples},)")
    fits = (found == np.floor(found)) & (found >= 0) & (found < classes)
    if not fits.all():
        problem = f"has {found[~fits][0]}, which is not a class of y_train"
        raise ValueError(f"y_test: {problem}; give whole numbers from 0 to {classes - 1}")
    return found


def _ridges(ridges: Iterable[float] | None) -> list[float] | None:
    if ridges is None:
        return None
    if not isinstance(ridges, Iterable) or isinstance(ridges, (str, bytes)) or getattr(ridges, "ndim", 1) == 0:
        raise TypeError(f"ridges = {ridges!r}: is a {type(ridges).__name__}; give a list of numbers")
    ridges = list(ridges)
    if not ridges:
        raise ValueError("ridges: is empty; give one ridge or more, or leave it out")
    found = plain("ridges", ridges)
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
    y_train : array_like, shape (m,) or (m, c)
        Classes as whole numbers, or numbers to predict, see :class:`KernelRidge`.
    y_test : array_like, shape (t,) or (t, c), optional
        The same of the test inputs: classes, from 0 on, where ``y_train`` has classes, numbers where it has numbers.
    get : {"nngp", "ntk"}
        Which kernel, one of the two.
    connectivity, tangent, method, mask, threads
        As in :func:`sparsewidth.kernel`. ``method="expansion"`` is fast at any size.
    ridges : iterable of float, optional
        Candidate ridges; the one with the smallest leave-one-out squared error is used.

    Returns
    -------
    Regression
        ``outputs``, ``test_error``, ``ridge`` and ``fit``.

    Raises
    ------
    ValueError, TypeError, MemoryError
        As :func:`sparsewidth.kernel` and :class:`KernelRidge`; where ``y_test`` is of another kind than ``y_train``.

    Examples
    --------
    >>> import numpy as np, sparsewidth as sw
    >>> x = np.random.default_rng(0).standard_normal((200, 5))
    >>> y = (x[:, 0] > 0).astype(int)
    >>> found = sw.regression(x[:150], y[:150], x[150:], y[150:], get="ntk")
    >>> found.test_error < 0.2
    True
    """
    if not isinstance(get, str):
        raise TypeError(f'get = {get!r}: is a {type(get).__name__}; give one kernel, "nngp" or "ntk"')
    chosen = {"get": get, "connectivity": connectivity, "tangent": tangent, "mask": mask, "threads": threads}
    if connectivity is not None and connectivity != 1:
        chosen["method"] = method
    train, test = rows("x_train", x_train), rows("x_test", x_test)
    targets, classes = _targets("y_train", y_train)
    if len(targets) != len(train):
        raise ValueError(f"y_train: has {len(targets)} entries for {len(train)} inputs; give one for each")
    if test.shape[1] != train.shape[1]:
        problem = f"has rows of {test.shape[1]} entries, those of x_train have {train.shape[1]}"
        raise ValueError(f"x_test: {problem}; give inputs of one dimension")
    width = classes or int(np.prod(targets.shape[1:]))
    expected = None if y_test is None else _expected(y_test, len(test), width, classes)
    machine = KernelRidge._of(_kernel(train, **chosen), targets, classes)  # type: ignore[call-overload]
    # Not by its method, so that a warning points at the call.
    fit = Fit(machine, machine.select(ridges))
    outputs = fit.predict(_kernel(test, train, **chosen))  # type: ignore[call-overload]
    error = None
    if expected is not None:
        wrong = (outputs - expected) ** 2 if classes is None else outputs.argmax(1) != expected
        error = float(np.mean(wrong))
    return Regression(outputs, error, fit.ridge, fit)
