//! The `sparsewidth` program: parse, run, report the exit code.

mod cli;

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::parse().and_then(cli::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where standard error is closed there is still the exit code.
            let _ = writeln!(std::io::stderr(), "error: {}", cli::message(&error));
            cli::exit_code(&error)
        }
    }
}
