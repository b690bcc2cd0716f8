//! How a sweep over tiles is cut so that it fits into memory.

use std::ops::Range;

use crate::kernel::ntk::Tangent;
use crate::network::LayerSpec;

/// Two tiles, by their numbers, the first not above the second.
pub type TilePair = (usize, usize);

/// How the hidden units of a draw are cut into chunks, whose features are made at once and added up: by its law alone,
/// so that sums are the same whatever else is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Chunks {
    width: usize,
    /// Hidden units of a chunk; the last one may have fewer.
    pub units: usize,
    /// The most rows of features of a chunk: one for each unit and, of the tangent kernel, one for each weight.
    pub features: usize,
}

impl Chunks {
    /// Chunks of about `most` rows of features.
    pub fn of(law: &LayerSpec, tangent: Option<Tangent>, most: usize) -> Self {
        let width = law.rows;
        if tangent.is_none() {
            return Self { width, units: most, features: width.min(most) };
        }
        let weights_of_unit = law.connectivity.get() * law.columns as f64;
        let units = ((most as f64 / (1.0 + weights_of_unit)) as usize).clamp(1, most);
        let at_once = width.min(units);
        Self { width, units, features: at_once + most_weights(law, at_once) }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.width.div_ceil(self.units)
    }

    /// The units of one of them; none beyond the last.
    pub fn range(&self, chunk: usize) -> Range<usize> {
        let end = |chunk: usize| chunk.saturating_mul(self.units).min(self.width);
        end(chunk)..end(chunk + 1)
    }
}

/// More weights than some rows of a layer have: six standard deviations above the mean of a random number.
pub fn most_weights(law: &LayerSpec, rows: usize) -> usize {
    let places = rows.saturating_mul(law.columns);
    if law.connectivity.is_dense() {
        return places;
    }
    let expected = law.connectivity.get() * places as f64;
    let random = (expected + 6.0 * expected.sqrt() + 20.0) as usize;
    // With a constant fan-in every row has as many, after rounding; an exact count is one of the whole layer.
    let fixed =
        if law.mask.has_independent_rows() { law.fixed_count().map(|_| rows * law.kept_per_row()) } else { None };
    fixed.unwrap_or(random).min(law.fixed_count().unwrap_or(usize::MAX)).min(places)
}

/// The memory that a sweep takes, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// Whatever the layout.
    pub fixed: usize,
    /// For each pair of tiles that is worked on.
    pub pair: usize,
    /// For one row of features on one tile.
    pub row: usize,
    /// The most draws at once.
    pub batch: usize,
}

/// The blocks and batches of a sweep: at any time, the features of two blocks of tiles and one batch of draws are held.
#[derive(Clone, Debug)]
pub struct Layout {
    tiles: usize,
    /// Tiles on a side of a block.
    pub block: usize,
    /// The draws, in their order.
    pub batches: Vec<Range<usize>>,
    /// The most memory that it takes, in bytes.
    pub bytes: usize,
}

impl Layout {
    /// The layout for draws of the given chunks within `memory`, or the least memory that is needed. A draw of several
    /// chunks is alone in its batch.
    pub fn new(tiles: usize, draws: &[Chunks], costs: Costs, memory: usize) -> Result<Self, usize> {
        let most = draws.iter().map(|chunks| chunks.features).max().unwrap_or(0);
        let features = |block: usize, rows: usize| tiles.min(2 * block).saturating_mul(rows).saturating_mul(costs.row);
        let without_features = |block: usize| {
            let pairs = if block >= tiles { tiles * (tiles + 1) / 2 } else { block * block };
            costs.fixed.saturating_add(pairs * costs.pair)
        };
        let least = |block: usize| without_features(block).saturating_add(features(block, most));
        let mut block = tiles.max(1);
        while least(block) > memory && block > 1 {
            block = block.div_ceil(2);
        }
        if least(block) > memory {
            return Err(least(block));
        }
        let mut layout = Self { tiles, block, batches: Vec::new(), bytes: 0 };
        let room = memory - without_features(block);
        let (mut start, mut held) = (0, 0);
        for (draw, chunks) in draws.iter().enumerate() {
            let more = features(block, chunks.features);
            let wide = |draw: usize| draws[draw].count() > 1;
            if draw > start && (held + more > room || draw - start == costs.batch || wide(draw) || wide(draw - 1)) {
                layout.batches.push(start..draw);
                (start, held) = (draw, 0);
            }
            held += more;
            layout.bytes = layout.bytes.max(without_features(block) + held);
        }
        if start < draws.len() {
            layout.batches.push(start..draws.len());
        }
        Ok(layout)
    }

    /// The pairs of tiles of every two blocks.
    pub fn blocks(&self) -> impl Iterator<Item = Vec<TilePair>> {
        let starts = || (0..self.tiles).step_by(self.block);
        let block = |start: usize| start..(start + self.block).min(self.tiles);
        starts().flat_map(move |left| starts().filter(move |right| left <= *right).map(move |right| (left, right))).map(
            move |(left, right)| {
                block(left).flat_map(|i| block(right).map(move |j| (i, j))).filter(|(i, j)| i <= j).collect()
            },
        )
    }

    /// The number of pairs of tiles.
    pub fn pairs(&self) -> usize {
        self.tiles * (self.tiles + 1) / 2
    }

    /// The place of a pair among all.
    pub fn place(&self, (i, j): TilePair) -> usize {
        i * self.tiles - i * (i + 1) / 2 + j
    }
}

/// The tiles that occur in pairs, in their order.
pub fn used_tiles(pairs: &[TilePair]) -> Vec<usize> {
    let mut used: Vec<usize> = pairs.iter().flat_map(|(i, j)| [*i, *j]).collect();
    used.sort_unstable();
    used.dedup();
    used
}
