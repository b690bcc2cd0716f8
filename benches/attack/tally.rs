//! What many results came to.

use std::fmt;

use crate::compare::{Comparison, PARTS, parts, size};
use crate::families::Member;

/// The worst result and how to have it again.
#[derive(Clone)]
pub struct Worst {
    pub comparison: Comparison,
    pub member: Member,
    /// Where it came from.
    pub origin: String,
}

impl fmt::Display for Worst {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { comparison, member, origin } = self;
        writeln!(f, "{origin}: ratio {:.3e}", comparison.worst())?;
        for (part, (found, exact)) in parts(&comparison.found).into_iter().zip(comparison.exact).enumerate() {
            let (name, ratio) = (PARTS[part], comparison.ratios[part]);
            let (claimed, exactly) = (size(found), size(exact));
            writeln!(
                f,
                "    {name:5} {:e} ± {claimed:.2e}, exactly {:e} ± {exactly:.0e}: ratio {ratio:.3e}",
                found.value, exact.value
            )?;
        }
        write!(f, "    d = {}, p = {:e}, tolerance = {:e}", member.x.len(), member.p, member.tolerance)?;
        if member.x.len() <= 64 {
            write!(f, "\n    x = {:?}\n    y = {:?}", member.x, member.y)?;
        }
        Ok(())
    }
}

/// Decades of ratios in a [`Tally`]: below 1e-4, six decades up to 100, and beyond.
const DECADES: [&str; 8] = ["<1e-4", "1e-4", "1e-3", "1e-2", "0.1", "1", "10", ">100"];

/// What many results came to.
#[derive(Clone, Default)]
pub struct Tally {
    pub results: u64,
    /// Results with a ratio above 1, and how many of each of [`PARTS`].
    pub above: u64,
    pub above_of: [u64; 6],
    /// Results in which `K~_1` or `K~_2`, averages of what is not negative, is negative.
    pub negative: u64,
    /// Results that did not reach their tolerance.
    pub missed: u64,
    /// Results by the decade of their largest ratio, see [`DECADES`].
    pub decades: [u64; 8],
    /// What the quadratures went through.
    pub nodes: u64,
    pub worst: Option<Worst>,
}

impl Tally {
    pub fn add(&mut self, member: &Member, comparison: Comparison, origin: impl FnOnce() -> String) {
        let ratio = comparison.worst();
        self.results += 1;
        self.above += u64::from(ratio > 1.0);
        for (above, ratio) in self.above_of.iter_mut().zip(comparison.ratios) {
            *above += u64::from(ratio > 1.0);
        }
        self.negative += u64::from(comparison.found.k1.value < 0.0 || comparison.found.k2.value < 0.0);
        self.missed += u64::from(comparison.missed);
        let decade = (ratio.log10().floor() + 5.0).clamp(0.0, 7.0);
        self.decades[decade as usize] += 1;
        self.nodes += comparison.found.terms;
        if self.worst.as_ref().is_none_or(|worst| ratio > worst.comparison.worst()) {
            self.worst = Some(Worst { comparison, member: member.clone(), origin: origin() });
        }
    }

    /// Whether a claim was false, or a value impossible.
    pub fn failed(&self) -> bool {
        self.above + self.negative > 0
    }

    /// Both together; of two that are equally bad the first stays.
    pub fn merge(&mut self, other: Self) {
        self.results += other.results;
        self.above += other.above;
        self.negative += other.negative;
        self.missed += other.missed;
        self.nodes += other.nodes;
        self.above_of.iter_mut().zip(other.above_of).for_each(|(sum, more)| *sum += more);
        self.decades.iter_mut().zip(other.decades).for_each(|(sum, more)| *sum += more);
        let Some(theirs) = other.worst else { return };
        if self.worst.as_ref().is_none_or(|ours| theirs.comparison.worst() > ours.comparison.worst()) {
            self.worst = Some(theirs);
        }
    }
}

/// Tallies by name, to print: a table, and the worst of each that has a false claim or, where none has, the worst of
/// all.
pub struct Table<'a>(pub Vec<(&'a str, &'a Tally)>);

impl Table<'_> {
    pub fn failed(&self) -> bool {
        self.0.iter().any(|(_, tally)| tally.failed())
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = Tally::default();
        self.0.iter().for_each(|(_, tally)| all.merge((*tally).clone()));
        write!(f, "{:17}{:>9}{:>8}", "family", "results", "above 1")?;
        PARTS.iter().try_for_each(|part| write!(f, "{part:>8}"))?;
        write!(f, "{:>9}{:>8}{:>10}{:>8} |", "negative", "missed", "worst", "nodes")?;
        DECADES.iter().try_for_each(|decade| write!(f, "{decade:>8}"))?;
        writeln!(f)?;
        for (name, tally) in self.0.iter().copied().chain([("all", &all)]) {
            let worst = tally.worst.as_ref().map_or(0.0, |worst| worst.comparison.worst());
            let nodes = tally.nodes / tally.results.max(1);
            write!(f, "{name:17}{:9}{:8}", tally.results, tally.above)?;
            tally.above_of.iter().try_for_each(|above| write!(f, "{above:8}"))?;
            write!(f, "{:9}{:8}{worst:10.2e}{nodes:8} |", tally.negative, tally.missed)?;
            tally.decades.iter().try_for_each(|count| write!(f, "{count:8}"))?;
            writeln!(f)?;
        }
        let shown = self.0.iter().map(|(_, tally)| *tally).filter(|tally| tally.above > 0);
        let shown = shown.chain([&all].into_iter().filter(|all| all.above == 0));
        shown.filter_map(|tally| tally.worst.as_ref()).try_for_each(|worst| writeln!(f, "{worst}"))
    }
}
