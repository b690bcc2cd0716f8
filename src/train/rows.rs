//! The inner loops of training over blocks of 64 samples, compiled for AVX-512, AVX2 and plain x86-64 and chosen at run
//! time.
//!
//! A block is one [`Row`] per feature; gradients with respect to weights are summed over all blocks of a batch. Sums
//! for one row of samples, or for a few, stay in registers. No fused multiply-adds and a fixed order: the same bits on
//! each processor.

use multiversion::multiversion;

use super::blocks::{Input, Row, SAMPLES};
use crate::network::SparseRows;
use crate::numeric::simd::lane_sum;

/// The most outputs of a dense layer that is multiplied here: for so few, a general product would not gain what packing
/// its matrices costs.
pub const MOST_OUTPUTS: usize = 32;
/// Outputs whose sums are kept in registers at a time.
const GROUP: usize = 5;

/// `output_i = factor (start_i + sum_j W_ij input_j)`, or `least` where that is less: 0 for a rectified layer. Empty
/// `starts` stand for zeros.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn sparse_forward(weights: &SparseRows, starts: &[f32], factor: f32, input: Input, output: &mut [Row], least: f32) {
    let ends = (factor, least);
    match input.places {
        None => sparse_rows::<false>(weights, starts, ends, input.rows, &[], output),
        Some(places) => sparse_rows::<true>(weights, starts, ends, input.rows, places, output),
    }
}

#[inline(always)]
fn sparse_rows<const PLACED: bool>(
    weights: &SparseRows,
    starts: &[f32],
    (factor, least): (f32, f32),
    input: &[Row],
    places: &[u32],
    output: &mut [Row],
) {
    for (i, output) in output.iter_mut().enumerate() {
        let (columns, values) = weights.row(i);
        let mut sum = [start(starts, i); SAMPLES];
        for (column, value) in columns.iter().zip(values) {
            let column = *column as usize;
            let input = &input[if PLACED { places[column] as usize } else { column }];
            for lane in 0..SAMPLES {
                sum[lane] += value * input[lane];
            }
        }
        for lane in 0..SAMPLES {
            output[lane] = raised(factor * sum[lane], least);
        }
    }
}

#[inline(always)]
fn start(starts: &[f32], output: usize) -> f32 {
    if starts.is_empty() { 0.0 } else { starts[output] }
}

/// `input_gradient_j = factor sum_i W_ij output_gradient_i`.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn sparse_backward(weights: &SparseRows, factor: f32, output_gradient: &[Row], input_gradient: &mut [Row]) {
    input_gradient.fill(Row::ZERO);
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

/// The arguments of a step of gradient descent.
pub struct Descent<'a> {
    /// The step size: weights change by minus this times their gradient.
    pub step: f32,
    /// The inputs of each block, without their offsets, and the gradient with respect to each output.
    pub blocks: &'a [(Input<'a>, &'a [Row])],
    /// The constant offset of each input; empty where all are zero.
    pub offsets: &'a [f32],
    /// The sum of the gradient over all samples, for each output; used only with offsets.
    pub sums: &'a [f32],
}

/// Weights that are updated together.
const TOGETHER: usize = 16;
/// The partial sums of a row that are left before the last sums are taken.
const LEFT: usize = 16;

impl Descent<'_> {
    /// The gradient with respect to the weight from input `j` to output `i`, in parts: `output_gradient_i . input_j`.
    ///
    /// The last sums are taken elsewhere: if they were taken here, the compiler would keep all sums in memory.
    #[inline(always)]
    fn gradient(&self, i: usize, j: usize, parts: &mut [f32; LEFT]) {
        let mut sums = [0.0f32; LEFT];
        for (input, gradient) in self.blocks {
            let place = input.places.map_or(j, |places| places[j] as usize);
            let (input, gradient) = (&input.rows[place], &gradient[i]);
            for start in (0..SAMPLES).step_by(LEFT) {
                for lane in 0..LEFT {
                    sums[lane] += input[start + lane] * gradient[start + lane];
                }
            }
        }
        *parts = sums;
    }

    /// The change of the same weight.
    #[inline(always)]
    fn change(&self, i: usize, j: usize, parts: &[f32; LEFT]) -> f32 {
        let beside = if self.offsets.is_empty() { 0.0 } else { self.offsets[j] * self.sums[i] };
        -self.step * (lane_sum(*parts) + beside)
    }
}

/// A step of gradient descent on the weights that exist.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn sparse_update(weights: &mut SparseRows, descent: &Descent) {
    let mut parts = [[0.0; LEFT]; TOGETHER];
    for i in 0..weights.rows() {
        let range = weights.offsets[i]..weights.offsets[i + 1];
        let (columns, values) = (&weights.columns[range.clone()], &mut weights.values[range]);
        for (columns, values) in columns.chunks(TOGETHER).zip(values.chunks_mut(TOGETHER)) {
            for (column, parts) in columns.iter().zip(&mut parts) {
                descent.gradient(i, *column as usize, parts);
            }
            for ((column, parts), value) in columns.iter().zip(&parts).zip(values) {
                *value += descent.change(i, *column as usize, parts);
            }
        }
    }
}

/// The sum of a row. Its first steps are in a separate loop of fixed length; otherwise the compiler keeps the row in
/// memory.
#[inline(always)]
fn row_sum(row: &[f32; SAMPLES]) -> f32 {
    let mut sums = [0.0f32; SAMPLES / 4];
    for lane in 0..SAMPLES / 4 {
        sums[lane] = (row[lane] + row[lane + 32]) + (row[lane + 16] + row[lane + 48]);
    }
    lane_sum(sums)
}

/// [`sparse_forward`] for a dense layer of few outputs, its weights of shape `(outputs, inputs)`.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn narrow_forward(weights: &[f32], starts: &[f32], factor: f32, input: Input, output: &mut [Row], least: f32) {
    let (inputs, outputs, filled) = (weights.len() / output.len(), output.len(), input.filled());
    for first in (0..outputs).step_by(GROUP) {
        // Beyond the last output the last is summed again, and left out below.
        let output_of = |c: usize| (first + c).min(outputs - 1);
        let of: [&[f32]; GROUP] = std::array::from_fn(|c| &weights[output_of(c) * inputs..][..inputs]);
        let mut sums: [[f32; SAMPLES]; GROUP] = std::array::from_fn(|c| [start(starts, output_of(c)); SAMPLES]);
        for (j, place) in &filled {
            let input = &input.rows[*place as usize];
            for (sums, of) in sums.iter_mut().zip(of) {
                let weight = of[*j as usize];
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
        **sum = sums;
    }
}

/// [`sparse_update`] for such a layer.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn narrow_update(weights: &mut [f32], outputs: usize, descent: &Descent) {
    let inputs = weights.len() / outputs;
    // Input by input, whose rows are read once, while the gradients stay in a first-level cache.
    let mut parts = [[0.0; LEFT]; MOST_OUTPUTS];
    for j in 0..inputs {
        for (i, parts) in parts.iter_mut().enumerate().take(outputs) {
            descent.gradient(i, j, parts);
        }
        for (i, parts) in parts.iter().enumerate().take(outputs) {
            weights[i * inputs + j] += descent.change(i, j, parts);
        }
    }
}

/// The value, or `least` where it is less; a NaN stays a NaN, so that a run that diverges is noticed.
#[inline(always)]
fn raised(value: f32, least: f32) -> f32 {
    if value < least { least } else { value }
}

/// Completes a product that was computed without its starts: adds `factor start_i`, and takes `least` where the sum is
/// less.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn finish(rows: &mut [Row], starts: &[f32], factor: f32, least: f32) {
    for (i, row) in rows.iter_mut().enumerate() {
        let start = factor * start(starts, i);
        row.iter_mut().for_each(|value| *value = raised(*value + start, least));
    }
}

/// The sum of each row over all samples of all blocks.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn row_sums(blocks: &[&[Row]], rows: usize) -> Vec<f32> {
    let of_row = |i: usize| {
        let mut lanes = [0.0f32; SAMPLES];
        for rows in blocks {
            for lane in 0..SAMPLES {
                lanes[lane] += rows[i][lane];
            }
        }
        row_sum(&lanes)
    };
    (0..rows).map(of_row).collect()
}

/// The number of the largest output of each sample, the first of equal ones.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn largest(outputs: &[Row]) -> [u32; SAMPLES] {
    let (mut best, mut answers) = (*outputs[0], [0u32; SAMPLES]);
    for (class, outputs) in outputs.iter().enumerate().skip(1) {
        for lane in 0..SAMPLES {
            let above = outputs[lane] > best[lane];
            answers[lane] = if above { class as u32 } else { answers[lane] };
            best[lane] = if above { outputs[lane] } else { best[lane] };
        }
    }
    answers
}

/// Turns the gradient with respect to the output of a ReLU into that with respect to its input: 0 where the output is
/// 0.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn relu_backward(gradient: &mut [Row], activation: &[Row]) {
    for (gradient, activation) in gradient.iter_mut().zip(activation) {
        for lane in 0..SAMPLES {
            gradient[lane] = if activation[lane] > 0.0 { gradient[lane] } else { 0.0 };
        }
    }
}

/// For each sample of a block: the largest output, the sum of `e^(output - largest)`, and those exponentials.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn exponentials(outputs: &[Row], exponentials: &mut [Row]) -> ([f32; SAMPLES], [f32; SAMPLES]) {
    let mut largest = *outputs[0];
    for output in outputs {
        for lane in 0..SAMPLES {
            // A NaN stays a NaN.
            largest[lane] = if output[lane] <= largest[lane] { largest[lane] } else { output[lane] };
        }
    }
    let mut sums = [0.0f32; SAMPLES];
    for (output, exponentials) in outputs.iter().zip(exponentials) {
        for lane in 0..SAMPLES {
            exponentials[lane] = exponential(output[lane] - largest[lane]);
            sums[lane] += exponentials[lane];
        }
    }
    (largest, sums)
}

/// `e^x` for `x <= 0` to 2 units in the last place; `e^-87` below -87. Cephes' polynomial (Moshier), for loops that
/// vectorise.
#[inline(always)]
fn exponential(x: f32) -> f32 {
    // Adding it rounds to a whole number, which then stands in the last bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, of which the first has few bits.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    const POLYNOMIAL: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_6e-1, 0.5];
    let x = if x < -87.0 { -87.0 } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let power = rounded - ROUND;
    let rest = x - power * LN_2[0] - power * LN_2[1];
    let sum = POLYNOMIAL.iter().fold(0.0, |sum, coefficient| sum * rest + coefficient);
    let scale = f32::from_bits((rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127)) << 23);
    (sum * rest * rest + rest + 1.0) * scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_right_to_two_units_in_the_last_place() {
        for step in 0..=1_000_000 {
            let x = -87.0 * step as f32 / 1e6;
            let (found, right) = (f64::from(exponential(x)), f64::from(x).exp());
            assert!((found / right - 1.0).abs() < 2.0 * f64::from(f32::EPSILON), "{x}: {found} {right}");
        }
        assert!(exponential(-1e30) < 1e-37 && exponential(f32::NAN).is_nan());
    }
}
