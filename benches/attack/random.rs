//! Members of all families against the sum over masks.

use clap::Args;
use rayon::prelude::*;

use crate::Deadline;
use crate::compare::Comparison;
use crate::families::{FAMILIES, Family, MOST_TERMS};
use crate::tally::{Table, Tally};

#[derive(Args)]
pub struct Options {
    /// Results in all.
    #[arg(long, default_value_t = 100_000)]
    count: u32,
    /// The index of the first member of each family.
    #[arg(long, default_value_t = 0)]
    first: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One family instead of all.
    #[arg(long)]
    family: Option<String>,
    /// One tolerance instead of random ones.
    #[arg(long)]
    tolerance: Option<f64>,
    /// The tangent kernel too, where the sum over masks is short.
    #[arg(long)]
    tangent: bool,
    /// Stop after so many seconds.
    #[arg(long)]
    seconds: Option<f64>,
}

impl Options {
    /// A few seconds of it.
    pub fn short() -> Self {
        Self { count: 3200, first: 0, seed: 1, family: None, tolerance: None, tangent: false, seconds: None }
    }
}

/// Prints what it finds, and says whether a claim was false.
pub fn run(options: &Options) -> bool {
    let chosen = |family: &&Family| options.family.as_ref().is_none_or(|name| *name == family.name);
    let families: Vec<&Family> = FAMILIES.iter().filter(chosen).collect();
    if families.is_empty() {
        let names: Vec<_> = FAMILIES.iter().map(|family| family.name).collect();
        eprintln!("no such family; there are {}", names.join(", "));
        return true;
    }
    let deadline = Deadline::after(options.seconds);
    // A round: each family as often as its share, by place and by its number among them.
    let round: Vec<(usize, u32)> = families
        .iter()
        .enumerate()
        .flat_map(|(place, family)| (0..family.share).map(move |number| (place, number)))
        .collect();
    let mut tallies = vec![Tally::default(); families.len()];
    // Round after round of all families, so that what is done when time is up is of each the same.
    const BATCH: u32 = 10_000;
    let mut done = 0;
    while done < options.count && !deadline.passed() {
        let batch = BATCH.min(options.count - done);
        let results: Vec<(usize, Tally)> = (done..done + batch)
            .into_par_iter()
            .filter(|_| !deadline.passed())
            .map(|number| {
                let (place, within) = round[number as usize % round.len()];
                let (family, seed) = (families[place], options.seed);
                let index = options.first + number / round.len() as u32 * family.share + within;
                let mut member = family.member(seed, index);
                member.tolerance = options.tolerance.unwrap_or(member.tolerance);
                member.tangent = options.tangent;
                // The sum over masks for the tangent kernel takes ten times as long.
                if member.tangent && member.terms() > MOST_TERMS / 16.0 {
                    return (place, Tally::default());
                }
                let (mut tally, comparison) = (Tally::default(), Comparison::of(&member));
                let origin = || format!("random --family {} --seed {seed} --first {index} --count 1", family.name);
                if comparison.worst() > 1.0 {
                    eprintln!("{}: ratios {:.3?}", origin(), comparison.ratios);
                }
                tally.add(&member, comparison, origin);
                (place, tally)
            })
            .collect();
        results.into_iter().for_each(|(place, tally)| tallies[place].merge(tally));
        done += batch;
        let above: u64 = tallies.iter().map(|tally| tally.above).sum();
        eprintln!("{done} of {}: {above} above the claim", options.count);
    }
    let table = Table(families.iter().map(|family| family.name).zip(&tallies).collect());
    print!("{table}");
    table.failed()
}
