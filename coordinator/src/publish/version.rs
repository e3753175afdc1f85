//! Versions of a mosaic in a directory, and the one that its name means.
//!
//! ```text
//! <output>/.versions/<name>/1/…     written whole, and never again
//! <output>/.versions/<name>/2/…
//! <output>/<name> ─► .versions/<name>/2      a symlink, replaced by a rename
//! ```
//!
//! A publication that is killed leaves a version that nothing means; the next takes the next number.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::error::PublishError;

/// Directory of all versions in an output directory.
const VERSIONS: &str = ".versions";

/// A version in the making: a directory that nobody else writes to.
#[derive(Debug)]
pub struct Version {
    output: PathBuf,
    name: String,
    number: u64,
}

impl Version {
    /// Takes the next number of a mosaic's versions in `output`, made if it is not there.
    ///
    /// # Errors
    /// `Occupied` where the name is something else's; what the system says.
    pub fn begin(output: &Path, name: &str) -> Result<Self, PublishError> {
        let versions = output.join(VERSIONS).join(name);
        fs::create_dir_all(&versions).map_err(|e| PublishError::io(&versions, e))?;
        free_or_link(&output.join(name))?;
        let mut number = greatest(&versions)? + 1;
        loop {
            let dir = versions.join(number.to_string());
            match fs::create_dir(&dir) {
                Ok(()) => break,
                // Another publisher was quicker.
                Err(e) if e.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(e) => return Err(PublishError::io(&dir, e)),
            }
        }
        Ok(Self { output: output.to_owned(), name: name.to_owned(), number })
    }

    /// Its number, from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.output.join(self.target())
    }

    /// Makes the mosaic's name mean this version, at one moment; where the name is.
    ///
    /// # Errors
    /// `Occupied` where the name has become something else's; what the system says.
    pub fn switch(&self) -> Result<PathBuf, PublishError> {
        let name = self.output.join(&self.name);
        free_or_link(&name)?;
        // No one else has this number, so no one else has this link.
        let link = self.output.join(format!(".{}.{}.link", self.name, self.number));
        symlink(self.target(), &link).map_err(|e| PublishError::io(&link, e))?;
        fs::rename(&link, &name).map_err(|e| {
            let _ = fs::remove_file(&link);
            PublishError::io(&name, e)
        })?;
        Ok(name)
    }

    /// Relative to the output directory, so that this can be moved as a whole.
    fn target(&self) -> PathBuf {
        Path::new(VERSIONS).join(&self.name).join(self.number.to_string())
    }
}

/// Whether a version could be written into `output` and take the name: asked before any work is done for it.
///
/// # Errors
/// `Occupied`, `Full`, or what else the system says.
pub fn check(output: &Path, name: &str) -> Result<(), PublishError> {
    let versions = output.join(VERSIONS).join(name);
    fs::create_dir_all(&versions).map_err(|e| PublishError::io(&versions, e))?;
    let probe = versions.join(format!(".probe-{}", std::process::id()));
    let probed = fs::write(&probe, b"room?");
    let _ = fs::remove_file(&probe);
    probed.map_err(|e| PublishError::io(&versions, e))?;
    free_or_link(&output.join(name))
}

fn free_or_link(name: &Path) -> Result<(), PublishError> {
    match fs::symlink_metadata(name) {
        Ok(found) if found.is_symlink() => Ok(()),
        Ok(_) => Err(PublishError::Occupied(name.to_owned())),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(PublishError::io(name, e)),
    }
}

fn greatest(versions: &Path) -> Result<u64, PublishError> {
    let entries = fs::read_dir(versions).map_err(|e| PublishError::io(versions, e))?;
    let number = |name: &OsStr| name.to_str()?.parse::<u64>().ok();
    Ok(entries.flatten().filter_map(|entry| number(&entry.file_name())).max().unwrap_or(0))
}

/// Puts a file into a version: a hard link, or a copy where there can be none. Its directory is made.
///
/// # Errors
/// What the system says.
pub fn place(from: &Path, to: &Path) -> Result<(), PublishError> {
    make_parent(to)?;
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == ErrorKind::NotFound => Err(artifacts::StoreError::io(from, e).into()),
        // Another device, a filesystem without links, too many of them, or a file of someone else's.
        Err(_) => fs::copy(from, to).map(drop).map_err(|e| PublishError::io(to, e)),
    }
}

/// Writes a file of a version. Its directory is made.
///
/// # Errors
/// What the system says.
pub fn write(to: &Path, bytes: &[u8]) -> Result<(), PublishError> {
    make_parent(to)?;
    fs::write(to, bytes).map_err(|e| PublishError::io(to, e))
}

fn make_parent(to: &Path) -> Result<(), PublishError> {
    let Some(parent) = to.parent() else { return Ok(()) };
    fs::create_dir_all(parent).map_err(|e| PublishError::io(parent, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_means_the_last_version_that_was_switched_to() {
        let output = tempfile::tempdir().unwrap();
        let first = Version::begin(output.path(), "m").unwrap();
        write(&first.dir().join("f"), b"1").unwrap();
        assert!(!output.path().join("m").exists());
        first.switch().unwrap();
        let second = Version::begin(output.path(), "m").unwrap();
        write(&second.dir().join("f"), b"2").unwrap();
        assert_eq!(fs::read(output.path().join("m/f")).unwrap(), b"1");
        let name = second.switch().unwrap();
        assert_eq!(fs::read(name.join("f")).unwrap(), b"2");
        assert_eq!(fs::read_link(name).unwrap(), Path::new(".versions/m/2"));
        assert_eq!(fs::read(output.path().join(".versions/m/1/f")).unwrap(), b"1");
        assert_eq!(fs::read_dir(output.path()).unwrap().count(), 2, "no link is left over");
    }

    #[test]
    fn publishers_at_once_get_numbers_of_their_own() {
        let output = tempfile::tempdir().unwrap();
        let begin = || Version::begin(output.path(), "m").unwrap().number();
        let mut numbers: Vec<u64> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..16).map(|_| scope.spawn(begin)).collect();
            running.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=16).collect::<Vec<u64>>());
    }

    #[test]
    fn what_is_no_mosaic_is_not_replaced() {
        let output = tempfile::tempdir().unwrap();
        fs::create_dir(output.path().join("m")).unwrap();
        let error = Version::begin(output.path(), "m").unwrap_err();
        assert!(matches!(error, PublishError::Occupied(_)));
        assert!(!error.to_string().contains('\n'));
    }

    #[test]
    fn an_artifact_that_has_gone_is_told_as_such() {
        let output = tempfile::tempdir().unwrap();
        let error = place(Path::new("/nonexistent/file"), &output.path().join("f")).unwrap_err();
        assert!(matches!(error, PublishError::Artifact(_)), "{error}");
    }
}
