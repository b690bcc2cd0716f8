//! Counter-based random numbers: the Philox4x32-10 generator.
//!
//! Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. A block of four words is a pure
//! function of a key and a counter, so every weight of every network has its own random number, whatever device
//! computes it and in whatever order. The key is the user's seed; the counter's last word says what the number is for
//! ([`Purpose`]).

use std::convert::Infallible;

use multiversion::multiversion;
use rand::TryRng;

/// What random numbers are for: each purpose has a counter space of its own, under one seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Purpose {
    /// Masks and weights of a layer: counter (column, row, initialisation, layer). The same whether the layer's kernel
    /// is sampled or the layer is trained, so run `r` of a training begins at the network of initialisation `r`.
    Layer = 0,
    /// Masks drawn by [`Sampling`](crate::kernel::masked::Sampling).
    MaskSampling = 1,
    /// Random pairs of inputs.
    Pairs = 2,
    /// The order of training samples.
    Shuffle = 3,
    /// The choice of a subset of samples.
    Subset = 4,
    /// Synthetic inputs.
    Synthetic = 5,
    /// Bootstrap resamples.
    Bootstrap = 6,
    /// Biases of a layer: initialisation, layer.
    Biases = 7,
}

/// One block of Philox4x32-10.
///
/// ```
/// use sparsewidth::numeric::random::philox;
/// // A known answer of the Random123 distribution.
/// assert_eq!(philox([0, 0], [0; 4]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
/// ```
#[inline]
#[must_use]
pub fn philox(key: [u32; 2], mut counter: [u32; 4]) -> [u32; 4] {
    for round in 0..ROUNDS {
        counter = philox_round(round_key(key, round), counter);
    }
    counter
}

const ROUNDS: u32 = 10;
const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// What is added to the key from round to round.
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

#[inline(always)]
fn round_key(key: [u32; 2], round: u32) -> [u32; 2] {
    [key[0].wrapping_add(WEYL[0].wrapping_mul(round)), key[1].wrapping_add(WEYL[1].wrapping_mul(round))]
}

#[inline(always)]
fn philox_round(key: [u32; 2], counter: [u32; 4]) -> [u32; 4] {
    let first = u64::from(MULTIPLIERS[0]) * u64::from(counter[0]);
    let second = u64::from(MULTIPLIERS[1]) * u64::from(counter[2]);
    [
        (second >> 32) as u32 ^ counter[1] ^ key[0],
        second as u32,
        (first >> 32) as u32 ^ counter[3] ^ key[1],
        first as u32,
    ]
}

/// The two words of a seed.
#[inline]
#[must_use]
pub fn key(seed: u64) -> [u32; 2] {
    [seed as u32, (seed >> 32) as u32]
}

/// The fourth counter word: a purpose, and a number within it (a layer, say; below 2^24).
#[inline]
#[must_use]
pub fn domain(purpose: Purpose, number: u32) -> u32 {
    (purpose as u32) << 24 | (number & 0x00FF_FFFF)
}

/// A sequential generator over one counter space, for use with [`rand`] and [`rand_distr`].
///
/// Streams that differ in seed, purpose, or either number are independent. One stream holds 2^58 words.
#[derive(Clone, Debug)]
pub struct Stream {
    key: [u32; 2],
    counter: [u32; 4],
    block: [u32; 4],
    used: usize,
}

impl Stream {
    /// The stream of a purpose with two numbers of the caller's (a pair and a chunk, a run and an epoch).
    #[must_use]
    pub fn new(seed: u64, purpose: Purpose, first: u32, second: u32) -> Self {
        Self { key: key(seed), counter: [0, first, second, domain(purpose, 0)], block: [0; 4], used: 4 }
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        if self.used == 4 {
            self.block = philox(self.key, self.counter);
            // Beyond 2^32 blocks the count goes on in the 24 bits that the purpose leaves free.
            let (next, carry) = self.counter[0].overflowing_add(1);
            self.counter[0] = next;
            self.counter[3] = self.counter[3].wrapping_add(u32::from(carry));
            self.used = 0;
        }
        self.used += 1;
        Ok(self.block[self.used - 1])
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let low = u64::from(self.try_next_u32()?);
        Ok(u64::from(self.try_next_u32()?) << 32 | low)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(4) {
            let word = self.try_next_u32()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

/// The `count` numbers of `0..n` that have the smallest Philox keys, in increasing order: a uniformly random subset.
///
/// `count` is at most `n`.
#[must_use]
pub fn subset(n: usize, count: usize, seed: u64) -> Vec<usize> {
    let mut keyed: Vec<(u64, usize)> = (0..n)
        .map(|i| {
            let block = philox(key(seed), [i as u32, (i as u64 >> 32) as u32, 0, domain(Purpose::Subset, 0)]);
            (key_of(block), i)
        })
        .collect();
    keyed.sort_unstable();
    let mut chosen: Vec<usize> = keyed.into_iter().take(count).map(|(_, i)| i).collect();
    chosen.sort_unstable();
    chosen
}

/// [`key_of`] the blocks whose counters have first words 0, 1, 2, ... and the given other three: in lanes, since
/// drawing a layer of few weights spends its time here.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub(crate) fn keys(key: [u32; 2], [second, third, fourth]: [u32; 3], keys: &mut [u64]) {
    const LANES: usize = 16;
    // Words are the low halves of 64-bit lanes, the only part that the wide multiplications of vector units read; the
    // high halves are cleared where they would matter.
    let low = |word: u64| word & 0xFFFF_FFFF;
    for (chunk, keys) in keys.chunks_mut(LANES).enumerate() {
        let (mut a, mut b) = ([0; LANES], [u64::from(second); LANES]);
        let (mut c, mut d) = ([u64::from(third); LANES], [u64::from(fourth); LANES]);
        for (lane, first) in a.iter_mut().enumerate() {
            *first = low((chunk * LANES + lane) as u64);
        }
        for round in 0..ROUNDS {
            let [k0, k1] = round_key(key, round).map(u64::from);
            for lane in 0..LANES {
                let first = u64::from(MULTIPLIERS[0]) * low(a[lane]);
                let second = u64::from(MULTIPLIERS[1]) * low(c[lane]);
                a[lane] = (second >> 32) ^ b[lane] ^ k0;
                b[lane] = second;
                c[lane] = (first >> 32) ^ d[lane] ^ k1;
                d[lane] = first;
            }
        }
        for (lane, value) in keys.iter_mut().enumerate() {
            *value = a[lane] << 32 | low(b[lane]);
        }
    }
}

/// The places of the keys that are at most `largest`, in increasing order. It goes by blocks, most of which have no
/// such key in a layer of few weights.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub(crate) fn at_most(keys: &[u64], largest: u64, places: &mut Vec<usize>) {
    const BLOCK: usize = 16;
    for (block, keys) in keys.chunks(BLOCK).enumerate() {
        let count: u64 = keys.iter().map(|key| u64::from(*key <= largest)).sum();
        if count > 0 {
            let found = keys.iter().enumerate().filter(|(_, key)| **key <= largest);
            places.extend(found.map(|(place, _)| block * BLOCK + place));
        }
    }
}

/// The first two words of a block as one 64-bit number, uniform over its range.
#[inline(always)]
#[must_use]
pub fn key_of(block: [u32; 4]) -> u64 {
    u64::from(block[0]) << 32 | u64::from(block[1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn keys_at_most_a_number_are_found_where_they_are() {
        let keys: Vec<u64> = (0..101u64).map(|i| i * 0x9E37_79B9_7F4A_7C15 % 1000).collect();
        for largest in [0, 7, 500, 999, u64::MAX] {
            let mut found = Vec::new();
            at_most(&keys, largest, &mut found);
            let expected: Vec<usize> = (0..keys.len()).filter(|place| keys[*place] <= largest).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn random123_known_answers() {
        // kat_vectors of Random123 1.14, philox4x32 10.
        assert_eq!(philox([u32::MAX; 2], [u32::MAX; 4]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0xa409_3822, 0x299f_31d0], [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn keys_are_those_of_single_blocks() {
        let mut found = vec![0; 37];
        keys([5, 6], [7, 8, 9], &mut found);
        for (first, found) in found.into_iter().enumerate() {
            assert_eq!(found, key_of(philox([5, 6], [first as u32, 7, 8, 9])));
        }
    }

    #[test]
    fn another_implementation_agrees() {
        for i in 0..1000u32 {
            let counter = [i, i.wrapping_mul(0x9E37_79B9), !i, i << 7];
            let key = [i ^ 0xA5A5_A5A5, i.rotate_left(9)];
            assert_eq!(philox(key, counter), rand_philox::philox4x32_10(counter, key));
        }
    }

    #[test]
    fn streams_differ() {
        let first = |mut stream: Stream| stream.next_u64();
        let base = first(Stream::new(1, Purpose::Pairs, 0, 0));
        assert_eq!(base, first(Stream::new(1, Purpose::Pairs, 0, 0)));
        for other in [
            Stream::new(2, Purpose::Pairs, 0, 0),
            Stream::new(1 << 32 | 1, Purpose::Pairs, 0, 0),
            Stream::new(1, Purpose::Shuffle, 0, 0),
            Stream::new(1, Purpose::Pairs, 1, 0),
            Stream::new(1, Purpose::Pairs, 0, 1),
        ] {
            assert_ne!(base, first(other));
        }
    }

    #[test]
    fn subsets_are_exact_and_sorted() {
        let chosen = subset(1000, 100, 7);
        assert_eq!(chosen.len(), 100);
        assert!(chosen.windows(2).all(|w| w[0] < w[1]) && chosen[99] < 1000);
        assert_eq!(subset(5, 5, 7), [0, 1, 2, 3, 4]);
    }
}
