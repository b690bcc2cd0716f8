//! What the averages over masks are made of: known parts, and pieces that are integrated over directions.

use std::f64::consts::PI;
use std::iter::zip;
use std::ops::Range;

use super::frame::Frame;
use super::functional::Kind;

/// The averages `K~_1`, `K~_2` and `J~_11`, which have Taylor polynomials and a share of parallel masks.
pub const MOMENTS: usize = 3;
pub type Averages = [f64; MOMENTS];
/// The averages that are found: `K~_1`, `K~_2`, `J~_1`, `J~_11`, `J~_2` at `tau = 1`.
pub const TERMS: usize = 5;
/// The power of `|x||y|` that each scales with.
pub const POWER: [usize; TERMS] = [1, 2, 1, 2, 2];
/// What is integrated: one piece each of `K~_1` and `K~_2`, and one of `J~_11`, by functionals with poles; and as means
/// over directions `J~_1 - K~_1`, the other piece of `J~_11`, and `J~_2 - J~_11`.
pub const PIECES: usize = 6;
/// The pieces of the NNGP kernel.
pub const NNGP: Range<usize> = 0..2;
/// The pieces with poles.
pub const WITH_POLES: Range<usize> = 0..3;
/// The pieces that are means over directions.
pub const MEANS: Range<usize> = 3..6;
/// The means: those of `D`, of the part of `J~_11` with `T`, and of `C D`.
pub const OF_D: usize = 3;
pub const OF_HALF: usize = 4;
pub const OF_CD: usize = 5;

/// An integral over directions.
pub struct Piece {
    /// What it samples, see [`SAMPLES`](super::radial::SAMPLES).
    pub sample: usize,
    /// The power of `|x||y|` that it scales with.
    pub power: usize,
    /// The share of the tolerance of a moment of the tangent kernel that its error may take: with its factor there for
    /// a Gaussian readout, by `2 K~_1 + (J~_1 - K~_1)` and `K~_2 + 5 J~_11 + 3 (J~_2 - J~_11)`, all add up to 1.
    pub share: f64,
}

pub const OF_PIECE: [Piece; PIECES] = [
    Piece { sample: 0, power: 1, share: 0.33 },
    Piece { sample: 1, power: 2, share: 0.19 },
    Piece { sample: 1, power: 2, share: 0.06 },
    Piece { sample: 0, power: 1, share: 0.34 },
    Piece { sample: 1, power: 2, share: 0.016 },
    Piece { sample: 2, power: 2, share: 0.14 },
];
/// The functionals of the pieces with poles.
pub const KINDS: [Kind; WITH_POLES.end] = [Kind::First, Kind::Second, Kind::Mixed];

/// The average of a term, or a part of one, with an estimate of its error.
#[derive(Clone, Copy, Default)]
pub struct Part {
    pub value: f64,
    /// The error that more directions and more nodes can still reduce.
    pub truncation: f64,
    /// The error that they cannot reduce.
    pub rounding: f64,
}

impl Part {
    pub fn error(&self) -> f64 {
        self.truncation + self.rounding
    }
}

/// The averages, in units of powers of `|x||y|`, from their known parts and the pieces that are integrated.
pub fn terms_of(frame: &Frame, pieces: &[Part; PIECES], [k1, k2, j11]: Averages) -> [Part; TERMS] {
    let sum = |value: f64, parts: &[usize]| {
        let add = |sum: Part, piece: &usize| {
            let Part { value, truncation, rounding } = pieces[*piece];
            Part {
                value: sum.value + value,
                truncation: sum.truncation + truncation,
                rounding: sum.rounding + rounding,
            }
        };
        parts.iter().fold(Part { value, ..Part::default() }, add)
    };
    // C K_0 = K_1 - D / 2 pi, with D at most |x||y| sin t on average.
    let j1 = sum(k1 - frame.sine / (2.0 * PI), &[0, 3]);
    [sum(k1, &[0]), sum(k2, &[1]), j1, sum(j11, &[2, 4]), sum(j11, &[2, 4, 5])]
}

/// The sum of the magnitudes of the terms of one power of `|x||y|`.
pub fn magnitude(terms: &[Part; TERMS], power: usize) -> f64 {
    let alike = zip(terms, POWER).filter(|(_, other)| *other == power);
    alike.map(|(term, _)| term.value.abs()).sum()
}
