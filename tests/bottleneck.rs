//! A layer before the hidden one: the distances of drawn networks against theory, and against the limit of two hidden
//! layers.

use ndarray::Array2;
use sparsewidth::data::{DataSource, Normalisation};
use sparsewidth::kernel::arc_cosine::arc_cosine;
use sparsewidth::kernel::gram::{Gram, Pair};
use sparsewidth::kernel::masked::LinearBottleneck;
use sparsewidth::kernel::masked::RowMoments;
use sparsewidth::kernel::nngp::{Dimension, Width, infinite_width_kernel, theorem_1};
use sparsewidth::network::{Activation, Architecture, Connectivity, Layer, WeightDistribution};
use sparsewidth::numeric::statistics::{mean, standard_error};
use sparsewidth::sampled::{Device, PairedInputs, SampledDistances};
use sparsewidth::study::{DistanceMethod, DistanceSpec, NetworkSpec, Record, StudySpec};

/// A dense network of two hidden layers.
fn dense(first: usize, activation: Activation, second: usize) -> Architecture {
    let layer = |width, activation| Layer::new(width, Connectivity::DENSE, activation).unwrap();
    Architecture::new(vec![layer(first, activation), layer(second, Activation::Relu)]).unwrap()
}

const GAUSSIAN: WeightDistribution = WeightDistribution::Gaussian;

fn places(pairs: usize) -> Vec<(usize, usize)> {
    (0..pairs).map(|pair| (2 * pair, 2 * pair + 1)).collect()
}

fn pairs<'a>(values: &'a Array2<f64>, places: &[(usize, usize)]) -> Vec<Pair<'a>> {
    places.iter().map(|(i, j)| Pair::new(values.row(*i), values.row(*j)).unwrap()).collect()
}

fn inputs() -> [(&'static str, Array2<f64>); 4] {
    let gaussian = |dimension| DataSource::Gaussian { dimension, samples: 12 }.inputs(1).unwrap().values;
    let mnist = DataSource::Embedded.inputs(0).unwrap().normalised(Normalisation::Global).unwrap();
    [
        ("gaussian 12", gaussian(12)),
        ("gaussian 100", gaussian(100)),
        ("gaussian 784", gaussian(784)),
        ("MNIST 784", mnist),
    ]
}

#[test]
#[ignore = "slow: 12,000 networks in each of 16 cells"]
fn drawn_linear_bottlenecks_have_the_distances_of_theory() {
    const INITIALISATIONS: usize = 12_000;
    // Sixteen cells with three scores each, normal but for a tail that so many draws leave short: one is beyond 4.5 by
    // chance in 3,000 runs.
    for (name, values) in inputs() {
        let places = places(6);
        let pairs = pairs(&values, &places);
        let drawn_from = PairedInputs::new(values.view(), &places).unwrap();
        let limits: Vec<f64> =
            pairs.iter().map(|pair| infinite_width_kernel(arc_cosine(pair.gram()).k1, Dimension::of(pair))).collect();
        for (rank, width) in [(1, 16), (2, 3), (3, 40), (8, 8)] {
            let bottleneck = LinearBottleneck::new(rank).unwrap();
            let expected: Vec<f64> = pairs
                .iter()
                .map(|pair| {
                    let moments = bottleneck.moments(pair, Connectivity::DENSE).unwrap();
                    let distance = theorem_1(&moments, Dimension::of(pair), Width::new(width).unwrap());
                    assert_eq!(distance.bias_squared, 0.0);
                    distance.total()
                })
                .collect();
            let network = dense(rank, Activation::Linear, width);
            let drawn =
                SampledDistances::draw(&drawn_from, &network, GAUSSIAN, 3, INITIALISATIONS, limits.clone()).unwrap();
            let by_initialisation = drawn.by_initialisation();
            let (found, error) = (mean(by_initialisation), standard_error(by_initialisation).unwrap());
            let z = (found - mean(&expected)) / error;
            println!("{name}, rank {rank}, width {width}: {found:.4e} against {:.4e}, z {z:.2}", mean(&expected));
            assert!(z.abs() < 4.5, "{name}, rank {rank}, width {width}: z {z}");
            // What the drawn kernels' own mean says of the bias, in units of the distance: nothing, within its noise.
            let (bias_squared, variance) = drawn.bias_and_variance().unwrap();
            let unit = mean(&expected) / (INITIALISATIONS as f64).sqrt();
            assert!(bias_squared.abs() < 4.5 * unit, "{name}: bias^2 {bias_squared:e}, {unit:e}");
            assert!((variance / width as f64 - mean(&expected)).abs() < 4.5 * error, "{name}: variance {variance:e}");
        }
    }
}

#[test]
#[ignore = "slow: layers of 2,000 units"]
fn a_wide_layer_before_leads_to_the_limit_of_two() {
    const LAYER: usize = 2_000;
    for (name, values) in inputs() {
        let places = places(6);
        let pairs = pairs(&values, &places);
        let drawn_from = PairedInputs::new(values.view(), &places).unwrap();
        let kernel = |gram: Gram| infinite_width_kernel(arc_cosine(gram).k1, Dimension::new(values.ncols()).unwrap());
        let one: Vec<f64> = pairs.iter().map(|pair| kernel(pair.gram())).collect();
        let two: Vec<f64> = pairs
            .iter()
            .map(|pair| {
                let gram = pair.gram();
                let of = |a: f64, b: f64, c: f64| arc_cosine(Gram { a, b, c }).k1;
                kernel(Gram {
                    a: of(gram.a, gram.a, gram.a),
                    b: of(gram.b, gram.b, gram.b),
                    c: of(gram.a, gram.b, gram.c),
                })
            })
            .collect();
        let square = |kernels: &[f64]| mean(&kernels.iter().map(|kernel| kernel * kernel).collect::<Vec<_>>());
        for (activation, limit, other) in [(Activation::Linear, &one, &two), (Activation::Relu, &two, &one)] {
            let network = dense(LAYER, activation, LAYER);
            let draw = |limit: &[f64]| {
                let drawn = SampledDistances::draw(&drawn_from, &network, GAUSSIAN, 5, 4, limit.to_vec()).unwrap();
                mean(&drawn.by_pair()) / square(limit)
            };
            // Of orthogonal inputs the theory of linear layers has 12 over the width, of others less. Their 24
            // distances are nearly squares of independent normal numbers, whose mean is beyond twice that in 1 of 400
            // seeds; the seed is fixed.
            let (near, far) = (draw(limit), draw(other));
            println!("{name}, {activation:?}: {near:.2e} from its limit, {far:.2e} from the other");
            assert!(near < 24.0 / LAYER as f64 && far > 0.05, "{name}, {activation:?}: {near:e} {far:e}");
        }
    }
}

#[test]
#[ignore = "slow: layers of 1,500 units"]
fn records_compare_with_the_limit_of_their_own_law_and_depth() {
    let network = |text: &str| NetworkSpec { architecture: text.parse().unwrap(), np_connectivity: None };
    let networks = ["relu:1500", "linear:1500 relu:1500", "relu:1500 relu:1500"].map(network).to_vec();
    let mut squares = Vec::new();
    for law in [WeightDistribution::Gaussian, WeightDistribution::Uniform] {
        let distance = DistanceSpec {
            normalisations: vec![Normalisation::None],
            methods: vec![DistanceMethod::Sampled, DistanceMethod::Theorem1],
            pairs: 30,
            initialisations: 6,
            law,
            ..DistanceSpec::paper(networks.clone())
        };
        let data = DataSource::Gaussian { dimension: 20, samples: 30 }.into();
        let study = StudySpec { data, seed: 4, distance: Some(distance), training: None, prediction: None };
        let records = study.run(None, &Device::CPU, &|_| {}).unwrap();
        let records: Vec<_> = records.iter().filter_map(Record::distance).collect();
        // No theory behind a ReLU layer.
        assert_eq!(records.iter().filter(|record| record.method == DistanceMethod::Theorem1).count(), 2);
        for record in &records {
            // As above: 12 over the width of orthogonal inputs, and of 180 distances, by 30 pairs of 30 inputs, fewer
            // of them independent, within a factor of two.
            let relative = record.mean / record.reference_square.unwrap();
            assert!(
                relative > 0.0 && relative < 24.0 / 1_500.0,
                "{:?} {}: {relative:e}",
                record.method,
                record.architecture
            );
        }
        squares.push(records.iter().map(|record| record.reference_square.unwrap()).collect::<Vec<f64>>());
    }
    // A third of the variance a layer, which the square of the kernel has twice.
    let layers = |before: bool| if before { 4 } else { 2 };
    for (index, (gaussian, uniform)) in squares[0].iter().zip(&squares[1]).enumerate() {
        let expected = gaussian / 3f64.powi(layers(index % 3 > 0));
        assert!((uniform / expected - 1.0).abs() < 1e-12, "{index}: {uniform:e} {expected:e}");
    }
}
