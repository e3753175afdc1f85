//! What is made of files, and made again when they change: certificates and tokens are renewed while processes run.
//!
//! Who asks has what the files said when they were last good. They are looked at when somebody asks, once a second at
//! most; whoever follows links finds that Kubernetes has put another directory in the place of a Secret's. Files of one
//! pair that are written one after the other do not go together for a while: that is told, and tried again.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What is compared of a file: which one it is, when it was written, and its size.
type Stamp = Option<(u64, i64, i64, u64)>;

/// What was made of some files.
pub struct Reread<T> {
    files: Vec<PathBuf>,
    make: Box<dyn Fn() -> Result<T, String> + Send + Sync>,
    made: Mutex<Made<T>>,
    every: Duration,
}

struct Made<T> {
    of: Vec<Stamp>,
    value: Arc<T>,
    looked: Instant,
}

impl<T> fmt::Debug for Reread<T> {
    /// Without what is made of the files.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reread").field(&self.files).finish()
    }
}

impl<T> Reread<T> {
    /// Makes it for the first time.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub fn of<E: fmt::Display>(
        files: Vec<PathBuf>,
        make: impl Fn() -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Self, E> {
        let (of, value) = (stamps(&files), Arc::new(make()?));
        let make = Box::new(move || make().map_err(|error| error.to_string()));
        Ok(Self { files, make, made: Mutex::new(Made { of, value, looked: Instant::now() }), every: LOOK })
    }

    /// What does not come from a file.
    #[must_use]
    pub fn fixed(value: T) -> Self {
        let made = Made { of: Vec::new(), value: Arc::new(value), looked: Instant::now() };
        Self { files: Vec::new(), make: Box::new(|| Err(String::new())), made: Mutex::new(made), every: LOOK }
    }

    /// What the files say now, or said when they were last good.
    #[must_use]
    pub fn now(&self) -> Arc<T> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.files.is_empty() && made.looked.elapsed() >= self.every {
            self.look(&mut made);
        }
        Arc::clone(&made.value)
    }

    fn look(&self, made: &mut Made<T>) {
        made.looked = Instant::now();
        let of = stamps(&self.files);
        if of == made.of {
            return;
        }
        match (self.make)() {
            Ok(value) => {
                tracing::info!(files = ?self.files, "they have changed, and are used as they are now");
                (made.of, made.value) = (of, Arc::new(value));
            }
            Err(error) => tracing::warn!(error, "it has changed, and cannot be used: what it said before holds"),
        }
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Stamp> {
    let stamp = |path: &PathBuf| {
        let found = fs::metadata(path).ok()?;
        Some((found.ino(), found.mtime(), found.mtime_nsec(), found.size()))
    };
    files.iter().map(stamp).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_files_say_holds_until_they_say_something_else_that_is_good() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("number");
        fs::write(&path, "1").unwrap();
        let read = {
            let path = path.clone();
            move || fs::read_to_string(&path).map_err(|e| e.to_string())?.parse::<u32>().map_err(|e| e.to_string())
        };
        let number = Reread { every: Duration::ZERO, ..Reread::of(vec![path.clone()], read).unwrap() };
        let first = number.now();
        assert!(*first == 1 && Arc::ptr_eq(&first, &number.now()));
        fs::write(&path, "two").unwrap();
        assert_eq!(*number.now(), 1);
        fs::remove_file(&path).unwrap();
        assert_eq!(*number.now(), 1);
        // As Kubernetes does: what the name means is another file, which may be older.
        let other = dir.path().join("other");
        fs::write(&other, "3").unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert_eq!(*number.now(), 3);
    }
}
