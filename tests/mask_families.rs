//! Every mask family: the distances of drawn networks against theory.

use ndarray::Array2;
use sparsewidth::data::{DataSource, Normalisation};
use sparsewidth::kernel::arc_cosine::arc_cosine;
use sparsewidth::kernel::gram::Pair;
use sparsewidth::kernel::masked::{Quadrature, Sampling, for_masks};
use sparsewidth::kernel::nngp::{Dimension, Width, infinite_width_kernel, theorem_1};
use sparsewidth::network::{Architecture, Connectivity, MaskFamily, WeightDistribution};
use sparsewidth::numeric::statistics::{mean, standard_error};
use sparsewidth::sampled::{PairedInputs, SampledDistances};

const WIDTH: usize = 16;
const INITIALISATIONS: usize = 12_000;
const PAIRS: usize = 6;

/// Theory's mean distance over pairs, and its error.
fn theory(mask: MaskFamily, pairs: &[Pair], p: Connectivity, dimension: usize) -> (f64, f64) {
    let (quadrature, sampling) = (Quadrature::new(1e-6).unwrap(), Sampling::new(20_000, 9).unwrap());
    let width = Width::new(WIDTH).unwrap();
    let method = for_masks(mask, width, quadrature, sampling);
    let found: Vec<(f64, f64)> = (method.of_pairs(pairs, &p.into()).unwrap().iter())
        .map(|moments| {
            let distance = theorem_1(moments, Dimension::new(dimension).unwrap(), width);
            (distance.total(), distance.error.magnitude().unwrap())
        })
        .collect();
    let count = found.len() as f64;
    let squares: f64 = found.iter().map(|(_, error)| error * error).sum();
    (found.iter().map(|(distance, _)| distance).sum::<f64>() / count, squares.sqrt() / count)
}

#[test]
#[ignore = "slow: 12,000 networks in each of 12 cells"]
fn drawn_networks_have_the_distances_of_theory() {
    // Twelve cells, each a normal z score but for a tail that 12,000 draws leave short: beyond 4.5 in one of 12,000
    // runs by chance.
    let mnist = |normalisation| DataSource::Embedded.inputs(0).unwrap().normalised(normalisation).unwrap();
    let gaussian = |dimension| DataSource::Gaussian { dimension, samples: 12 }.inputs(1).unwrap().values;
    let cases: [(&str, Array2<f64>, f64); 4] = [
        ("gaussian 12", gaussian(12), 4.0),
        ("gaussian 100", gaussian(100), 8.0),
        ("gaussian 784", gaussian(784), 20.0),
        ("MNIST 784", mnist(Normalisation::Global), 20.0),
    ];
    let mut distances = Vec::new();
    for (name, values, a_row) in &cases {
        let dimension = values.ncols();
        let p = Connectivity::new(a_row / dimension as f64).unwrap();
        let places: Vec<(usize, usize)> = (0..PAIRS).map(|pair| (2 * pair, 2 * pair + 1)).collect();
        let pairs: Vec<Pair> = places.iter().map(|(i, j)| Pair::new(values.row(*i), values.row(*j)).unwrap()).collect();
        let inputs = PairedInputs::new(values.view(), &places).unwrap();
        let limits: Vec<f64> =
            pairs.iter().map(|pair| infinite_width_kernel(arc_cosine(pair.gram()).k1, Dimension::of(pair))).collect();
        for mask in [MaskFamily::Bernoulli, MaskFamily::ExactCount, MaskFamily::ConstantFanIn] {
            let (network, gaussian) =
                (Architecture::one_hidden_layer(WIDTH, p).unwrap().with_mask(mask), WeightDistribution::Gaussian);
            let drawn =
                SampledDistances::draw(&inputs, &network, gaussian, 3, INITIALISATIONS, limits.clone()).unwrap();
            let by_initialisation = drawn.by_initialisation();
            let (found, error) = (mean(by_initialisation), standard_error(by_initialisation).unwrap());
            let (expected, bound) = theory(mask, &pairs, p, dimension);
            let z = (found - expected) / error.hypot(bound);
            println!("{name}, {}: {found:.4e} against {expected:.4e}, z {z:.2}", mask.name());
            assert!(z.abs() < 4.5, "{name}, {}: {found:e} against {expected:e}, z {z}", mask.name());
            distances.push(expected);
        }
        // The families are told apart: a mask of fixed size has less to vary.
        let [bernoulli, layer, row] = [0, 1, 2].map(|family| distances[distances.len() - 3 + family]);
        assert!(row < 0.97 * bernoulli && layer < bernoulli, "{name}: {bernoulli:e} {layer:e} {row:e}");
    }
}
