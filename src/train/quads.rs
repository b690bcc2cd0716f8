//! Images without their blank pixels, finer than by blocks: samples four by four, and pixels four by four.
//!
//! A quarter of the pixels of four similar digits of MNIST are not blank in all of them; of 64, half. A dense first
//! layer multiplies what is left, see `panels.rs`.

use std::ops::Range;

use super::blocks::SAMPLES;

/// Samples, or pixels, that are taken together.
pub const QUAD: usize = 4;
/// Quads of a block of samples.
pub const QUADS: usize = SAMPLES / QUAD;

/// Four numbers, not all of them blank, that meet the same row: those of four samples at pixel `at`, or those of four
/// pixels in sample `at`.
#[derive(Clone, Copy, Debug)]
pub struct Entry<T = f32> {
    pub at: u32,
    pub values: [T; QUAD],
}

/// The entries of each quad, by increasing `at`.
#[derive(Clone, Debug)]
pub struct Quads<T = f32> {
    entries: Vec<Entry<T>>,
    /// Where the entries of each quad end.
    ends: Vec<usize>,
}

impl<T> Default for Quads<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), ends: Vec::new() }
    }
}

impl<T: Copy + Default> Quads<T> {
    /// The number of quads.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The entries of one quad.
    pub fn quad(&self, index: usize) -> &[Entry<T>] {
        &self.entries[self.range(index..index + 1)]
    }

    fn range(&self, quads: Range<usize>) -> Range<usize> {
        let end = |quads: usize| if quads == 0 { 0 } else { self.ends[quads - 1] };
        end(quads.start)..end(quads.end)
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.ends.clear();
    }

    /// Adds a quad of at most `most` entries; `write` puts them to the front of what it gets, and returns their number.
    fn add(&mut self, most: usize, write: impl FnOnce(&mut [Entry<T>]) -> usize) {
        let start = self.entries.len();
        // One more, so that a place can be written before it is known whether it counts.
        self.entries.resize(start + most + 1, Entry { at: 0, values: [T::default(); QUAD] });
        let count = write(&mut self.entries[start..]);
        self.entries.truncate(start + count);
        self.ends.push(start + count);
    }

    /// Replaces the contents by the chosen samples, rows of bytes, four by four; whole blocks, with blank samples
    /// beyond the last. `value` maps the byte of a pixel.
    pub fn fill_samples(
        &mut self,
        bytes: &[u8],
        features: usize,
        chosen: impl ExactSizeIterator<Item = usize>,
        value: impl Fn(usize, u8) -> T,
    ) {
        self.clear();
        let quads = chosen.len().div_ceil(SAMPLES) * QUADS;
        let blank = vec![0; features];
        let mut rows = chosen.map(|sample| &bytes[sample * features..][..features]);
        for _ in 0..quads {
            let rows: [&[u8]; QUAD] = std::array::from_fn(|_| rows.next().unwrap_or(&blank));
            self.add(features, |entries| {
                let mut count = 0;
                // Most pixels are blank in runs: eight at once.
                for start in (0..features).step_by(8) {
                    let end = (start + 8).min(features);
                    if rows.iter().all(|row| is_blank(&row[start..end])) {
                        continue;
                    }
                    for feature in start..end {
                        let of = rows.map(|row| row[feature]);
                        entries[count] = Entry { at: feature as u32, values: of.map(|byte| value(feature, byte)) };
                        // Without a branch, which would be predicted badly.
                        count += usize::from(u32::from_ne_bytes(of) != 0);
                    }
                }
                count
            });
        }
    }
}

impl Quads {
    /// Replaces the contents by the pixels of the chosen samples, four by four, with blank pixels beyond the last:
    /// `byte factor`.
    pub fn fill_pixels(&mut self, bytes: &[u8], factors: &[f32], chosen: &[usize]) {
        self.clear();
        let features = factors.len();
        for start in (0..features).step_by(QUAD) {
            let end = (start + QUAD).min(features);
            let mut of = [0.0; QUAD];
            of[..end - start].copy_from_slice(&factors[start..end]);
            self.add(chosen.len(), |entries| {
                let mut count = 0;
                for (at, sample) in (0..).zip(chosen) {
                    let row = &bytes[sample * features..][start..end];
                    let mut four = [0; QUAD];
                    // A copy of a fixed length, wherever there are as many.
                    match row.first_chunk::<QUAD>() {
                        Some(row) => four = *row,
                        None => four[..row.len()].copy_from_slice(row),
                    }
                    entries[count] = Entry { at, values: std::array::from_fn(|i| f32::from(four[i]) * of[i]) };
                    count += usize::from(u32::from_ne_bytes(four) != 0);
                }
                count
            });
        }
    }

    /// Replaces the contents by one block of samples, whose values are `byte factor`.
    pub fn fill_block(&mut self, packed: &Quads<u8>, block: usize, factors: &[f32]) {
        let quads = block * QUADS..(block + 1) * QUADS;
        let range = packed.range(quads.clone());
        self.clear();
        self.ends.extend(packed.ends[quads].iter().map(|end| end - range.start));
        self.entries.extend(packed.entries[range].iter().map(|entry| {
            let factor = factors[entry.at as usize];
            Entry { at: entry.at, values: entry.values.map(|byte| f32::from(byte) * factor) }
        }));
    }
}

fn is_blank(bytes: &[u8]) -> bool {
    match bytes.first_chunk::<8>() {
        Some(eight) => u64::from_ne_bytes(*eight) == 0,
        None => bytes.iter().all(|byte| *byte == 0),
    }
}

/// The share of the quads of neighbouring pixels that are not blank, in images of shape `(samples, features)`.
pub fn filled_share(bytes: &[u8], features: usize) -> f64 {
    let mut counts = (0usize, 0usize);
    for quad in bytes.chunks_exact(features.max(1)).flat_map(|row| row.chunks(QUAD)) {
        counts = (counts.0 + usize::from(quad.iter().any(|byte| *byte != 0)), counts.1 + 1);
    }
    counts.0 as f64 / counts.1.max(1) as f64
}
