//! Versions in an object store.
//!
//! ```text
//! <output>/.versions/<name>/2       who has claimed the number: put where there is none
//! <output>/<name>/1/…               written whole, and never again
//! <output>/<name>/2/…
//! <output>/<name>/latest.json       {"version": 2, "path": "2/"}, put last, in the place of what was read
//! ```
//!
//! Nothing is listed: the newest version is what `latest.json` says, and the others are asked for by number.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use artifacts::StoreError;
use artifacts::remote::Bucket;

use super::latest::Latest;
use crate::publish::error::PublishError;

/// How often a switch is tried whose outcome is not known, or that others keep from being the next.
pub const TRIES: usize = 32;

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

/// What the name means.
pub fn meant(output: &Bucket, name: &str) -> Result<Latest, PublishError> {
    match output.read(&latest(name)) {
        Ok(found) => Ok(Latest::parse(&found.bytes)),
        Err(StoreError::Missing(_)) => Ok(Latest::default()),
        Err(error) => Err(PublishError::output(error)),
    }
}

/// Makes the name mean a version, unless it means a newer one, or one has been gone back from since.
pub fn switch(output: &Bucket, name: &str, number: u64) -> Result<(), PublishError> {
    decide(output, name, |now| {
        if now.version == number {
            // It was put although no answer came.
            return None;
        }
        if now.newest() >= number {
            let newest = now.newest();
            tracing::warn!(name, number, newest, "a newer version has been published meanwhile, or gone back from");
            return None;
        }
        Some(Latest::of(number))
    })
}

/// Makes the name mean a version, though there are newer ones.
pub fn roll_back(output: &Bucket, name: &str, number: u64) -> Result<(), PublishError> {
    decide(output, name, |now| {
        let back = Latest::back_to(number, now.newest());
        (*now != back).then_some(back)
    })
}

/// Puts in the place of what the name means what `decide` makes of that; nothing where it decides on nothing.
fn decide(output: &Bucket, name: &str, decide: impl Fn(&Latest) -> Option<Latest>) -> Result<(), PublishError> {
    let (at, mut last) = (latest(name), None);
    for _ in 0..TRIES {
        let found = match output.read(&at) {
            Ok(found) => Some(found),
            Err(StoreError::Missing(_)) => None,
            Err(error @ StoreError::Away { .. }) => {
                last = Some(error);
                continue;
            }
            Err(error) => return Err(PublishError::output(error)),
        };
        let now = found.as_ref().map(|found| Latest::parse(&found.bytes)).unwrap_or_default();
        let Some(next) = decide(&now) else { return Ok(()) };
        let put = match &found {
            None => output.create(&at, next.text()),
            Some(found) => output.replace(&at, found, next.text()),
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
