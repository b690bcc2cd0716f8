//! The one error type of the library: what is wrong, where, and what to do.

use std::path::{Path, PathBuf};

/// What can go wrong. Every message names the argument or the file, its value, and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An argument lies outside its range, or arguments contradict each other.
    #[error("{name} = {value}: {problem}; {remedy}")]
    Value {
        /// The argument, as its function or option calls it.
        name: String,
        /// The value that was given.
        value: String,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// A file or folder is missing, malformed, or cannot be written.
    #[error("{}: {problem}; {remedy}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// Something that is not the caller's doing failed: a disk that filled up, a picture that could not be drawn.
    #[error("{what} failed: {problem}")]
    Failure {
        /// What was attempted.
        what: String,
        /// What went wrong.
        problem: String,
    },
}

/// A result, by default with the library's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An [`Error::Value`].
    pub fn value(name: &str, value: impl ToString, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Value { name: name.into(), value: value.to_string(), problem: problem.into(), remedy: remedy.into() }
    }

    /// An [`Error::File`].
    pub fn file(path: &Path, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::File { path: path.into(), problem: problem.into(), remedy: remedy.into() }
    }

    /// An [`Error::Failure`].
    pub fn failure(what: impl Into<String>, problem: impl ToString) -> Self {
        Self::Failure { what: what.into(), problem: problem.to_string() }
    }

    /// Whether the input or the arguments are at fault (exit code 2 of the program) rather than the run (exit code 1).
    pub fn is_input(&self) -> bool {
        !matches!(self, Self::Failure { .. })
    }
}
