//! What the fuzz targets share: a folder for the files that readers take by path, and what every refusal must say.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sparsewidth::data::LabelledSets;
use sparsewidth::{Error, ErrorKind};

/// The folder of this process, made at the first call; under `TMPDIR` where that is set.
///
/// # Panics
/// Where it cannot be made.
pub fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        tempfile::Builder::new().prefix("sparsewidth-fuzz-").tempdir().expect("a folder for files").keep()
    })
}

/// Writes bytes to a file of that name in the folder of this process.
///
/// # Panics
/// Where it cannot be written.
pub fn write(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    std::fs::write(&path, bytes).expect("a file to read");
    path
}

/// Asserts that an error says that the input is at fault, names the file, and says more than that.
///
/// # Panics
/// Where it does not.
pub fn assert_refusal(error: &Error, path: &Path) {
    let message = error.to_string();
    let name = path.display().to_string();
    assert!(message.contains(&name), "does not name {name}: {message}");
    assert_eq!(error.kind(), ErrorKind::File, "is not about a file: {message}");
    let (problem, remedy) = (error.problem(), error.remedy().unwrap_or_default());
    assert!(!problem.trim().is_empty() && !remedy.trim().is_empty(), "says neither what is wrong nor what to do");
}

/// Asserts what is true of every data set with labels.
///
/// # Panics
/// Where it is not.
pub fn assert_sets(sets: &LabelledSets) {
    assert!(!sets.labels.is_empty() && sets.labels.is_sorted() && sets.labels.iter().all(|label| *label >= 0));
    for set in [&sets.train, &sets.test] {
        assert!(!set.is_empty() && set.images.nrows() == set.len() && set.images.ncols() > 0);
        assert_eq!(set.shape.0 * set.shape.1, set.images.ncols());
        assert!(set.labels.iter().all(|class| usize::from(*class) < sets.classes()));
        assert!(set.images.to_real().iter().all(|value| value.is_finite()));
    }
    assert_eq!(sets.train.images.ncols(), sets.test.images.ncols());
}
