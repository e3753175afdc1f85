//! Room for files in the making: below a directory's store itself, or on this machine where the store is elsewhere.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use crate::StoreError;

/// A directory for files in the making; removed when dropped, unless it became an artifact.
pub struct Scratch(TempDir);

impl Scratch {
    pub(crate) fn new(within: &Path) -> std::io::Result<Self> {
        // What is made here is published: readable by whom the umask lets, not by its maker alone.
        let open = Permissions::from_mode(0o777);
        tempfile::Builder::new().permissions(open).tempdir_in(within).map(Self)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves the directory to whom it has become.
    pub(crate) fn keep(self) -> PathBuf {
        self.0.keep()
    }
}

/// What a process's directories begin with.
const PREFIX: &str = "clearmosaic-";
/// A lock that is younger may not be taken yet.
const YOUNG: Duration = Duration::from_secs(60);

/// A process's own room: removed with it, or by the next one where it was killed.
#[derive(Clone, Debug)]
pub struct Room(Arc<Held>);

#[derive(Debug)]
struct Held {
    dir: TempDir,
    /// Held for as long as the process lives.
    _lock: File,
    lock_path: PathBuf,
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.lock_path);
    }
}

impl Room {
    /// Makes room within a directory, which is made if it is not there; sweeps what killed processes have left.
    ///
    /// # Errors
    /// What the system says.
    pub fn within(dir: &Path) -> Result<Self, StoreError> {
        let said = |e| StoreError::scratch(dir, e);
        fs::create_dir_all(dir).map_err(|e| StoreError::made(dir, e))?;
        sweep(dir);
        let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(dir).map_err(said)?;
        let lock_path = made.path().with_extension("lock");
        let lock = File::create_new(&lock_path).map_err(said)?;
        lock.lock().map_err(said)?;
        Ok(Self(Arc::new(Held { dir: made, _lock: lock, lock_path })))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.dir.path()
    }

    /// A directory in it.
    ///
    /// # Errors
    /// What the system says.
    pub fn scratch(&self) -> Result<Scratch, StoreError> {
        Scratch::new(self.path()).map_err(|e| StoreError::scratch(self.path(), e))
    }

    /// A file without a name in it: nothing is left of it, however the process ends.
    ///
    /// # Errors
    /// What the system says.
    pub fn file(&self) -> Result<File, StoreError> {
        tempfile::tempfile_in(self.path()).map_err(|e| StoreError::scratch(self.path(), e))
    }
}

/// Removes the rooms that nobody holds. That one cannot be removed is no one's loss.
fn sweep(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_ours && path.extension().is_some_and(|end| end == "lock") && is_old(&entry) {
            let free = File::open(&path).is_ok_and(|lock| lock.try_lock().is_ok());
            if free {
                let _ = fs::remove_dir_all(path.with_extension(""));
                let _ = fs::remove_file(&path);
            }
        }
    }
}

fn is_old(entry: &fs::DirEntry) -> bool {
    let at = entry.metadata().and_then(|metadata| metadata.modified());
    at.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|age| age > YOUNG))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> usize {
        fs::read_dir(dir).unwrap().count()
    }

    #[test]
    fn what_a_killed_process_left_is_swept_and_what_is_held_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let held = Room::within(dir.path()).unwrap();
        let scratch = held.scratch().unwrap();
        let old = SystemTime::now() - 2 * YOUNG;
        File::options().write(true).open(held.path().with_extension("lock")).unwrap().set_modified(old).unwrap();
        // A process that was killed: a directory, and a lock that nobody holds.
        fs::create_dir(dir.path().join("clearmosaic-dead")).unwrap();
        let dead = File::create(dir.path().join("clearmosaic-dead.lock")).unwrap();
        dead.set_modified(old).unwrap();
        drop(dead);
        fs::write(dir.path().join("someone-elses.lock"), b"").unwrap();
        let other = Room::within(dir.path()).unwrap();
        assert!(scratch.path().is_dir() && !dir.path().join("clearmosaic-dead").exists());
        assert_eq!(names(dir.path()), 5);
        drop((scratch, held, other));
        assert_eq!(names(dir.path()), 1, "nothing is left but what was someone else's");
    }
}
