//! An attack on the errors that the quadrature claims. `cargo bench --bench attack -- COMMAND`.
//!
//! The quadrature is compared with the sum over masks, or with sampled masks, on inputs made to be hard, at the error
//! that it claims: a ratio above 1 is a claim that is false.
//!
//! - `random --count N [--family NAME]`: members of all families, by seed and index;
//! - `climb --seconds S`: hill climbing on the ratio, from members of all families;
//! - `real --pairs N --masks M [--data FOLDER]`: pairs of images, against sampled masks and against a finer quadrature;
//! - `cases`: single inputs that once failed.
//!
//! The exit code is 1 where a claim is false. What is printed is enough to repeat a result.
#![allow(missing_docs, missing_debug_implementations, reason = "a program, whose items nobody else uses")]

mod cases;
mod climb;
mod compare;
mod counts;
mod families;
mod fixed;
mod random;
mod real;
mod tally;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "An attack on the errors that the quadrature claims")]
struct Arguments {
    /// What cargo tells every benchmark.
    #[arg(long, hide = true, global = true)]
    bench: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Members of the families against the sum over masks.
    Random(random::Options),
    /// Hill climbing on the ratio of error to claim.
    Climb(climb::Options),
    /// Pairs of images against sampled masks and a finer quadrature.
    Real(real::Options),
    /// Single inputs that once failed.
    Cases,
}

/// When to stop.
#[derive(Clone, Copy)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    pub fn after(seconds: Option<f64>) -> Self {
        Self(seconds.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds)))
    }

    pub fn passed(self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }
}

fn main() -> ExitCode {
    let failed = match Arguments::parse().command {
        Some(Command::Random(options)) => random::run(&options),
        Some(Command::Climb(options)) => climb::run(&options),
        Some(Command::Real(options)) => match real::run(&options) {
            Ok(failed) => failed,
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::from(2);
            }
        },
        Some(Command::Cases) => run_cases(),
        None => run_cases() | random::run(&random::Options::short()),
    };
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Prints what it finds, and says whether a claim was false.
fn run_cases() -> bool {
    let mut failed = false;
    for (name, member) in cases::cases() {
        let comparison = cases::patiently(member);
        failed |= comparison.is_none_or(|comparison| comparison.worst() > 1.0);
        match comparison {
            None => println!("{name}: does not end"),
            Some(comparison) => {
                let [k1, k2, shift, ..] = comparison.ratios;
                println!("{name}: ratios {k1:.2e}, {k2:.2e}, {shift:.2e}");
            }
        }
    }
    let worst = fixed::worst(1, 1000);
    println!("1000 nearly opposite pairs, a fixed number of weights in each row: largest ratio {worst:.3e}");
    failed | (worst > 1.0)
}
