//! The one error type of the library: what is wrong, where, and what to do.

use std::error::Error as StdError;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

/// A result, by default with the library's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong: which argument or file, what was found, what is wrong with it, and what to do.
///
/// ```
/// use sparsewidth::{ErrorKind, network::Connectivity};
///
/// let error = Connectivity::new(1.5).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Argument);
/// assert_eq!((error.subject(), error.found()), ("connectivity", Some("1.5")));
/// assert!(error.remedy().is_some());
/// ```
// In a box, so that a `Result` stays small.
#[derive(Debug)]
pub struct Error(Box<Parts>);

#[derive(Debug)]
struct Parts {
    kind: ErrorKind,
    subject: String,
    path: Option<PathBuf>,
    found: Option<String>,
    problem: String,
    remedy: Option<String>,
    setting: Option<Setting>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What kind of thing went wrong in an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument lies outside its range, or arguments contradict each other.
    Argument,
    /// A file, or the data in it, is missing or malformed, or must not be replaced.
    File,
    /// A file or folder for output cannot be made or written.
    Output,
    /// Something failed that the caller did not cause: a disk that filled up, a picture that could not be drawn.
    Failure,
}

/// A setting that a remedy refers to. Programs have their own names for it: `sparsewidth` adds the option to the
/// message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Setting {
    /// The folder that results are written to.
    OutputFolder,
    /// The device that sampled kernels over all pairs are computed on.
    Device,
    /// The family of the masks.
    MaskFamily,
    /// The budget of weights.
    Weights,
    /// The largest relative error that the theory may have.
    Tolerance,
    /// The learning rate of training.
    LearningRate,
    /// A file of learning rates, as a search writes it.
    LearningRates,
    /// Whether the weights of trained networks are kept.
    KeepWeights,
    /// Whether a file holds weights, whose zeros are the mask.
    ZerosAreMasked,
    /// The data set.
    Data,
    /// The layers of a network, in their order.
    Layers,
    /// The type of the numbers that are written.
    FloatType,
}

impl Error {
    /// An error of kind [`Argument`](ErrorKind::Argument): the argument's name, the value that was given, what is wrong
    /// with it, what to do. It is public so that programs can word their own errors alike.
    pub fn value(name: &str, value: impl ToString, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        let found = Some(value.to_string());
        Self::new(ErrorKind::Argument, name.into(), problem.into()).with(|parts| {
            parts.found = found;
            parts.remedy = Some(remedy.into());
        })
    }

    /// An error of kind [`File`](ErrorKind::File): the file or folder, what is wrong with it, what to do.
    pub fn file(path: &Path, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(ErrorKind::File, path.display().to_string(), problem.into()).with(|parts| {
            parts.path = Some(path.into());
            parts.remedy = Some(remedy.into());
        })
    }

    /// An error of kind [`Output`](ErrorKind::Output); the remedy is another output folder.
    pub(crate) fn output(path: &Path, problem: impl Into<String>) -> Self {
        Self::file(path, problem, "give another output folder")
            .about(Setting::OutputFolder)
            .with(|parts| parts.kind = ErrorKind::Output)
    }

    /// An error of kind [`Failure`](ErrorKind::Failure): what was attempted, and what went wrong.
    pub fn failure(what: impl Into<String>, problem: impl ToString) -> Self {
        Self::new(ErrorKind::Failure, what.into(), problem.to_string())
    }

    fn new(kind: ErrorKind, subject: String, problem: String) -> Self {
        Self(Box::new(Parts {
            kind,
            subject,
            path: None,
            found: None,
            problem,
            remedy: None,
            setting: None,
            source: None,
        }))
    }

    fn with(mut self, change: impl FnOnce(&mut Parts)) -> Self {
        change(&mut self.0);
        self
    }

    /// Says which setting the remedy refers to.
    pub(crate) fn about(self, setting: Setting) -> Self {
        self.with(|parts| parts.setting = Some(setting))
    }

    /// Says what caused it.
    pub(crate) fn caused_by(self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.with(|parts| parts.source = Some(Box::new(source)))
    }

    /// What kind of thing went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The name of the argument, the file or folder, or what was attempted.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// The file or folder, where it is about one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The value that was given for an argument.
    #[must_use]
    pub fn found(&self) -> Option<&str> {
        self.0.found.as_deref()
    }

    /// What is wrong, or what was expected.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.0.problem
    }

    /// What to do; none for a failure.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }

    /// The setting that the remedy refers to, where there is one.
    #[must_use]
    pub fn setting(&self) -> Option<Setting> {
        self.0.setting
    }
}

/// The whole error in one line.
impl Display for Error {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Parts { kind, subject, found, problem, remedy, .. } = &*self.0;
        f.write_str(subject)?;
        if let Some(found) = found {
            write!(f, " = {found}")?;
        }
        f.write_str(if *kind == ErrorKind::Failure { " failed: " } else { ": " })?;
        f.write_str(problem)?;
        remedy.iter().try_for_each(|remedy| write!(f, "; {remedy}"))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_message_are_what_was_given() {
        let value = Error::value("width", 0, "must be positive", "give more").about(Setting::Device);
        assert_eq!(value.to_string(), "width = 0: must be positive; give more");
        assert_eq!((value.kind(), value.subject(), value.found()), (ErrorKind::Argument, "width", Some("0")));
        assert_eq!((value.problem(), value.remedy()), ("must be positive", Some("give more")));
        assert!(value.path().is_none() && value.source().is_none() && value.setting() == Some(Setting::Device));

        let file = Error::file(Path::new("a/b"), "is empty", "give another");
        assert_eq!(file.to_string(), "a/b: is empty; give another");
        assert_eq!((file.kind(), file.path(), file.found()), (ErrorKind::File, Some(Path::new("a/b")), None));

        let output = Error::output(Path::new("a"), "cannot be made").caused_by(std::io::Error::other("full"));
        assert_eq!(output.to_string(), "a: cannot be made; give another output folder");
        assert_eq!((output.kind(), output.setting()), (ErrorKind::Output, Some(Setting::OutputFolder)));
        assert_eq!(output.source().unwrap().to_string(), "full");

        let failure = Error::failure("drawing", "no ink");
        assert_eq!(failure.to_string(), "drawing failed: no ink");
        assert_eq!((failure.kind(), failure.remedy()), (ErrorKind::Failure, None));
    }
}
