//! IDX files, plain and gzipped: an array that is read, written and read again is the same, and images with as many
//! labels make a data set.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use ndarray::{Array1, ArrayD};
use sparsewidth::data::{DataSource, idx};
use sparsewidth_fuzz::{assert_refusal, folder, write};

fuzz_target!(|bytes: &[u8]| {
    let path = write("train-images-idx3-ubyte", bytes);
    let unpacked = match idx::read_unpacked(&path) {
        Ok(unpacked) => unpacked,
        Err(error) => return assert_refusal(&error, &path),
    };
    let named = unpacked.get(3).copied().unwrap_or(2);
    for dimensions in [1, 3, named] {
        match idx::parse(&unpacked, dimensions, &path) {
            Ok(array) => {
                assert_eq!(array.ndim(), usize::from(dimensions));
                round_trip(&array);
                if let [samples, rows, columns] = *array.shape() {
                    folder_of_images(samples, (rows, columns), &path);
                }
            }
            Err(error) => assert_refusal(&error, &path),
        }
    }
});

/// Packs an array and reads it again.
fn round_trip(array: &ArrayD<u8>) {
    let packed = idx::encode_gzip(array.view()).expect("what was read can be written");
    let path = write("again.gz", &packed);
    let unpacked = idx::read_unpacked(&path).expect("what was packed can be unpacked");
    let dimensions = u8::try_from(array.ndim()).expect("an IDX header has a byte for it");
    assert_eq!(idx::parse(&unpacked, dimensions, &path).expect("what was written can be read"), array);
}

/// Reads the folder in which the images are both sets and have labels of 0.
fn folder_of_images(samples: usize, shape: (usize, usize), images: &Path) {
    if samples > 10_000 {
        return;
    }
    let labels = idx::encode_gzip(Array1::<u8>::zeros(samples).into_dyn().view()).expect("labels can be written");
    write("train-labels-idx1-ubyte.gz", &labels);
    write("t10k-labels-idx1-ubyte.gz", &labels);
    std::fs::copy(images, folder().join("t10k-images-idx3-ubyte")).expect("a copy");
    let sets = DataSource::of_path(folder()).labelled().expect("images with labels are a data set");
    assert_eq!((sets.train.len(), sets.train.shape), (samples, shape));
    assert_eq!(sets.train.checksum, sets.test.checksum);
}
