//! Reading files whole, and writing them whole or not at all; output folders, in which a writer replaces only its own
//! files.

pub(crate) mod array;
pub(crate) mod kind;
mod npy;
pub(crate) mod npy_header;
mod output;

use std::fs::{DirEntry, File};
use std::io::{Error as IoError, Read, Write};
use std::path::Path;
use std::time::Duration;

use tempfile::{Builder, NamedTempFile};

pub use npy::{FloatType, NpyFile};
pub use output::{MERGE, OutputFolder, WRITTEN};

use crate::error::{Error, Result};
use crate::files::kind::{Kind, Wanted};

/// The beginning of the name of a file that is not yet complete.
const UNFINISHED: &str = ".sparsewidth-unfinished-";

/// The age from which such a file counts as abandoned: no write takes this long.
const ABANDONED: Duration = Duration::from_secs(3600);

/// The most bytes that are read from a source of unknown length, such as a pipe: 1 GiB.
const MOST_BYTES: u64 = 1 << 30;

/// Writes a file via a temporary one beside it, so that it is never seen half written.
///
/// # Errors
/// Where the folder cannot be written or the disk is full.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let failure = |error: &dyn std::fmt::Display| Error::failure(format!("writing {}", path.display()), error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = unfinished(folder).map_err(|error| unwritable(folder, error))?;
    file.write_all(bytes).map_err(|error| failure(&error))?;
    // fsync before the journal entry that refers to this file.
    file.as_file().sync_all().map_err(|error| failure(&error))?;
    file.persist(path).map_err(|error| failure(&error))?;
    Ok(())
}

/// A file in a folder that is removed unless it is given a name.
pub(crate) fn unfinished(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(UNFINISHED);
    // Temporary files are private; results are as private as the user's other files.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// The error of a folder that cannot be written to.
pub(crate) fn unwritable(folder: &Path, error: IoError) -> Error {
    Error::output(folder, format!("cannot be written ({error})")).caused_by(error)
}

/// Makes a folder, and those above it, where they do not exist.
///
/// # Errors
/// Where it cannot be made.
pub fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| match folder.exists() {
        true => Error::output(folder, "is a file, not a folder"),
        false => Error::output(folder, format!("cannot be made ({error})")).caused_by(error),
    })
}

/// Makes a folder and tests that it can be written to, before work whose results are to go there.
///
/// # Errors
/// Where it cannot be made or written.
pub fn make_writable_folder(folder: &Path) -> Result<()> {
    make_folder(folder)?;
    unfinished(folder).map(drop).map_err(|error| unwritable(folder, error))
}

/// Removes from a folder the unfinished files of programs that were killed while writing, as far as possible. Files
/// younger than an hour stay: another program may still be writing them.
pub(crate) fn remove_unfinished(folder: &Path) {
    let is_old = |entry: &DirEntry| {
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > ABANDONED))
    };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) && is_old(&entry) {
            // If this fails, the file does no harm where it is.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// The bytes of a file. A pipe or device, which may have no end, is read up to 1 GiB.
///
/// # Errors
/// Where it cannot be read, or a pipe or device holds more.
pub(crate) fn read_whole(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    if file.metadata()?.is_file() {
        (&file).read_to_end(&mut bytes)?;
    } else {
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(IoError::other("it is not a regular file, and has more than 1 GiB"));
        }
    }
    Ok(bytes)
}

/// A word as a shell reads it, in quotation marks where it needs them.
///
/// ```
/// use sparsewidth::files::in_shell;
/// assert_eq!(in_shell("data/x.gz"), "data/x.gz");
/// assert_eq!(in_shell("it's here"), r"'it'\''s here'");
/// ```
#[must_use]
pub fn in_shell(word: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./:,=+@%".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A path as a string of Python, in single quotation marks.
pub(crate) fn in_python(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\\', r"\\").replace('\'', r"\'"))
}

/// What to do about a file that cannot be read, where nothing better is known.
pub(crate) const CHECK: &str = "check the path and its permissions";

/// The error of a file that cannot be read, or that is a folder.
pub(crate) fn unreadable(path: &Path, error: IoError, remedy: &str) -> Error {
    if path.is_dir() {
        return Error::file(path, "is a folder, not a file", "give a file in it");
    }
    Error::file(path, format!("cannot be read ({error})"), remedy).caused_by(error)
}

/// Reads a text file, without the byte-order mark that some editors put before it.
///
/// # Errors
/// Where it cannot be read, is a pipe or device that holds more than 1 GiB, is another kind of file, or is not UTF-8.
/// `remedy` is what to do where the kind of file does not say it.
pub fn read_text(path: &Path, remedy: &str) -> Result<String> {
    let bytes = read_whole(path).map_err(|error| unreadable(path, error, remedy))?;
    if let Some(kind) = Kind::of(&bytes).filter(|kind| !kind.is_text()) {
        return Err(kind.refusal(path, Wanted::Text, remedy));
    }
    let text = String::from_utf8(bytes).map_err(|_| Error::file(path, "is not UTF-8 text", remedy))?;
    Ok(text.strip_prefix('\u{feff}').map(String::from).unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell() {
        for (word, expected) in [("--out", "--out"), ("gaussian:5,20", "gaussian:5,20"), ("a b", "'a b'"), ("", "''")] {
            assert_eq!(in_shell(word), expected);
        }
        assert_eq!(in_shell("it's"), r"'it'\''s'");
        assert_eq!(in_shell("$HOME"), "'$HOME'");
    }
}
