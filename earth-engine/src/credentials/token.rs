//! Tokens, and who gives them.

use std::time::{Duration, Instant};

use reqwest::RequestBuilder;
use reqwest::header::{DATE, HeaderMap};
use serde::Deserialize;

use super::MARGIN;
use crate::Error;
use crate::answer::{Then, refusal};
use crate::client::plain;

/// Where a machine of Google's asks who it is.
pub(super) const METADATA: &str = "metadata.google.internal";
/// How long that may take: elsewhere there is nobody to answer.
const SHORT: Duration = Duration::from_secs(2);

/// A token of OAuth.
#[derive(Clone)]
pub(crate) struct Token {
    pub text: String,
    /// When another one is asked for.
    renew: Option<Instant>,
}

#[derive(Deserialize)]
struct Given {
    access_token: String,
    #[serde(default)]
    expires_in: u64,
}

/// OAuth's words for an error.
#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Token {
    /// One of which nobody knows how long it is good.
    pub fn lasting(text: &str) -> Self {
        Self { text: text.to_owned(), renew: None }
    }

    /// Whether it is good for a while yet.
    pub fn is_good(&self) -> bool {
        self.renew.is_none_or(|renew| Instant::now() < renew)
    }

    /// One that is good for so long. It is not used to its end, of a short life to its last quarter.
    fn lasting_for(text: String, good: Duration) -> Self {
        Self { text, renew: Instant::now().checked_add(good.saturating_sub(MARGIN.min(good / 4))) }
    }
}

/// A token that was not given.
pub(super) struct NotGiven {
    pub then: Then,
    /// The clock of who did not give it, seconds since 1970.
    pub clock: Option<i64>,
}

/// Asks for a token.
pub(super) async fn ask(request: RequestBuilder, at: &str) -> Result<Token, NotGiven> {
    let away = |why: String| Then::Again(Error::Away { at: at.to_owned(), why }, None);
    let lost = |e: reqwest::Error| NotGiven { then: away(plain(&e)), clock: None };
    let answer = request.send().await.map_err(lost)?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.bytes().await.map_err(lost)?;
    let clock = clock(&headers);
    if status.is_success() {
        let unclear = || NotGiven { then: away("what came is no token".to_owned()), clock };
        let given: Given = serde_json::from_slice(&body).map_err(|_| unclear())?;
        return Ok(Token::lasting_for(given.access_token, Duration::from_secs(given.expires_in)));
    }
    let then = match refusal("a token", at, status, &headers, &body) {
        again @ Then::Again(..) => again,
        Then::Renew(_) | Then::Stop(_) => Then::Stop(Error::Refused { status: status.as_u16(), why: said(&body) }),
    };
    Err(NotGiven { then, clock })
}

fn said(body: &[u8]) -> String {
    let refusal = serde_json::from_slice::<Refusal>(body);
    refusal.map_or_else(
        |_| "no token is given".to_owned(),
        |Refusal { error, error_description }| format!("no token is given: {error}: {error_description}"),
    )
}

fn clock(headers: &HeaderMap) -> Option<i64> {
    let date = headers.get(DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::parse(date).ok().map(|date| date.timestamp().as_second())
}

/// A token of the machine's own identity.
pub(super) async fn of_machine(http: &reqwest::Client, host: &str) -> Result<Token, Then> {
    let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token");
    let request = http.get(url).header("Metadata-Flavor", "Google").timeout(SHORT);
    ask(request, host).await.map_err(|NotGiven { then, .. }| {
        match then {
        Then::Again(Error::Away { .. }, _) if host == METADATA => Then::Stop(Error::Setting(
            "there are no credentials: set GOOGLE_APPLICATION_CREDENTIALS, EEDA_BEARER or EEDA_BEARER_FILE, or write a \
             profile `earth-engine`"
                .to_owned(),
        )),
        then => then,
    }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_runs_out_and_a_short_one_is_used_all_the_same() {
        let renewed = |seconds| {
            let token = Token::lasting_for(String::new(), Duration::from_secs(seconds));
            token.renew.unwrap().saturating_duration_since(Instant::now()).as_secs_f64().round()
        };
        assert_eq!([3600, 120, 40].map(renewed), [3540.0, 90.0, 30.0]);
        assert!(!Token::lasting_for(String::new(), Duration::ZERO).is_good());
    }
}
