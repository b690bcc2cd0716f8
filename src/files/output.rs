//! Output folders, in which a writer replaces what it wrote and nothing else.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{make_folder, read_whole, unwritable, write_atomically};
use crate::error::{Error, Result, Setting};

/// The file of an output folder that lists what was written there, a line each.
pub const WRITTEN: &str = ".sparsewidth-written.jsonl";

/// The writer of merged records. Any study may replace them when it goes on in their folder.
pub const MERGE: &str = "merge";

/// A folder that one kind of study or report writes its files to.
///
/// What is written is listed in [`WRITTEN`], by name, writer and SHA-256. A file that exists already is replaced only
/// if it is as this writer left it, not if somebody else made or changed it.
#[derive(Clone, Debug)]
pub struct OutputFolder {
    path: PathBuf,
    writer: &'static str,
}

#[derive(PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Written {
    file: String,
    writer: String,
    sha256: String,
}

impl OutputFolder {
    /// A folder for `writer`, which will write files with the given names. A name can be a path below the folder.
    ///
    /// # Errors
    /// Where a file with one of the names exists that this writer has not written, or that cannot be read.
    pub fn new(path: &Path, writer: &'static str, names: &[String]) -> Result<Self> {
        let folder = Self { path: path.into(), writer };
        let listed = folder.listed()?;
        names.iter().try_for_each(|name| folder.check(&listed, name))?;
        Ok(folder)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file, whole or not at all; the folder is made where it does not exist.
    ///
    /// # Errors
    /// Where a file with this name exists that this writer has not written, or the file cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        make_folder(path.parent().unwrap_or(&self.path))?;
        let mut listed = self.listed()?;
        self.check(&listed, name)?;
        // Listed first, so that a program that is killed in between leaves no file that is not listed.
        self.list(&mut listed, name, bytes)?;
        write_atomically(&path, bytes)
    }

    /// Refuses a name that is taken by a file that this writer has not written.
    fn check(&self, listed: &HashSet<Written>, name: &str) -> Result<()> {
        let path = self.path.join(name);
        if !path.is_file() {
            return Ok(());
        }
        let sha256 = checksum(&self.read(name)?);
        let is_by = |writer: &str| {
            listed.contains(&Written { file: name.into(), writer: writer.into(), sha256: sha256.clone() })
        };
        if is_by(self.writer) || is_by(MERGE) {
            return Ok(());
        }
        let others = listed.iter().find(|written| written.file == name && written.writer != self.writer);
        let problem = match others {
            Some(other) => format!("exists already, written by `{}` and not by `{}`", other.writer, self.writer),
            None => format!("exists already, and its contents are not what `{}` wrote", self.writer),
        };
        Err(Error::file(&path, problem, "move the file away, or give another output folder")
            .about(Setting::OutputFolder))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.path.join(name);
        read_whole(&path).map_err(|error| {
            Error::file(&path, format!("cannot be read ({error})"), "check its permissions, or move it away")
                .caused_by(error)
        })
    }

    /// What is listed. A line that was cut short is ignored.
    fn listed(&self) -> Result<HashSet<Written>> {
        let path = self.path.join(WRITTEN);
        let text = if path.exists() { self.read(WRITTEN)? } else { Vec::new() };
        Ok(text.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
    }

    fn list(&self, listed: &mut HashSet<Written>, name: &str, bytes: &[u8]) -> Result<()> {
        let written = Written { file: name.into(), writer: self.writer.into(), sha256: checksum(bytes) };
        if listed.contains(&written) {
            return Ok(());
        }
        let path = self.path.join(WRITTEN);
        let failure = |error: &dyn std::fmt::Display| Error::failure(format!("writing {}", path.display()), error);
        let mut file =
            OpenOptions::new().create(true).append(true).open(&path).map_err(|error| unwritable(&self.path, error))?;
        // Written in one piece, after a newline: the lines of programs that write at the same time, or that were
        // killed, do not mix.
        let mut line = b"\n".to_vec();
        line.extend(serde_json::to_vec(&written).map_err(|error| failure(&error))?);
        line.push(b'\n');
        file.write_all(&line).and_then(|()| file.sync_data()).map_err(|error| failure(&error))?;
        listed.insert(written);
        Ok(())
    }
}

/// The checksum of a file, without the byte-order mark that an editor may have put before it.
fn checksum(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    #[test]
    fn a_writer_replaces_what_it_wrote_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let open = |writer: &'static str| OutputFolder::new(folder.path(), writer, &names(&["summary.md", "a/b"]));
        let ours = open("figure").unwrap();
        ours.write("summary.md", b"one").unwrap();
        ours.write("a/b", b"deep").unwrap();
        ours.write("summary.md", b"two").unwrap();
        open("figure").unwrap().write("summary.md", b"three").unwrap();
        assert_eq!(std::fs::read(at("summary.md")).unwrap(), b"three");
        // Another writer; then a file that somebody changed.
        let message = open("widen").unwrap_err().to_string();
        assert!(message.contains("summary.md") && message.contains("by `figure` and not by `widen`"), "{message}");
        std::fs::write(at("summary.md"), "my notes").unwrap();
        for message in [open("figure").unwrap_err(), ours.write("summary.md", b"four").unwrap_err()] {
            assert!(message.to_string().contains("are not what `figure` wrote"), "{message}");
        }
        assert_eq!(std::fs::read(at("summary.md")).unwrap(), b"my notes");
        // What is left by a kill between writing the list and the file.
        std::fs::write(at("summary.md"), "two").unwrap();
        open("figure").unwrap();
        // A list that was cut in the middle of a line.
        let list = std::fs::read(at(WRITTEN)).unwrap();
        std::fs::write(at(WRITTEN), &list[..list.len() - 9]).unwrap();
        open("figure").unwrap().write("summary.md", b"five").unwrap();
        open("figure").unwrap();
    }

    #[test]
    fn files_of_a_folder_without_a_list_are_nobodys() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["journal.jsonl", "summary.md"] {
            std::fs::write(folder.path().join(name), "old").unwrap();
        }
        let message = OutputFolder::new(folder.path(), "figure", &names(&["summary.md"])).unwrap_err().to_string();
        assert!(message.contains("are not what `figure` wrote") && message.contains("move the file away"), "{message}");
    }
}
