//! What can go wrong with Earth Engine, by what is done about it.

/// A question that Earth Engine did not answer. One line, without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A setting or a credential is no good, or there is none: put it right.
    #[error("Earth Engine: {0}")]
    Setting(String),
    /// The credentials do not let in: put them right.
    #[error("Earth Engine does not let these credentials in ({status}): {why}")]
    Refused {
        /// Status of HTTP.
        status: u16,
        /// What it says.
        why: String,
    },
    /// There is no such collection or image, or it may not be seen.
    #[error("Earth Engine knows no {0}, or it may not be seen with these credentials")]
    Missing(String),
    /// It does not understand the question: asking again does not help.
    #[error("Earth Engine refuses the request for {what}: {why}")]
    Bad {
        /// What was asked for.
        what: String,
        /// What it says.
        why: String,
    },
    /// It says that too much is asked of it, for longer than was waited: nothing is wrong, later it may be had.
    #[error("Earth Engine's quota is used up: {0}")]
    Quota(String),
    /// It does not answer, or not as it should, however often it is asked: later it may.
    #[error("Earth Engine cannot be had at {at}: {why}")]
    Away {
        /// Where it was asked.
        at: String,
        /// The innermost cause.
        why: String,
    },
}

impl Error {
    /// Whether it may be mended by time alone.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Quota(_) | Self::Away { .. })
    }
}
