//! Looking for files that need not be there.

use std::fs;
use std::io;
use std::path::Path;

/// Whether there is a file at `path`.
///
/// # Errors
/// The file system does not say. `Path::is_file` takes that for a file that is absent, so that a disk that fails, or a mount
/// that has gone stale, would look like a folder in which somebody forgot something.
pub(crate) fn is_there(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(facts) => Ok(facts.is_file()),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(false),
            _ => Err(error),
        },
    }
}
