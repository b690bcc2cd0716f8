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

impl<T> Quads<T> {
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
}

impl Quads<u8> {
    /// Replaces the contents by the chosen samples, rows of bytes, four by four; whole blocks, with blank samples
    /// beyond the last.
    pub fn pack_samples(&mut self, bytes: &[u8], features: usize, chosen: impl ExactSizeIterator<Item = usize>) {
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
                        let four = rows.map(|row| row[feature]);
                        entries[count] = Entry { at: feature as u32, values: four };
                        // Without a branch, which would be predicted badly.
                        count += usize::from(four != [0; QUAD]);
                    }
                }
                count
            });
        }
    }

    /// Replaces the contents by the pixels of the chosen samples, four by four, with blank pixels beyond the last.
    pub fn pack_pixels(&mut self, bytes: &[u8], features: usize, chosen: &[usize]) {
        self.clear();
        for start in (0..features).step_by(QUAD) {
            let end = (start + QUAD).min(features);
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
                    entries[count] = Entry { at, values: four };
                    count += usize::from(four != [0; QUAD]);
                }
                count
            });
        }
    }

    /// Adds a quad of at most `most` entries; `write` puts them to the front of what it gets, and returns their number.
    fn add(&mut self, most: usize, write: impl FnOnce(&mut [Entry<u8>]) -> usize) {
        let start = self.entries.len();
        // One more, so that a place can be written before it is known whether it counts.
        self.entries.resize(start + most + 1, Entry { at: 0, values: [0; QUAD] });
        let count = write(&mut self.entries[start..]);
        self.entries.truncate(start + count);
        self.ends.push(start + count);
    }
}

impl Quads {
    /// Replaces the contents by the values of some quads of samples: `byte factor`.
    pub fn fill_samples(&mut self, bytes: &Quads<u8>, quads: Range<usize>, factors: &[f32]) {
        let range = bytes.range(quads.clone());
        self.clear();
        self.ends.extend(bytes.ends[quads].iter().map(|end| end - range.start));
        self.entries.extend(bytes.entries[range].iter().map(|entry| {
            let factor = factors[entry.at as usize];
            Entry { at: entry.at, values: entry.values.map(|byte| f32::from(byte) * factor) }
        }));
    }

    /// Replaces the contents by the values of quads of pixels. Their offsets are those of one more sample, after
    /// `samples`.
    pub fn fill_pixels(&mut self, bytes: &Quads<u8>, (factors, offsets): (&[f32], &[f32]), samples: usize) {
        self.clear();
        for index in 0..bytes.len() {
            // Zeros for the blank pixels beyond the last, and where there are no offsets.
            let of_quad =
                |values: &[f32]| std::array::from_fn(|i| values.get(QUAD * index + i).copied().unwrap_or(0.0));
            let (factors, offsets): ([f32; QUAD], [f32; QUAD]) = (of_quad(factors), of_quad(offsets));
            self.entries.extend(bytes.quad(index).iter().map(|entry| Entry {
                at: entry.at,
                values: std::array::from_fn(|i| f32::from(entry.values[i]) * factors[i]),
            }));
            self.entries.extend((offsets != [0.0; QUAD]).then_some(Entry { at: samples as u32, values: offsets }));
            self.ends.push(self.entries.len());
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Images of 13 pixels, not whole quads: blank runs, blank images, a pixel that is never blank.
    fn images(samples: usize) -> Vec<u8> {
        let pixel = |sample: usize, feature: usize| match (sample, feature) {
            (_, 4) => 7,
            (5..12, _) | (_, 9..12) => 0,
            _ => (sample * 31 + feature * 17) as u8 % 5,
        };
        (0..samples * 13).map(|place| pixel(place / 13, place % 13)).collect()
    }

    #[test]
    fn quads_hold_every_pixel_that_is_not_blank() {
        for samples in [1, 4, 63, 64, 70] {
            let (bytes, factors) = (images(samples), (1..14).map(|factor| factor as f32 / 8.0).collect::<Vec<_>>());
            // Not in order.
            let chosen: Vec<usize> = (0..samples).rev().collect();
            let value = |place: usize, feature: usize| match chosen.get(place) {
                Some(sample) if feature < 13 => f32::from(bytes[sample * 13 + feature]) * factors[feature],
                _ => 0.0,
            };
            let offsets: Vec<f32> = (0..13).map(|feature| if feature < 8 { 0.0 } else { feature as f32 }).collect();
            let (mut packed, mut of_samples, mut of_block) = (Quads::default(), Quads::default(), Quads::default());
            packed.pack_samples(&bytes, 13, chosen.iter().copied());
            of_samples.fill_samples(&packed, 0..packed.len(), &factors);
            of_block.fill_samples(&packed, packed.len() - QUADS..packed.len(), &factors);
            let mut of_pixels = Quads::default();
            packed.pack_pixels(&bytes, 13, &chosen);
            of_pixels.fill_pixels(&packed, (&factors, &offsets), samples.next_multiple_of(64));
            assert_eq!((of_samples.len(), of_pixels.len()), (samples.div_ceil(64) * QUADS, 4));
            let last = of_samples.len() - QUADS;
            for quad in 0..of_samples.len() {
                let at = |feature| std::array::from_fn(|i| value(QUAD * quad + i, feature));
                let expected: Vec<(u32, [f32; QUAD])> = (0..13)
                    .map(|feature| (feature as u32, at(feature)))
                    .filter(|(_, four)| *four != [0.0; QUAD])
                    .collect();
                let found = |quads: &Quads, quad| {
                    quads.quad(quad).iter().map(|entry| (entry.at, entry.values)).collect::<Vec<_>>()
                };
                assert_eq!(found(&of_samples, quad), expected, "{samples} samples, quad {quad}");
                if quad >= last {
                    assert_eq!(found(&of_block, quad - last), expected);
                }
            }
            for quad in 0..of_pixels.len() {
                let at = |place| std::array::from_fn(|i| value(place, QUAD * quad + i));
                let offset = std::array::from_fn(|i| offsets.get(QUAD * quad + i).copied().unwrap_or(0.0));
                let expected: Vec<(u32, [f32; QUAD])> = (0..samples)
                    .map(|place| (place as u32, at(place)))
                    .chain([(samples.next_multiple_of(64) as u32, offset)])
                    .filter(|(_, four)| *four != [0.0; QUAD])
                    .collect();
                let found = of_pixels.quad(quad).iter().map(|entry| (entry.at, entry.values)).collect::<Vec<_>>();
                assert_eq!(found, expected, "{samples} samples, quad {quad} of pixels");
            }
        }
    }

    #[test]
    fn the_filled_share_counts_quads_of_neighbours() {
        assert_eq!(filled_share(&[0; 26], 13), 0.0);
        assert_eq!(filled_share(&[1; 26], 13), 1.0);
        // One of the four quads of a sample, the last one short.
        let mut bytes = [0; 13];
        bytes[12] = 3;
        assert_eq!(filled_share(&bytes, 13), 0.25);
        assert_eq!(filled_share(&[], 13), 0.0);
    }
}
