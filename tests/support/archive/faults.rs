//! What goes wrong on the way to an archive and back.

use std::hash::{DefaultHasher, Hash, Hasher};

/// One thing that may happen to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// 429.
    TooMany,
    /// 500.
    Internal,
    /// 503.
    Unavailable,
    /// No answer ever.
    Silence,
    /// Half of the body, and then nothing more, over a connection that stays.
    Stall,
    /// Half of the body, of unknown length, and the connection breaks.
    Reset,
    /// Half of the body, and the connection ends before the length that was told.
    Truncated,
    /// Half of the body, told to be all of it: only who knows what was asked can tell.
    Short,
    /// Half of the body, its length not told, and a proper end.
    ShortUnmeasured,
}

impl Fault {
    /// Every one.
    pub const ALL: [Self; 9] = [
        Self::TooMany,
        Self::Internal,
        Self::Unavailable,
        Self::Silence,
        Self::Stall,
        Self::Reset,
        Self::Truncated,
        Self::Short,
        Self::ShortUnmeasured,
    ];
}

/// Which part of requests meets which fault. Which request does is told by its seed, by what is asked for, and by how
/// often it was asked for before: the order in which others come changes nothing.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    seed: u64,
    rates: Vec<(Fault, f64)>,
    /// Seconds that a 429 or 503 asks to wait.
    pub retry_after: Option<u32>,
}

impl Faults {
    /// None.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// This part of requests, 0 to 1, meets a fault of any kind, each kind as often.
    #[must_use]
    pub fn of_every_kind(seed: u64, rate: f64) -> Self {
        let each = rate / Fault::ALL.len() as f64;
        Self { seed, rates: Fault::ALL.map(|fault| (fault, each)).to_vec(), retry_after: None }
    }

    /// These parts of requests meet these faults.
    #[must_use]
    pub fn at(seed: u64, rates: &[(Fault, f64)]) -> Self {
        Self { seed, rates: rates.to_vec(), retry_after: None }
    }

    /// What happens to a request that is made for the `nth` time.
    pub(super) fn to(&self, request: &str, nth: u64) -> Option<Fault> {
        let mut drawn = drawn(self.seed, request, nth);
        self.rates.iter().find_map(|(fault, rate)| {
            drawn -= rate;
            (drawn < 0.0).then_some(*fault)
        })
    }
}

/// A number from 0 to 1, the same for the same request.
pub(super) fn drawn(seed: u64, request: &str, nth: u64) -> f64 {
    let mut hasher = DefaultHasher::new();
    (seed, request, nth).hash(&mut hasher);
    fastrand::Rng::with_seed(hasher.finish()).f64()
}
