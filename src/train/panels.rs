//! A dense first layer on images whose blank pixels are left out.
//!
//! Weights are stored in *panels* of 16 outputs, one row of a cache line per input. So each pixel of four samples meets
//! one such row, wherever it is, and 4 x 16 sums stay in vector registers: nothing has to be packed, and pixels are
//! skipped as finely as four samples share them. The gradient is the same product, of the gradients by outputs, one row
//! per sample, with pixels taken four by four.
//!
//! A blank pixel would add a zero to a sum. So it does not matter to any bit which samples are taken together, and sums
//! are in order of pixels or samples, without fused multiply-adds: the same bits on each processor.

use std::ops::Range;

use multiversion::multiversion;
use ndarray::Array2;

use super::blocks::{Row, SAMPLES};
use super::quads::{Entry, QUAD, QUADS, Quads};

/// Outputs of a panel.
const LANES: usize = 16;

/// One number for each output of a panel, on a cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Vector([f32; LANES]);

const ZERO: Vector = Vector([0.0; LANES]);

/// The weights of a layer, panel by panel, each with a row per input; zeros beyond the last output.
#[derive(Clone, Debug)]
pub struct Panels {
    inputs: usize,
    outputs: usize,
    weights: Vec<Vector>,
    /// 1 where a weight exists and 0 elsewhere, where not all do.
    exists: Option<Vec<Vector>>,
}

/// A step of gradient descent, see [`super::rows::Descent`].
pub struct PanelDescent<'a> {
    /// The step size.
    pub step: f32,
    /// The pixels of the batch, and their offsets, which meet the sums: see [`Quads::fill_pixels`].
    pub pixels: &'a Quads,
    /// The gradient with respect to each output, block by block.
    pub gradients: &'a [Row],
    /// The sum of the gradient over all samples, for each output.
    pub sums: &'a [f32],
}

impl Panels {
    /// Takes weights of shape `(outputs, inputs)`, and a mask of that shape.
    pub fn new(weights: &Array2<f32>, mask: Option<&Array2<f32>>) -> Self {
        let (outputs, inputs) = weights.dim();
        let panels = |matrix: &Array2<f32>| {
            let mut panels = vec![ZERO; outputs.div_ceil(LANES) * inputs];
            for ((output, input), value) in matrix.indexed_iter() {
                panels[output / LANES * inputs + input].0[output % LANES] = *value;
            }
            panels
        };
        Self { inputs, outputs, weights: panels(weights), exists: mask.map(panels) }
    }

    /// The weights, shape `(outputs, inputs)`.
    pub fn to_dense(&self) -> Array2<f32> {
        Array2::from_shape_fn((self.outputs, self.inputs), |(output, input)| {
            self.weights[output / LANES * self.inputs + input].0[output % LANES]
        })
    }

    /// `sum_j W_ij offset_j` for each output.
    pub fn at_offsets(&self, offsets: &[f32]) -> Vec<f32> {
        let mut sums = Vec::with_capacity(self.outputs.next_multiple_of(LANES));
        for panel in self.weights.chunks_exact(self.inputs) {
            sums.extend(weighted_sum(panel, offsets).0);
        }
        sums.truncate(self.outputs);
        sums
    }

    /// `output_i = factor (start_i + sum_j W_ij input_j)` for one block of samples, or `least` where that is less;
    /// empty `starts` stand for zeros.
    pub fn forward(&self, samples: (&Quads, usize), starts: &[f32], factor: f32, output: &mut [Row], least: f32) {
        let (quads, block) = samples;
        let mut sums = [ZERO; SAMPLES];
        for (index, panel) in self.weights.chunks_exact(self.inputs).enumerate() {
            let outputs = self.outputs_of(index);
            let mut start = ZERO;
            if !starts.is_empty() {
                start.0[..outputs.len()].copy_from_slice(&starts[outputs.clone()]);
            }
            sums_of_samples((quads, block * QUADS), panel, &start, &mut sums);
            to_rows(&sums, factor, least, &mut output[outputs]);
        }
    }

    /// A step of gradient descent on the weights that exist.
    pub fn update(&mut self, descent: &PanelDescent) {
        let samples = descent.gradients.len() / self.outputs * SAMPLES;
        // After the samples, the sums.
        let mut gradients = vec![ZERO; samples + 1];
        for index in 0..self.outputs.div_ceil(LANES) {
            let outputs = self.outputs_of(index);
            let (of_samples, sums) = gradients.split_at_mut(samples);
            sums[0].0[..outputs.len()].copy_from_slice(&descent.sums[outputs.clone()]);
            let blocks = descent.gradients.chunks_exact(self.outputs).zip(of_samples.chunks_exact_mut(SAMPLES));
            blocks.for_each(|(rows, samples)| from_rows(&rows[outputs.clone()], samples));
            let of_panel = index * self.inputs..(index + 1) * self.inputs;
            let weights = &mut self.weights[of_panel.clone()];
            take_step(weights, descent.pixels, &gradients, descent.step);
            if let Some(exists) = &self.exists {
                keep(weights, &exists[of_panel]);
            }
        }
    }

    fn outputs_of(&self, panel: usize) -> Range<usize> {
        panel * LANES..((panel + 1) * LANES).min(self.outputs)
    }
}

/// For each of a quad: `start + sum value row`, over the entries of the quad, in their order.
#[inline(always)]
fn sums_of(quad: &[Entry], rows: &[Vector], start: [[f32; LANES]; QUAD]) -> [[f32; LANES]; QUAD] {
    let mut sums = start;
    for entry in quad {
        let row = &rows[entry.at as usize].0;
        for (sums, value) in sums.iter_mut().zip(entry.values) {
            sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum += value * weight);
        }
    }
    sums
}

/// These sums for each sample of a block, all from one start. In a function of its own, with nothing else done to the
/// sums: otherwise the compiler keeps them in memory.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn sums_of_samples((quads, first): (&Quads, usize), rows: &[Vector], start: &Vector, all: &mut [Vector; SAMPLES]) {
    for (index, all) in all.chunks_exact_mut(QUAD).enumerate() {
        let sums = sums_of(quads.quad(first + index), rows, [start.0; QUAD]);
        for (all, sums) in all.iter_mut().zip(sums) {
            all.0 = sums;
        }
    }
}

/// The step of one panel: `weight_j -= step sum_s pixel_sj gradient_s`.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn take_step(weights: &mut [Vector], pixels: &Quads, gradients: &[Vector], step: f32) {
    for (index, weights) in weights.chunks_mut(QUAD).enumerate() {
        let sums = sums_of(pixels.quad(index), gradients, [[0.0; LANES]; QUAD]);
        for (weight, sums) in weights.iter_mut().zip(sums) {
            weight.0.iter_mut().zip(sums).for_each(|(weight, sum)| *weight -= step * sum);
        }
    }
}

/// Turns the sums of 64 samples into rows, `factor sum` or `least` where that is less; a NaN stays a NaN.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn to_rows(sums: &[Vector; SAMPLES], factor: f32, least: f32, output: &mut [Row]) {
    for (lane, output) in output.iter_mut().enumerate() {
        for (sample, output) in output.iter_mut().enumerate() {
            let value = factor * sums[sample].0[lane];
            *output = if value < least { least } else { value };
        }
    }
}

/// The reverse of rows of 64 samples into one vector per sample; zeros beyond the last row.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn from_rows(rows: &[Row], samples: &mut [Vector]) {
    samples.fill(ZERO);
    for (lane, row) in rows.iter().enumerate() {
        for (sample, value) in samples.iter_mut().zip(row.iter()) {
            sample.0[lane] = *value;
        }
    }
}

/// `sum_j factor_j row_j`, in order.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn weighted_sum(rows: &[Vector], factors: &[f32]) -> Vector {
    let mut sum = ZERO;
    for (row, factor) in rows.iter().zip(factors) {
        sum.0.iter_mut().zip(row.0).for_each(|(sum, weight)| *sum += weight * factor);
    }
    sum
}

/// Sets weights that do not exist back to 0.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn keep(weights: &mut [Vector], exists: &[Vector]) {
    for (weight, exists) in weights.iter_mut().zip(exists) {
        weight.0.iter_mut().zip(exists.0).for_each(|(weight, exists)| *weight *= exists);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::SparseRows;
    use crate::train::blocks::Input;
    use crate::train::rows::sparse_forward;

    fn weights(outputs: usize, inputs: usize) -> Array2<f32> {
        Array2::from_shape_fn((outputs, inputs), |(i, j)| ((i * 37 + j * 11) % 17) as f32 / 8.0 - 0.9)
    }

    /// Images of which most pixels are blank; those from `blank` on are so altogether.
    fn images(samples: usize, inputs: usize, blank: usize) -> Vec<u8> {
        let pixel = |place: usize| match (place / inputs, place % inputs) {
            (sample, feature) if sample < blank && (sample + feature) % 5 < 2 => (place * 29 % 251) as u8,
            _ => 0,
        };
        (0..samples * inputs).map(pixel).collect()
    }

    fn all_rows(weights: &Array2<f32>) -> SparseRows {
        let (outputs, inputs) = weights.dim();
        SparseRows {
            offsets: (0..=outputs).map(|output| output * inputs).collect(),
            columns: (0..outputs).flat_map(|_| 0..inputs as u32).collect(),
            values: weights.iter().copied().collect(),
        }
    }

    #[test]
    fn panels_hold_the_weights_and_their_sums_at_the_offsets() {
        for (outputs, inputs) in [(1, 1), (16, 3), (40, 13)] {
            let weights = weights(outputs, inputs);
            let panels = Panels::new(&weights, None);
            assert_eq!(panels.to_dense(), weights);
            let offsets: Vec<f32> = (0..inputs).map(|input| input as f32 / 4.0 - 1.0).collect();
            let expected: Vec<f32> = weights
                .outer_iter()
                .map(|row| row.iter().zip(&offsets).map(|(weight, offset)| weight * offset).sum())
                .collect();
            assert_eq!(panels.at_offsets(&offsets), expected);
        }
    }

    #[test]
    fn outputs_are_those_of_sparse_rows_to_the_bit() {
        // Both add in the order of pixels, and a blank adds nothing: whichever samples share a quad.
        for (outputs, inputs, blank) in [(40, 13, 64), (16, 1, 64), (33, 30, 9), (33, 30, 0)] {
            let (weights, bytes) = (weights(outputs, inputs), images(64, inputs, blank));
            let factors: Vec<f32> = (0..inputs).map(|input| 0.01 + input as f32 / 999.0).collect();
            let starts: Vec<f32> = (0..outputs).map(|output| output as f32 / 7.0 - 2.0).collect();
            let mut rows = vec![Row::ZERO; inputs];
            for (feature, row) in rows.iter_mut().enumerate() {
                for (sample, value) in row.iter_mut().enumerate() {
                    *value = f32::from(bytes[sample * inputs + feature]) * factors[feature];
                }
            }
            let mut quads = Quads::default();
            let mut packed = Quads::default();
            packed.pack_samples(&bytes, inputs, 0..64);
            quads.fill_samples(&packed, 0..QUADS, &factors);
            for (starts, least) in [(&starts[..], 0.0), (&[], f32::NEG_INFINITY)] {
                let (mut found, mut expected) = (vec![Row::ZERO; outputs], vec![Row::ZERO; outputs]);
                Panels::new(&weights, None).forward((&quads, 0), starts, 0.3, &mut found, least);
                let input = Input { rows: &rows, places: None };
                sparse_forward(&all_rows(&weights), starts, 0.3, input, &mut expected, least);
                for (found, expected) in found.iter().zip(&expected) {
                    assert_eq!(**found, **expected);
                }
            }
        }
    }

    #[test]
    fn a_step_is_that_of_the_definition() {
        for (outputs, inputs, samples, blank) in [(40, 13, 100, 100), (16, 1, 3, 3), (33, 30, 64, 9), (33, 30, 64, 0)] {
            let (before, bytes) = (weights(outputs, inputs), images(samples, inputs, blank));
            let mask = Array2::from_shape_fn((outputs, inputs), |(i, j)| f32::from(u8::from((i + j) % 7 > 0)));
            let before = before * &mask;
            let factors: Vec<f32> = (0..inputs).map(|input| 0.01 + input as f32 / 999.0).collect();
            let offsets: Vec<f32> = (0..inputs).map(|input| 0.5 - input as f32 / 20.0).collect();
            let chosen: Vec<usize> = (0..samples).collect();
            let mut packed = Quads::default();
            packed.pack_pixels(&bytes, inputs, &chosen);
            let gradient = |output: usize, sample: usize| ((output * 5 + sample * 3) % 11) as f32 / 16.0 - 0.3;
            let mut gradients = vec![Row::ZERO; samples.div_ceil(SAMPLES) * outputs];
            for (sample, output) in chosen.iter().flat_map(|sample| (0..outputs).map(move |output| (*sample, output))) {
                gradients[sample / SAMPLES * outputs + output][sample % SAMPLES] = gradient(output, sample);
            }
            let sums: Vec<f32> =
                (0..outputs).map(|output| chosen.iter().map(|sample| gradient(output, *sample)).sum()).collect();
            for (exists, offsets) in [(None, &offsets[..]), (Some(&mask), &offsets[..]), (None, &[])] {
                let mut panels = Panels::new(&before, exists);
                let mut pixels = Quads::default();
                pixels.fill_pixels(&packed, (&factors, offsets), samples.next_multiple_of(SAMPLES));
                panels.update(&PanelDescent { step: 0.1, pixels: &pixels, gradients: &gradients, sums: &sums });
                for ((place, after), before) in panels.to_dense().indexed_iter().zip(&before) {
                    let (output, input) = place;
                    let value = |sample: usize| {
                        f64::from(factors[input]) * f64::from(bytes[sample * inputs + input])
                            + offsets.get(input).map_or(0.0, |offset| f64::from(*offset))
                    };
                    let slope: f64 =
                        chosen.iter().map(|sample| f64::from(gradient(output, *sample)) * value(*sample)).sum();
                    let exists = exists.map_or(1.0, |exists| f64::from(exists[place]));
                    let expected = (f64::from(*before) - 0.1 * slope) * exists;
                    // Sums of 100 terms below 1 in single precision.
                    assert!((f64::from(*after) - expected).abs() < 1e-5, "{place:?}: {after} {expected}");
                }
            }
        }
    }
}
