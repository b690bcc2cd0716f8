//! Running the program.
#![allow(dead_code)]

use std::collections::BTreeMap;
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

/// Checks that it refuses its arguments with exit code 2, without a panic or any output, in a message that has some
/// words.
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

/// The folders of `testdata/records/1`, each with the command whose records it holds.
pub fn studies() -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/records/1/commands.toml");
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A file of an output folder.
pub fn read(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}

/// Makes a folder `m` with four small MNIST files: 64 training and 32 test images of 4 x 4 pixels, of which one a label
/// is bright.
pub fn little_mnist(folder: &Path) -> String {
    let folder = folder.join("m");
    std::fs::create_dir_all(&folder).unwrap();
    for (part, count) in [("train", 64u8), ("t10k", 32)] {
        let label = |image: u8| image % 10;
        let pixel = |image: u8, pixel: u8| {
            let noise = (u32::from(image) * 37 + u32::from(pixel) * 101) % 60;
            noise as u8 + if pixel == label(image) { 180 } else { 0 }
        };
        let mut images = vec![0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 4, 0, 0, 0, 4];
        images.extend((0..count).flat_map(|image| (0..16).map(move |place| pixel(image, place))));
        let mut labels = vec![0, 0, 8, 1, 0, 0, 0, count];
        labels.extend((0..count).map(label));
        std::fs::write(folder.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        std::fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
    }
    folder.to_str().unwrap().into()
}
