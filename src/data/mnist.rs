//! MNIST: the embedded subset, and folders with the standard four files.

use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis, Ix3};
use sha2::{Digest, Sha256};

use super::{Values, hexadecimal, idx};
use crate::error::{Error, Result};
use crate::files::in_shell;
use crate::files::kind::{Kind, Wanted, listed};
use crate::numeric::random::subset;

/// Images with their labels, as bytes.
#[derive(Clone, Debug)]
pub struct Labelled {
    /// Shape `(samples, pixels)`, rows of pixels one after the other, 0 to 255.
    pub images: Array2<u8>,
    /// Rows and columns of one image.
    pub shape: (usize, usize),
    /// One label per sample.
    pub labels: Vec<u8>,
    /// SHA-256 of the unpacked image file and label file, one after the other, as hexadecimal.
    pub checksum: String,
}

/// A training set and a test set.
#[derive(Clone, Debug)]
pub struct Mnist {
    /// The training images: 2,048 where embedded, all where read from a folder.
    pub train: Labelled,
    /// The test images.
    pub test: Labelled,
}

/// The seed by which the embedded 2,048 training images were chosen, through [`subset`].
pub const SUBSET_SEED: u64 = 201_014_495;
/// The number of embedded training images, the paper's.
pub const SUBSET_SIZE: usize = 2048;
/// Labels are 0 to 9.
pub const CLASSES: usize = 10;

#[cfg(feature = "embedded")]
struct Embedded {
    name: &'static str,
    images: &'static [u8],
    labels: &'static [u8],
    checksum: &'static str,
}

#[cfg(feature = "embedded")]
const EMBEDDED: [Embedded; 2] = [
    Embedded {
        name: "embedded training images",
        images: include_bytes!("../../data/mnist/train2048-images-idx3-ubyte.gz"),
        labels: include_bytes!("../../data/mnist/train2048-labels-idx1-ubyte.gz"),
        checksum: SUBSET_CHECKSUM,
    },
    Embedded {
        name: "embedded test images",
        images: include_bytes!("../../data/mnist/t10k-images-idx3-ubyte.gz"),
        labels: include_bytes!("../../data/mnist/t10k-labels-idx1-ubyte.gz"),
        checksum: TEST_CHECKSUM,
    },
];

/// The checksum of the embedded training images.
const SUBSET_CHECKSUM: &str = "fa650fd59e91bc69028858baa2d3b7e073a13d33c87a07ddeb439d24497ded5d";
/// The checksum of MNIST's 10,000 test images.
const TEST_CHECKSUM: &str = "18489308deedfe2f7bd3a11e599a597126f161d991b1ffcffb71642aa76f7f62";
/// The checksum of MNIST's 60,000 training images, as in a folder with its files.
const WHOLE_TRAINING_SET: &str = "c5097fdd51cfdbe7695fd9df3612695696864b5c424f58d843ffdc5d335e9914";

impl Mnist {
    /// The embedded data: 2,048 training images and all 10,000 test images.
    ///
    /// # Errors
    /// Where the bytes do not have the checksums that they had when they were embedded: the program file is damaged.
    /// Where the library was built without the feature `embedded`.
    #[cfg(not(feature = "embedded"))]
    pub fn embedded() -> Result<Self> {
        let problem = "this build has no embedded images";
        Err(Error::value(
            "data",
            "mnist",
            problem,
            "give a folder with the four MNIST files, or build with the feature embedded",
        ))
    }

    /// The embedded data: 2,048 training images and all 10,000 test images.
    ///
    /// # Errors
    /// Where the bytes do not have the checksums that they had when they were embedded: the program file is damaged.
    /// Where the library was built without the feature `embedded`.
    #[cfg(feature = "embedded")]
    pub fn embedded() -> Result<Self> {
        let load = |part: &Embedded| {
            let path = Path::new(part.name);
            let images = idx::unpack(part.images.to_vec(), path)?;
            let labels = idx::unpack(part.labels.to_vec(), path)?;
            let labelled = Labelled::parse(&images, path, &labels, path)?;
            if labelled.checksum == part.checksum {
                Ok(labelled)
            } else {
                let problem = format!("has SHA-256 {} instead of {}", labelled.checksum, part.checksum);
                Err(Error::file(path, problem, "the program file is damaged: build or install it again"))
            }
        };
        Ok(Self { train: load(&EMBEDDED[0])?, test: load(&EMBEDDED[1])? })
    }

    /// Reads `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte` and
    /// `t10k-labels-idx1-ubyte` from a folder, each plain or with `.gz`.
    ///
    /// # Errors
    /// A missing or malformed file, counts of images and labels that differ, training and test images of different
    /// sizes, or labels above 9.
    pub fn from_folder(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            return Err(no_folder(folder));
        }
        let load = |part: &str| {
            let images = find(folder, &format!("{part}-images-idx3-ubyte"))?;
            let labels = find(folder, &format!("{part}-labels-idx1-ubyte"))?;
            Labelled::parse(&idx::read_unpacked(&images)?, &images, &idx::read_unpacked(&labels)?, &labels)
        };
        let (train, test) = (load("train")?, load("t10k")?);
        if train.shape != test.shape {
            let problem = format!("training images are {:?}, test images {:?}", train.shape, test.shape);
            return Err(Error::file(folder, problem, "give files of one data set"));
        }
        Ok(Self { train, test })
    }
}

fn find(folder: &Path, name: &str) -> Result<PathBuf> {
    [name.to_string(), format!("{name}.gz")]
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            Error::file(&folder.join(name), "this file does not exist, with or without .gz", instead(folder, name))
        })
}

/// The error of a path that is not a folder, with what to do about it.
fn no_folder(folder: &Path) -> Error {
    let remedy = "give the folder with the four MNIST files";
    if !folder.exists() {
        let problem = "is neither an existing folder nor the name of built-in data";
        return Error::file(folder, problem, format!("{remedy}, mnist for the built-in images, or gaussian:784"));
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let problem = "is neither a folder nor a .npy file";
    if name.contains("idx3") || name.contains("idx1") {
        return Error::file(folder, problem, format!("give the folder that it is in, {}", parent.display()));
    }
    let begin = std::fs::File::open(folder).and_then(|file| {
        let mut begin = Vec::new();
        std::io::Read::read_to_end(&mut std::io::Read::take(file, 1 << 26), &mut begin).map(|_| begin)
    });
    match begin.ok().and_then(|begin| Kind::of(&begin)) {
        Some(Kind::Npy) => {
            let to = folder.with_extension("npy");
            let remedy = format!("name it so that it ends in .npy: mv {} {}", quoted(folder), quoted(&to));
            Error::file(folder, "is a NumPy array whose name does not end in .npy", remedy)
        }
        Some(kind) => {
            let error = kind.refusal(folder, Wanted::Matrix, remedy);
            let problem = format!("{problem}: it {}", error.problem());
            Error::file(folder, problem, error.remedy().unwrap_or(remedy))
        }
        None => Error::file(folder, problem, remedy),
    }
}

/// A path, quoted for a shell.
fn quoted(path: &Path) -> String {
    in_shell(&path.display().to_string())
}

/// What to do where a folder lacks a file, judged by what it has instead.
fn instead(folder: &Path, name: &str) -> String {
    let plain = |name: &str| name.to_lowercase().replace(['.', '_'], "-");
    let names = |folder: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    };
    let found = names(folder);
    // Kaggle and other programs write dots and underscores.
    if let Some(other) = found.iter().find(|other| {
        let other = plain(other);
        other == name || other == format!("{name}-gz")
    }) {
        let ending = if other.to_lowercase().ends_with("gz") { ".gz" } else { "" };
        let (from, to) = (folder.join(other), folder.join(format!("{name}{ending}")));
        return format!("name it as MNIST does: mv {} {}", quoted(&from), quoted(&to));
    }
    // Where torchvision and others put them.
    for inner in ["raw", "MNIST/raw", "FashionMNIST/raw", "MNIST", "mnist"] {
        let inner = folder.join(inner);
        if names(&inner).iter().any(|other| other.starts_with(name)) {
            return format!("give {}, which has it", inner.display());
        }
    }
    let remedy = "put the four MNIST files into this folder";
    if found.is_empty() {
        format!("{remedy}, which is empty")
    } else {
        format!("{remedy}, which has {}", listed(&found))
    }
}

impl Labelled {
    fn parse(images: &[u8], images_path: &Path, labels: &[u8], labels_path: &Path) -> Result<Self> {
        let mut digest = Sha256::new();
        digest.update(images);
        digest.update(labels);
        let images =
            idx::parse(images, 3, images_path)?.into_dimensionality::<Ix3>().expect("parsed in three dimensions");
        let labels = idx::parse(labels, 1, labels_path)?.into_raw_vec_and_offset().0;
        let (samples, rows, columns) = images.dim();
        if samples != labels.len() {
            let problem = format!("{} labels for {samples} images in {}", labels.len(), images_path.display());
            return Err(Error::file(labels_path, problem, "give the label file that belongs to the images"));
        }
        if let Some((index, label)) = labels.iter().enumerate().find(|(_, label)| usize::from(**label) >= CLASSES) {
            let problem = format!("label {index} is {label}, not from 0 to {}", CLASSES - 1);
            return Err(Error::file(labels_path, problem, "give the standard label file"));
        }
        let images = images.into_shape_with_order((samples, rows * columns)).expect("as many entries as before");
        Ok(Self { images, shape: (rows, columns), labels, checksum: hexadecimal(digest) })
    }

    /// Whether they are MNIST's images, judged by the checksum, or others.
    #[must_use]
    pub fn kind(&self) -> Values {
        let mut known = [SUBSET_CHECKSUM, TEST_CHECKSUM, WHOLE_TRAINING_SET].into_iter();
        if known.any(|checksum| checksum == self.checksum) { Values::Mnist } else { Values::Bytes }
    }

    /// The number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no samples; never true of a set that was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// A uniformly random subset of `count` samples, in their order; all samples where there are no more than `count`.
    ///
    /// The embedded training images are `subset(SUBSET_SIZE, SUBSET_SEED)` of the full 60,000. The checksum stays that
    /// of the files.
    #[must_use]
    pub fn subset(&self, count: usize, seed: u64) -> Self {
        self.select(&subset(self.len(), count.min(self.len()), seed))
    }

    /// The chosen samples, in the order given. The checksum stays that of the files.
    pub(crate) fn select(&self, chosen: &[usize]) -> Self {
        Self {
            images: self.images.select(Axis(0), chosen),
            shape: self.shape,
            labels: chosen.iter().map(|index| self.labels[*index]).collect(),
            checksum: self.checksum.clone(),
        }
    }
}
