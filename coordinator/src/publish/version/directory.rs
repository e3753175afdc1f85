//! Versions in a directory.
//!
//! ```text
//! <output>/.versions/<name>/1/…     written whole, and never again
//! <output>/.versions/<name>/2/…
//! <output>/.versions/<name>/rollback.json    what was decided, where one was gone back to
//! <output>/<name> ─► .versions/<name>/2      a symlink, replaced by a rename
//! ```
//!
//! A publication that is killed leaves a version that nothing means; the next takes the next number.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::latest::Latest;
use crate::publish::REPORT;
use crate::publish::error::PublishError;

/// Directory of all versions in an output directory.
pub const VERSIONS: &str = ".versions";
/// What was decided when an older version was gone back to.
const ROLLBACK: &str = "rollback.json";

/// Where a version is, relative to the output directory, so that this can be moved as a whole.
pub fn target(name: &str, number: u64) -> PathBuf {
    Path::new(VERSIONS).join(name).join(number.to_string())
}

/// Makes a version's directory: its number.
pub fn claim(output: &Path, name: &str, mut number: u64) -> Result<u64, PublishError> {
    let versions = output.join(VERSIONS).join(name);
    fs::create_dir_all(&versions).map_err(|e| PublishError::io(&versions, e))?;
    free_or_link(&output.join(name))?;
    loop {
        let dir = versions.join(number.to_string());
        match fs::create_dir(&dir) {
            Ok(()) => return Ok(number),
            // Another publisher was quicker.
            Err(e) if e.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(e) => return Err(PublishError::io(&dir, e)),
        }
    }
}

/// Makes the name mean a version, or the newest that is whole; unless one has been gone back from since.
pub fn switch(output: &Path, name: &str, mut number: u64) -> Result<PathBuf, PublishError> {
    let (at, versions) = (output.join(name), output.join(VERSIONS).join(name));
    loop {
        free_or_link(&at)?;
        if meant(output, name) > number || decided(&versions)?.newest() >= number {
            tracing::warn!(name, number, "a newer version has been published meanwhile, or gone back from");
            return Ok(at);
        }
        link(output, name, number)?;
        // Between the look and the link there is time enough for another to publish, or to go back.
        let back = decided(&versions)?;
        if back.newest() >= number {
            link(output, name, back.version)?;
            return Ok(at);
        }
        match newest_whole(&versions, number)? {
            Some(newer) => number = newer,
            None => return Ok(at),
        }
    }
}

/// Makes the name mean a version, though there are newer ones. First it is noted, so that who is about to publish one of
/// those knows.
pub fn roll_back(output: &Path, name: &str, number: u64) -> Result<(), PublishError> {
    let versions = output.join(VERSIONS).join(name);
    free_or_link(&output.join(name))?;
    let newest = newest_whole(&versions, 0)?.unwrap_or_default().max(decided(&versions)?.newest());
    replace(&versions.join(ROLLBACK), &Latest::back_to(number, newest).text())?;
    link(output, name, number)
}

/// What was decided when one was gone back to.
fn decided(versions: &Path) -> Result<Latest, PublishError> {
    let path = versions.join(ROLLBACK);
    match fs::read(&path) {
        Ok(text) => Ok(Latest::parse(&text)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Latest::default()),
        Err(e) => Err(PublishError::io(&path, e)),
    }
}

/// Puts a file in the place of what is there, at one moment.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), PublishError> {
    static MADE: AtomicU64 = AtomicU64::new(0);
    // Of those who replace it at once each has a file of its own.
    let mine = format!("{}-{}.new", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
    let made = path.with_extension(mine);
    let put = fs::write(&made, bytes).and_then(|()| fs::rename(&made, path));
    put.map_err(|e| {
        let _ = fs::remove_file(&made);
        PublishError::io(path, e)
    })
}

fn link(output: &Path, name: &str, number: u64) -> Result<(), PublishError> {
    let at = output.join(name);
    // Of those who switch to the same version at once each has a link of its own.
    let link = output.join(format!(".{name}.{number}.{}.link", std::process::id()));
    symlink(target(name, number), &link).map_err(|e| PublishError::io(&link, e))?;
    fs::rename(&link, &at).map_err(|e| {
        let _ = fs::remove_file(&link);
        PublishError::io(&at, e)
    })
}

/// The number of the version that a name means; 0 where it means none.
pub fn meant(output: &Path, name: &str) -> u64 {
    let number = |target: PathBuf| target.file_name()?.to_str()?.parse().ok();
    fs::read_link(output.join(name)).ok().and_then(number).unwrap_or_default()
}

/// The greatest version above a number that is whole: its report is written last.
fn newest_whole(versions: &Path, above: u64) -> Result<Option<u64>, PublishError> {
    let is_whole = |number: &u64| versions.join(number.to_string()).join(REPORT).is_file();
    Ok(numbers(versions)?.filter(|number| *number > above).filter(is_whole).max())
}

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

pub fn greatest(output: &Path, name: &str) -> Result<u64, PublishError> {
    let versions = output.join(VERSIONS).join(name);
    fs::create_dir_all(&versions).map_err(|e| PublishError::io(&versions, e))?;
    Ok(numbers(&versions)?.max().unwrap_or(0).max(decided(&versions)?.newest()))
}

/// The numbers that are taken, ascending; none where nothing was ever published.
pub fn taken(output: &Path, name: &str) -> Result<Vec<u64>, PublishError> {
    let versions = output.join(VERSIONS).join(name);
    if !versions.is_dir() {
        return Ok(Vec::new());
    }
    let mut taken: Vec<u64> = numbers(&versions)?.collect();
    taken.sort_unstable();
    Ok(taken)
}

fn numbers(versions: &Path) -> Result<impl Iterator<Item = u64>, PublishError> {
    let entries = fs::read_dir(versions).map_err(|e| PublishError::io(versions, e))?;
    let number = |name: &OsStr| name.to_str()?.parse::<u64>().ok();
    Ok(entries.flatten().filter_map(move |entry| number(&entry.file_name())))
}
