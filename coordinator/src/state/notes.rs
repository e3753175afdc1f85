//! What is noted down of a job while it runs: which tasks are made, a bit each, packed by tile; which are set aside; what
//! has been spent.
//!
//! ```text
//! progress/<job>/<plan>/made/<place>     for each slice of a tile and its composites, which sub-tiles are made: bits
//! progress/<job>/<plan>/failed/<task>    why it is set aside: JSON
//! progress/<job>/<plan>/spent            bytes and time: JSON
//! ```
//!
//! What is noted late of a plan that was made anew meanwhile is never taken for progress of the new one.
//! A tile's key is overwritten as its tasks end, so that what is kept grows with tiles and slices, not with tasks.

use mosaic::ids::Key;
use proto::work::{Done, Failure, FailureKind};
use serde::{Deserialize, Serialize};

use super::StateError;
use crate::table::{Saved, SetAside};

/// One thing to note down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The job, and its plan.
    pub run: String,
    /// What of it.
    pub what: Noted,
}

/// What is noted down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// Which tasks of a place are made.
    Made {
        /// The place.
        place: usize,
        /// A bit for each task.
        bits: Vec<u8>,
    },
    /// A task that is set aside.
    SetAside {
        /// Its index.
        task: u32,
        /// Why.
        why: SetAside,
    },
    /// What has been spent so far.
    Spent(Done),
}

#[derive(Serialize, Deserialize)]
struct Aside {
    retryable: bool,
    reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scene: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<u32>,
}

/// A [`Done`] as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Done")]
struct Kept {
    bytes_read: u64,
    bytes_written: u64,
    blocks_read: u64,
    blocks_skipped: u64,
    read_us: u64,
    decode_us: u64,
    compute_us: u64,
    write_us: u64,
    #[serde(default)]
    requests: u64,
    #[serde(default)]
    bytes_received: u64,
    #[serde(default)]
    retries: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Spent(#[serde(with = "Kept")] Done);

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    // Plain data: it has a JSON form.
    serde_json::to_vec(value).unwrap_or_default()
}

impl Note {
    /// Its key below the prefix, and its value.
    #[must_use]
    pub fn encoded(&self) -> (String, Vec<u8>) {
        let (name, value) = match &self.what {
            Noted::Made { place, bits } => (format!("made/{place:06}"), bits.clone()),
            Noted::SetAside { task, why } => {
                let SetAside { failure: Failure { kind, reason, scene }, cause } = why.clone();
                let retryable = kind == FailureKind::Retryable;
                (format!("failed/{task:010}"), json(&Aside { retryable, reason, scene, cause }))
            }
            Noted::Spent(cost) => ("spent".to_owned(), json(&Spent(*cost))),
        };
        (format!("{}{name}", below(&self.run)), value)
    }
}

/// A job with this plan.
#[must_use]
pub fn run(job: &str, plan: &Key) -> String {
    format!("{job}/{}", &plan.as_str()[..12])
}

/// Where the progress of a job, or of its run, is, below the prefix.
#[must_use]
pub fn below(run: &str) -> String {
    format!("progress/{run}/")
}

/// Takes up what was noted: `name` is the key below the job's.
///
/// # Errors
/// `Corrupt` where it means nothing.
pub fn read(saved: &mut Saved, name: &str, value: &[u8]) -> Result<(), StateError> {
    let corrupt = |why: String| StateError::Corrupt { key: name.to_owned(), why };
    let number = |text: &str| text.parse::<u32>().map_err(|e| corrupt(e.to_string()));
    match name.split_once('/') {
        Some(("made", place)) => {
            saved.places.insert(number(place)? as usize, value.to_vec());
        }
        Some(("failed", task)) => {
            let aside: Aside = serde_json::from_slice(value).map_err(|e| corrupt(e.to_string()))?;
            let kind = if aside.retryable { FailureKind::Retryable } else { FailureKind::Permanent };
            let failure = Failure { kind, reason: aside.reason, scene: aside.scene };
            saved.failures.insert(number(task)?, SetAside { failure, cause: aside.cause });
        }
        None if name == "spent" => {
            let Spent(cost) = serde_json::from_slice(value).map_err(|e| corrupt(e.to_string()))?;
            saved.cost = cost;
        }
        _ => return Err(corrupt("this version does not know it".to_owned())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read_again() {
        let failure = Failure { kind: FailureKind::Permanent, reason: "torn".into(), scene: Some("s".into()) };
        let why = SetAside { failure, cause: Some(3) };
        let cost = Done { bytes_read: 5, write_us: 7, ..Done::default() };
        let notes = [
            Noted::Made { place: 2, bits: vec![0b101, 1] },
            Noted::SetAside { task: 9, why: why.clone() },
            Noted::Spent(cost),
        ];
        let (mut saved, plan) = (Saved::default(), Key::of("test", &1));
        for what in notes {
            let (key, value) = Note { run: run("m-1", &plan), what }.encoded();
            read(&mut saved, key.strip_prefix(&below(&run("m-1", &plan))).unwrap(), &value).unwrap();
        }
        assert_eq!(saved, Saved { places: [(2, vec![0b101, 1])].into(), failures: [(9, why)].into(), cost });
        assert!(read(&mut saved, "made/x", &[]).is_err());
        assert!(read(&mut saved, "other", &[]).is_err());
    }
}
