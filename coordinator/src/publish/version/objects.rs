//! Versions in an object store.
//!
//! ```text
//! <output>/.versions/<name>/2       who has claimed the number: put where there is none
//! <output>/<name>/1/…               written whole, and never again
//! <output>/<name>/2/…
//! <output>/<name>/latest.json       {"version": 2, "path": "2/"}, put last, in the place of what was read
//! ```
//!
//! Nothing is listed: the newest version is what `latest.json` says.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use artifacts::StoreError;
use artifacts::remote::Bucket;
use serde::{Deserialize, Serialize};

use crate::publish::error::PublishError;

/// How often a switch is tried whose outcome is not known, or that others keep from being the next.
const TRIES: usize = 32;

/// What a mosaic's name means.
#[derive(Debug, Serialize, Deserialize)]
struct Latest {
    version: u64,
    /// Relative to where this stands.
    path: String,
}

pub fn target(name: &str, number: u64) -> String {
    format!("{name}/{number}")
}

fn latest(name: &str) -> String {
    format!("{name}/latest.json")
}

/// This process among all that ever publish.
fn claimant() -> &'static str {
    static CLAIMANT: OnceLock<String> = OnceLock::new();
    CLAIMANT.get_or_init(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("{}-{:x}\n", std::process::id(), since.as_nanos())
    })
}

/// Claims a number: this one, or the next that nobody has.
pub fn claim(output: &Bucket, name: &str, mut number: u64) -> Result<u64, PublishError> {
    loop {
        let claim = format!(".versions/{name}/{number}");
        let mine = claimant().as_bytes();
        if output.create(&claim, mine.to_vec()).map_err(PublishError::output)? {
            return Ok(number);
        }
        // What was put may have been put although no answer came.
        if output.read(&claim).map_err(PublishError::output)?.bytes == mine {
            return Ok(number);
        }
        number += 1;
    }
}

pub fn greatest(output: &Bucket, name: &str) -> Result<u64, PublishError> {
    match output.read(&latest(name)) {
        Ok(found) => Ok(version(&found.bytes)),
        Err(StoreError::Missing(_)) => Ok(0),
        Err(error) => Err(PublishError::output(error)),
    }
}

/// The version that a text means; 0 where it means nothing.
fn version(text: &[u8]) -> u64 {
    serde_json::from_slice::<Latest>(text).map_or(0, |latest| latest.version)
}

/// Makes the name mean a version, unless it means a newer one.
pub fn switch(output: &Bucket, name: &str, number: u64) -> Result<(), PublishError> {
    let at = latest(name);
    let now = super::super::json(&Latest { version: number, path: format!("{number}/") });
    let mut last = None;
    for _ in 0..TRIES {
        let put = match output.read(&at) {
            Err(StoreError::Missing(_)) => output.create(&at, now.clone()),
            Err(error) => Err(error),
            Ok(found) => match version(&found.bytes) {
                // It was put although no answer came.
                meant if meant == number => return Ok(()),
                meant if meant > number => {
                    tracing::warn!(name, number, newer = meant, "a newer version has been published meanwhile");
                    return Ok(());
                }
                _ => output.replace(&at, &found, now.clone()),
            },
        };
        match put {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error @ StoreError::Away { .. }) => last = Some(error),
            Err(error) => return Err(PublishError::output(error)),
        }
    }
    let busy = || StoreError::Away { what: output.url(&at), why: "others keep changing it".to_owned() };
    Err(PublishError::output(last.unwrap_or_else(busy)))
}
