//! What has been seen: a world in which nothing goes wrong shows nothing.

/// What can be counted.
#[derive(Clone, Copy, Debug)]
pub enum What {
    Grants,
    Crashes,
    Stalls,
    Takeovers,
    Zombies,
    Adopted,
    LostCalls,
    Repeated,
    Refused,
    Found,
    InputsLost,
    LostLate,
    Void,
    Twice,
    NoRoom,
    NotNoted,
    Failed,
}

const NAMES: [&str; 17] = [
    "grants",
    "crashes",
    "stalls",
    "takeovers",
    "zombies",
    "adopted leases",
    "lost calls",
    "repeated reports",
    "refused reports",
    "artifacts found late",
    "lost inputs",
    "losses before publication",
    "void leases",
    "tasks leased twice",
    "tasks without room",
    "notes that failed",
    "failed tasks",
];

/// Counts of what was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen([u64; NAMES.len()]);

impl Seen {
    /// One more of it.
    pub fn count(&mut self, what: What) {
        self.0[what as usize] += 1;
    }

    /// Every count by its name.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        NAMES.into_iter().zip(self.0)
    }
}

impl std::iter::Sum for Seen {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |a, b| Self(std::array::from_fn(|n| a.0[n] + b.0[n])))
    }
}
