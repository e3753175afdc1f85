//! What can go wrong when a raster is written.

use std::io;
use std::path::Path;

use rustix::fs::statvfs;

/// A raster or picture that was not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// No space is left: no task can succeed.
    #[error("{0}: no space left on the device: free some, or name another --store")]
    Full(String),
    /// Anything else.
    #[error("{what}: {why}")]
    Failed {
        /// The file.
        what: String,
        /// What was said.
        why: String,
    },
}

/// With less than this left on the device, a failed write is taken for want of space: GDAL does not tell.
const NEXT_TO_NOTHING: u64 = 16 << 20;

impl WriteError {
    /// What the system says of `path`.
    pub fn io(path: &Path, error: &io::Error) -> Self {
        Self::new(path, error.to_string())
    }

    /// A failure to write `path`, sorted by whether its device is full.
    pub fn new(path: &Path, why: impl Into<String>) -> Self {
        let what = path.display().to_string();
        let why = why.into();
        let room = path.parent().and_then(|dir| statvfs(dir).ok()).map(|fs| fs.f_bavail * fs.f_frsize);
        if why.contains("No space left") || room.is_some_and(|room| room < NEXT_TO_NOTHING) {
            Self::Full(what)
        } else {
            Self::Failed { what, why }
        }
    }
}
