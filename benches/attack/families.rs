//! Families of pairs on which the claims of the quadrature are tried, each drawn from a seed.

use std::f64::consts::{PI, TAU};

use ndarray::ArrayView1;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use sparsewidth::kernel::gram::Pair;
use sparsewidth::kernel::masked::Enumerate;
use sparsewidth::numeric::random::{Purpose, Stream};

/// A pair, a connectivity and the relative error to ask for.
#[derive(Clone, Debug)]
pub struct Member {
    pub x: Vec<f64>,
    pub y: Vec<f64>,
    pub p: f64,
    pub tolerance: f64,
    /// Whether the averages of the tangent kernel are asked for.
    pub tangent: bool,
}

impl Member {
    pub fn pair(&self) -> Pair<'_> {
        Pair::new(ArrayView1::from(&self.x), ArrayView1::from(&self.y)).expect("the families draw finite entries")
    }

    /// The terms of the sum over masks.
    pub fn terms(&self) -> f64 {
        Enumerate::terms(&self.pair())
    }
}

type Entries = Vec<(f64, f64)>;

/// A way to draw pairs.
pub struct Family {
    pub name: &'static str,
    /// How many of each round of members are of this family: fewer where they take long.
    pub share: u32,
    entries: fn(&mut Draw) -> Entries,
}

pub const FAMILIES: [Family; 16] = [
    Family { name: "gaussian", share: 8, entries: gaussian },
    Family { name: "integers", share: 8, entries: integers },
    Family { name: "equal-ratios", share: 8, entries: equal_ratios },
    Family { name: "two-scales", share: 8, entries: two_scales },
    Family { name: "dominant-entries", share: 8, entries: dominant_entries },
    Family { name: "dominant-groups", share: 4, entries: dominant_groups },
    Family { name: "near-parallel", share: 4, entries: |draw| near(draw, 1.0) },
    Family { name: "near-opposite", share: 1, entries: |draw| near(draw, -1.0) },
    Family { name: "disjoint", share: 8, entries: disjoint },
    Family { name: "heavy-tailed", share: 8, entries: heavy_tailed },
    Family { name: "rings", share: 8, entries: rings },
    Family { name: "grids", share: 8, entries: grids },
    Family { name: "sinusoids", share: 8, entries: sinusoids },
    Family { name: "chirps", share: 8, entries: chirps },
    Family { name: "images", share: 8, entries: images },
    Family { name: "mixed", share: 8, entries: mixed },
];

/// Sums over masks of more terms than this are left to the sum over counts: some 30 ms.
pub const MOST_TERMS: f64 = 16_777_216.0;

impl Family {
    /// The member of an index; each has a stream of random numbers of its own.
    pub fn member(&self, seed: u64, index: u32) -> Member {
        // The name, not the place in the table, so that a family added leaves the others as they are.
        let name = self.name.bytes().fold(0u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte)));
        let mut draw = Draw(Stream::new(seed, Purpose::Synthetic, name, index));
        let mut entries = (self.entries)(&mut draw);
        // Neither input may be zero.
        if entries.iter().all(|(x, _)| *x == 0.0) || entries.iter().all(|(_, y)| *y == 0.0) {
            entries[0] = (1.0, 1.0);
        }
        let tolerance = tolerance(&mut draw);
        let p = connectivity(&mut draw, entries.len());
        let few_weights = draw.log_uniform(0.02, 2.0) / entries.len() as f64;
        let (x, y) = entries.into_iter().unzip();
        let mut member = Member { x, y, p, tolerance, tangent: false };
        if member.terms() > MOST_TERMS {
            member.p = few_weights;
        }
        member
    }
}

/// Random numbers.
struct Draw(Stream);

impl Draw {
    fn uniform(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.0.random::<f64>()
    }

    fn log_uniform(&mut self, from: f64, to: f64) -> f64 {
        self.uniform(from.ln(), to.ln()).exp()
    }

    fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    fn below(&mut self, count: usize) -> usize {
        self.0.random_range(0..count)
    }

    fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.0.random::<f64>() < probability
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn sign(&mut self) -> f64 {
        self.one_of(&[-1.0, 1.0])
    }

    /// The number of entries, most often so few that their masks are summed in less than a millisecond; eight or fewer
    /// free entries are no integral.
    fn dimension(&mut self) -> usize {
        match self.below(100) {
            0..10 => self.between(9, 12),
            10..72 => self.between(13, 15),
            72..92 => self.between(16, 18),
            92..99 => self.between(19, 21),
            _ => self.between(22, 24),
        }
    }

    /// A size that is none, or between two powers of ten.
    fn noise(&mut self, none: f64, least: f64, most: f64) -> f64 {
        if self.chance(none) { 0.0 } else { self.log_uniform(least, most) }
    }
}

/// From 1e-2 to 1e-10, each power of ten at two thirds of the rate of the one before: they take that much longer.
fn tolerance(draw: &mut Draw) -> f64 {
    loop {
        let power = (draw.uniform(0.0, 1.0).ln() / (2.0f64 / 3.0).ln()) as i32;
        if power <= 8 {
            return 10f64.powi(-2 - power);
        }
    }
}

fn connectivity(draw: &mut Draw, dimension: usize) -> f64 {
    let p = match draw.below(10) {
        0..5 => draw.log_uniform(0.05, 10.0) / dimension as f64,
        5..8 => draw.log_uniform(1e-9, 1.0),
        8 => draw.log_uniform(1e-4, 1.0),
        _ => 1.0 - draw.log_uniform(1e-6, 0.5),
    };
    // At 1 there is no mask.
    p.min(0.999_999)
}

/// Gaussian entries, correlated or not, with a mean or without.
fn gaussian(draw: &mut Draw) -> Entries {
    let correlation = if draw.chance(0.5) { 0.0 } else { draw.uniform(-1.0, 1.0) };
    let (mean_x, mean_y) = if draw.chance(0.6) { (0.0, 0.0) } else { (2.0 * draw.normal(), 2.0 * draw.normal()) };
    let rest = (1.0 - correlation * correlation).sqrt();
    (0..draw.dimension())
        .map(|_| {
            let (x, other) = (draw.normal(), draw.normal());
            (x + mean_x, correlation * x + rest * other + mean_y)
        })
        .collect()
}

/// Small integers.
fn integers(draw: &mut Draw) -> Entries {
    let most = draw.between(1, 6);
    let entry = |draw: &mut Draw| draw.below(2 * most + 1) as f64 - most as f64;
    // Zeros and equal entries make the sum shorter.
    let extra = draw.below(4);
    (0..draw.dimension() + extra).map(|_| (entry(draw), entry(draw))).collect()
}

/// Groups of entries of one ratio `y / x`, or almost.
fn equal_ratios(draw: &mut Draw) -> Entries {
    let dimension = draw.dimension();
    let groups = draw.between(1, 4);
    let noise = draw.noise(0.4, 1e-9, 0.1);
    let spread = draw.uniform(0.0, 2.0);
    let outside = draw.uniform(0.0, 0.6);
    let angles: Vec<f64> = (0..groups).map(|_| draw.uniform(0.0, PI)).collect();
    (0..dimension)
        .map(|_| {
            if draw.chance(outside) {
                return (draw.normal(), draw.normal());
            }
            let length = draw.sign() * (spread * draw.normal()).exp();
            let angle = draw.one_of(&angles) + noise * draw.normal();
            (length * angle.cos(), length * angle.sin())
        })
        .collect()
}

/// Some entries much smaller than the others, in one input or in both.
fn two_scales(draw: &mut Draw) -> Entries {
    let (small_x, small_y) = (draw.log_uniform(1e-4, 0.5), draw.log_uniform(1e-4, 0.5));
    let share = draw.uniform(0.1, 0.9);
    let together = draw.chance(0.6);
    let discrete = draw.chance(0.2);
    let entry = |draw: &mut Draw| if discrete { draw.below(7) as f64 - 3.0 } else { draw.normal() };
    (0..draw.dimension())
        .map(|_| {
            let (x, y) = (entry(draw), entry(draw));
            let of_x = draw.chance(share);
            let of_y = if together { of_x } else { draw.chance(share) };
            let scale = if together { small_x } else { small_y };
            (if of_x { small_x * x } else { x }, if of_y { scale * y } else { y })
        })
        .collect()
}

/// One to four entries much larger than the others, in one input or in both.
fn dominant_entries(draw: &mut Draw) -> Entries {
    let mut entries = gaussian(draw);
    let count = draw.between(1, 4);
    for entry in entries.iter_mut().take(count) {
        let factor = draw.log_uniform(2.0, 1000.0);
        match draw.below(3) {
            0 => entry.0 *= factor,
            1 => entry.1 *= factor,
            _ => *entry = (factor * entry.0, factor * entry.1),
        }
    }
    entries
}

/// A few large entries of much the same direction beside clusters of small ones.
fn dominant_groups(draw: &mut Draw) -> Entries {
    let dimension = draw.dimension();
    let large = draw.between(1, 6);
    let clusters = draw.between(1, 3);
    let small = draw.log_uniform(1e-3, 0.5);
    let width = draw.noise(0.2, 1e-6, 0.3);
    let spread = draw.uniform(0.0, 1.0);
    let angles: Vec<f64> = (0..=clusters).map(|_| draw.uniform(0.0, PI)).collect();
    (0..dimension)
        .map(|index| {
            let cluster = if index < large { 0 } else { 1 + draw.below(clusters) };
            let length = draw.sign() * (spread * draw.normal()).exp() * if cluster == 0 { 1.0 } else { small };
            let angle = angles[cluster] + width * draw.normal();
            (length * angle.cos(), length * angle.sin())
        })
        .collect()
}

/// `y` a multiple of `x`, but for a little.
fn near(draw: &mut Draw, sign: f64) -> Entries {
    let factor = sign * draw.log_uniform(0.1, 10.0);
    let noise = draw.log_uniform(1e-9, 0.5);
    let single = draw.chance(0.15);
    let few = draw.chance(0.2);
    let plain = match draw.below(3) {
        0 => heavy_tailed(draw),
        1 => integers(draw),
        _ => gaussian(draw),
    };
    let entries = plain.into_iter().enumerate().map(|(index, (x, other))| {
        if single {
            // What single precision leaves of a multiple.
            let x = f64::from(x as f32);
            return (x, f64::from((factor * x) as f32));
        }
        let other = if few && index > 2 { 0.0 } else { other };
        (x, factor * (x + noise * other))
    });
    entries.collect()
}

/// Entries of one input or the other, and up to three of both.
fn disjoint(draw: &mut Draw) -> Entries {
    let shared = draw.below(4);
    let share = draw.uniform(0.2, 0.8);
    let size = if draw.chance(0.5) { 1.0 } else { draw.log_uniform(1e-3, 10.0) };
    (0..draw.dimension())
        .map(|index| {
            let (x, y) = (draw.normal(), draw.normal());
            if index < shared {
                (size * x, size * y)
            } else if draw.chance(share) {
                (x, 0.0)
            } else {
                (0.0, y)
            }
        })
        .collect()
}

/// Lognormal entries, or quotients of Gaussian ones.
fn heavy_tailed(draw: &mut Draw) -> Entries {
    let cauchy = draw.chance(0.3);
    let spread = draw.uniform(0.3, 2.5);
    let positive = draw.chance(0.3);
    let common = draw.chance(0.3);
    (0..draw.dimension())
        .map(|_| {
            let sign = |draw: &mut Draw| if positive { 1.0 } else { draw.sign() };
            let size = |draw: &mut Draw| {
                if cauchy { (draw.normal() / draw.normal()).clamp(-1e6, 1e6) } else { (spread * draw.normal()).exp() }
            };
            if common {
                let size = size(draw);
                return (size * draw.normal(), size * draw.normal());
            }
            (sign(draw) * size(draw), sign(draw) * size(draw))
        })
        .collect()
}

/// Rings of directions `pi j / k`, seen through a shear: symmetric under rotation where the average Gram matrix is the
/// identity.
fn rings(draw: &mut Draw) -> Entries {
    let (count, per_ring) = loop {
        let dimension = draw.dimension();
        let per_ring = draw.between(3, dimension);
        if dimension / per_ring * per_ring >= 9 {
            break (dimension / per_ring, per_ring);
        }
    };
    let noise = draw.noise(0.5, 1e-6, 3e-2);
    let shear = draw.uniform(0.05, PI - 0.05);
    let step = PI / per_ring as f64;
    let (first, ratio) = (draw.uniform(0.0, PI), draw.log_uniform(0.03, 1.0));
    let kind = draw.below(3);
    let mut entries = Vec::new();
    for ring in 0..count {
        let radius = match kind {
            0 => 1.0,
            1 => ratio.powi(ring as i32),
            _ => draw.log_uniform(0.03, 1.0),
        };
        let offset = first
            + match draw.below(3) {
                0 => 0.0,
                1 => step * draw.below(4) as f64 / 4.0,
                _ => draw.uniform(0.0, step),
            };
        for j in 0..per_ring {
            let angle = offset + step * j as f64;
            let (u, v) = (angle.cos() + noise * draw.normal(), angle.sin() + noise * draw.normal());
            entries.push((radius * u, radius * (u * shear.cos() + v * shear.sin())));
        }
    }
    entries
}

/// Few directions, equally spaced, each repeated: from two dozen entries to many hundred.
fn grids(draw: &mut Draw) -> Entries {
    let directions = draw.one_of(&[6, 6, 8, 8, 12, 16]);
    let (first, shear) = (draw.uniform(0.0, PI), draw.uniform(0.05, PI - 0.05));
    let alternate = if draw.chance(0.7) { 1.0 } else { draw.log_uniform(0.03, 1.0) };
    let many = directions == 6 && draw.chance(0.1);
    let equal = draw.chance(0.5);
    // Some thousand to some hundred thousand terms; or so many entries that only masks of few of them can be summed.
    let most_terms = draw.log_uniform(3e3, 2e5);
    let mut times = vec![1usize; directions];
    if many {
        let each = draw.between(20, 140);
        times.iter_mut().for_each(|times| *times = if equal { each } else { each + draw.below(10) });
    } else {
        let terms = |times: &[usize]| times.iter().map(|times| *times as f64 + 1.0).product::<f64>();
        while equal && terms(&times) * 2.0 < most_terms {
            times.iter_mut().for_each(|times| *times += 1);
        }
        while !equal && terms(&times) < most_terms {
            let direction = draw.below(directions);
            times[direction] += 1;
        }
    }
    let mut entries = Vec::new();
    for (direction, times) in times.into_iter().enumerate() {
        let angle = first + PI * direction as f64 / directions as f64;
        let radius = if direction % 2 == 0 { 1.0 } else { alternate };
        let entry = (radius * angle.cos(), radius * (angle - shear).cos());
        entries.extend((0..times).map(|_| entry));
    }
    entries
}

/// Sinusoids of equal and of different frequency.
fn sinusoids(draw: &mut Draw) -> Entries {
    let mut dimension = draw.dimension();
    let periods = [8, 9, 10, 12, 16, 18, 20, 24, 32, 48, dimension, 2 * dimension];
    let period = draw.one_of(&periods);
    if draw.chance(0.2) {
        dimension = draw.between(16, 40);
    }
    let frequency = draw.between(1, period.div_ceil(2));
    let other = if draw.chance(0.6) { frequency } else { draw.between(1, period.div_ceil(2)) };
    let (phase_x, phase_y) = (draw.uniform(0.0, TAU), draw.uniform(0.0, TAU));
    let decay = draw.noise(0.7, 1e-2, 0.5);
    let noise = draw.noise(0.7, 1e-6, 3e-2);
    // An index within the period, so that entries that are equal are so in every bit.
    let wave =
        |j: usize, frequency: usize, phase: f64| (TAU * (j * frequency % period) as f64 / period as f64 + phase).cos();
    let mut entries: Entries = (0..dimension)
        .map(|j| {
            let size = (-decay * j as f64).exp();
            let (x, y) = (wave(j, frequency, phase_x), wave(j, other, phase_y));
            if noise == 0.0 {
                return (size * x, size * y);
            }
            (size * (x + noise * draw.normal()), size * (y + noise * draw.normal()))
        })
        .collect();
    shorten(&mut entries, 2e6);
    entries
}

/// Angles and lengths that are powers of the index.
fn chirps(draw: &mut Draw) -> Entries {
    let dimension = draw.dimension();
    let power = if draw.chance(0.7) { draw.one_of(&[0.5, 1.0, 2.0, 3.0]) } else { draw.uniform(0.2, 4.0) };
    let (first, range) = (draw.uniform(0.0, PI), draw.uniform(0.1, TAU));
    let decay = draw.noise(0.5, 0.1, 3.0);
    let shear = draw.uniform(0.05, PI - 0.05);
    (0..dimension)
        .map(|j| {
            let angle = first + range * (j as f64 / dimension as f64).powf(power);
            let length = (1.0 + j as f64).powf(-decay);
            (length * angle.cos(), length * (angle - shear).cos())
        })
        .collect()
}

/// Many equal entries, as of the background of two images, and a few others.
fn images(draw: &mut Draw) -> Entries {
    let others = draw.between(8, 14);
    let equal = draw.log_uniform(4.0, 700.0) as usize;
    let background = (-draw.uniform(0.0, 1.5), -draw.uniform(0.0, 1.5));
    let levels = draw.between(2, 20);
    let tails = draw.noise(0.5, 0.1, 2.0);
    // Where one of the images is blank its entry is that of the background.
    let blank = draw.uniform(0.0, 0.6);
    let mut entries = vec![background; equal];
    for _ in 0..others {
        let mut entry = |background: f64| {
            if draw.chance(blank) {
                return background;
            }
            let level = draw.between(1, levels) as f64 / levels as f64;
            3.0 * level * (tails * draw.normal()).exp() + background
        };
        entries.push((entry(background.0), entry(background.1)));
    }
    shorten(&mut entries, 2e6);
    entries
}

/// Half of one family and half of another.
fn mixed(draw: &mut Draw) -> Entries {
    const PARTS: [fn(&mut Draw) -> Entries; 9] =
        [gaussian, integers, equal_ratios, dominant_groups, disjoint, heavy_tailed, rings, sinusoids, chirps];
    let dimension = draw.dimension();
    let (first, second) = (draw.one_of(&PARTS)(draw), draw.one_of(&PARTS)(draw));
    let scale = if draw.chance(0.3) { 1.0 } else { draw.log_uniform(1e-3, 1.0) };
    let split = draw.between(1, dimension - 1);
    let mut entries: Entries = first.into_iter().take(split).collect();
    let rest = dimension - entries.len();
    entries.extend(second.into_iter().take(rest).map(|(x, y)| (scale * x, scale * y)));
    entries
}

/// Drops entries from the end until the sum over masks has at most so many terms.
fn shorten(entries: &mut Entries, most: f64) {
    loop {
        let (x, y): (Vec<f64>, Vec<f64>) = entries.iter().copied().unzip();
        let pair = Pair::new(ArrayView1::from(&x), ArrayView1::from(&y)).expect("finite entries");
        if Enumerate::terms(&pair) <= most.min(MOST_TERMS) {
            return;
        }
        entries.pop();
    }
}
