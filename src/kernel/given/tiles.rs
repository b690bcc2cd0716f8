//! The mean kernel of a given mask for every input of one set with every input of another, tile by tile.

use std::ops::Range;

use ndarray::{Array2, ArrayView1};

use super::GivenMask;
use super::sums::{Moments, unit};
use crate::data::PreparedInputs;
use crate::error::Result;
use crate::kernel::masked::tangent_sum::FineGram;
use crate::kernel::ntk::{Kernel, Tangent};
use crate::numeric::linalg::product;

/// A set of inputs, and powers of two near the largest entry of each, by which they are divided.
pub(crate) struct MaskTiles {
    inputs: PreparedInputs,
    units: Vec<f64>,
}

impl MaskTiles {
    pub fn new(inputs: &PreparedInputs) -> Self {
        let units = (0..inputs.samples()).map(|row| unit(inputs.row(row))).collect();
        Self { inputs: inputs.clone(), units }
    }

    /// Some columns of some rows, divided by their units.
    fn gather(&self, rows: Range<usize>, columns: &[u32], to: &mut Array2<f64>) {
        if to.dim() != (rows.len(), columns.len()) {
            *to = Array2::zeros((rows.len(), columns.len()));
        }
        for (row, mut to) in rows.zip(to.outer_iter_mut()) {
            let (entries, over) = (self.inputs.row(row), 1.0 / self.units[row]);
            to.iter_mut().zip(columns).for_each(|(to, column)| *to = entries[*column as usize] * over);
        }
    }
}

impl GivenMask {
    /// `1/(n d) sum_i sigma_i^2 K_1(s_i)`, for the tangent kernel with `K_1 + tau_i C K_0`, over some rows of one set
    /// and some of another.
    pub(crate) fn tile(
        &self,
        kernel: Kernel,
        (left, rows): (&MaskTiles, Range<usize>),
        (right, columns): (&MaskTiles, Range<usize>),
    ) -> Result<Array2<f64>> {
        let shape = (rows.len(), columns.len());
        let mut sums = Array2::zeros(shape);
        let [mut first, mut second, mut products] = [(); 3].map(|()| Array2::zeros((0, 0)));
        let mut moments = Moments::new(shape.1);
        let mut a = vec![0.0; shape.1];
        for (kept, own) in self.rows().zip(&self.variances).filter(|(kept, _)| !kept.is_empty()) {
            let tau = match kernel {
                Kernel::Nngp => 0.0,
                Kernel::Ntk(Tangent::Standardised) => 1.0,
                Kernel::Ntk(Tangent::Paper) => 1.0 / own,
            };
            left.gather(rows.clone(), kept, &mut first);
            right.gather(columns.clone(), kept, &mut second);
            if products.dim() != shape {
                products = Array2::zeros(shape);
            }
            product(first.view(), second.t(), 1.0, false, products.view_mut())?;
            let square = |row: ArrayView1<f64>| row.iter().map(|entry| entry * entry).sum::<f64>();
            let b: Vec<f64> = second.outer_iter().map(square).collect();
            for (row, mut sums) in sums.outer_iter_mut().enumerate() {
                a.fill(square(first.row(row)));
                moments.set_parts(&a, &b, products.row(row).to_slice().expect("standard layout: made so above"));
                let sums = sums.as_slice_mut().expect("standard layout: made so above");
                moments.add_means(*own, tau, sums);
                if kernel == Kernel::Nngp {
                    continue;
                }
                for place in moments.nearly_parallel() {
                    let entries = first.row(row).into_iter().zip(second.row(place));
                    let entries = entries.map(|(x, y)| FineGram::of_entry(*x, *y, tau));
                    let [k1, _, with_k0, ..] = entries.fold(FineGram::default(), FineGram::plus).terms();
                    sums[place] += own * (k1 + with_k0 - moments.mean(place, tau));
                }
            }
        }
        let over = 1.0 / (self.units() as f64 * self.inputs as f64);
        for (row, mut sums) in rows.zip(sums.outer_iter_mut()) {
            for (column, sum) in columns.clone().zip(&mut sums) {
                *sum *= over * left.units[row] * right.units[column];
            }
        }
        Ok(sums)
    }
}
