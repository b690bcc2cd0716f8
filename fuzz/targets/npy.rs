//! Matrices from `.npy` files: one that is read, written as f64 and read again is the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ndarray::Array2;
use sparsewidth::data::read_npy;
use sparsewidth_fuzz::{assert_refusal, write};

fuzz_target!(|bytes: &[u8]| {
    let path = write("matrix.npy", bytes);
    match read_npy(&path) {
        Ok(matrix) => {
            assert!(!matrix.is_empty() && matrix.iter().all(|value| value.is_finite()));
            let path = write("again.npy", &version_1(&matrix));
            assert_eq!(read_npy(&path).expect("what was written can be read"), matrix);
        }
        Err(error) => assert_refusal(&error, &path),
    }
});

/// A matrix as a file of version 1.
fn version_1(matrix: &Array2<f64>) -> Vec<u8> {
    let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': {:?}, }}", matrix.dim());
    header += &" ".repeat(63 - (10 + header.len()) % 64);
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(matrix.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}
