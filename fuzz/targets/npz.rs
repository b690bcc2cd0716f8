//! NumPy archives as data: sets with labels have classes from 0 on, inputs without are finite, and what is refused for
//! training is refused in words.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sparsewidth::data::DataSource;
use sparsewidth::{Error, ErrorKind};
use sparsewidth_fuzz::{assert_refusal, assert_sets, write};

fuzz_target!(|bytes: &[u8]| {
    let path = write("data.npz", bytes);
    let source = DataSource::of_path(&path);
    match (source.inputs(0), source.labelled()) {
        (Ok(inputs), labelled) => {
            assert!(!inputs.values.is_empty() && inputs.values.iter().all(|value| value.is_finite()));
            match labelled {
                Ok(sets) => assert_sets(&sets),
                Err(error) => assert_without_labels(&error),
            }
        }
        (Err(error), Err(_)) => assert_refusal(&error, &path),
        (Err(error), Ok(_)) => panic!("labelled data without inputs: {error}"),
    }
});

/// Asserts that data which can be read is refused for its missing labels only.
fn assert_without_labels(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Argument, "{error}");
    assert!(error.to_string().contains("no labels") && error.remedy().is_some(), "{error}");
}
