//! Schedules: requests that are made again whenever they are due.
//!
//! Pure: what is to be done follows from the schedule as it is kept, the time, and whether its last run goes on. The driver
//! does it, and writes down that it was done in the transaction that makes the run: a leader that dies before has done
//! nothing, one that dies after has done it once.
//!
//! ```text
//!            due (times)            its last run goes on?
//! waiting ──────────────► meet ─┬─ no ────────────────────────► start ─► running ─► ended ─► told (hook)
//!    ▲                          ├─ yes, skip ──► skipped          ▲
//!    │                          └─ yes, queue or replace ─► queued┘ when it has ended; replace stops it first
//!    └── late, and missed: none ─► missed
//! ```
//!
//! Each instant comes to one end: a run of its own, skipped, missed, or stood for by the next one ([`Firing::missed`]).

mod decide;
mod hook;
#[cfg(test)]
mod tests;
mod times;
mod told;

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use mosaic::ids::Key;
use serde::{Deserialize, Serialize};

use crate::state::Ended;

pub use decide::{Decision, Due};
pub use hook::Message;
pub use proto::schedule::{Hook, Missed, Overlap, Rule};
pub use times::{Newest, Times};

/// What is due this late is not missed yet: a leader may just have been replaced, or etcd away.
pub const GRACE: Duration = Duration::from_secs(300);
/// Firings that are remembered.
const REMEMBERED: usize = 20;

/// Why a schedule is none, or did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// It is called what none may be called.
    #[error("`name`: `{0}`: use lower-case letters, digits and hyphens, at most 100")]
    Name(String),
    /// The expression means nothing.
    #[error("`cron`: `{cron}`: {why}: write minute, hour, day of the month, month, day of the week, `0 6 3 * *` say")]
    Cron {
        /// What was given.
        cron: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nobody knows the zone.
    #[error("`zone`: there is no time zone `{0}`: write one as Europe/Ljubljana, or UTC")]
    Zone(String),
    /// There is no such day.
    #[error("`cron`: `{0}` never comes: there is no such day")]
    Never(String),
    /// Another one has the name.
    #[error("there is another schedule `{0}`: delete it first, or say --replace")]
    Taken(String),
    /// There is none.
    #[error("there is no schedule `{0}`: ask `clearmosaic schedule list`")]
    Unknown(String),
    /// What is to be run goes on already.
    #[error("`{name}`: its last run, {job}, still goes on")]
    Busy {
        /// The schedule.
        name: String,
        /// The run.
        job: String,
    },
}

/// A schedule, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// What it is called.
    pub name: String,
    /// The mosaic that it makes.
    pub mosaic: String,
    /// The key of the request, as it was written.
    pub request: Key,
    /// When and how.
    pub rule: Rule,
    /// Since when it is there.
    pub created: Timestamp,
    /// Whether it starts nothing.
    #[serde(default)]
    pub paused: bool,
    /// What was due until then has come to its end, or waits.
    pub until: Timestamp,
    /// What waits for the last run to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<Due>,
    /// What came of those that were due, the newest first.
    #[serde(default)]
    pub firings: VecDeque<Firing>,
}

/// What came of an instant at which a schedule was due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// What was due.
    pub due: Due,
    /// When it was dealt with.
    pub at: Timestamp,
    /// What came of it.
    pub came: Came,
    /// Whether anybody is to be told, or has been.
    #[serde(default)]
    pub told: Told,
}

/// What came of what was due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Came {
    /// A run.
    Run {
        /// Its job.
        job: String,
        /// How it ended, once it has.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended: Option<Ended>,
    },
    /// No run: the request is not good any more.
    Refused {
        /// Why, one line.
        error: String,
    },
    /// Nothing, as the last run went on.
    Skipped {
        /// That run's job.
        job: String,
    },
    /// Nothing, as nobody was there.
    Missed,
}

/// Whether somebody was told what came of something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// There is nobody to tell, or nothing yet.
    #[default]
    Nobody,
    /// It is to be told.
    Due,
    /// It was told.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// It was tried, and given up.
    Failed {
        /// Why, one line.
        error: String,
    },
}

/// Whether something may be called so: as mosaics are.
///
/// # Errors
/// `Name`.
pub fn check_name(name: &str) -> Result<(), ScheduleError> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=100).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(ScheduleError::Name(name.to_owned()))
}

impl Schedule {
    /// One that has not been due yet.
    #[must_use]
    pub fn new(name: &str, mosaic: &str, request: Key, rule: Rule, now: Timestamp) -> Self {
        let (name, mosaic) = (name.to_owned(), mosaic.to_owned());
        let (paused, queued, firings) = (false, None, VecDeque::new());
        Self { name, mosaic, request, rule, created: now, paused, until: now, queued, firings }
    }

    /// When it is due.
    ///
    /// # Errors
    /// Where that means nothing, or never comes.
    pub fn times(&self) -> Result<Times, ScheduleError> {
        Times::new(&self.rule.cron, &self.rule.zone, self.created)
    }

    /// The job of its newest run.
    #[must_use]
    pub fn last_job(&self) -> Option<&str> {
        self.firings.iter().find_map(Firing::job)
    }

    /// Jobs of its runs of which it is not known that they have ended.
    pub fn runs(&self) -> impl Iterator<Item = &str> {
        self.firings.iter().filter_map(|firing| match &firing.came {
            Came::Run { job, ended: None, .. } => Some(job.as_str()),
            _ => None,
        })
    }
}
