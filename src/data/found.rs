//! What a file or folder of the user's holds, by what is in it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::splits::{only, plain, splits};
use super::{DataSource, Inputs, LabelledSets, arrays, cifar};
use crate::error::{Error, Result};
use crate::files::in_shell;
use crate::files::kind::{Kind, Wanted, listed};

/// What was found.
#[derive(Debug)]
pub(super) enum Found {
    Labelled(LabelledSets),
    Unlabelled(Unlabelled),
}

/// Inputs without labels.
#[derive(Debug)]
pub(super) struct Unlabelled {
    pub inputs: Inputs,
    /// Whether they are images by their names, and not any vectors.
    pub are_images: bool,
    /// What would have held their labels.
    pub missing: String,
}

impl Unlabelled {
    /// The error where labels are needed; `source` is the data.
    pub fn refusal(&self, source: &DataSource) -> Error {
        let problem = format!("has no labels, which are needed here: they were expected in {}", self.missing);
        Error::value("data", source, problem, "add the labels, or give images with labels; distances need none")
    }
}

/// Folders within the given one in which data lies: as torchvision puts it, and as archives unpack.
const WITHIN: [&str; 14] = [
    "raw",
    "MNIST/raw",
    "FashionMNIST/raw",
    "KMNIST/raw",
    "QMNIST/raw",
    "EMNIST/raw",
    "MNIST",
    "FashionMNIST",
    "mnist",
    "gzip",
    "cifar-10-batches-bin",
    "cifar-100-binary",
    "cifar-10-batches-py",
    "cifar-100-python",
];

/// What to do about a folder without data.
const REMEDY: &str = "give a folder of MNIST's four files or others like them, of CIFAR's binary files, or of x_train.npy, \
                      y_train.npy, x_test.npy and y_test.npy";

/// Reads the data of a folder, or of the files in one whose names begin as the path ends: `FOLDER/emnist-letters`.
///
/// # Errors
/// Where there is none, or several data sets, or it cannot be read.
pub(super) fn read(path: &Path) -> Result<Found> {
    if path.is_dir() {
        return read_folder(&chosen(path)?);
    }
    if !path.exists()
        && let (Some(folder), Some(name)) = (parent(path), path.file_name())
    {
        let prefix = plain(&name.to_string_lossy());
        let places = std::iter::once(folder.clone()).chain(WITHIN.iter().map(|within| folder.join(within)));
        let all: Vec<_> = places.flat_map(|folder| splits(&folder)).filter(|split| !split.prefix.is_empty()).collect();
        if let Some(split) = all.iter().find(|split| split.prefix == prefix) {
            return split.read();
        }
        if !all.is_empty() {
            let mut prefixes: Vec<String> = all.into_iter().map(|split| split.prefix).collect();
            prefixes.dedup();
            let problem = format!("no file there has a name that begins so; there are {}", prefixes.join(", "));
            return Err(Error::file(path, problem, "give one of these after the folder"));
        }
    }
    Err(no_folder(path))
}

/// The folder of a path, the current one where it names none.
fn parent(path: &Path) -> Option<PathBuf> {
    let parent = path.parent()?;
    Some(if parent.as_os_str().is_empty() { ".".into() } else { parent.into() })
}

/// Whether a folder itself holds data.
fn holds_data(folder: &Path) -> bool {
    arrays::are_in(folder) || cifar::of_folder(folder).is_some() || !splits(folder).is_empty()
}

/// The folder that holds the data: the given one, or the only one of those within.
fn chosen(folder: &Path) -> Result<PathBuf> {
    if holds_data(folder) || cifar::is_for_python(folder) {
        return Ok(folder.into());
    }
    let within = |is_data: &dyn Fn(&Path) -> bool| -> Vec<PathBuf> {
        // Where case does not matter, two names are one folder.
        let mut seen = HashSet::new();
        let places = WITHIN.iter().map(|within| folder.join(within)).filter(|at| is_data(at));
        places.filter(|at| seen.insert(at.canonicalize().unwrap_or_else(|_| at.clone()))).collect()
    };
    let mut found = within(&holds_data);
    if found.is_empty() {
        found = within(&cifar::is_for_python);
    }
    match &found[..] {
        [one] => Ok(one.clone()),
        [] => {
            let names = names(folder);
            let has = if names.is_empty() { "is empty".into() } else { format!("has {}", listed(&names)) };
            let problem = format!("holds no data set that is known here: it {has}");
            Err(Error::file(folder, problem, REMEDY))
        }
        several => {
            let list: Vec<String> = several.iter().map(|at| at.display().to_string()).collect();
            let problem = format!("holds several data sets: {}", list.join(", "));
            Err(Error::file(folder, problem, "give the folder of one of them"))
        }
    }
}

fn read_folder(folder: &Path) -> Result<Found> {
    if arrays::are_in(folder) {
        return arrays::read_folder(folder);
    }
    if let Some(cifar) = cifar::of_folder(folder) {
        return cifar.read(folder);
    }
    let splits = splits(folder);
    if splits.is_empty() {
        return Err(cifar::refusal(folder));
    }
    only(splits, folder)?.read()
}

/// The names in a folder, in order; none where it cannot be read.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The error of a path that is not a folder, with what to do about it.
fn no_folder(folder: &Path) -> Error {
    let remedy = "give the folder with the four MNIST files";
    if !folder.exists() {
        let problem = "is neither an existing folder nor the name of built-in data";
        return Error::file(folder, problem, format!("{remedy}, mnist for the built-in images, or gaussian:784"));
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let parent = parent(folder).unwrap_or_default();
    let problem = "is neither a folder nor a .npy or .npz file";
    if ["idx3", "idx1", "idx2"].iter().any(|part| name.contains(part)) || name.ends_with(".bin") {
        return Error::file(folder, problem, format!("give the folder that it is in, {}", parent.display()));
    }
    let begin = std::fs::File::open(folder).and_then(|file| {
        let mut begin = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(file, 1 << 26), &mut begin).map(|_| begin)
    });
    let rename = |ending: &str| {
        let (from, to) = (folder.display().to_string(), folder.with_extension(ending).display().to_string());
        format!("name it so that it ends in .{ending}: mv {} {}", in_shell(&from), in_shell(&to))
    };
    match begin.ok().and_then(|begin| Kind::of(&begin)) {
        Some(Kind::Npy) => Error::file(folder, "is a NumPy array whose name does not end in .npy", rename("npy")),
        Some(Kind::Npz(_)) => Error::file(folder, "is a NumPy archive whose name does not end in .npz", rename("npz")),
        Some(Kind::Compressed(..)) if [".tar.gz", ".tgz"].iter().any(|ending| name.ends_with(ending)) => {
            let remedy = format!("unpack it, and give its folder: tar xf {}", in_shell(&folder.display().to_string()));
            Error::file(folder, "is a packed folder", remedy)
        }
        Some(kind) => {
            let error = kind.refusal(folder, Wanted::Matrix, remedy);
            let problem = format!("{problem}: it {}", error.problem());
            Error::file(folder, problem, error.remedy().unwrap_or(remedy))
        }
        None => Error::file(folder, problem, remedy),
    }
}
