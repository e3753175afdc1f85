//! What a schedule asks for at an instant, and what it is once that is done.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Came, Firing, GRACE, Missed, Overlap, REMEMBERED, Schedule, Times, Told};
use crate::state::Ended;

/// Something that is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// The instant: the request is made of the period that is meant then.
    pub at: Timestamp,
    /// How many that were due before it stands for.
    #[serde(default)]
    pub missed: u32,
    /// What whoever asked for it by hand calls it, so that asking again is not asking twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing before this instant; never where there is none.
    Wait(Option<Timestamp>),
    /// Make a run of it.
    Start(Due),
    /// Nothing: this job, the last run, goes on.
    Skip(Due, String),
    /// Keep it until the last run has ended.
    Queue(Due),
    /// Stop this job, the last run: what is queued follows.
    Stop(String),
    /// Nothing: it is too late.
    Miss(Due),
}

impl Schedule {
    /// What is to be done now. `goes_on` tells of a job whether it does.
    #[must_use]
    pub fn decide(&self, times: &Times, now: Timestamp, goes_on: impl Fn(&str) -> bool) -> Decision {
        if self.paused {
            return Decision::Wait(None);
        }
        let running = self.last_job().filter(|job| goes_on(job));
        if let Some(newest) = times.newest(self.until, now) {
            let due = Due { at: newest.at, missed: newest.before, asked: None };
            let is_late = now.duration_since(due.at) > SignedDuration::try_from(GRACE).unwrap_or(SignedDuration::MAX);
            if is_late && self.rule.missed == Missed::None {
                return Decision::Miss(due);
            }
            return self.meet(due, running);
        }
        match (&self.queued, running) {
            (Some(due), None) => Decision::Start(due.clone()),
            (Some(_), Some(job)) if self.rule.overlap == Overlap::Replace => Decision::Stop(job.to_owned()),
            _ => Decision::Wait(times.after(now)),
        }
    }

    /// What is to be done with something that is due, whether its time has come or somebody asked for it.
    #[must_use]
    pub fn meet(&self, due: Due, running: Option<&str>) -> Decision {
        // What waited is stood for by what is newer.
        let waited = self.queued.as_ref().map_or(0, |queued| queued.missed + 1);
        let for_all = Due { missed: due.missed + waited, ..due.clone() };
        match (running, self.rule.overlap) {
            (None, _) => Decision::Start(for_all),
            (Some(job), Overlap::Skip) => Decision::Skip(due, job.to_owned()),
            (Some(_), Overlap::Queue | Overlap::Replace) => Decision::Queue(for_all),
        }
    }

    /// The same once something has come of what was due.
    #[must_use]
    pub fn fired(&self, due: Due, at: Timestamp, came: Came) -> Self {
        let mut after = self.past(&due);
        // What is skipped or missed leaves what waits waiting.
        if matches!(came, Came::Run { .. } | Came::Refused { .. }) {
            after.queued = None;
        }
        let told = match (&self.rule.hook, &came) {
            (Some(_), Came::Refused { .. }) => Told::Due,
            _ => Told::Nobody,
        };
        after.firings.push_front(Firing { due, at, came, told });
        after.firings.truncate(REMEMBERED);
        after
    }

    /// The same once something waits.
    #[must_use]
    pub fn queued(&self, due: Due) -> Self {
        Self { queued: Some(due.clone()), ..self.past(&due) }
    }

    /// The same, what is due dealt with; who asks by hand leaves the rest as it is.
    fn past(&self, due: &Due) -> Self {
        let until = if due.asked.is_none() { self.until.max(due.at) } else { self.until };
        Self { until, ..self.clone() }
    }

    /// The same once a run has ended; none where it was none of its own, or that is known.
    #[must_use]
    pub fn ended(&self, id: &str, how: &Ended) -> Option<Self> {
        let mut after = self.clone();
        let goes_on = |firing: &&mut Firing| matches!(&firing.came, Came::Run { job, ended: None, .. } if job == id);
        let mut is_news = false;
        for firing in after.firings.iter_mut().filter(goes_on) {
            firing.came = Came::Run { job: id.to_owned(), ended: Some(how.clone()) };
            // Whoever stopped it knows.
            if self.rule.hook.is_some() && *how != Ended::Cancelled {
                firing.told = Told::Due;
            }
            is_news = true;
        }
        is_news.then_some(after)
    }

    /// The same, going on from now: what was due meanwhile is not made up for.
    #[must_use]
    pub fn resumed(&self, now: Timestamp) -> Self {
        Self { paused: false, until: self.until.max(now), ..self.clone() }
    }
}
