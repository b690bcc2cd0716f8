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
use super::quads::{QUAD, QUADS, Quads};

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
    /// The pixels of the batch.
    pub pixels: &'a Quads,
    /// The gradient with respect to each output, block by block.
    pub gradients: &'a [Row],
    /// The constant offset of each input.
    pub offsets: &'a [f32],
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
            quad_sums((quads, block * QUADS), panel, &start, &mut sums);
            to_rows(&sums, factor, least, &mut output[outputs]);
        }
    }

    /// A step of gradient descent on the weights that exist.
    pub fn update(&mut self, descent: &PanelDescent) {
        let blocks = descent.gradients.len() / self.outputs;
        let mut of_samples = vec![ZERO; blocks * SAMPLES];
        let mut gradients = [ZERO; SAMPLES];
        for index in 0..self.outputs.div_ceil(LANES) {
            let outputs = self.outputs_of(index);
            let mut sum = ZERO;
            if !descent.offsets.is_empty() {
                sum.0[..outputs.len()].copy_from_slice(&descent.sums[outputs.clone()]);
            }
            for (rows, samples) in
                descent.gradients.chunks_exact(self.outputs).zip(of_samples.chunks_exact_mut(SAMPLES))
            {
                from_rows(&rows[outputs.clone()], samples);
            }
            for first in (0..descent.pixels.len()).step_by(QUADS) {
                let quads = QUADS.min(descent.pixels.len() - first);
                let gradients = &mut gradients[..QUAD * quads];
                quad_sums((descent.pixels, first), &of_samples, &ZERO, gradients);
                let inputs = QUAD * first..(QUAD * (first + quads)).min(self.inputs);
                let at = index * self.inputs + inputs.start..index * self.inputs + inputs.end;
                let offsets = if descent.offsets.is_empty() { &[] } else { &descent.offsets[inputs] };
                take_step(&mut self.weights[at.clone()], descent.step, gradients, offsets, &sum);
                if let Some(exists) = &self.exists {
                    keep(&mut self.weights[at.clone()], &exists[at]);
                }
            }
        }
    }

    fn outputs_of(&self, panel: usize) -> Range<usize> {
        panel * LANES..((panel + 1) * LANES).min(self.outputs)
    }
}

/// For each of some quads, from one on, and each of its four: `start + sum value row`, over the entries of the quad, in
/// their order. In a function of its own, with nothing else done to the sums: otherwise the compiler keeps them in
/// memory.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn quad_sums((quads, first): (&Quads, usize), rows: &[Vector], start: &Vector, all: &mut [Vector]) {
    for (index, all) in all.chunks_exact_mut(QUAD).enumerate() {
        let mut sums = [start.0; QUAD];
        for entry in quads.quad(first + index) {
            let row = &rows[entry.at as usize].0;
            for (sums, value) in sums.iter_mut().zip(entry.values) {
                for lane in 0..LANES {
                    sums[lane] += value * row[lane];
                }
            }
        }
        for (all, sums) in all.iter_mut().zip(sums) {
            all.0 = sums;
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
        for lane in 0..LANES {
            sum.0[lane] += row.0[lane] * factor;
        }
    }
    sum
}

/// `weight_j -= step (gradient_j + offset_j sum)`; empty offsets stand for zeros.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn take_step(weights: &mut [Vector], step: f32, gradients: &[Vector], offsets: &[f32], sum: &Vector) {
    for (j, (weight, gradient)) in weights.iter_mut().zip(gradients).enumerate() {
        let offset = if offsets.is_empty() { 0.0 } else { offsets[j] };
        for lane in 0..LANES {
            weight.0[lane] += -step * (gradient.0[lane] + offset * sum.0[lane]);
        }
    }
}

/// Sets weights that do not exist back to 0.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn keep(weights: &mut [Vector], exists: &[Vector]) {
    for (weight, exists) in weights.iter_mut().zip(exists) {
        for lane in 0..LANES {
            weight.0[lane] *= exists.0[lane];
        }
    }
}
