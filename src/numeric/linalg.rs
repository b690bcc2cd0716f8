//! Dense linear algebra on ndarray views, through faer; the same through LAPACK with the feature `lapack`.
//!
//! Products run on the calling thread: the callers spread independent work over threads themselves.

use faer::linalg::matmul::matmul;
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::solvers::Solve;
use faer::traits::ComplexField;
use faer::{Accum, MatMut, MatRef, Par, Side};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2};

use crate::error::{Error, Result};

fn view<T>(matrix: ArrayView2<T>) -> MatRef<T> {
    let (rows, columns) = matrix.dim();
    let strides = matrix.strides();
    // SAFETY: the pointer, shape and strides (in elements) are those of a live ndarray view, borrowed for as long.
    unsafe { MatRef::from_raw_parts(matrix.as_ptr(), rows, columns, strides[0], strides[1]) }
}

/// `output = factor left right` in single or double precision, or `output += ...` where `accumulate`; shapes `(m, k)`,
/// `(k, n)` and `(m, n)`.
///
/// # Errors
/// Where the shapes do not match.
pub fn product<T: ComplexField>(
    left: ArrayView2<T>,
    right: ArrayView2<T>,
    factor: T,
    accumulate: bool,
    mut output: ArrayViewMut2<T>,
) -> Result<()> {
    check_shapes(left, right, &output)?;
    matmul(view_mut(&mut output), accumulation(accumulate), view(left), view(right), factor, Par::Seq);
    Ok(())
}

/// The upper triangle, diagonal included, of [`product`], for square outputs; what lies below stays as it is.
///
/// # Errors
/// Where the shapes do not match, or the output is not square.
pub fn triangular_product<T: ComplexField>(
    left: ArrayView2<T>,
    right: ArrayView2<T>,
    factor: T,
    accumulate: bool,
    mut output: ArrayViewMut2<T>,
) -> Result<()> {
    check_shapes(left, right, &output)?;
    if !output.is_square() {
        return Err(Error::value("output", format!("shape {:?}", output.dim()), "must be square", "give (n, n)"));
    }
    triangular::matmul(
        view_mut(&mut output),
        BlockStructure::TriangularUpper,
        accumulation(accumulate),
        view(left),
        BlockStructure::Rectangular,
        view(right),
        BlockStructure::Rectangular,
        factor,
        Par::Seq,
    );
    Ok(())
}

fn check_shapes<T>(left: ArrayView2<T>, right: ArrayView2<T>, output: &ArrayViewMut2<T>) -> Result<()> {
    let (rows, columns) = output.dim();
    if left.ncols() != right.nrows() || left.nrows() != rows || right.ncols() != columns {
        return Err(Error::value(
            "left, right, output",
            format!("shapes {:?}, {:?}, {:?}", left.dim(), right.dim(), output.dim()),
            "these do not multiply",
            "give shapes (m, k), (k, n) and (m, n)",
        ));
    }
    Ok(())
}

fn accumulation(accumulate: bool) -> Accum {
    if accumulate { Accum::Add } else { Accum::Replace }
}

fn view_mut<'a, T>(matrix: &'a mut ArrayViewMut2<T>) -> MatMut<'a, T> {
    let ((rows, columns), strides) = (matrix.dim(), [matrix.strides()[0], matrix.strides()[1]]);
    // SAFETY: the pointer, shape and strides (in elements) are those of a live, exclusive ndarray view.
    unsafe { MatMut::from_raw_parts_mut(matrix.as_mut_ptr(), rows, columns, strides[0], strides[1]) }
}

fn square(matrix: ArrayView2<f64>) -> Result<()> {
    if matrix.is_square() && matrix.iter().all(|value| value.is_finite()) {
        Ok(())
    } else {
        Err(Error::value("matrix", format!("{:?}", matrix.dim()), "must be square and finite", "give a Gram matrix"))
    }
}

/// The eigenvalues of a symmetric matrix in increasing order; only its lower triangle is read.
///
/// ```
/// use ndarray::array;
/// let eigenvalues = sparsewidth::numeric::linalg::symmetric_eigenvalues(array![[2.0, 1.0], [1.0, 2.0]].view())?;
/// assert!((eigenvalues[0] - 1.0).abs() < 1e-14 && (eigenvalues[1] - 3.0).abs() < 1e-14);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
///
/// # Errors
/// Where the matrix is not square or not finite, or the iteration does not converge.
pub fn symmetric_eigenvalues(matrix: ArrayView2<f64>) -> Result<Array1<f64>> {
    square(matrix)?;
    view(matrix)
        .self_adjoint_eigenvalues(Side::Lower)
        .map(Array1::from)
        .map_err(|error| Error::failure("the symmetric eigenproblem", format!("{error:?}")))
}

/// The eigenvalues of a symmetric matrix in increasing order, with unit eigenvectors as the columns of a matrix, in the
/// same order; only its lower triangle is read. On the calling thread: the same bits for any number of them.
///
/// ```
/// use ndarray::array;
/// let (values, vectors) = sparsewidth::numeric::linalg::symmetric_eigen(array![[2.0, 1.0], [1.0, 2.0]].view())?;
/// assert!((values[1] - 3.0).abs() < 1e-14);
/// assert!((vectors[[0, 1]].abs() - 0.5f64.sqrt()).abs() < 1e-14);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
///
/// # Errors
/// Where the matrix is not square or not finite, or the iteration does not converge.
pub fn symmetric_eigen(matrix: ArrayView2<f64>) -> Result<(Array1<f64>, Array2<f64>)> {
    square(matrix)?;
    let found = view(matrix)
        .self_adjoint_eigen(Side::Lower)
        .map_err(|error| Error::failure("the symmetric eigenproblem", format!("{error:?}")))?;
    let (values, vectors) = (found.S().column_vector(), found.U());
    let vectors = Array2::from_shape_fn((vectors.nrows(), vectors.ncols()), |(i, j)| vectors[(i, j)]);
    Ok((values.iter().copied().collect(), vectors))
}

/// The singular values of a matrix of shape `(m, n)`, `n <= m`, in decreasing order, with the left singular vectors as
/// the columns of a matrix of shape `(m, n)`. On the calling thread: the same bits for any number of them.
///
/// ```
/// use ndarray::array;
/// let (vectors, values) = sparsewidth::numeric::linalg::thin_svd(array![[3.0], [4.0]].view())?;
/// assert!((values[0] - 5.0).abs() < 1e-14 && (vectors[[0, 0]].abs() - 0.6).abs() < 1e-14);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
///
/// # Errors
/// Where the matrix is wider than it is tall or not finite, or the iteration does not converge.
pub fn thin_svd(matrix: ArrayView2<f64>) -> Result<(Array2<f64>, Array1<f64>)> {
    if matrix.ncols() > matrix.nrows() || !matrix.iter().all(|value| value.is_finite()) {
        let found = format!("shape {:?}", matrix.dim());
        return Err(Error::value("matrix", found, "must be finite and no wider than it is tall", "give its transpose"));
    }
    let found = view(matrix)
        .thin_svd()
        .map_err(|error| Error::failure("the singular value decomposition", format!("{error:?}")))?;
    let (vectors, values) = (found.U(), found.S().column_vector());
    let vectors = Array2::from_shape_fn(matrix.dim(), |(i, j)| vectors[(i, j)]);
    Ok((vectors, values.iter().copied().collect()))
}

/// Solves `matrix solution = right_side` for a symmetric positive definite matrix by Cholesky's factors.
///
/// # Errors
/// Where the shapes do not match, or the matrix is not positive definite.
pub fn cholesky_solve(matrix: ArrayView2<f64>, right_side: ArrayView1<f64>) -> Result<Array1<f64>> {
    check_system(matrix, right_side)?;
    let factors = view(matrix).llt(Side::Lower).map_err(|error| {
        Error::value("matrix", format!("{error:?}"), "is not positive definite", "add a multiple of the identity")
    })?;
    let mut solution: Array2<f64> = right_side.to_owned().insert_axis(ndarray::Axis(1));
    factors.solve_in_place(view_mut(&mut solution.view_mut()));
    Ok(solution.remove_axis(ndarray::Axis(1)))
}

/// Refuses a system of equations that is not square, or whose right side has another length.
fn check_system(matrix: ArrayView2<f64>, right_side: ArrayView1<f64>) -> Result<()> {
    square(matrix)?;
    if right_side.len() == matrix.nrows() {
        return Ok(());
    }
    let problem = format!("the matrix has {} rows", matrix.nrows());
    Err(Error::value("right_side", right_side.len(), problem, "give one entry per row"))
}

/// The same two problems through LAPACK, to check one library against the other.
#[cfg(feature = "lapack")]
pub mod lapack {
    use ndarray::{Array1, ArrayView1, ArrayView2};
    use ndarray_linalg::{EighInto, SolveC, UPLO};

    use crate::error::{Error, Result};

    /// See [`symmetric_eigenvalues`](super::symmetric_eigenvalues).
    ///
    /// # Errors
    /// Where LAPACK reports one.
    pub fn symmetric_eigenvalues(matrix: ArrayView2<f64>) -> Result<Array1<f64>> {
        super::square(matrix)?;
        let (eigenvalues, _) = matrix
            .to_owned()
            .eigh_into(UPLO::Lower)
            .map_err(|error| Error::failure("the symmetric eigenproblem (LAPACK)", error))?;
        Ok(eigenvalues)
    }

    /// See [`cholesky_solve`](super::cholesky_solve).
    ///
    /// # Errors
    /// Where the shapes do not match, or LAPACK reports one.
    pub fn cholesky_solve(matrix: ArrayView2<f64>, right_side: ArrayView1<f64>) -> Result<Array1<f64>> {
        // LAPACK takes the length of the right side from the matrix.
        super::check_system(matrix, right_side)?;
        matrix.solvec(&right_side).map_err(|error| Error::failure("the Cholesky solve (LAPACK)", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array, array};

    #[test]
    fn products_of_strided_views() {
        let left = Array::from_shape_fn((3, 5), |(i, j)| (i * 5 + j) as f32);
        let right = Array::from_shape_fn((4, 5), |(i, j)| (i + 2 * j) as f32);
        let mut output = Array::ones((3, 4));
        product(left.view(), right.t(), 2.0, true, output.view_mut()).unwrap();
        assert_eq!(output, left.dot(&right.t()) * 2.0 + 1.0);
        assert!(product(left.view(), right.view(), 1.0, false, output.view_mut()).is_err());
    }

    #[test]
    fn bad_matrices_are_refused() {
        assert!(symmetric_eigenvalues(Array::zeros((2, 3)).view()).is_err());
        assert!(symmetric_eigenvalues(array![[f64::NAN]].view()).is_err());
        let indefinite = array![[1.0, 2.0], [2.0, 1.0]];
        assert!(cholesky_solve(indefinite.view(), array![1.0, 1.0].view()).is_err());
        assert!(cholesky_solve(Array::eye(2).view(), array![1.0].view()).is_err());
        let solution = cholesky_solve(array![[4.0, 2.0], [2.0, 3.0]].view(), array![2.0, 1.0].view()).unwrap();
        assert!((solution - array![0.5, 0.0]).iter().all(|error| error.abs() < 1e-15));
    }
}
