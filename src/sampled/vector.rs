//! The inner loops over inputs of sampled kernels, compiled for AVX-512, AVX2 and plain x86-64 and chosen at run time.
//!
//! No fused multiply-adds and a fixed number of lanes: the same bits on each.

use multiversion::multiversion;

use crate::network::SparseRows;

/// Samples that one pass over a row's weights keeps in registers.
const REGISTERS: usize = 64;

/// `output[i, :] = sum_j W_ij input[j, :]` for each row `i`: feature-major, `batch` samples per row.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn sparse_product(weights: &SparseRows, input: &[f32], output: &mut [f32], batch: usize) {
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
            block.copy_from_slice(&sum);
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
    }
}

/// `gain H(feature) entry` of each sample: the feature of a weight that leads from that entry to a unit.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn active_entries(features: &[f32], entries: &[f32], gain: f32, output: &mut [f32]) {
    for ((output, feature), entry) in output.iter_mut().zip(features).zip(entries) {
        *output = if *feature > 0.0 { gain * entry } else { 0.0 };
    }
}

/// `[value]_+`.
pub fn relu(values: &mut [f32]) {
    for value in values {
        *value = if *value < 0.0 { 0.0 } else { *value };
    }
}

/// `sums[p] += gains[first[p]] gains[second[p]] products[p]` over the pairs `p`, in f64: what the weights that lead to
/// one unit add to the tangent kernels.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn add_weighted_products(gains: &[f32], products: &[f32], pairs: &[(u32, u32)], sums: &mut [f64]) {
    for ((sum, (first, second)), product) in sums.iter_mut().zip(pairs).zip(products) {
        let gain = f64::from(gains[*first as usize]) * f64::from(gains[*second as usize]);
        *sum += gain * f64::from(*product);
    }
}

/// `sums[p] += features[first[p]] features[second[p]] + factor products[p]` over the pairs `p` whose two features are
/// positive, in f64: the same and the readout's share together, for a ReLU unit before the readout.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn add_active_products(features: &[f32], products: &[f32], factor: f64, pairs: &[(u32, u32)], sums: &mut [f64]) {
    for ((sum, (first, second)), product) in sums.iter_mut().zip(pairs).zip(products) {
        let feature = f64::from(features[*first as usize]) * f64::from(features[*second as usize]);
        // Without a branch, which the processor would guess wrongly for a quarter of the pairs.
        let active = f64::from(u8::from(feature > 0.0));
        *sum += feature + active * factor * f64::from(*product);
    }
}

/// `sums[p] += rows[first[p]] rows[second[p]]` over the pairs `p`, in f64: one hidden unit's share of the kernels.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn add_pair_products(features: &[f32], pairs: &[(u32, u32)], sums: &mut [f64]) {
    for (sum, (first, second)) in sums.iter_mut().zip(pairs) {
        *sum += f64::from(features[*first as usize]) * f64::from(features[*second as usize]);
    }
}
