//! Why there is no answer.

use std::time::Duration;

use mosaic::href::{scrub, unsigned};
use proto::allow::NotAllowed;
use reqwest::StatusCode;

use crate::innermost;

/// Why there is no answer; one line, without anything secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    /// This machine cannot speak to any server.
    #[error("web servers cannot be asked: {0}")]
    Setup(String),
    /// It is no URL, or leads in a circle, or to nowhere.
    #[error("{url}: {why}")]
    Bad {
        /// What was asked.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// It lies outside of what is allowed, or redirects there.
    #[error("{0}")]
    NotAllowed(NotAllowed),
    /// The server understood, and says no: to ask again is no use.
    #[error("{url}: the server refuses it: {status}{}", told(.why))]
    Refused {
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
        /// What the server says besides.
        why: String,
    },
    /// Nothing listens there, or that cannot be found out: it may later.
    #[error("{url}: not reachable: {why}: look at the address and the network ({tries} tries)")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What the system says.
        why: String,
        /// How often was asked.
        tries: u32,
    },
    /// The server is busy, breaks off, or answers what cannot be read, again and again: it may do better later.
    #[error("{url}: {why} ({tries} tries): try again later")]
    Away {
        /// What was asked.
        url: String,
        /// What went wrong last.
        why: String,
        /// How often was asked.
        tries: u32,
    },
}

fn told(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

impl WebError {
    /// The status of a server that refused.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether it may be had later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Away { .. })
    }
}

/// Why one try failed.
#[derive(Debug)]
pub enum Failed {
    /// There is no use in trying.
    Bad(String),
    /// It may not be asked.
    NotAllowed(NotAllowed),
    /// The server says no.
    Refused { status: StatusCode, why: String },
    /// The server says not now.
    Busy { status: StatusCode, after: Option<Duration>, why: String },
    /// There is no connection.
    Unreachable(String),
    /// The machine is there, and nothing listens on it.
    Closed(String),
    /// There was one, and it broke, or nothing came.
    Broken(String),
    /// The answer cannot be read.
    Spoilt(String),
}

impl Failed {
    pub fn of(error: &reqwest::Error) -> Self {
        if error.is_builder() {
            Self::Bad(plain(error))
        } else if error.is_connect() && is_refused(error) {
            Self::Closed(plain(error))
        } else if error.is_connect() {
            Self::Unreachable(plain(error))
        } else {
            Self::Broken(plain(error))
        }
    }

    /// What becomes of it when there are no further tries.
    pub fn told(self, url: &str, tries: u32) -> WebError {
        let url = unsigned(url).into_owned();
        match self {
            Self::Bad(why) => WebError::Bad { url, why },
            Self::NotAllowed(not) => WebError::NotAllowed(not),
            Self::Refused { status, why } => WebError::Refused { url, status: status.as_u16(), why: clean(&why) },
            Self::Unreachable(why) | Self::Closed(why) => WebError::Unreachable { url, why, tries },
            Self::Busy { status, why, .. } => {
                let why = format!("the server is busy: {}{}", status.as_u16(), told(&clean(&why)));
                WebError::Away { url, why, tries }
            }
            Self::Broken(why) => WebError::Away { url, why: format!("the answer does not come: {why}"), tries },
            Self::Spoilt(why) => {
                WebError::Away { url, why: format!("the answer cannot be read: {}", clean(&why)), tries }
            }
        }
    }
}

/// Whether a connection was refused outright.
fn is_refused(error: &reqwest::Error) -> bool {
    let cause = innermost(error).downcast_ref::<std::io::Error>();
    cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::ConnectionRefused)
}

fn clean(why: &str) -> String {
    scrub(why).into_owned()
}

/// Whether a status speaks of now, and not of what was asked.
pub fn is_passing(status: StatusCode) -> bool {
    let lasting = matches!(status, StatusCode::NOT_IMPLEMENTED | StatusCode::HTTP_VERSION_NOT_SUPPORTED);
    let early = matches!(status.as_u16(), 408 | 425 | 429);
    early || (status.is_server_error() && !lasting)
}

/// The innermost cause, which may be told: it names no URL.
pub fn plain(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    match innermost(error) {
        // reqwest itself names the URL.
        itself if itself.is::<reqwest::Error>() => "the connection broke".to_owned(),
        cause => cause.to_string().split_whitespace().collect::<Vec<_>>().join(" "),
    }
}
