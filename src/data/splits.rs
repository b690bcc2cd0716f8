//! Data sets in the four files of MNIST and of those that followed it: EMNIST, KMNIST, Fashion-MNIST, QMNIST.
//!
//! A name is `[SPLIT-]SET-WHAT-ENDING`, with dots or underscores for dashes, in any case, and perhaps `.gz`:
//! `train-images-idx3-ubyte`, `t10k-labels.idx1-ubyte`, `emnist-letters-test-images-idx3-ubyte.gz`,
//! `qmnist-train-labels-idx2-int`, `kmnist-train-imgs.npz`.

use std::path::{Path, PathBuf};

use super::labelled::Unnumbered;
use super::{Images, Inputs, LabelledSets, Values, arrays, idx, labelled};
use crate::data::found::{Found, Unlabelled, names};
use crate::error::{Error, Result};
use crate::files::kind::listed;

/// The four files of one data set, in a folder that may hold several.
#[derive(Debug)]
pub(super) struct Split {
    folder: PathBuf,
    /// What the names of its files begin with, such as `emnist-letters`; nothing for MNIST.
    pub prefix: String,
    /// Training images, training labels, test images, test labels: the names of those files that exist.
    files: [Option<String>; 4],
}

/// The endings of names, after dots and underscores became dashes: of images, and of labels.
const ENDINGS: [&[&str]; 2] =
    [&["images-idx3-ubyte", "imgs-npz"], &["labels-idx1-ubyte", "labels-idx2-int", "labels-npz"]];
/// The names of sets: of training, and of the test.
const SETS: [&[&str]; 2] = [&["train"], &["t10k", "test"]];

/// A name in the form in which names are compared.
pub(super) fn plain(name: &str) -> String {
    name.to_lowercase().replace(['.', '_'], "-")
}

/// The split of a file, and its place in [`Split::files`]; none of another file.
fn place(name: &str) -> Option<(String, usize)> {
    let plain = plain(name);
    let plain = plain.strip_suffix("-gz").unwrap_or(&plain);
    let strip = |text: &str, of: &[&[&str]; 2]| {
        let ends = |(place, endings): (usize, &&[&str])| {
            Some((endings.iter().find_map(|ending| text.strip_suffix(ending))?.to_string(), place))
        };
        of.iter().enumerate().find_map(ends)
    };
    let (rest, what) = strip(plain, &ENDINGS)?;
    let (prefix, set) = strip(rest.strip_suffix('-')?, &SETS)?;
    let prefix = if prefix.is_empty() { prefix } else { prefix.strip_suffix('-')?.to_string() };
    Some((prefix, 2 * set + what))
}

/// The splits in a folder, by name.
pub(super) fn splits(folder: &Path) -> Vec<Split> {
    let mut splits: Vec<Split> = Vec::new();
    let mut found = names(folder);
    found.retain(|name| folder.join(name).is_file());
    // Of two files for one place, the one that is not packed; names are in order otherwise.
    found.sort_by_key(|name| name.to_lowercase().ends_with(".gz"));
    for name in found {
        let Some((prefix, place)) = place(&name) else { continue };
        let at = splits.iter().position(|split| split.prefix == prefix).unwrap_or_else(|| {
            splits.push(Split { folder: folder.into(), prefix, files: Default::default() });
            splits.len() - 1
        });
        splits[at].files[place].get_or_insert(name);
    }
    splits.sort_by(|one, two| one.prefix.cmp(&two.prefix));
    splits
}

/// The split of a folder that holds one, or the one whose files have no prefix.
///
/// # Errors
/// Where there are several with names.
pub(super) fn only(mut splits: Vec<Split>, folder: &Path) -> Result<Split> {
    if let [first, others @ ..] = &splits[..]
        && !others.is_empty()
        && !first.prefix.is_empty()
    {
        let prefixes: Vec<String> = splits.iter().map(|split| split.prefix.clone()).collect();
        let problem = format!("holds {} data sets: {}", prefixes.len(), prefixes.join(", "));
        let remedy = format!("give the one that you mean, such as {}", folder.join(&prefixes[0]).display());
        return Err(Error::file(folder, problem, remedy));
    }
    Ok(splits.swap_remove(0))
}

impl Split {
    /// Reads the two sets. Without any label file, only the images on which distances are taken: those of the test, or
    /// where there are none those of training.
    ///
    /// # Errors
    /// Where one of the four files is missing but a label file is there, or one cannot be read.
    pub fn read(&self) -> Result<Found> {
        let path = |place: usize| self.files[place].as_ref().map(|name| self.folder.join(name));
        if let (None, None, Some(images)) = (path(1), path(3), path(2).or(path(0))) {
            let (images_found, _, stored) = read_images(&images)?;
            let kind = if matches!(images_found, Images::Bytes(_)) { Values::Bytes } else { Values::Real };
            let checksum = labelled::checksum(&[&stored]);
            let missing = [1, 3].map(|place| self.expected(place)).join(" and ");
            let inputs = Inputs { values: images_found.to_real(), kind, checksum };
            return Ok(Found::Unlabelled(Unlabelled { inputs, are_images: true, missing }));
        }
        let set = |images: usize, labels: usize| {
            let of = |place: usize| path(place).ok_or_else(|| self.missing(place));
            let (images, labels) = (of(images)?, of(labels)?);
            let (found, shape, stored) = read_images(&images)?;
            let (classes, stored_labels) = read_labels(&labels)?;
            Unnumbered::new((found, shape), classes, &[&stored, &stored_labels], (&images, &labels))
        };
        LabelledSets::new(set(0, 1)?, set(2, 3)?, &self.folder).map(Found::Labelled)
    }

    /// The name that a file of the split should have, by those that are there.
    fn expected(&self, place: usize) -> String {
        let found: Vec<&String> = self.files.iter().flatten().collect();
        let any = |part: &str| found.iter().any(|name| plain(name).contains(part));
        let set = match place < 2 {
            true => "train",
            false if self.prefix.is_empty() || any("t10k") => "t10k",
            false => "test",
        };
        let ending = match place % 2 {
            0 if any("-npz") => "imgs.npz",
            0 => "images-idx3-ubyte",
            _ if any("-npz") => "labels.npz",
            _ if self.prefix.starts_with("qmnist") => "labels-idx2-int",
            _ => "labels-idx1-ubyte",
        };
        let dash = if self.prefix.is_empty() { "" } else { "-" };
        format!("{}{dash}{set}-{ending}", self.prefix)
    }

    fn missing(&self, place: usize) -> Error {
        let problem = "this file does not exist, with or without .gz";
        let remedy = format!("put the four files into this folder, which has {}", listed(&names(&self.folder)));
        Error::file(&self.folder.join(self.expected(place)), problem, remedy)
    }
}

/// The images of a file, the rows and columns of one, and what is stored.
fn read_images(path: &Path) -> Result<(Images, (usize, usize), Vec<u8>)> {
    if plain(&path.to_string_lossy()).ends_with("-npz") {
        return arrays::single_images(path);
    }
    let bytes = idx::read_unpacked(path)?;
    let (images, shape) = idx::images(&bytes, path)?;
    Ok((images, shape, bytes))
}

/// The labels of a file, and what is stored.
fn read_labels(path: &Path) -> Result<(Vec<i64>, Vec<u8>)> {
    if plain(&path.to_string_lossy()).ends_with("-npz") {
        return arrays::single_labels(path);
    }
    let bytes = idx::read_unpacked(path)?;
    Ok((idx::labels(&bytes, path)?, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_known() {
        for (name, split, at) in [
            ("train-images-idx3-ubyte", "", 0),
            ("train-images.idx3-ubyte", "", 0),
            ("Train_Images_IDX3_ubyte.GZ", "", 0),
            ("t10k-labels.idx1-ubyte.gz", "", 3),
            ("emnist-letters-test-images-idx3-ubyte", "emnist-letters", 2),
            ("qmnist-train-labels-idx2-int.gz", "qmnist", 1),
            ("kmnist-test-labels.npz", "kmnist", 3),
            ("k49-train-imgs.npz", "k49", 0),
        ] {
            assert_eq!(place(name), Some((split.into(), at)), "{name}");
        }
        for name in ["train-images", "images-idx3-ubyte", "xtrain-images-idx3-ubyte", "train-images-idx3-ubyte.zip", ""]
        {
            assert_eq!(place(name), None, "{name}");
        }
    }
}
