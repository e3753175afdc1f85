//! The commands about what is published: `versions`, `rollback`, `verify`.
//!
//! A mosaic is asked of where it is published, where that is told (`--output`, or the request itself); else of a
//! coordinator, which alone moves what its mosaics' names mean.

use artifacts::Folder;
use coordinator::publish::verify::{self, Verified};
use coordinator::publish::version::{self, VersionError};
use proto::version::MosaicVersion;
use serde_json::json;

use crate::args::{Published, RollbackArgs, VerifyArgs, VersionsArgs};
use crate::exit::{BadInput, Exit};
use crate::jobs::asking;
use crate::{input, print, tables};

/// Where a mosaic is asked of.
pub enum Place {
    /// It is published here, under this name.
    Here(Folder, String),
    /// A coordinator knows.
    There(String),
}

impl Published {
    /// Where the mosaic is asked of.
    ///
    /// # Errors
    /// Where the request is none, or the output cannot be opened.
    pub fn place(&self) -> Result<Place, BadInput> {
        let access = self.access.access();
        let opened = |output: &str, profile: Option<&str>, flag: &str| {
            Folder::open(output, profile, &access).map_err(|e| BadInput::one(format!("{flag}: {e}")))
        };
        if let Some(output) = &self.output {
            let folder = opened(output, self.profile.as_deref(), "--output")?;
            return Ok(Place::Here(folder, named(&self.mosaic)?));
        }
        // No mosaic's name has a dot or a slash, and a request's file has one.
        if self.mosaic.contains(['.', '/']) {
            let request = input::read(self.mosaic.as_ref())?;
            let folder = opened(&request.output, request.profile.as_deref(), "`output`")?;
            return Ok(Place::Here(folder, request.name));
        }
        named(&self.mosaic).map(Place::There)
    }
}

/// A name, which is never part of a path.
fn named(name: &str) -> Result<String, BadInput> {
    let is_one = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !name.is_empty() && name.bytes().all(is_one) {
        return Ok(name.to_owned());
    }
    Err(BadInput::one(format!("`{name}`: a mosaic's name has lower-case letters, digits and hyphens only")))
}

/// Lists the versions of a mosaic.
pub fn versions(args: &VersionsArgs) -> anyhow::Result<Exit> {
    let versions = match args.published.place()? {
        Place::Here(output, name) => version::versions(&output, &name).map_err(said)?.told(&output, &name),
        Place::There(name) => asking(&args.published.at, async |client| client.versions(&name).await)?.versions,
    };
    if args.json {
        print(&versions.iter().map(|version| format!("{}\n", told(version))).collect::<String>())?;
    } else {
        print(&tables::versions(&versions))?;
    }
    Ok(Exit::Complete)
}

/// Makes a mosaic's name mean an older version: prints where it is.
pub fn roll_back(args: &RollbackArgs) -> anyhow::Result<Exit> {
    let at = match args.published.place()? {
        Place::Here(output, name) => version::roll_back(&output, &name, args.version).map_err(said)?,
        Place::There(name) => asking(&args.published.at, async |client| client.roll_back(&name, args.version).await)?,
    };
    print(&format!("{at}\n"))?;
    Ok(Exit::Complete)
}

/// Verifies what is published, where that is: a coordinator only says where.
pub fn verify(args: &VerifyArgs) -> anyhow::Result<Exit> {
    let (output, name) = match args.published.place()? {
        Place::Here(output, name) => (output, name),
        Place::There(name) => {
            let told = asking(&args.published.at, async |client| client.versions(&name).await)?;
            let profile = (!told.profile.is_empty()).then_some(&*told.profile);
            let output = Folder::open(&told.output, profile, &args.published.access.access());
            (output.map_err(|e| BadInput::one(format!("`{name}`: its output: {e}")))?, name)
        }
    };
    let numbers: Vec<Option<u64>> = if args.all {
        let versions = version::versions(&output, &name).map_err(said)?;
        versions.all.iter().map(|entry| Some(entry.version)).collect()
    } else {
        vec![args.version]
    };
    let mut exit = Exit::Complete;
    for number in numbers {
        let verified = verify::verify(&output, &name, number).map_err(said)?;
        if !verified.faults.is_empty() {
            exit = Exit::Incomplete;
        }
        print(&if args.json { format!("{}\n", found(&verified)) } else { tables::verified(&name, &verified) })?;
    }
    Ok(exit)
}

/// What was found of a version, for programs.
fn found(verified: &Verified) -> serde_json::Value {
    let Verified { version, files, bytes, faults } = verified;
    json!({"version": version, "files": files, "bytes": bytes, "faults": faults})
}

/// What is wrong with a version is whoever's who asked for it.
fn said(error: VersionError) -> BadInput {
    BadInput::one(error.to_string())
}

/// A version for programs.
fn told(version: &MosaicVersion) -> serde_json::Value {
    json!({
        "version": version.version,
        "state": tables::state(version),
        "published": (!version.published.is_empty()).then_some(&version.published),
        "scenes": version.scenes,
        "predecessor": (version.predecessor > 0).then_some(version.predecessor),
        "successors": version.successors,
        "latest": version.latest,
        "at": version.at,
    })
}
