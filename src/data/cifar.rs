//! CIFAR-10 and CIFAR-100 in their binary version: records of one or two labels and 3,072 pixels, three planes of 32 x
//! 32 (<https://www.cs.toronto.edu/~kriz/cifar.html>).

use std::path::Path;

use ndarray::Array2;

use super::LabelledSets;
use super::found::{Found, names};
use super::labelled::Unnumbered;
use crate::error::{Error, Result};
use crate::files::kind::Kind;
use crate::files::{CHECK, read_whole, unreadable};

/// The bytes of an image.
const PIXELS: usize = 3 * 32 * 32;
/// Three planes, one below the other.
const SHAPE: (usize, usize) = (3 * 32, 32);

/// One of the two data sets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cifar {
    train: &'static [&'static str],
    test: &'static str,
    /// The labels of a record, of which the last is used: of CIFAR-100, the fine one.
    labels: usize,
    /// The classes.
    classes: u8,
}

const ALL: [Cifar; 2] = [
    Cifar {
        train: &["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
        test: "test_batch.bin",
        labels: 1,
        classes: 10,
    },
    Cifar { train: &["train.bin"], test: "test.bin", labels: 2, classes: 100 },
];

/// The files by which the version for Python is known.
const FOR_PYTHON: [&[&str]; 2] = [&["data_batch_1", "test_batch"], &["train", "test", "meta"]];

/// The data set of which a folder holds a file.
pub(super) fn of_folder(folder: &Path) -> Option<Cifar> {
    let there = |name: &str| folder.join(name).is_file();
    ALL.into_iter().find(|cifar| cifar.train.iter().any(|name| there(name)) || there(cifar.test))
}

/// Whether a folder holds the version for Python.
pub(super) fn is_for_python(folder: &Path) -> bool {
    let found = names(folder);
    FOR_PYTHON.iter().any(|files| files.iter().all(|file| found.iter().any(|name| name == file)))
}

/// The refusal of that version.
pub(super) fn refusal(folder: &Path) -> Error {
    let problem = "holds the version of CIFAR for Python, which is pickled";
    let remedy = "download the binary version, cifar-10-binary.tar.gz or cifar-100-binary.tar.gz, and unpack it";
    Error::file(folder, problem, remedy)
}

impl Cifar {
    /// Reads both sets.
    ///
    /// # Errors
    /// Where a file is missing, is no whole number of records, or has a label beyond the classes.
    pub fn read(self, folder: &Path) -> Result<Found> {
        let set = |files: &[&str]| {
            let (mut stored, mut pixels, mut labels) = (Vec::new(), Vec::new(), Vec::new());
            for name in files {
                let path = folder.join(name);
                if !path.is_file() {
                    let all = [self.train, &[self.test]].concat().join(", ");
                    let remedy = format!("put the files into this folder: {all}");
                    return Err(Error::file(&path, "this file does not exist", remedy));
                }
                let bytes = read_whole(&path).map_err(|error| unreadable(&path, error, CHECK))?;
                self.check(&bytes, &path)?;
                for record in bytes.chunks_exact(self.labels + PIXELS) {
                    labels.push(i64::from(record[self.labels - 1]));
                    pixels.extend_from_slice(&record[self.labels..]);
                }
                stored.push(bytes);
            }
            let images = Array2::from_shape_vec((labels.len(), PIXELS), pixels).expect("as many pixels as pushed");
            let stored: Vec<&[u8]> = stored.iter().map(Vec::as_slice).collect();
            Unnumbered::new((images.into(), SHAPE), labels, &stored, (folder, folder))
        };
        LabelledSets::new(set(self.train)?, set(&[self.test])?, folder).map(Found::Labelled)
    }

    fn check(self, bytes: &[u8], path: &Path) -> Result<()> {
        let record = self.labels + PIXELS;
        let remedy = "give the binary version of CIFAR, whole and unpacked";
        if bytes.is_empty() || !bytes.len().is_multiple_of(record) {
            let problem = match Kind::of(bytes) {
                // Pixels can look like the beginning of anything; a file of text is one.
                Some(kind @ (Kind::Empty | Kind::WebPage | Kind::Xml | Kind::LfsPointer)) => {
                    return Err(kind.refusal(path, crate::files::kind::Wanted::Idx, remedy));
                }
                _ => format!("has {} bytes, which is no whole number of records of {record} bytes", bytes.len()),
            };
            return Err(Error::file(path, problem, remedy));
        }
        let labels = bytes.chunks_exact(record).map(|record| record[self.labels - 1]);
        match labels.enumerate().find(|(_, label)| *label >= self.classes) {
            Some((index, label)) => {
                let problem = format!("label {index} is {label}, not from 0 to {}", self.classes - 1);
                Err(Error::file(path, problem, remedy))
            }
            None => Ok(()),
        }
    }
}
