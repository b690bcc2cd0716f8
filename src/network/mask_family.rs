//! The families of masks: which weights of a layer exist. Everything for drawing a family is in this file; its theory
//! is registered in [`for_masks`](crate::kernel::masked::for_masks).

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use strum::{EnumMessage, IntoStaticStr, VariantArray};

use crate::network::draw::{DrawnLayer, LayerSpec};

/// Which weights of a layer exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, IntoStaticStr, EnumMessage, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum MaskFamily {
    /// Each weight independently with probability `p`: the theory's masks.
    #[strum(message = "Bernoulli", detailed_message = "fixed number of weights on average")]
    Bernoulli,
    /// Exactly `round(p rows columns)` weights, uniform over the layer: the masks of the authors' experiments.
    #[strum(message = "exact-count", detailed_message = "fixed number of weights")]
    ExactCount,
    /// Exactly `round(p columns)` weights in each row, uniform over the row: constant fan-in.
    #[strum(message = "constant-fan-in", detailed_message = "fixed number of weights but for rounding")]
    ConstantFanIn,
}

impl MaskFamily {
    /// The name, as records spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// What it is, for titles and tables.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.get_message().expect("every variant has a title")
    }

    /// How many weights networks of one budget have, for legends: `fixed number of weights`.
    #[must_use]
    pub fn weights_of_a_budget(self) -> &'static str {
        self.get_detailed_message().expect("every variant says how many weights it keeps")
    }

    /// Whether rows are drawn independently of each other, as Theorem 1 assumes; an exact count over the layer couples
    /// them.
    #[must_use]
    pub fn has_independent_rows(self) -> bool {
        matches!(self, Self::Bernoulli | Self::ConstantFanIn)
    }

    /// Whether GPUs can draw it: they need one end of the keys for all rows of a layer.
    #[must_use]
    pub fn is_drawn_on_gpus(self) -> bool {
        matches!(self, Self::Bernoulli | Self::ExactCount)
    }

    /// `sigma = 1/sqrt(p)`; with a constant fan-in, `p` is the share that a row keeps after rounding.
    pub(super) fn sigma(self, layer: &LayerSpec) -> f64 {
        match self {
            Self::ConstantFanIn => (layer.columns as f64 / layer.kept_per_row().max(1) as f64).sqrt(),
            Self::Bernoulli | Self::ExactCount => 1.0 / layer.connectivity.get().sqrt(),
        }
    }

    /// The number of weights of every draw; none where each draw has its own.
    pub(super) fn fixed_count(self, layer: &LayerSpec) -> Option<usize> {
        match self {
            Self::Bernoulli => None,
            Self::ExactCount => {
                Some((layer.connectivity.get() * (layer.rows as f64 * layer.columns as f64)).round() as usize)
            }
            Self::ConstantFanIn => Some(layer.kept_per_row() * layer.rows),
        }
    }

    /// For a layer that is not dense, the end before which its entries exist; none where each row has an end of its
    /// own, which keeps the row's [`LayerSpec::kept_per_row`] smallest keys. At a lower connectivity, a subset of the
    /// weights must be kept.
    pub(super) fn end_of_layer(self, layer: &DrawnLayer) -> Option<MaskEnd> {
        match self {
            Self::Bernoulli => Some(MaskEnd { key: threshold(layer.law().connectivity.get()), place: 0 }),
            Self::ExactCount => Some(exact_count(layer)),
            Self::ConstantFanIn => None,
        }
    }
}

/// The key and the place (`row columns + column`) before which, in that order, entries exist.
#[derive(Clone, Copy, Debug)]
pub(super) struct MaskEnd {
    pub(super) key: u64,
    pub(super) place: u64,
}

impl MaskEnd {
    /// No place is that far: all entries exist.
    pub(super) const NEVER: Self = Self { key: u64::MAX, place: u64::MAX };

    /// Whether an entry comes before this end.
    pub(super) fn is_after(self, key: u64, place: u64) -> bool {
        (key, place) < (self.key, self.place)
    }

    /// The end that keeps the `count` smallest keys of a row, whose places begin at `first`.
    pub(super) fn of_smallest(keys: &[u64], first: u64, count: usize) -> Self {
        let count = count.min(keys.len());
        if count == 0 {
            return Self { key: 0, place: 0 };
        }
        let mut placed: Vec<(u64, u64)> = keys.iter().copied().zip(first..).collect();
        let (_, &mut (key, place), _) = placed.select_nth_unstable(count - 1);
        Self { key, place: place + 1 }
    }
}

/// The end that keeps the `round(p rows columns)` smallest keys, ties decided by their places: an order statistic of
/// the keys, found among those below a cut that leaves six standard deviations of room.
fn exact_count(layer: &DrawnLayer) -> MaskEnd {
    let law = layer.law();
    let entries = law.rows as f64 * law.columns as f64;
    let count = (law.connectivity.get() * entries).round();
    if count == 0.0 {
        return MaskEnd { key: 0, place: 0 };
    }
    let mut room = 6.0 * count.sqrt() + 20.0;
    loop {
        let cut = threshold(((count + room) / entries).min(1.0));
        let mut keys: Vec<(u64, u64)> = (0..law.rows)
            .into_par_iter()
            .flat_map_iter(|row| {
                let place = move |column: usize| (row * law.columns + column) as u64;
                let keys = layer.keys(row).into_iter().enumerate();
                keys.filter_map(move |(column, key)| (key <= cut).then_some((key, place(column))))
            })
            .collect();
        if keys.len() as f64 >= count {
            let (_, &mut (key, place), _) = keys.select_nth_unstable(count as usize - 1);
            return MaskEnd { key, place: place + 1 };
        }
        room *= 2.0;
    }
}

/// `p 2^64`, saturating.
fn threshold(p: f64) -> u64 {
    (p * 18_446_744_073_709_551_616.0) as u64
}
