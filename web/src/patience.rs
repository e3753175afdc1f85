//! How long, and how often.

use std::time::Duration;

use crate::error::Failed;

/// How long servers are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// From the first try to the last.
    pub all: Duration,
    /// One try, from the connection to the answer's last byte.
    pub once: Duration,
    /// Making a connection.
    pub connect: Duration,
    /// From one byte of an answer to the next, and to the first.
    pub stall: Duration,
    /// How often a host is asked on which nothing listens, before it has ever answered; as others are, where not told.
    pub first: Option<u32>,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { all: seconds(120), once: seconds(60), connect: seconds(10), stall: seconds(20), first: None }
    }
}

/// The first wait, about.
const FIRST: Duration = Duration::from_millis(250);
/// The longest wait that nobody asked for.
const LONGEST: Duration = Duration::from_secs(15);
/// Tries of who plans where nothing listens.
const FIRST_TRIES: u32 = 3;
/// The share of all patience that a server gets which cannot be reached at all: a typing error more often than not.
const UNREACHABLE: u32 = 8;

impl Patience {
    /// The default, or as `CLEARMOSAIC_ARCHIVE_PATIENCE` and `CLEARMOSAIC_ARCHIVE_TIMEOUT` say, seconds.
    #[must_use]
    pub fn of_environment() -> Self {
        let seconds = |name: &str| seconds(&std::env::var(name).ok()?);
        let default = Self::default();
        let once = seconds("CLEARMOSAIC_ARCHIVE_TIMEOUT").unwrap_or(default.once);
        let all = seconds("CLEARMOSAIC_ARCHIVE_PATIENCE").unwrap_or(default.all);
        Self { all, once, connect: default.connect.min(once), stall: default.stall.min(once), first: None }
    }

    /// The same for who plans: where nothing listens at all the address is wrong, more often than not, and a person
    /// waits to be told.
    #[must_use]
    pub const fn of_planning(self) -> Self {
        Self { first: Some(FIRST_TRIES), ..self }
    }

    /// Whether who plans has asked often enough: nothing listens, and the host has never answered.
    pub fn is_enough(&self, failed: &Failed, tries: u32, has_answered: bool) -> bool {
        matches!(failed, Failed::Closed(_)) && !has_answered && self.first.is_some_and(|first| tries >= first)
    }

    /// How long to wait after so many tries, the last of which failed thus, or none where it is no use, or too late.
    pub fn wait(&self, failed: &Failed, tries: u32, elapsed: Duration) -> Option<Duration> {
        let (most, asked) = match failed {
            Failed::Bad(_) | Failed::NotAllowed(_) | Failed::Refused { .. } => return None,
            Failed::Unreachable(_) | Failed::Closed(_) => (self.all / UNREACHABLE, None),
            Failed::Busy { after, .. } => (self.all, *after),
            Failed::Broken(_) | Failed::Spoilt(_) => (self.all, None),
        };
        let doubled = FIRST.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(LONGEST);
        // Who failed together does not come back together.
        let jittered = doubled.mul_f64(0.5 + 0.5 * fastrand::f64());
        let wait = jittered.max(asked.unwrap_or_default());
        // A server may ask for any time at all.
        (elapsed.saturating_add(wait) < most).then_some(wait)
    }
}

/// Seconds, where they are a time that can be waited.
fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;

    #[test]
    fn no_word_of_an_operator_or_a_server_is_too_much() {
        let told = ["2.5", "-1", "NaN", "1e300", "soon"].map(seconds);
        assert_eq!(told, [Some(Duration::from_millis(2500)), None, None, None, None]);
        let status = StatusCode::TOO_MANY_REQUESTS;
        let for_ever = Failed::Busy { status, after: Some(Duration::MAX), why: String::new() };
        assert_eq!(Patience::default().wait(&for_ever, 1, Duration::from_secs(1)), None);
    }

    #[test]
    fn where_nothing_listens_who_plans_is_told_soon() {
        let closed = Failed::Closed(String::new());
        let planning = Patience::default().of_planning();
        assert!(!planning.is_enough(&closed, 2, false) && planning.is_enough(&closed, 3, false));
        assert!(!planning.is_enough(&closed, 3, true), "a server that was there begins anew");
        assert!(!Patience::default().is_enough(&closed, 3, false), "who works was told of no wrong address");
    }
}
