//! The inner loops of training over blocks of 64 samples, compiled for AVX-512, AVX2 and plain x86-64 and chosen at run time.
//!
//! A block is one [`Row`] a feature; gradients by weights are summed over all blocks of a batch. Sums for one row of samples, or
//! for a few, stay in registers. No fused multiply-adds and a fixed order: the same bits on each processor.

use multiversion::multiversion;

use super::blocks::{Row, SAMPLES};
use super::draw::SparseRows;
use crate::gram::lane_sum;

/// The most outputs of a dense layer that is multiplied here: a general product would pack its matrices for little.
pub const MOST_OUTPUTS: usize = 32;
/// Outputs whose sums are kept in registers at a time.
const GROUP: usize = 5;

/// `output_i = factor sum_j W_ij input_j`, or `least` where that is less: 0 for a rectified layer.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn sparse_forward(weights: &SparseRows, factor: f32, input: &[Row], output: &mut [Row], least: f32) {
    for (i, output) in output.iter_mut().enumerate() {
        let (columns, values) = weights.row(i);
        let mut sum = [0.0f32; SAMPLES];
        for (column, value) in columns.iter().zip(values) {
            let input = &input[*column as usize];
            for lane in 0..SAMPLES {
                sum[lane] += value * input[lane];
            }
        }
        for lane in 0..SAMPLES {
            output[lane] = raised(factor * sum[lane], least);
        }
    }
}

/// `input_gradient_j = factor sum_i W_ij output_gradient_i`.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn sparse_backward(weights: &SparseRows, factor: f32, output_gradient: &[Row], input_gradient: &mut [Row]) {
    input_gradient.fill([0.0; SAMPLES]);
    for (i, gradient) in output_gradient.iter().enumerate() {
        let (columns, values) = weights.row(i);
        for (column, value) in columns.iter().zip(values) {
            let value = factor * value;
            let sum = &mut input_gradient[*column as usize];
            for lane in 0..SAMPLES {
                sum[lane] += value * gradient[lane];
            }
        }
    }
}

/// `W_ij -= step output_gradient_i . input_j` for the weights that exist, summed over blocks of `inputs` and `outputs` rows.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn sparse_update(
    weights: &mut SparseRows,
    step: f32,
    output_gradient: &[Row],
    input: &[Row],
    (inputs, outputs): (usize, usize),
) {
    for i in 0..outputs {
        for entry in weights.offsets[i]..weights.offsets[i + 1] {
            let j = weights.columns[entry] as usize;
            weights.values[entry] -= step * inner_product((output_gradient, outputs, i), (input, inputs, j));
        }
    }
}

/// The sum over all samples of row `i` of blocks of some rows times row `j` of others.
#[inline(always)]
fn inner_product((left, lefts, i): (&[Row], usize, usize), (right, rights, j): (&[Row], usize, usize)) -> f32 {
    let mut lanes = [0.0f32; SAMPLES];
    for (left, right) in left.chunks_exact(lefts).zip(right.chunks_exact(rights)) {
        let (left, right) = (&left[i], &right[j]);
        for lane in 0..SAMPLES {
            lanes[lane] += left[lane] * right[lane];
        }
    }
    lane_sum(lanes)
}

/// [`sparse_forward`] for a dense layer of few outputs, its weights of shape `(outputs, inputs)`.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn narrow_forward(weights: &[f32], factor: f32, input: &[Row], output: &mut [Row], least: f32) {
    let (inputs, outputs) = (input.len(), output.len());
    for first in (0..outputs).step_by(GROUP) {
        // Beyond the last output the last is summed again, and left out below.
        let of: [&[f32]; GROUP] = std::array::from_fn(|c| &weights[(first + c).min(outputs - 1) * inputs..][..inputs]);
        let mut sums = [[0.0f32; SAMPLES]; GROUP];
        for (j, input) in input.iter().enumerate() {
            for (sums, of) in sums.iter_mut().zip(of) {
                let weight = of[j];
                for lane in 0..SAMPLES {
                    sums[lane] += weight * input[lane];
                }
            }
        }
        for (output, sums) in output[first..].iter_mut().zip(&sums) {
            for lane in 0..SAMPLES {
                output[lane] = raised(factor * sums[lane], least);
            }
        }
    }
}

/// [`sparse_backward`] for such a layer.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn narrow_backward(weights: &[f32], factor: f32, output_gradient: &[Row], input_gradient: &mut [Row]) {
    let inputs = input_gradient.len();
    for (j, sum) in input_gradient.iter_mut().enumerate() {
        let mut sums = [0.0f32; SAMPLES];
        for (i, gradient) in output_gradient.iter().enumerate() {
            let weight = factor * weights[i * inputs + j];
            for lane in 0..SAMPLES {
                sums[lane] += weight * gradient[lane];
            }
        }
        *sum = sums;
    }
}

/// [`sparse_update`] for such a layer.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn narrow_update(
    weights: &mut [f32],
    step: f32,
    output_gradient: &[Row],
    input: &[Row],
    (inputs, outputs): (usize, usize),
) {
    // Input by input, whose rows are read once, while the gradients stay in a first-level cache.
    for j in 0..inputs {
        for i in 0..outputs {
            weights[i * inputs + j] -= step * inner_product((output_gradient, outputs, i), (input, inputs, j));
        }
    }
}

/// The value, or `least` where it is less; a NaN stays one, so that a run that diverges is seen to.
#[inline(always)]
fn raised(value: f32, least: f32) -> f32 {
    if value < least { least } else { value }
}

/// Each value, or `least` where it is less.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn raise(rows: &mut [Row], least: f32) {
    rows.as_flattened_mut().iter_mut().for_each(|value| *value = raised(*value, least));
}

/// The number of the largest output of each sample, the first of equal ones.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn largest(outputs: &[Row]) -> [u32; SAMPLES] {
    let (mut best, mut answers) = (outputs[0], [0u32; SAMPLES]);
    for (class, outputs) in outputs.iter().enumerate().skip(1) {
        for lane in 0..SAMPLES {
            let above = outputs[lane] > best[lane];
            answers[lane] = if above { class as u32 } else { answers[lane] };
            best[lane] = if above { outputs[lane] } else { best[lane] };
        }
    }
    answers
}

/// Adds the bias of each row, and takes `least` where the sum is less.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn add_biases(rows: &mut [Row], biases: &[f32], least: f32) {
    for (row, bias) in rows.iter_mut().zip(biases) {
        row.iter_mut().for_each(|value| *value = raised(*value + bias, least));
    }
}

/// `bias_i -= step sum output_gradient_i`, summed over blocks.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn update_biases(biases: &mut [f32], step: f32, output_gradient: &[Row]) {
    for gradient in output_gradient.chunks_exact(biases.len()) {
        for (bias, gradient) in biases.iter_mut().zip(gradient) {
            *bias -= step * lane_sum(*gradient);
        }
    }
}

/// The gradient by what was rectified: 0 where the outcome is.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn relu_backward(gradient: &mut [Row], activation: &[Row]) {
    for (gradient, activation) in gradient.as_flattened_mut().iter_mut().zip(activation.as_flattened()) {
        *gradient = if *activation > 0.0 { *gradient } else { 0.0 };
    }
}
