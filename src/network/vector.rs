//! The inner loops over the samples of a batch, compiled for AVX-512, AVX2 and plain x86-64 and chosen at run time.
//!
//! No fused multiply-adds and a fixed number of lanes: the same bits on each.

use multiversion::multiversion;

use super::draw::SparseRows;
use crate::gram::lane_sum;

/// Samples that one pass over a row's weights keeps in registers.
const REGISTERS: usize = 64;

/// `output[i, :] = factor sum_j W_ij input[j, :]` for each row `i`: feature-major, `batch` samples a row.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn sparse_product(weights: &SparseRows, factor: f32, input: &[f32], output: &mut [f32], batch: usize) {
    for (i, output) in output.chunks_exact_mut(batch).enumerate() {
        let (columns, values) = weights.row(i);
        let mut blocks = output.chunks_exact_mut(REGISTERS);
        let mut start = 0;
        for block in &mut blocks {
            let mut sum = [0.0f32; REGISTERS];
            for (column, value) in columns.iter().zip(values) {
                let from = *column as usize * batch + start;
                let input = &input[from..from + REGISTERS];
                for lane in 0..REGISTERS {
                    sum[lane] += value * input[lane];
                }
            }
            for lane in 0..REGISTERS {
                block[lane] = factor * sum[lane];
            }
            start += REGISTERS;
        }
        let rest = blocks.into_remainder();
        rest.fill(0.0);
        for (column, value) in columns.iter().zip(values) {
            let from = *column as usize * batch + start;
            for (sum, input) in rest.iter_mut().zip(&input[from..from + batch - start]) {
                *sum += value * input;
            }
        }
        rest.iter_mut().for_each(|sum| *sum *= factor);
    }
}

/// `[value]_+`; a NaN stays one, so that a run that diverges is seen to.
pub fn relu(values: &mut [f32]) {
    for value in values {
        *value = if *value < 0.0 { 0.0 } else { *value };
    }
}

/// `input_gradient[j, :] += factor sum_i W_ij output_gradient[i, :]`: the transposed product.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn sparse_transposed_product(
    weights: &SparseRows,
    factor: f32,
    output_gradient: &[f32],
    input_gradient: &mut [f32],
    batch: usize,
) {
    for (i, gradient) in output_gradient.chunks_exact(batch).enumerate() {
        let (columns, values) = weights.row(i);
        for (column, value) in columns.iter().zip(values) {
            let from = *column as usize * batch;
            let value = factor * value;
            for (sum, gradient) in input_gradient[from..from + batch].iter_mut().zip(gradient) {
                *sum += value * gradient;
            }
        }
    }
}

/// `W_ij -= step output_gradient[i, :] . input[j, :]` for the weights that exist.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn sparse_update(weights: &mut SparseRows, step: f32, output_gradient: &[f32], input: &[f32], batch: usize) {
    const LANES: usize = 32;
    for (i, gradient) in output_gradient.chunks_exact(batch).enumerate() {
        for entry in weights.offsets[i]..weights.offsets[i + 1] {
            let from = weights.columns[entry] as usize * batch;
            let input = &input[from..from + batch];
            let mut lanes = [0.0f32; LANES];
            let (mut left, mut right) = (gradient.chunks_exact(LANES), input.chunks_exact(LANES));
            for (left, right) in (&mut left).zip(&mut right) {
                for lane in 0..LANES {
                    lanes[lane] += left[lane] * right[lane];
                }
            }
            for (lane, (left, right)) in left.remainder().iter().zip(right.remainder()).enumerate() {
                lanes[lane] += left * right;
            }
            weights.values[entry] -= step * lane_sum(lanes);
        }
    }
}

/// `sums[p] += rows[first[p]] rows[second[p]]` over the pairs `p`, in f64: one hidden unit's share of the kernels.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn add_pair_products(features: &[f32], pairs: &[(u32, u32)], sums: &mut [f64]) {
    for (sum, (first, second)) in sums.iter_mut().zip(pairs) {
        *sum += f64::from(features[*first as usize]) * f64::from(features[*second as usize]);
    }
}
