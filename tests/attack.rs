//! The errors that the quadrature and fixed counts claim, on inputs made to be hard: up to 128 of each family of
//! `benches/attack`, which goes on from here for as long as one likes.

// The families and the comparison are the benchmark's.
#[path = "../benches/attack/cases.rs"]
mod cases;
#[path = "../benches/attack/compare.rs"]
mod compare;
#[path = "../benches/attack/counts.rs"]
mod counts;
#[path = "../benches/attack/families.rs"]
mod families;
#[path = "../benches/attack/fixed.rs"]
mod fixed;
#[path = "../benches/attack/tally.rs"]
mod tally;

use rayon::prelude::*;

use compare::Comparison;
use families::FAMILIES;
use tally::{Table, Tally};

#[test]
fn no_result_of_any_family_is_wrong_by_more_than_it_claims() {
    const ROUNDS: u32 = 16;
    const SEED: u64 = 2026;
    let tallies: Vec<Tally> = FAMILIES
        .par_iter()
        .map(|family| {
            let mut tally = Tally::default();
            for index in 0..ROUNDS * family.share {
                let mut member = family.member(SEED, index);
                tally.add(&member, Comparison::of(&member), || format!("{} {index}", family.name));
                member.tangent = true;
                if member.terms() <= families::MOST_TERMS / 16.0 {
                    tally.add(&member, Comparison::of(&member), || format!("{} {index}, tangent", family.name));
                }
            }
            tally
        })
        .collect();
    let table = Table(FAMILIES.iter().map(|family| family.name).zip(&tallies).collect());
    assert!(!table.failed(), "\n{table}");
}

#[test]
fn no_case_that_once_failed_is_wrong_by_more_than_it_claims() {
    let failed: Vec<String> = cases::cases()
        .into_iter()
        .filter_map(|(name, member)| match cases::patiently(member) {
            None => Some(format!("{name} does not end")),
            Some(comparison) if comparison.worst() > 1.0 => Some(format!("{name}: {:?}", comparison.ratios)),
            Some(_) => None,
        })
        .collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn fixed_counts_of_nearly_opposite_inputs_are_right_to_what_they_claim() {
    let worst = fixed::worst(2026, 500);
    assert!(worst <= 1.0, "an error of {worst} claims");
}
