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
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { all: seconds(120), once: seconds(60), connect: seconds(10), stall: seconds(20) }
    }
}

/// The first wait, about.
const FIRST: Duration = Duration::from_millis(250);
/// The longest wait that nobody asked for.
const LONGEST: Duration = Duration::from_secs(15);
/// The share of all patience that a server gets which cannot be reached at all: a typing error more often than not.
const UNREACHABLE: u32 = 8;

impl Patience {
    /// The default, or as `CLEARMOSAIC_ARCHIVE_PATIENCE` and `CLEARMOSAIC_ARCHIVE_TIMEOUT` say, seconds.
    #[must_use]
    pub fn of_environment() -> Self {
        let seconds = |name: &str| std::env::var(name).ok()?.parse().ok().map(Duration::from_secs_f64);
        let default = Self::default();
        let once = seconds("CLEARMOSAIC_ARCHIVE_TIMEOUT").unwrap_or(default.once);
        let all = seconds("CLEARMOSAIC_ARCHIVE_PATIENCE").unwrap_or(default.all);
        Self { all, once, connect: default.connect.min(once), stall: default.stall.min(once) }
    }

    /// How long to wait after so many tries, the last of which failed thus, or none where it is no use, or too late.
    pub fn wait(&self, failed: &Failed, tries: u32, elapsed: Duration) -> Option<Duration> {
        let (most, asked) = match failed {
            Failed::Bad(_) | Failed::NotAllowed(_) | Failed::Refused { .. } => return None,
            Failed::Unreachable(_) => (self.all / UNREACHABLE, None),
            Failed::Busy { after, .. } => (self.all, *after),
            Failed::Broken(_) | Failed::Spoilt(_) => (self.all, None),
        };
        let doubled = FIRST.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(LONGEST);
        // Who failed together does not come back together.
        let jittered = doubled.mul_f64(0.5 + 0.5 * fastrand::f64());
        let wait = jittered.max(asked.unwrap_or_default());
        (elapsed + wait < most).then_some(wait)
    }
}
