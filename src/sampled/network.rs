//! The kernel matrix of one drawn network, and its products, through the features that it is a Gram matrix of.

use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use super::cpu::Drawn;
use super::tangent::mean_readout_gains;
use super::tiles::{TILE, TiledInputs};
use crate::error::{Error, Result};
use crate::kernel::ntk::Kernel;
use crate::network::{Activation, Architecture, DrawnLayer, LayerId, LayerSpec, SparseRows, WeightDistribution};
use crate::numeric::linalg::{product, triangular_product};
use crate::numeric::parallel::try_map;

/// A drawn network of one hidden layer of ReLU units and `c` outputs, whose kernels are Gram matrices of its features:
///
/// `nngp(x, y) = 1/(n d) sum_i [u_i.x]_+ [u_i.y]_+`,
/// `ntk(x, y) = nngp(x, y) + 1/(n d) sum_i g_i^2 H(u_i.x) H(u_i.y) sum_(j: u_ij exists) x_j y_j`,
/// `g_i^2 = f/c sum_o v_oi^2`.
///
/// The tangent kernel is the mean over outputs `o` of the kernel of each, `f` is as in
/// [`sampled_tangent_kernels`](super::sampled_tangent_kernels). Initialisation `r` is the network that run `r` of a
/// training begins at. Features in single precision, their products in double; the same bits for any number of threads.
///
/// ```
/// use ndarray::array;
/// use sparsewidth::network::WeightDistribution;
/// use sparsewidth::sampled::{DrawnNetwork, TiledInputs};
/// use sparsewidth::{Kernel, Tangent};
///
/// let inputs = TiledInputs::new(array![[1.0, 2.0, 0.5], [0.3, -1.0, 2.0]].view())?;
/// let network = "relu:100@0.5 linear:10".parse()?;
/// let drawn = DrawnNetwork::new(&network, 3, WeightDistribution::Gaussian, 0, 0)?;
/// let kernel = drawn.kernel(&inputs, Kernel::Ntk(Tangent::Standardised))?;
/// assert!(kernel.dim() == (2, 2) && kernel[[0, 1]] == kernel[[1, 0]]);
/// # Ok::<(), sparsewidth::Error>(())
/// ```
#[derive(Debug)]
pub struct DrawnNetwork {
    hidden: LayerSpec,
    id: LayerId,
    readouts: SparseRows,
}

impl DrawnNetwork {
    /// Initialisation `initialisation` of a network on inputs of dimension `dimension`.
    ///
    /// # Errors
    /// Where the network is not one hidden layer of ReLU units and a linear one, or a layer has `2^32` units or more.
    pub fn new(
        network: &Architecture,
        dimension: usize,
        distribution: WeightDistribution,
        seed: u64,
        initialisation: u32,
    ) -> Result<Self> {
        let is_one_layer = matches!(network.layers(), [hidden, last]
            if hidden.activation() == Activation::Relu && last.activation() == Activation::Linear);
        if !is_one_layer || network.layers().iter().any(|layer| layer.width() >= u32::MAX as usize) {
            let problem = "kernel matrices are of networks of one hidden layer of ReLU units";
            return Err(Error::value("architecture", network, problem, "give for instance relu:100@0.05 linear:10"));
        }
        let layers = network.layer_specs(dimension, distribution);
        let id = LayerId { seed, initialisation, layer: 0 };
        let readouts = DrawnLayer::new(layers[1], LayerId { layer: 1, ..id }).all_rows();
        Ok(Self { hidden: layers[0], id, readouts })
    }

    fn features(&self, kernel: Kernel) -> Drawn {
        let tangent = kernel.tangent();
        let gains = tangent.map(|tangent| mean_readout_gains(&self.hidden, &self.readouts, tangent));
        Drawn::new(DrawnLayer::new(self.hidden, self.id), tangent, gains)
    }

    fn check(&self, inputs: &TiledInputs) -> Result<()> {
        if inputs.dimension() == self.hidden.columns {
            return Ok(());
        }
        let problem = format!("the network takes inputs of dimension {}", self.hidden.columns);
        Err(Error::value("inputs", format!("dimension {}", inputs.dimension()), problem, "give inputs that fit"))
    }

    /// `1/(n d)`, for inputs that were divided by these scales.
    fn factor(&self, scales: [f64; 2]) -> f64 {
        scales[0] * scales[1] / (self.hidden.rows as f64 * self.hidden.columns as f64)
    }

    /// The kernel of all inputs with each other, shape `(samples, samples)`, in about `samples^2` times the number of
    /// weights multiply-adds.
    ///
    /// # Errors
    /// Where the inputs do not fit the network.
    pub fn kernel(&self, inputs: &TiledInputs, kernel: Kernel) -> Result<Array2<f64>> {
        self.check(inputs)?;
        let drawn = self.features(kernel);
        let tiles = inputs.tiles.len();
        let places: Vec<(usize, usize)> = (0..tiles).flat_map(|i| (i..tiles).map(move |j| (i, j))).collect();
        let mut sums: Vec<Array2<f64>> =
            (places.iter()).map(|(i, j)| Array2::zeros((inputs.tiles[*i].ncols(), inputs.tiles[*j].ncols()))).collect();
        for chunk in 0..drawn.chunks() {
            let rows = drawn.rows(chunk);
            // Products in double precision: the matrix is then that of some features to all its digits, however its
            // small eigenvalues lie.
            let features = try_map(inputs.tiles.par_iter(), |tile| Ok(drawn.features(&rows, tile)?.mapv(f64::from)))?;
            sums.par_iter_mut().zip(&places).try_for_each(|(sum, (i, j))| {
                let multiply = if i == j { triangular_product } else { product };
                multiply(features[*i].t(), features[*j].view(), 1.0, true, sum.view_mut())
            })?;
        }
        let factor = self.factor([inputs.scale; 2]);
        let mut matrix = Array2::zeros((inputs.samples(), inputs.samples()));
        for ((i, j), sum) in places.into_iter().zip(sums) {
            for ((row, column), value) in sum.indexed_iter().filter(|((row, column), _)| i < j || row <= column) {
                let (row, column) = (i * TILE + row, j * TILE + column);
                matrix[[row, column]] = factor * value;
                matrix[[column, row]] = factor * value;
            }
        }
        Ok(matrix)
    }

    /// The number of features that its kernel is a Gram matrix of: a feature for each hidden unit and, for the tangent
    /// kernel, for each weight of the hidden layer.
    #[must_use]
    pub fn feature_count(&self, kernel: Kernel) -> usize {
        if kernel == Kernel::Nngp {
            return self.hidden.rows;
        }
        let drawn = self.features(kernel);
        (0..drawn.chunks()).map(|chunk| drawn.feature_count(&drawn.rows(chunk))).sum()
    }

    /// The features `phi` of all inputs, shape `(samples, features)`, with `k(x, y) = phi(x) . phi(y)`.
    ///
    /// # Errors
    /// Where the inputs do not fit the network.
    pub fn feature_matrix(&self, inputs: &TiledInputs, kernel: Kernel) -> Result<Array2<f64>> {
        self.check(inputs)?;
        let drawn = self.features(kernel);
        let factor = self.factor([inputs.scale; 2]).sqrt();
        let mut chunks = Vec::new();
        for chunk in 0..drawn.chunks() {
            let rows = drawn.rows(chunk);
            let tiles = try_map(inputs.tiles.par_iter(), |tile| drawn.features(&rows, tile))?;
            let tiles: Vec<Array2<f64>> =
                tiles.iter().map(|tile| tile.t().mapv(|value| factor * f64::from(value))).collect();
            let views: Vec<ArrayView2<f64>> = tiles.iter().map(|tile| tile.view()).collect();
            chunks.push(ndarray::concatenate(Axis(0), &views).expect("invariant: all tiles have the same features"));
        }
        let views: Vec<ArrayView2<f64>> = chunks.iter().map(|chunk| chunk.view()).collect();
        Ok(ndarray::concatenate(Axis(1), &views).expect("invariant: all chunks have the same inputs"))
    }

    /// `sum_i k(x, x_i) a_i` for new inputs `x` and coefficients `a` of the inputs `x_i`, shape `(samples, k)`; shape
    /// `(new inputs, k)`. No kernel is formed: the coefficients are multiplied by the features, in about `k` times the
    /// number of weights multiply-adds for each input.
    ///
    /// # Errors
    /// Where the inputs do not fit the network, or the coefficients do not fit the inputs.
    pub fn predict(
        &self,
        inputs: &TiledInputs,
        coefficients: ArrayView2<f64>,
        new: &TiledInputs,
        kernel: Kernel,
    ) -> Result<Array2<f64>> {
        self.check(inputs)?;
        self.check(new)?;
        if coefficients.nrows() != inputs.samples() {
            let problem = format!("there are {} inputs", inputs.samples());
            return Err(Error::value("coefficients", coefficients.nrows(), problem, "give one row per input"));
        }
        let drawn = self.features(kernel);
        let mut sums: Vec<Array2<f64>> =
            new.tiles.iter().map(|tile| Array2::zeros((tile.ncols(), coefficients.ncols()))).collect();
        for chunk in 0..drawn.chunks() {
            let rows = drawn.rows(chunk);
            let parts = try_map(inputs.tiles.par_iter().enumerate(), |(place, tile)| {
                // In double precision: at small ridges large coefficients nearly cancel.
                let features = drawn.features(&rows, tile)?.mapv(f64::from);
                let of_tile = coefficients.slice(s![place * TILE..place * TILE + tile.ncols(), ..]);
                let mut part = Array2::<f64>::zeros((features.nrows(), coefficients.ncols()));
                product(features.view(), of_tile, 1.0, false, part.view_mut())?;
                Ok(part)
            })?;
            let mut weights = Array2::<f64>::zeros((parts[0].nrows(), coefficients.ncols()));
            parts.iter().for_each(|part| weights += part);
            // What is left does not cancel; within single precision, whatever the scale.
            let largest = weights.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
            let scale = if largest > 0.0 { largest } else { 1.0 };
            let weights = weights.mapv(|weight| (weight / scale) as f32);
            sums.par_iter_mut().zip(&new.tiles).try_for_each(|(sum, tile)| {
                let features = drawn.features(&rows, tile)?;
                let mut part = Array2::<f32>::zeros(sum.dim());
                product(features.t(), weights.view(), 1.0, false, part.view_mut())?;
                sum.zip_mut_with(&part, |sum, part| *sum += scale * f64::from(*part));
                Ok::<(), Error>(())
            })?;
        }
        let factor = self.factor([inputs.scale, new.scale]);
        let sums: Vec<ArrayView2<f64>> = sums.iter().map(|sum| sum.view()).collect();
        let all = ndarray::concatenate(Axis(0), &sums).expect("invariant: all tiles have one column per coefficient");
        Ok(all * factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::DataSource;
    use crate::kernel::ntk::Tangent;

    /// A network written out: dense matrices, in double precision.
    fn by_definition(drawn: &DrawnNetwork, x: &Array2<f64>, y: &Array2<f64>, kernel: Kernel) -> Array2<f64> {
        let weights = DrawnLayer::new(drawn.hidden, drawn.id).all_rows().to_dense(x.ncols()).mapv(f64::from);
        let readouts = drawn.readouts.to_dense(drawn.hidden.rows).mapv(f64::from);
        let squares = readouts.mapv(|v| v * v).mean_axis(Axis(0)).unwrap();
        let mask = weights.mapv(|weight| f64::from(weight != 0.0));
        let factor = match kernel.tangent() {
            None => 0.0,
            Some(Tangent::Paper) => 1.0,
            Some(Tangent::Standardised) => drawn.hidden.sigma().powi(2),
        };
        Array2::from_shape_fn((x.nrows(), y.nrows()), |(i, j)| {
            let (hx, hy) = (weights.dot(&x.row(i)), weights.dot(&y.row(j)));
            let common = mask.dot(&(&x.row(i) * &y.row(j)));
            let unit = |n: usize| {
                let active = hx[n] > 0.0 && hy[n] > 0.0;
                if active { hx[n] * hy[n] + factor * squares[n] * common[n] } else { 0.0 }
            };
            (0..weights.nrows()).map(unit).sum::<f64>() / weights.len() as f64
        })
    }

    #[test]
    fn kernels_and_predictions_are_those_of_the_definition() {
        let inputs = DataSource::Gaussian { dimension: 30, samples: 500 }.inputs(1).unwrap().values.mapv(|x| 1e3 * x);
        let (x, y) = (inputs.slice(s![..400, ..]).to_owned(), inputs.slice(s![400.., ..]).to_owned());
        let (tiled, new) = (TiledInputs::new(x.view()).unwrap(), TiledInputs::new(y.view()).unwrap());
        let coefficients = Array2::from_shape_fn((400, 3), |(i, j)| 1e-5 * ((i * 3 + j) as f64).sin());
        for text in
            ["relu:7 linear:10", "relu:300@0.3 linear:10", "relu:90@0.02/exact_count linear:4", "relu:9@1e-9 linear:2"]
        {
            let drawn = DrawnNetwork::new(&text.parse().unwrap(), 30, WeightDistribution::Uniform, 3, 1).unwrap();
            for kernel in [Kernel::Nngp, Kernel::Ntk(Tangent::Standardised), Kernel::Ntk(Tangent::Paper)] {
                let (found, expected) = (drawn.kernel(&tiled, kernel).unwrap(), by_definition(&drawn, &x, &x, kernel));
                let largest = expected.iter().fold(0.0f64, |a, b| a.max(b.abs()));
                // Features in single precision.
                let error = (&found - &expected).iter().fold(0.0f64, |a, b| a.max(b.abs()));
                assert!(error <= 1e-6 * largest, "{text} {kernel}: {error:e} of {largest:e}");
                let found = drawn.predict(&tiled, coefficients.view(), &new, kernel).unwrap();
                let expected = by_definition(&drawn, &y, &x, kernel).dot(&coefficients);
                let reach = 400.0 * 1e-5 * largest;
                assert!((&found - &expected).iter().all(|error| error.abs() <= 1e-6 * reach), "{text} {kernel}");
            }
        }
    }

    #[test]
    fn one_output_is_the_kernel_of_pairs() {
        use crate::sampled::{PairedInputs, sampled_tangent_kernels};
        let inputs = DataSource::Gaussian { dimension: 20, samples: 5 }.inputs(2).unwrap().values.clone();
        let drawn =
            |text: &str| DrawnNetwork::new(&text.parse().unwrap(), 20, WeightDistribution::Gaussian, 5, 2).unwrap();
        let kernel = Kernel::Ntk(Tangent::Paper);
        let matrix = drawn("relu:50@0.4 linear:1").kernel(&TiledInputs::new(inputs.view()).unwrap(), kernel).unwrap();
        let pairs = PairedInputs::new(inputs.view(), &[(0, 1), (3, 3)]).unwrap();
        let law = WeightDistribution::Gaussian;
        let of_pairs =
            sampled_tangent_kernels(&pairs, &"relu:50@0.4".parse().unwrap(), law, 5, 2, Tangent::Paper).unwrap();
        for (found, expected) in [matrix[[0, 1]], matrix[[3, 3]]].into_iter().zip(of_pairs) {
            assert!((found - expected).abs() < 1e-6 * matrix[[3, 3]], "{found} {expected}");
        }
        let refused = |text: &str| DrawnNetwork::new(&text.parse().unwrap(), 20, law, 0, 0).unwrap_err().to_string();
        for text in ["relu:5", "linear:5 linear:1", "relu:5 relu:5 linear:1", "relu:5 relu:5"] {
            assert!(refused(text).contains("one hidden layer"), "{text}");
        }
    }
}
