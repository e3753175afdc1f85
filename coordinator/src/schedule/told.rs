//! Schedules as they are told.

use jiff::Timestamp;
use proto::schedule as told;

use super::{Came, Firing, Schedule, ScheduleError, Times, Told};
use crate::state::Ended;

impl Came {
    /// What it is called, and what there is to say: where it was published, or why not.
    #[must_use]
    pub fn told(&self) -> (&'static str, &str) {
        match self {
            Self::Run { ended: None, .. } => ("running", ""),
            Self::Run { ended: Some(Ended::Published { unchanged: true, at, .. }), .. } => ("unchanged", at),
            Self::Run { ended: Some(Ended::Published { complete: true, at, .. }), .. } => ("complete", at),
            Self::Run { ended: Some(Ended::Published { complete: false, at, .. }), .. } => ("incomplete", at),
            Self::Run { ended: Some(Ended::Failed { error, .. }), .. } => ("failed", error),
            Self::Run { ended: Some(Ended::Cancelled), .. } => ("cancelled", ""),
            Self::Refused { error } => ("refused", error),
            Self::Skipped { .. } => ("skipped", ""),
            Self::Missed => ("missed", ""),
        }
    }
}

impl Firing {
    /// The job that it made.
    #[must_use]
    pub fn job(&self) -> Option<&str> {
        match &self.came {
            Came::Run { job, .. } => Some(job),
            _ => None,
        }
    }

    fn told(&self, times: Option<&Times>) -> told::Firing {
        let (came, said) = self.came.told();
        let job = if let Came::Skipped { job } = &self.came { Some(job.as_str()) } else { self.job() };
        let hook = match &self.told {
            Told::Nobody => String::new(),
            Told::Due => "due".to_owned(),
            Told::Delivered { .. } => "delivered".to_owned(),
            Told::Failed { error } => error.clone(),
        };
        told::Firing {
            due: shown(self.due.at, times),
            missed: self.due.missed,
            by_hand: self.due.asked.is_some(),
            came: came.to_owned(),
            job_id: job.unwrap_or_default().to_owned(),
            said: said.to_owned(),
            hook,
        }
    }
}

impl Schedule {
    /// What is told of it, with so many of its firings.
    #[must_use]
    pub fn told(&self, times: &Result<Times, ScheduleError>, firings: usize) -> told::Told {
        let (times, fault) = (times.as_ref().ok(), times.as_ref().err().map(ToString::to_string));
        let next = times.filter(|_| !self.paused).and_then(|times| times.after(self.until));
        told::Told {
            name: self.name.clone(),
            mosaic: self.mosaic.clone(),
            rule: self.rule.clone(),
            paused: self.paused,
            next: next.map(|next| shown(next, times)),
            queued: self.queued.as_ref().map(|due| shown(due.at, times)),
            fault,
            firings: self.firings.iter().take(firings).map(|firing| firing.told(times)).collect(),
        }
    }
}

fn shown(instant: Timestamp, times: Option<&Times>) -> String {
    times.map_or_else(|| instant.to_string(), |times| times.shown(instant))
}
