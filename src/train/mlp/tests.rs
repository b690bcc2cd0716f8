//! Perceptrons against a reference in double precision, written from the definition.

use super::*;
use crate::data::{Normalisation, Normaliser, Values};
use crate::network::Connectivity;
use ndarray::{Array1, Axis};

/// A network in f64 on dense matrices `W = w / sqrt(m)` and biases, written from the definition.
struct Reference {
    layers: Vec<(Array2<f64>, Array1<f64>)>,
    between: Vec<Activation>,
}

impl Reference {
    fn of(network: &Mlp) -> Self {
        let layer = |layer: &LinearLayer| {
            let biases = layer.biases().iter().map(|bias| f64::from(*bias)).collect::<Vec<_>>();
            let biases = if biases.is_empty() { vec![0.0; layer.outputs()] } else { biases };
            let weights = layer.to_dense().mapv(f64::from) / (layer.inputs() as f64).sqrt();
            (weights, Array1::from(biases))
        };
        Self { layers: network.layers().iter().map(layer).collect(), between: network.between.clone() }
    }

    /// The inputs of each layer, and the outputs.
    fn activations(&self, input: &Array2<f64>) -> Vec<Array2<f64>> {
        let mut all = vec![input.clone()];
        for (index, (weights, biases)) in self.layers.iter().enumerate() {
            let output = weights.dot(&all[index]) + biases.view().insert_axis(Axis(1));
            let rectified = self.between.get(index) == Some(&Activation::Relu);
            all.push(if rectified { output.mapv(|value| value.max(0.0)) } else { output });
        }
        all
    }

    fn loss(&self, input: &Array2<f64>, labels: &[u8]) -> f64 {
        let activations = self.activations(input);
        let outputs = activations.last().unwrap();
        let of_sample = |(sample, label): (usize, &u8)| {
            let column = outputs.column(sample);
            column.mapv(f64::exp).sum().ln() - column[usize::from(*label)]
        };
        labels.iter().enumerate().map(of_sample).sum::<f64>() / labels.len() as f64
    }

    /// The gradient of the loss by each matrix and bias.
    fn gradient(&self, input: &Array2<f64>, labels: &[u8]) -> Vec<(Array2<f64>, Array1<f64>)> {
        let activations = self.activations(input);
        let exponentials = activations.last().unwrap().mapv(f64::exp);
        let mut gradient = &exponentials / &exponentials.sum_axis(Axis(0));
        for (sample, label) in labels.iter().enumerate() {
            gradient[[usize::from(*label), sample]] -= 1.0;
        }
        gradient /= labels.len() as f64;
        let mut all = Vec::new();
        for (index, (weights, _)) in self.layers.iter().enumerate().rev() {
            all.insert(0, (gradient.dot(&activations[index].t()), gradient.sum_axis(Axis(1))));
            gradient = weights.t().dot(&gradient);
            if index > 0 && self.between[index - 1] == Activation::Relu {
                gradient.zip_mut_with(&activations[index], |gradient, output| {
                    *gradient *= f64::from(*output > 0.0);
                });
            }
        }
        all
    }
}

fn samples() -> (Array2<f32>, Vec<u8>) {
    // 70 samples: not a whole block of 64, nor two.
    let input = Array2::from_shape_fn((30, 70), |(i, j)| ((i * 37 + j * 11) % 17) as f32 / 8.0 - 1.0);
    (input, (0..70).map(|sample| (sample * 7 % 4) as u8).collect())
}

/// `hidden`: outputs of the first layer, many or few.
fn law(
    hidden: usize,
    connectivities: [f64; 3],
    parametrisation: Parametrisation,
    biases: bool,
    between: [Activation; 2],
) -> MlpSpec {
    let follows = between.into_iter().chain([Activation::Linear]);
    let layers = ([hidden, 20, 4].into_iter().zip(connectivities).zip(follows))
        .map(|((width, p), activation)| Layer::new(width, Connectivity::new(p).unwrap(), activation).unwrap());
    MlpSpec {
        inputs: 30,
        network: Architecture::new(layers.collect()).unwrap(),
        law: WeightDistribution::Uniform,
        parametrisation,
        biases,
    }
}

const RELU: [Activation; 2] = [Activation::Relu; 2];
const LINEAR: [Activation; 2] = [Activation::Linear; 2];
/// A product of two matrices first.
const BOTTLENECK: [Activation; 2] = [Activation::Linear, Activation::Relu];

#[test]
fn a_network_without_a_path_is_dead() {
    // Seeds of which some leave no path through few weights; stored as rows and, of few outputs, in place.
    let (mut dead, mut alive) = (0, 0);
    for (connectivities, initialisation) in
        [[0.006, 0.02, 1.0], [1.0, 0.004, 0.8], [0.9, 0.9, 0.01]].into_iter().flat_map(|p| (0..20).map(move |i| (p, i)))
    {
        let law = law(12, connectivities, Parametrisation::Standard, true, LINEAR);
        let mut network = Mlp::draw(&law, 5, initialisation).unwrap();
        let (input, _) = samples();
        let outputs = network.outputs(&Blocks::new(&Samples::new(input.t().to_owned()))).unwrap();
        // Linear layers in between: outputs that depend on no input are those without a path, but for chance
        // cancellation.
        let constant = outputs.outer_iter().all(|row| row == outputs.row(0));
        assert_eq!(network.is_dead(), constant, "{connectivities:?} {initialisation}");
        if constant { dead += 1 } else { alive += 1 }
    }
    assert!(dead > 5 && alive > 5, "{dead} {alive}");
}

#[test]
fn the_reference_is_the_slope_of_its_loss() {
    let (input, labels) = samples();
    let input = input.mapv(f64::from);
    for between in [RELU, LINEAR, BOTTLENECK] {
        let law = law(40, [0.5, 1.0, 0.5], Parametrisation::Standard, true, between);
        let mut network = Reference::of(&Mlp::draw(&law, 3, 0).unwrap());
        let gradient = network.gradient(&input, &labels);
        let step = 1e-6;
        for (index, (by_weights, by_biases)) in gradient.iter().enumerate() {
            for place in [(0, 0), (1, 3), (3, 19), (2, 7)] {
                let mut slope = |change: &dyn Fn(&mut Reference, f64)| {
                    change(&mut network, step);
                    let above = network.loss(&input, &labels);
                    change(&mut network, -2.0 * step);
                    let below = network.loss(&input, &labels);
                    change(&mut network, step);
                    (above - below) / (2.0 * step)
                };
                let by_weight = slope(&|network, step| network.layers[index].0[place] += step);
                let by_bias = slope(&|network, step| network.layers[index].1[place.0] += step);
                // Rounding of a loss near 1, 1e-16, over the step; no kink lies within it.
                for (found, expected) in [(by_weights[place], by_weight), (by_biases[place.0], by_bias)] {
                    assert!((found - expected).abs() < 1e-8, "layer {index} {place:?}: {found} {expected}");
                }
            }
        }
    }
}

/// Images and the values they stand for, one a column; blank values are not 0.
fn normalised(images: Array2<u8>) -> (Samples, Array2<f64>) {
    let normaliser = Normaliser::fit(Normalisation::Global, &images.mapv(f64::from), Values::Mnist).unwrap();
    let normalised = normaliser.apply(images.mapv(f64::from)).unwrap();
    (Samples::of_images(images, &normaliser).unwrap(), normalised.reversed_axes())
}

/// 70 images of 30 pixels whose blanks stand together: at places, and in whole images.
fn mostly_blank() -> Array2<u8> {
    Array2::from_shape_fn((70, 30), |(i, j)| match (i, j) {
        (8..20, _) | (_, 16..27) => 0,
        _ if (i / 5 + j / 3) % 2 == 0 => 0,
        _ => (i * 29 + j * 53) as u8,
    })
}

/// Values as they are, images with blank pixels, and images with so many that a dense layer skips them.
fn all_kinds() -> [(Samples, Array2<f64>); 3] {
    let (input, _) = samples();
    let images = Array2::from_shape_fn((70, 30), |(i, j)| if j % 4 == 1 { 0 } else { (i * 29 + j * 53) as u8 });
    [(Samples::new(input.t().to_owned()), input.mapv(f64::from)), normalised(images), normalised(mostly_blank())]
}

#[test]
fn a_step_is_that_of_the_dense_masked_reference() {
    all_kinds().iter().for_each(|(samples, wide)| check_steps(samples, wide));
}

#[test]
fn only_a_dense_layer_and_only_many_blanks_take_quads() {
    let [values, few, many] = all_kinds().map(|(samples, _)| samples);
    let chosen: Vec<usize> = (0..70).collect();
    for (samples, hidden, connectivity, quads) in [
        (&values, 40, 1.0, false),
        (&few, 40, 1.0, false),
        (&many, 40, 1.0, true),
        (&many, 40, 0.7, true),
        (&many, 40, 0.3, false),
        (&many, 12, 1.0, false),
    ] {
        let law = law(hidden, [connectivity, 1.0, 1.0], Parametrisation::Standard, true, RELU);
        let network = Mlp::draw(&law, 3, 0).unwrap();
        let mut batch = Batch::default();
        network.fill(&mut batch, samples, &chosen).unwrap();
        assert_eq!(batch.pixels().is_some(), quads, "{hidden} {connectivity}");
        // And back.
        batch.fill(samples, &chosen).unwrap();
        assert!(batch.pixels().is_none());
        assert!(network.fill(&mut batch, samples, &[70]).is_err());
    }
}

#[test]
fn a_batch_for_a_dense_network_is_refused_by_a_sparse_one() {
    let (samples, _) = normalised(mostly_blank());
    let draw = |connectivity: f64| {
        Mlp::draw(&law(40, [connectivity, 1.0, 1.0], Parametrisation::Standard, false, RELU), 3, 0).unwrap()
    };
    let mut batch = Batch::default();
    draw(1.0).fill(&mut batch, &samples, &[3, 1, 69]).unwrap();
    let mut sparse = draw(0.2);
    let error = sparse.descend(&batch, &[0, 1, 2], 0.1).unwrap_err().to_string();
    assert!(error.contains("fill it for this network"), "{error}");
    sparse.fill(&mut batch, &samples, &[3, 1, 69]).unwrap();
    assert!(sparse.descend(&batch, &[0, 1, 2], 0.1).unwrap().is_finite());
}

#[test]
fn skipping_blanks_changes_rounding_only() {
    let (samples, _) = normalised(mostly_blank());
    let (blank, _) = normalised(Array2::zeros((70, 30)));
    let (_, labels) = self::samples();
    for connectivity in [1.0, 0.7] {
        for (samples, batch_size) in [(&samples, 70), (&samples, 33), (&samples, 1), (&blank, 70)] {
            let law = law(40, [connectivity, 1.0, 1.0], Parametrisation::NeuralTangent, true, RELU);
            let [mut skipping, mut plain, mut mixed] = [0; 3].map(|run| Mlp::draw(&law, 3, run).unwrap());
            let blocks = Blocks::new(samples);
            let [mut quads, mut rows] = [Batch::default(), Batch::default()];
            for chosen in (0..70).collect::<Vec<_>>().chunks(batch_size) {
                let labels = &labels[chosen[0]..=chosen[chosen.len() - 1]];
                skipping.fill(&mut quads, samples, chosen).unwrap();
                rows.fill(samples, chosen).unwrap();
                let losses = [
                    skipping.descend(&quads, labels, 2.0).unwrap(),
                    plain.descend(&rows, labels, 2.0).unwrap(),
                    // The other way of the two at every other step, and an evaluation in between.
                    mixed.descend(if chosen[0] % 2 == 0 { &quads } else { &rows }, labels, 2.0).unwrap(),
                ];
                mixed.evaluate(&blocks, &self::samples().1).unwrap();
                for loss in losses {
                    assert!((loss - losses[1]).abs() < 1e-4 * losses[1].max(1.0), "{losses:?}");
                }
            }
            assert_eq!(skipping.weights(), plain.weights());
            // At most 70 steps, each of which rounds weights of order 1 to 6e-8, and sums of 30 and 70 terms.
            let plain = plain.layers()[0].to_dense();
            for network in [skipping, mixed] {
                let found = network.layers()[0].to_dense();
                let error = found.iter().zip(&plain).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
                assert!(error < 1e-4, "{connectivity} {batch_size}: {error:e}");
            }
        }
    }
}

#[test]
fn outputs_do_not_depend_on_which_samples_stand_together() {
    let (samples, _) = normalised(mostly_blank());
    let mut network = Mlp::draw(&law(40, [1.0; 3], Parametrisation::NeuralTangent, true, RELU), 3, 0).unwrap();
    let whole = network.outputs(&Blocks::new(&samples)).unwrap();
    for order in [samples.order_by_blanks(), (0..70).rev().collect()] {
        let found = network.outputs(&Blocks::new(&samples.select(&order))).unwrap();
        for (place, sample) in order.iter().enumerate() {
            assert_eq!(found.row(place), whole.row(*sample), "to the bit");
        }
    }
}

fn check_steps(samples: &Samples, wide: &Array2<f64>) {
    let ((_, labels), rate) = (self::samples(), 3.0);
    for parametrisation in [Parametrisation::NeuralTangent, Parametrisation::Standard] {
        for (biases, between) in [(false, RELU), (true, RELU), (true, LINEAR), (false, BOTTLENECK)] {
            // Every kind of layer in every place: sparse, whole, and whole though some of its weights do not exist.
            for (hidden, connectivities) in [
                (40, [1.0, 1.0, 1.0]),
                (40, [0.3, 0.5, 1.0]),
                (40, [0.3, 1.0, 0.4]),
                (40, [0.7, 0.85, 0.9]),
                (12, [1.0, 0.5, 0.4]),
                (12, [0.85, 1.0, 0.9]),
            ] {
                let law = law(hidden, connectivities, parametrisation, biases, between);
                let mut network = Mlp::draw(&law, 3, 0).unwrap();
                let before = Reference::of(&network);
                let weights = network.weights();
                let mut batch = Batch::default();
                network.fill(&mut batch, samples, &(0..labels.len()).collect::<Vec<_>>()).unwrap();
                let evaluated = network.evaluate(&Blocks::new(samples), &labels).unwrap();
                let loss = network.descend(&batch, &labels, rate).unwrap();
                // Single precision sums of up to 70 terms: relative errors of order 1e-6.
                let expected = before.loss(wide, &labels);
                for loss in [loss, evaluated.loss] {
                    assert!((loss - expected).abs() < 1e-5 * expected, "{loss} {expected}");
                }
                assert_eq!(network.weights(), weights);
                let after = Reference::of(&network);
                for (index, (by_weights, by_biases)) in before.gradient(wide, &labels).into_iter().enumerate() {
                    let ((old, old_biases), (new, new_biases)) = (&before.layers[index], &after.layers[index]);
                    let scale = match parametrisation {
                        Parametrisation::NeuralTangent => 1.0 / old.ncols() as f64,
                        Parametrisation::Standard => 1.0,
                    };
                    let exists = old.mapv(|weight| f64::from(weight != 0.0));
                    let steps = by_weights * exists * (scale * f64::from(rate));
                    let largest = steps.iter().fold(0.0f64, |largest, step| largest.max(step.abs()));
                    assert!(largest > 1e-5, "the step must move something");
                    // The weights are of order 0.3, stored to 3e-8 of that.
                    let error = (old - &steps - new).iter().fold(0.0f64, |error, value| error.max(value.abs()));
                    assert!(
                        error < 1e-5 * largest + 5e-8,
                        "{parametrisation:?}, layer {index}: {error:e} of {largest:e}"
                    );
                    if biases {
                        let error = old_biases - &(by_biases * f64::from(rate)) - new_biases;
                        assert!(error.iter().all(|error| error.abs() < 1e-6), "layer {index}: {error}");
                    }
                }
            }
        }
    }
}
