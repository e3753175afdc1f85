//! Going back to an older version.

use artifacts::{Folder, StoreError};

use super::known::{Versions, known};
use super::{catalogue, directory, folder, objects};
use crate::publish::error::PublishError;
use crate::publish::snapshot::{LIST, Published};

/// Why a version is not what a name means.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// Nothing of this name is published there.
    #[error("`{name}`: no mosaic of this name is published in {output}")]
    Unknown {
        /// The name.
        name: String,
        /// The output.
        output: String,
    },
    /// The version is gone, or never was.
    #[error("`{name}`: there is no version {number} (any more): {there}")]
    Gone {
        /// The mosaic.
        name: String,
        /// The version.
        number: u64,
        /// Those that there are, in words.
        there: String,
    },
    /// Some of the version's files are gone.
    #[error("`{name}`: version {number} is not whole any more, {missing} is gone: {there}")]
    Maimed {
        /// The mosaic.
        name: String,
        /// The version.
        number: u64,
        /// The first of its files that is not there.
        missing: String,
        /// The other versions, in words.
        there: String,
    },
    /// The output does not do what it is asked.
    #[error(transparent)]
    Output(#[from] PublishError),
}

impl VersionError {
    /// A version that is not among those that there are.
    pub(in crate::publish) fn gone(name: &str, number: u64, versions: &Versions) -> Self {
        Self::Gone { name: name.to_owned(), number, there: there(versions, number) }
    }

    /// Whether a store did not answer: it may do so later.
    #[must_use]
    pub const fn is_away(&self) -> bool {
        matches!(self, Self::Output(error) if error.is_away())
    }
}

/// The versions of a mosaic, of which there is one at least.
///
/// # Errors
/// `Unknown` where there is none.
pub fn versions(output: &Folder, name: &str) -> Result<Versions, VersionError> {
    let versions = known(output, name)?;
    if versions.all.is_empty() {
        return Err(VersionError::Unknown { name: name.to_owned(), output: output.to_string() });
    }
    Ok(versions)
}

/// Makes a mosaic's name mean an older version again, at one moment: where that is.
///
/// # Errors
/// `Unknown`, `Gone` and `Maimed` where there is no such version to be meant; what the system or the store says.
pub fn roll_back(output: &Folder, name: &str, number: u64) -> Result<String, VersionError> {
    let versions = versions(output, name)?;
    if versions.get(number).is_none() {
        return Err(VersionError::gone(name, number, &versions));
    }
    if let Some(missing) = missing(&folder(output, name, number), name, number)? {
        let there = there(&versions, number);
        return Err(VersionError::Maimed { name: name.to_owned(), number, missing, there });
    }
    match output {
        Folder::Directory(dir) => directory::roll_back(dir, name, number)?,
        Folder::Objects(bucket) => objects::roll_back(bucket, name, number)?,
    }
    tracing::info!(name, number, "an older version is meant again");
    if let Err(error) = catalogue::write(output, name) {
        tracing::warn!(%error, name, "the catalogue of its versions is old");
    }
    Ok(super::at(output, name, number))
}

/// Which other versions there are.
fn there(versions: &Versions, but: u64) -> String {
    let others = versions.all.iter().map(|entry| entry.version).filter(|number| *number != but);
    let numbers: Vec<String> = others.map(|number| number.to_string()).collect();
    match numbers.as_slice() {
        [] => "there is no other".to_owned(),
        [one] => format!("there is {one}"),
        [first @ .., last] => format!("there are {} and {last}", first.join(", ")),
    }
}

/// The first file of a version that is not there. Versions of before do not tell which they have.
fn missing(version: &Folder, name: &str, number: u64) -> Result<Option<String>, PublishError> {
    let list = match Published::list(version, name, number) {
        Ok(list) => list,
        Err(StoreError::Missing(_)) => return Ok(None),
        Err(StoreError::Corrupt { .. }) => return Ok(Some(LIST.to_owned())),
        Err(error) => return Err(PublishError::output(error)),
    };
    let is_there = version.all(&list.files, |file| version.has(&file.name));
    for (file, is_there) in list.files.iter().zip(is_there) {
        if !is_there.map_err(PublishError::output)? {
            return Ok(Some(file.name.clone()));
        }
    }
    Ok(None)
}
