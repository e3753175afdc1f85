//! Versions in a directory.
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

use crate::publish::REPORT;
use crate::publish::error::PublishError;

/// Directory of all versions in an output directory.
const VERSIONS: &str = ".versions";

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

/// Makes the name mean a version, or the newest that is whole.
pub fn switch(output: &Path, name: &str, mut number: u64) -> Result<PathBuf, PublishError> {
    let at = output.join(name);
    loop {
        free_or_link(&at)?;
        if meant(&at).is_some_and(|meant| meant > number) {
            tracing::warn!(name, number, "a newer version has been published meanwhile");
            return Ok(at);
        }
        link(output, name, number)?;
        // Between the look and the link there is time enough for another to publish.
        match newest_whole(&output.join(VERSIONS).join(name), number)? {
            Some(newer) => number = newer,
            None => return Ok(at),
        }
    }
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

/// The number of the version that a name means.
fn meant(at: &Path) -> Option<u64> {
    fs::read_link(at).ok()?.file_name()?.to_str()?.parse().ok()
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
    Ok(numbers(&versions)?.max().unwrap_or(0))
}

fn numbers(versions: &Path) -> Result<impl Iterator<Item = u64>, PublishError> {
    let entries = fs::read_dir(versions).map_err(|e| PublishError::io(versions, e))?;
    let number = |name: &OsStr| name.to_str()?.parse::<u64>().ok();
    Ok(entries.flatten().filter_map(move |entry| number(&entry.file_name())))
}
