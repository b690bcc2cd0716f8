//! How a sweep over tiles is cut so that it fits into memory.

use std::ops::Range;

/// Two tiles, by their numbers, the first not above the second.
pub type TilePair = (usize, usize);

/// The memory that a sweep takes, in bytes, and the hidden units whose features are computed at once.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// Whatever the layout.
    pub fixed: usize,
    /// For each pair of tiles that is worked on.
    pub pair: usize,
    /// For the features of one hidden unit on one tile.
    pub unit: usize,
    /// The most hidden units of a draw at once; a wider draw is alone in its batch and added up in chunks.
    pub chunk: usize,
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
    /// The layout for draws of the given widths within `memory`, or the least memory that is needed.
    pub fn new(tiles: usize, widths: &[usize], costs: Costs, memory: usize) -> Result<Self, usize> {
        let widest = widths.iter().copied().max().unwrap_or(0);
        let features = |block: usize, width: usize| tiles.min(2 * block) * width.min(costs.chunk) * costs.unit;
        let without_features = |block: usize| {
            let pairs = if block >= tiles { tiles * (tiles + 1) / 2 } else { block * block };
            costs.fixed.saturating_add(pairs * costs.pair)
        };
        let least = |block: usize| without_features(block).saturating_add(features(block, widest));
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
        for (draw, width) in widths.iter().enumerate() {
            let more = features(block, *width);
            let wide = |draw: usize| widths[draw] > costs.chunk;
            if draw > start && (held + more > room || draw - start == costs.batch || wide(draw) || wide(draw - 1)) {
                layout.batches.push(start..draw);
                (start, held) = (draw, 0);
            }
            held += more;
            layout.bytes = layout.bytes.max(without_features(block) + held);
        }
        if start < widths.len() {
            layout.batches.push(start..widths.len());
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
