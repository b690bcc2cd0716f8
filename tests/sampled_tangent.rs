//! Tangent kernels of drawn networks: against their definition, finite differences, and theory.

use ndarray::{Array2, array};
use sparsewidth::data::DataSource;
use sparsewidth::kernel::arc_cosine::arc_cosine;
use sparsewidth::kernel::gram::Pair;
use sparsewidth::kernel::ntk::{InfiniteWidth, Kernel, Tangent};
use sparsewidth::network::{
    Activation, Architecture, Connectivity, DrawnLayer, Layer, LayerId, LayerSpec, MaskFamily, SparseRows,
    WeightDistribution,
};
use sparsewidth::numeric::statistics::{mean, standard_error};
use sparsewidth::sampled::{PairedInputs, SampledDistances, sampled_kernels, sampled_tangent_kernels};

const SEED: u64 = 11;
const INITIALISATION: u32 = 2;
const TANGENTS: [Tangent; 2] = [Tangent::Standardised, Tangent::Paper];

fn inputs(samples: usize, dimension: usize) -> Array2<f64> {
    let mut values = DataSource::Gaussian { dimension, samples }.inputs(3).unwrap().values;
    // Inputs of MNIST have entries of zero.
    values.indexed_iter_mut().filter(|((i, j), _)| (i + 2 * j) % 5 == 0).for_each(|(_, value)| *value = 0.0);
    values
}

fn all_pairs(samples: usize) -> Vec<(usize, usize)> {
    (0..samples).flat_map(|i| (i..samples).map(move |j| (i, j))).collect()
}

/// The weights of each layer, and of the readout, with what they are drawn from.
fn drawn(network: &Architecture, dimension: usize, law: WeightDistribution) -> Vec<(LayerSpec, SparseRows)> {
    let mut specs = network.layer_specs(dimension, law);
    let (columns, mask) = (network.last().width(), MaskFamily::Bernoulli);
    specs.push(LayerSpec { rows: 1, columns, connectivity: Connectivity::DENSE, mask, law });
    let id = |layer| LayerId { seed: SEED, initialisation: INITIALISATION, layer };
    let rows = |(spec, layer): (LayerSpec, u32)| (spec, DrawnLayer::new(spec, id(layer)).all_rows());
    specs.into_iter().zip(0..).map(rows).collect()
}

/// Kernels agree to single precision: `1e-5` of the root of the product of the kernels of each input with itself, which
/// come in the order of [`all_pairs`]. Features are sums of up to 60 terms, each rounded by 6e-8.
fn assert_close(found: &[f64], expected: &[f64], pairs: &[(usize, usize)], name: &str) {
    assert_eq!((found.len(), expected.len()), (pairs.len(), pairs.len()));
    let own = |sample: usize| expected[pairs.iter().position(|pair| *pair == (sample, sample)).unwrap()];
    for ((found, expected), (i, j)) in found.iter().zip(expected).zip(pairs) {
        let scale = (own(*i) * own(*j)).sqrt();
        assert!((found - expected).abs() <= 1e-5 * scale, "{name}, {i}, {j}: {found} {expected} of {scale}");
    }
}

#[test]
fn one_hidden_layer_by_its_definition() {
    let (samples, dimension, width) = (6, 40, 150);
    let values = inputs(samples, dimension);
    let pairs = all_pairs(samples);
    let paired = PairedInputs::new(values.view(), &pairs).unwrap();
    // Dense; on both sides of where rows are multiplied as dense matrices; so few weights that rows are empty.
    for p in [1.0, 0.5, 0.2, 0.003] {
        for mask in [MaskFamily::Bernoulli, MaskFamily::ExactCount, MaskFamily::ConstantFanIn] {
            for law in [WeightDistribution::Gaussian, WeightDistribution::Uniform] {
                let network =
                    Architecture::one_hidden_layer(width, Connectivity::new(p).unwrap()).unwrap().with_mask(mask);
                let layers = drawn(&network, dimension, law);
                let ((spec, rows), (_, readout)) = (&layers[0], &layers[1]);
                for tangent in TANGENTS {
                    let f = if tangent == Tangent::Standardised { spec.sigma().powi(2) } else { 1.0 };
                    let kernel = |(x, y): &(usize, usize)| {
                        let unit = |i: usize| {
                            let (columns, weights) = rows.row(i);
                            let dot = |sample: usize| -> f64 {
                                let entries = columns.iter().map(|j| values[[sample, *j as usize]]);
                                entries.zip(weights).map(|(entry, weight)| entry * f64::from(*weight)).sum()
                            };
                            let c: f64 =
                                columns.iter().map(|j| values[[*x, *j as usize]] * values[[*y, *j as usize]]).sum();
                            let (p, q, v) = (dot(*x), dot(*y), f64::from(readout.row(0).1[i]));
                            if p > 0.0 && q > 0.0 { p * q + f * v * v * c } else { 0.0 }
                        };
                        (0..width).map(unit).sum::<f64>() / (width * dimension) as f64
                    };
                    let expected: Vec<f64> = pairs.iter().map(kernel).collect();
                    let found = sampled_tangent_kernels(&paired, &network, law, SEED, INITIALISATION, tangent).unwrap();
                    assert_close(&found, &expected, &pairs, &format!("p = {p}, {mask:?}, {law:?}, {tangent:?}"));
                }
            }
        }
    }
}

/// The output of a network in double precision, its weights one list per layer.
fn output(network: &Architecture, layers: &[(LayerSpec, SparseRows)], weights: &[Vec<f64>], x: &[f64]) -> f64 {
    let mut values = x.to_vec();
    for (index, ((spec, rows), weights)) in layers.iter().zip(weights).enumerate() {
        let root = (spec.columns as f64).sqrt();
        let mut place = 0;
        values = (0..spec.rows)
            .map(|row| {
                let (columns, _) = rows.row(row);
                let sum: f64 =
                    columns.iter().zip(&weights[place..]).map(|(j, weight)| weight * values[*j as usize]).sum();
                place += columns.len();
                match network.layers().get(index).map(Layer::activation) {
                    Some(Activation::Relu) => (sum / root).max(0.0),
                    _ => sum / root,
                }
            })
            .collect();
    }
    values[0]
}

/// A network is linear in each of its weights but for the kinks of ReLU, so that differences give its gradients to
/// about 1e-10.
#[test]
fn any_network_by_finite_differences() {
    const STEP: f64 = 1e-6;
    let (samples, dimension) = (5, 12);
    let values = inputs(samples, dimension);
    let pairs = all_pairs(samples);
    let paired = PairedInputs::new(values.view(), &pairs).unwrap();
    for text in [
        "relu:25@0.3",
        "linear:9@0.4",
        "relu:30@0.4 relu:20@0.2",
        "linear:10 relu:25@0.25/exact_count",
        "relu:20@0.6 linear:12@0.4/constant_fan_in",
        "relu:20@0.2/exact_count relu:30 linear:12@0.4/constant_fan_in",
        "relu:24@0.5/constant_fan_in linear:15@0.35 relu:25@0.2",
        "relu:20 relu:20@0.1 relu:20@0.05",
    ] {
        let network: Architecture = text.parse().unwrap();
        for law in [WeightDistribution::Gaussian, WeightDistribution::Uniform] {
            let layers = drawn(&network, dimension, law);
            let weights: Vec<Vec<f64>> = layers
                .iter()
                .map(|(spec, rows)| {
                    (0..spec.rows).flat_map(|row| rows.row(row).1.iter().map(|weight| f64::from(*weight))).collect()
                })
                .collect();
            // Squared factors of the layers' variables, and the derivatives by each weight for each input.
            let mut gradients: Vec<(f64, Vec<f64>)> = Vec::new();
            for (index, (spec, _)) in layers.iter().enumerate() {
                for place in 0..weights[index].len() {
                    let moved = |step: f64, sample: usize| {
                        let mut weights = weights.clone();
                        weights[index][place] += step;
                        output(&network, &layers, &weights, values.row(sample).as_slice().unwrap())
                    };
                    let by_input =
                        (0..samples).map(|x| (moved(STEP, x) - moved(-STEP, x)) / (2.0 * STEP)).collect::<Vec<_>>();
                    gradients.push((spec.sigma().powi(2), by_input));
                }
            }
            for tangent in TANGENTS {
                let kernel = |(x, y): &(usize, usize)| {
                    let products = gradients.iter().map(|(square, gradient)| {
                        let f = if tangent == Tangent::Standardised { *square } else { 1.0 };
                        f * gradient[*x] * gradient[*y]
                    });
                    products.sum::<f64>()
                };
                let expected: Vec<f64> = pairs.iter().map(kernel).collect();
                let found = sampled_tangent_kernels(&paired, &network, law, SEED, INITIALISATION, tangent).unwrap();
                assert_close(&found, &expected, &pairs, &format!("{text}, {law:?}, {tangent:?}"));
            }
        }
    }
}

#[test]
fn wide_dense_networks_are_those_of_infinite_width_on_average() {
    const NETWORKS: u32 = 100;
    let values = inputs(3, 20);
    let pairs = all_pairs(3);
    let paired = PairedInputs::new(values.view(), &pairs).unwrap();
    for text in ["relu:400", "relu:400 relu:400", "relu:400 relu:400 relu:400", "relu:400 linear:400 relu:400"] {
        let network: Architecture = text.parse().unwrap();
        let activations: Vec<Activation> = network.layers().iter().map(Layer::activation).collect();
        let drawn: Vec<Vec<f64>> = (0..NETWORKS)
            .map(|initialisation| {
                let (law, tangent) = (WeightDistribution::Gaussian, Tangent::Standardised);
                sampled_tangent_kernels(&paired, &network, law, 5, initialisation, tangent).unwrap()
            })
            .collect();
        for (place, (i, j)) in pairs.iter().enumerate() {
            let pair = Pair::new(values.row(*i), values.row(*j)).unwrap();
            let limit = InfiniteWidth::of_layers(&pair, &activations).ntk / 20.0;
            let kernels: Vec<f64> = drawn.iter().map(|kernels| kernels[place]).collect();
            let (found, error) = (mean(&kernels), standard_error(&kernels).unwrap());
            // Of 24 means one beyond 4.5 standard errors once in 6,000 seeds; with several layers the mean of finite
            // width is off by a few parts of 1/400, less than a standard error.
            assert!((found - limit).abs() < 4.5 * error, "{text}, {i}, {j}: {found} +- {error}, {limit}");
            // Strong enough to tell a term of half the kernel by ten standard errors.
            assert!(error < 0.05 * limit.abs().max(0.2), "{text}, {i}, {j}: {error} of {limit}");
        }
    }
}

/// Mean squared distances by enumeration of all masks of a row: `bias^2 + variance / n` of one unit's moments.
#[test]
fn sparse_networks_have_the_distances_of_theory() {
    const WIDTH: usize = 3;
    const DIMENSION: usize = 8;
    let (values, p) = (inputs(4, DIMENSION), 0.4);
    let pairs = [(0, 1), (2, 3), (1, 1)];
    let paired = PairedInputs::new(values.view(), &pairs).unwrap();
    let network = Architecture::one_hidden_layer(WIDTH, Connectivity::new(p).unwrap()).unwrap();
    for (tangent, tau) in [(Tangent::Standardised, 1.0), (Tangent::Paper, p)] {
        let mut references = Vec::new();
        let mut distances = Vec::new();
        for (i, j) in pairs {
            let (mut first, mut second) = (0.0, 0.0);
            for mask in 0..1u32 << DIMENSION {
                let kept = |row: usize| {
                    let entries = (0..DIMENSION).map(|j| if mask >> j & 1 == 1 { values[[row, j]] } else { 0.0 });
                    entries.collect::<ndarray::Array1<f64>>()
                };
                let (x, y) = (kept(i), kept(j));
                let pair = Pair::new(x.view(), y.view()).unwrap();
                let (limit, moments, c) = (InfiniteWidth::of(&pair), arc_cosine(pair.gram()), pair.gram().c);
                // C K_0 of this mask.
                let angle = limit.ntk - limit.nngp;
                let ones = mask.count_ones() as i32;
                let probability = p.powi(ones) * (1.0 - p).powi(DIMENSION as i32 - ones);
                first += probability * (moments.k1 / p + tau * angle / p);
                second +=
                    probability * (moments.k2 + 2.0 * tau * c * moments.k1 + tau * tau * 3.0 * c * angle) / (p * p);
            }
            let limit = InfiniteWidth::of(&Pair::new(values.row(i), values.row(j)).unwrap()).ntk;
            let d = DIMENSION as f64;
            references.push(limit / d);
            distances.push(((first - limit).powi(2) + (second - first * first) / WIDTH as f64) / (d * d));
        }
        let law = WeightDistribution::Gaussian;
        let kernel = Kernel::Ntk(tangent);
        let drawn = SampledDistances::draw_kernel(&paired, &network, law, kernel, 4, 40_000, references).unwrap();
        let (found, error) = (mean(drawn.by_initialisation()), standard_error(drawn.by_initialisation()).unwrap());
        let expected = mean(&distances);
        // Of two means one beyond 4.5 standard errors once in 70,000 seeds.
        assert!((found - expected).abs() < 4.5 * error, "{tangent:?}: {found} +- {error}, {expected}");
        // Strong enough to tell 10 %.
        assert!(error < 0.022 * expected, "{tangent:?}: {error} of {expected}");
    }
}

#[test]
fn the_same_bits_for_any_number_of_threads() {
    // More pairs than a block, more units than a chunk.
    let values = inputs(30, 50);
    let pairs = all_pairs(30);
    for text in ["relu:300@0.003", "relu:300@0.1/exact_count", "relu:100", "relu:150@0.2 linear:70@0.5 relu:200@0.1"] {
        let network: Architecture = text.parse().unwrap();
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let paired = PairedInputs::new(values.view(), &pairs).unwrap();
                let (law, kernel) = (WeightDistribution::Gaussian, Kernel::Ntk(Tangent::Standardised));
                let reference = vec![0.5; pairs.len()];
                let drawn = SampledDistances::draw_kernel(&paired, &network, law, kernel, 1, 5, reference).unwrap();
                let kernels = sampled_tangent_kernels(&paired, &network, law, 1, 0, Tangent::Paper).unwrap();
                (drawn.by_pair(), drawn.by_initialisation().to_vec(), kernels)
            })
        };
        let one = run(1);
        for threads in [2, 4] {
            assert_eq!(run(threads), one, "{text}, {threads} threads");
        }
    }
}

#[test]
fn inputs_of_scales_far_apart_stand_side_by_side() {
    let plain = inputs(4, 30);
    let scales = [1e-40, 1.0, 3e20, 1e40];
    let mut scaled = plain.clone();
    scaled.rows_mut().into_iter().zip(scales).for_each(|(mut row, scale)| row *= scale);
    let pairs = all_pairs(4);
    for text in ["relu:60@0.2", "relu:60", "relu:40@0.2 linear:20@0.5 relu:30@0.2"] {
        let network: Architecture = text.parse().unwrap();
        let kernels = |inputs: &Array2<f64>| {
            let paired = PairedInputs::new(inputs.view(), &pairs).unwrap();
            sampled_tangent_kernels(&paired, &network, WeightDistribution::Gaussian, 8, 0, Tangent::Standardised)
                .unwrap()
        };
        let found: Vec<f64> =
            kernels(&scaled).iter().zip(&pairs).map(|(kernel, (i, j))| kernel / scales[*i] / scales[*j]).collect();
        // The kernel is homogeneous; entries are rounded to single precision again.
        assert_close(&found, &kernels(&plain), &pairs, text);
    }
}

#[test]
fn kernels_are_told_apart_and_the_same_where_they_are() {
    let values = inputs(6, 20);
    let pairs = all_pairs(6);
    let paired = PairedInputs::new(values.view(), &pairs).unwrap();
    let law = WeightDistribution::Uniform;
    let network: Architecture = "relu:50@0.2".parse().unwrap();
    let reference = vec![0.1; pairs.len()];
    // The NNGP kernel by either way.
    let drawn = SampledDistances::draw(&paired, &network, law, 1, 3, reference.clone()).unwrap();
    let named = SampledDistances::draw_kernel(&paired, &network, law, Kernel::Nngp, 1, 3, reference).unwrap();
    assert_eq!((drawn.by_pair(), drawn.by_initialisation()), (named.by_pair(), named.by_initialisation()));
    // The tangent kernel of an input with itself is above its NNGP kernel, and the standardised one, of a faster first
    // layer, above the paper's; with all weights these two are the same.
    let kernel =
        |network: &Architecture, tangent| sampled_tangent_kernels(&paired, network, law, 1, 0, tangent).unwrap();
    let spec = network.layer_specs(20, law)[0];
    let nngp = sampled_kernels(&paired, spec, LayerId { seed: 1, initialisation: 0, layer: 0 }).unwrap();
    let (standardised, paper) = (kernel(&network, Tangent::Standardised), kernel(&network, Tangent::Paper));
    for (place, (i, j)) in pairs.iter().enumerate() {
        let ratio = (standardised[place] - nngp[place]) / (paper[place] - nngp[place]);
        assert!(i != j || (nngp[place] > 0.0 && (ratio - 5.0).abs() < 1e-6), "{ratio}");
    }
    let dense: Architecture = "relu:50 relu:10".parse().unwrap();
    assert_eq!(kernel(&dense, Tangent::Standardised), kernel(&dense, Tangent::Paper));
}

#[test]
fn inputs_that_are_zero_have_kernels_of_zero() {
    let values = array![[0.0, 0.0, 0.0], [1.0, -2.0, 0.5]];
    let paired = PairedInputs::new(values.view(), &[(0, 0), (0, 1), (1, 1)]).unwrap();
    for text in ["relu:20@0.5", "relu:20 relu:10@0.5", "linear:5 linear:5"] {
        let network: Architecture = text.parse().unwrap();
        let law = WeightDistribution::Gaussian;
        let found = sampled_tangent_kernels(&paired, &network, law, 0, 0, Tangent::Paper).unwrap();
        assert!(found[0] == 0.0 && found[1] == 0.0 && found[2] > 0.0, "{text}: {found:?}");
    }
}
