//! When a schedule is due: a cron expression in a time zone.
//!
//! Daylight saving, as Vixie's cron and the Open Cron Pattern Specification have it. What is due at a fixed time is due
//! once on every day that has it: a time that the clocks skip is made up for right after the gap, and one that comes twice
//! counts the first time. What is due every so often (`*`, `*/15` among minutes or hours) follows the clock: what is
//! skipped is left out, and what comes twice is due twice. A day that a month lacks is left out; `L` is a month's last.

use croner::Cron;
use croner::parser::CronParser;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::ScheduleError;

/// Those that were missed are counted up to here.
const COUNTED: u32 = 999;

/// The instants at which a schedule is due.
#[derive(Clone, Debug)]
pub struct Times {
    cron: Cron,
    zone: TimeZone,
}

/// The newest of several instants, and how many were before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest {
    /// The instant.
    pub at: Timestamp,
    /// How many were before it; at most 999 are counted.
    pub before: u32,
}

impl Times {
    /// Reads a cron expression (minute, hour, day of the month, month, day of the week; seconds may stand before them)
    /// and the IANA name of a time zone.
    ///
    /// # Errors
    /// `Cron`, `Zone`; `Never` where no instant after `now` is meant.
    pub fn new(cron: &str, zone: &str, now: Timestamp) -> Result<Self, ScheduleError> {
        let bad = |e: croner::errors::CronError| ScheduleError::Cron { cron: cron.to_owned(), why: plain(&e) };
        let parsed = CronParser::new().parse(cron).map_err(bad)?;
        // Names of this kind alone: a zone written as an offset knows no daylight saving, and `Local` is another elsewhere.
        let zone = TimeZone::get(zone).map_err(|_| ScheduleError::Zone(zone.to_owned()))?;
        let times = Self { cron: parsed, zone };
        times.after(now).ok_or_else(|| ScheduleError::Never(cron.to_owned()))?;
        Ok(times)
    }

    /// The first instant after another; none where there is none before the calendar ends.
    #[must_use]
    pub fn after(&self, instant: Timestamp) -> Option<Timestamp> {
        let next = self.cron.find_next_occurrence(&instant.to_zoned(self.zone.clone()), false).ok()?;
        Some(next.timestamp()).filter(|next| *next > instant)
    }

    /// The newest instant after one and no later than another, and how many there are before it.
    #[must_use]
    pub fn newest(&self, after: Timestamp, through: Timestamp) -> Option<Newest> {
        let first = self.after(after).filter(|first| *first <= through)?;
        let last = self.cron.find_previous_occurrence(&through.to_zoned(self.zone.clone()), true).ok()?;
        let at = last.timestamp().max(first);
        let each = std::iter::successors(Some(first), |due| self.after(*due)).take_while(|due| *due < at);
        let before = u32::try_from(each.take(COUNTED as usize).count()).unwrap_or(COUNTED);
        Some(Newest { at, before })
    }

    /// An instant by the clocks of the zone, RFC 3339.
    #[must_use]
    pub fn shown(&self, instant: Timestamp) -> String {
        instant.to_zoned(self.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }
}

/// What the parser says, without its own name in front and the full stop behind.
fn plain(error: &croner::errors::CronError) -> String {
    let told = error.to_string();
    let told = told.split_once(": ").map_or(told.as_str(), |(_, told)| told);
    told.trim_start_matches("CronPattern ").trim_start_matches("Pattern ").trim_end_matches('.').to_owned()
}
