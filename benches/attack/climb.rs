//! Hill climbing on the ratio of error to claim.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use clap::Args;
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use sparsewidth::numeric::random::{Purpose, Stream};

use crate::Deadline;
use crate::compare::Comparison;
use crate::families::{FAMILIES, Member};
use crate::tally::{Table, Tally};

#[derive(Args)]
pub struct Options {
    #[arg(long, default_value_t = 600.0)]
    seconds: f64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One family instead of all, to start from.
    #[arg(long)]
    family: Option<String>,
    /// The least dimension.
    #[arg(long, default_value_t = 13)]
    least: usize,
    /// The tangent kernel too.
    #[arg(long)]
    tangent: bool,
    /// The most masks to sum, as a power of two.
    #[arg(long, default_value_t = 18)]
    most: u32,
}

/// Members drawn to find one to start from.
const DRAWN: u32 = 16;
/// Steps in a row without a larger ratio, after which a climb is over, and steps in all.
const PATIENCE: u32 = 150;
const STEPS: u32 = 1000;

/// Prints what it finds, and says whether a claim was false.
pub fn run(options: &Options) -> bool {
    let deadline = Deadline::after(Some(options.seconds));
    let places: Vec<usize> = (0..FAMILIES.len())
        .filter(|place| options.family.as_ref().is_none_or(|name| *name == FAMILIES[*place].name))
        .collect();
    if places.is_empty() {
        eprintln!("no such family");
        return true;
    }
    let next = AtomicU32::new(0);
    let tallies = Mutex::new(vec![Tally::default(); FAMILIES.len()]);
    rayon::broadcast(|_| {
        while !deadline.passed() {
            let start = next.fetch_add(1, Ordering::Relaxed);
            let place = places[start as usize % places.len()];
            let tally = climb(options, place, start, deadline);
            let Some(worst) = &tally.worst else { continue };
            let (ratio, steps) = (worst.comparison.worst(), tally.results);
            println!("start {start:5} {:17}{steps:6} steps: ratio {ratio:.3e}", FAMILIES[place].name);
            tallies.lock().expect("no climb panics")[place].merge(tally);
        }
    });
    let tallies = tallies.into_inner().expect("no climb panics");
    let table = Table(places.iter().map(|place| (FAMILIES[*place].name, &tallies[*place])).collect());
    print!("{table}");
    table.failed()
}

/// One climb; the same for the same seed and start unless the time is up before it ends.
fn climb(options: &Options, place: usize, start: u32, deadline: Deadline) -> Tally {
    let (seed, family) = (options.seed, &FAMILIES[place]);
    let serves = |member: &Member| member.x.len() >= options.least && member.terms() <= 2f64.powi(options.most as i32);
    let mut tally = Tally::default();
    let mut try_one = |member: &Member| {
        let comparison = Comparison::of(member);
        tally.add(member, comparison, || format!("climb --seed {seed}, start {start} from {}", family.name));
        comparison.worst()
    };

    let mut best: Option<(f64, Member)> = None;
    for index in 0..DRAWN {
        // Indices that `random` does not come to.
        let member = family.member(seed, u32::MAX - DRAWN * start - index);
        let member = Member { tangent: options.tangent, ..member };
        if serves(&member) && !deadline.passed() {
            let ratio = try_one(&member);
            if best.as_ref().is_none_or(|(best, _)| ratio > *best) {
                best = Some((ratio, member));
            }
        }
    }
    let Some((mut ratio, mut here)) = best else { return tally };
    let mut stream = Stream::new(seed, Purpose::Shuffle, start, 0);
    let mut waited = 0;
    for _ in 0..STEPS {
        let member = step(&here, &mut stream);
        waited += 1;
        if waited > PATIENCE || deadline.passed() {
            break;
        }
        if !serves(&member) {
            continue;
        }
        let found = try_one(&member);
        if found > ratio {
            (ratio, here, waited) = (found, member, 0);
        }
    }
    tally
}

/// A member nearby.
fn step(from: &Member, stream: &mut Stream) -> Member {
    let mut member = from.clone();
    let size = 10f64.powf(-5.0 * stream.random::<f64>()) / 2.0;
    let (place, kind) = (stream.random_range(0..member.x.len()), stream.random_range(0..10));
    let mut normal = || -> f64 {
        let normal: f64 = StandardNormal.sample(stream);
        size * normal
    };
    let (x, y) = (member.x[place], member.y[place]);
    match kind {
        0..4 => (member.x[place], member.y[place]) = (x * (1.0 + normal()), y * (1.0 + normal())),
        // A turn, which does not leave zeros where they are.
        4 => (member.x[place], member.y[place]) = (x + normal() * y, y + normal() * x),
        5 => {
            let factor = (4.0 * normal()).exp();
            (member.x[place], member.y[place]) = (factor * x, factor * y);
        }
        6 => member.x.iter_mut().chain(&mut member.y).for_each(|value| *value *= 1.0 + normal()),
        7 | 8 => member.p = (member.p * (3.0 * normal()).exp()).clamp(1e-9, 0.999_999),
        _ => member.tolerance = (member.tolerance * (6.0 * normal()).exp()).clamp(1e-10, 1e-2),
    }
    // Far from what a pair may not hold.
    let in_range = |values: &[f64]| values.iter().any(|v| v.abs() > 1e-20) && values.iter().all(|v| v.abs() < 1e20);
    if in_range(&member.x) && in_range(&member.y) { member } else { from.clone() }
}
