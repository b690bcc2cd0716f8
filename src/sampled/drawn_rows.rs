//! Rows of drawn layers that are asked for more than once.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::network::{DrawnLayer, LayerId, LayerSpec, MaskFamily, SparseRows, WeightDistribution};

/// Drawn rows are kept up to this connectivity: a network of few weights spends nearly all of its time on the random
/// numbers of weights that it does not have.
const SPARSE: f64 = 1.0 / 256.0;
/// Rows are kept up to this many bytes: 64 MiB.
const MOST_BYTES: usize = 1 << 26;
/// About what an entry takes in addition to its rows, in bytes.
const ENTRY: usize = 192;

/// The rows of very sparse layers that were drawn so far. The same networks are drawn for every normalisation of the
/// inputs, and again for the law of their distances.
#[derive(Debug, Default)]
pub(crate) struct DrawnRows {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    rows: HashMap<Key, Arc<NumberedRows>>,
    bytes: usize,
}

/// Rows of a layer that have a weight, and which they are.
#[derive(Debug, PartialEq)]
pub(crate) struct NumberedRows {
    pub weights: SparseRows,
    /// The number of each in its layer, increasing.
    pub numbers: Vec<u32>,
}

impl NumberedRows {
    /// Drops the rows that have no weight; the first of all has the number `first`.
    pub fn of(mut weights: SparseRows, first: usize) -> Self {
        let ends = weights.offsets.windows(2).zip(first..);
        let numbers = ends.filter(|(ends, _)| ends[0] < ends[1]).map(|(_, number)| number as u32).collect();
        weights.drop_empty_rows();
        Self { weights, numbers }
    }
}

/// All that rows depend on.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    id: LayerId,
    rows: Range<usize>,
    /// Outputs and inputs of the layer.
    shape: (usize, usize),
    connectivity: u64,
    mask: MaskFamily,
    distribution: WeightDistribution,
}

impl DrawnRows {
    /// Rows of a layer without those that have no weight, as [`DrawnLayer::rows`] draws them.
    pub(crate) fn of(&self, drawn: &DrawnLayer, rows: Range<usize>) -> Arc<NumberedRows> {
        let draw = |rows: Range<usize>| NumberedRows::of(drawn.rows(rows.clone()), rows.start);
        let LayerSpec { rows: outputs, columns, connectivity, mask, law } = *drawn.law();
        if connectivity.get() > SPARSE {
            return Arc::new(draw(rows));
        }
        let (shape, connectivity) = ((outputs, columns), connectivity.get().to_bits());
        let key = Key { id: drawn.id(), rows: rows.clone(), shape, connectivity, mask, distribution: law };
        if let Some(known) = self.lock().rows.get(&key) {
            return Arc::clone(known);
        }
        let mut found = draw(rows);
        found.weights.shrink_to_fit();
        found.numbers.shrink_to_fit();
        let bytes = ENTRY + found.weights.bytes() + size_of_val(&*found.numbers);
        let found = Arc::new(found);
        let mut known = self.lock();
        let bytes = known.bytes + bytes;
        if bytes <= MOST_BYTES {
            known.bytes = bytes;
            known.rows.insert(key, Arc::clone(&found));
        }
        found
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        // Each entry is whole, whatever became of a thread that held the lock.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Connectivity;

    /// Every part of the key tells two layers apart: rows that are known are those that would be drawn.
    #[test]
    fn known_rows_are_those_that_would_be_drawn() {
        let first = LayerSpec {
            rows: 300,
            columns: 200,
            connectivity: Connectivity::new(0.002).unwrap(),
            mask: MaskFamily::Bernoulli,
            law: WeightDistribution::Gaussian,
        };
        let specs = [
            first,
            LayerSpec { rows: 301, mask: MaskFamily::ExactCount, ..first },
            LayerSpec { mask: MaskFamily::ExactCount, ..first },
            LayerSpec { columns: 400, ..first },
            LayerSpec { connectivity: Connectivity::new(0.003).unwrap(), ..first },
            LayerSpec { law: WeightDistribution::Uniform, ..first },
            LayerSpec { connectivity: Connectivity::new(0.3).unwrap(), ..first },
        ];
        let id = LayerId { seed: 5, initialisation: 0, layer: 0 };
        let ids = [id, LayerId { seed: 6, ..id }, LayerId { initialisation: 1, ..id }, LayerId { layer: 1, ..id }];
        let known = DrawnRows::default();
        for _ in 0..2 {
            for spec in specs {
                for id in ids {
                    for rows in [0..64, 64..128, 0..300] {
                        let drawn = DrawnLayer::new(spec, id);
                        let found = known.of(&drawn, rows.clone());
                        let whole = drawn.rows(rows.clone());
                        let mut expected = whole.clone();
                        expected.drop_empty_rows();
                        assert_eq!(found.weights, expected);
                        assert!(found.numbers.iter().zip(0..).all(|(number, place)| {
                            found.weights.row(place) == whole.row(*number as usize - rows.start)
                        }));
                        assert_eq!(found.numbers.len(), expected.rows());
                    }
                }
            }
        }
        assert_eq!(known.lock().rows.len(), 6 * 4 * 3);
        assert!(known.lock().bytes > 0);
    }
}
