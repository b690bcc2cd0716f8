//! Running the program.
#![allow(dead_code)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use assert_cmd::cargo::CommandCargoExt;

/// The program with its arguments.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("sparsewidth").unwrap();
    command.args(arguments);
    command
}

/// What it comes to.
pub fn sparsewidth(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// What it prints where it succeeds, which it must.
pub fn done(arguments: &[&str]) -> String {
    let output = sparsewidth(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Checks that it refuses its arguments with exit code 2, without a panic or any output, in a message that has some words.
pub fn refused(arguments: &[&str], words: &[&str]) {
    let output = sparsewidth(arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
    assert!(output.stdout.is_empty(), "{arguments:?} printed");
    assert!(!error.contains("panicked") && !error.contains("RUST_BACKTRACE"), "{arguments:?}: {error}");
    for word in words {
        assert!(error.contains(word), "{arguments:?}: no {word:?} in {error}");
    }
}

/// Says loudly what was not tried, past what the test runner keeps to itself.
pub fn skipped(what: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}");
}

/// A file of an output folder.
pub fn read(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}
