//! Writing files whole or not at all.

use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};

/// Writes a file by way of a temporary one beside it, so that it is never seen half written.
///
/// # Errors
/// Where the folder cannot be written or the disk is full.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let failure = |error: &dyn std::fmt::Display| Error::failure(format!("writing {}", path.display()), error);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| {
        Error::file(folder, format!("cannot be written ({error})"), "give another folder with --out")
    })?;
    file.write_all(bytes).map_err(|error| failure(&error))?;
    // Temporary files are private; results are not.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let readable = std::fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(readable).map_err(|error| failure(&error))?;
    }
    // So that a journal that tells of this file does not survive it.
    file.as_file().sync_all().map_err(|error| failure(&error))?;
    file.persist(path).map_err(|error| failure(&error))?;
    Ok(())
}

/// Makes a folder, and those that it lies in, where it does not exist.
///
/// # Errors
/// Where it cannot be made.
pub fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)
        .map_err(|error| Error::file(folder, format!("cannot be made ({error})"), "give another folder with --out"))
}
