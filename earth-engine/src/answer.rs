//! What an answer means, and how long to wait before the question is put again.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;

use crate::Error;

/// The first pause, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(30)];
/// No server is waited for longer than this, whatever it asks for.
const LONGEST: Duration = Duration::from_secs(300);

/// What is to be done about a question that was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Ask again with another token.
    Renew(Error),
    /// Ask again after a pause; the server may have said how long it is at least. The error is for who gives up.
    Again(Error, Option<Duration>),
    /// Nothing.
    Stop(Error),
}

/// Google's words for an error.
#[derive(Deserialize)]
struct Said {
    error: Status,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    message: String,
}

/// What to do about an answer that is none.
pub(crate) fn refusal(what: &str, at: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Then {
    let why = said(status, body);
    let after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
    let after = after.map(|after| after.min(LONGEST));
    match status.as_u16() {
        429 => Then::Again(Error::Quota(why), after),
        408 | 500.. => Then::Again(Error::Away { at: at.to_owned(), why: format!("{status}: {why}") }, after),
        401 => Then::Renew(Error::Refused { status: 401, why }),
        403 => Then::Stop(Error::Refused { status: 403, why }),
        404 => Then::Stop(Error::Missing(what.to_owned())),
        _ => Then::Stop(Error::Bad { what: what.to_owned(), why }),
    }
}

/// What a server says, in one line.
fn said(status: StatusCode, body: &[u8]) -> String {
    let message = serde_json::from_slice::<Said>(body).map(|said| said.error.message).unwrap_or_default();
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { status.canonical_reason().unwrap_or("it does not say why").to_owned() } else { line }
}

/// The pause before the `nth` time that a question is put again: twice as long as the one before, and different for
/// each who asks, so that they do not come back together.
pub(crate) fn pause(nth: u32, at_least: Option<Duration>) -> Duration {
    let full = PAUSES[0].saturating_mul(1 << nth.min(16)).min(PAUSES[1]);
    full.mul_f64(0.5 + fastrand::f64() / 2.0).max(at_least.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> Then {
        let status = StatusCode::from_u16(status).unwrap();
        refusal("COPERNICUS/S3", "https://h/", status, &HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn answers_are_told_apart_by_what_is_done() {
        let body = r#"{"error": {"code": 429, "message": "Too many\n requests", "status": "RESOURCE_EXHAUSTED"}}"#;
        assert_eq!(refused(429, body), Then::Again(Error::Quota("Too many requests".into()), None));
        assert!(matches!(refused(503, "<html>"), Then::Again(Error::Away { .. }, None)));
        assert!(matches!(refused(401, ""), Then::Renew(Error::Refused { status: 401, .. })));
        assert!(matches!(refused(403, body), Then::Stop(Error::Refused { status: 403, .. })));
        assert_eq!(refused(404, body), Then::Stop(Error::Missing("COPERNICUS/S3".into())));
        assert!(matches!(refused(400, body), Then::Stop(Error::Bad { .. })));
    }

    #[test]
    fn pauses_grow_and_differ() {
        assert!((0..20).all(|nth| pause(nth, None) <= PAUSES[1]));
        assert!((0..8).all(|_| pause(0, None) >= PAUSES[0] / 2 && pause(6, None) >= Duration::from_secs(8)));
        assert_ne!(pause(5, None), pause(5, None));
        assert_eq!(pause(0, Some(Duration::from_secs(7))), Duration::from_secs(7));
    }
}
