//! The Planetary Computer's tokens: its rasters are open to all who ask for one first. They are no secret of anyone's,
//! run out within the hour, and are asked for by whoever reads: what a plan keeps is unsigned.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::ask::Answer;
use crate::error::{Failed, is_passing};

/// Where Sentinel-2 lies at the Planetary Computer, unless `CLEARMOSAIC_PLANETARY_COMPUTER_RASTERS` says otherwise.
const RASTERS: &str = "https://sentinel2l2a01.blob.core.windows.net/sentinel2-l2/";
/// Who gives tokens for it, unless `CLEARMOSAIC_PLANETARY_COMPUTER_TOKEN` says otherwise.
const TOKEN: &str = "https://planetarycomputer.microsoft.com/api/sas/v1/token/sentinel2l2a01/sentinel2-l2";
/// The header of a subscription, which raises the number of tokens that one may ask for.
const SUBSCRIPTION: &str = "ocp-apim-subscription-key";
/// A token is renewed when this share of its time is over.
const RENEWED: f64 = 0.75;
/// Tokens in a row that may be refused before that is believed.
const BELIEVED: u32 = 6;

/// Whoever signs what is asked for below one address. A copy shares the token.
#[derive(Clone, Debug)]
pub struct Signer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rasters: String,
    token_url: String,
    subscription: Option<String>,
    token: Mutex<Option<Token>>,
    refusals: AtomicU32,
}

struct Token {
    query: String,
    renew: Instant,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("renew", &self.renew).finish_non_exhaustive()
    }
}

/// What the token API answers.
#[derive(Deserialize)]
struct Given {
    token: String,
    #[serde(rename = "msft:expiry")]
    expiry: Timestamp,
}

impl Signer {
    /// The Planetary Computer's, or as the environment says.
    pub fn of_environment() -> Self {
        let told = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
        Self(Arc::new(Inner {
            rasters: told("CLEARMOSAIC_PLANETARY_COMPUTER_RASTERS", RASTERS),
            token_url: told("CLEARMOSAIC_PLANETARY_COMPUTER_TOKEN", TOKEN),
            subscription: std::env::var("PC_SDK_SUBSCRIPTION_KEY").ok(),
            token: Mutex::default(),
            refusals: AtomicU32::new(0),
        }))
    }

    fn signs(&self, url: &Url) -> bool {
        let is_signed = || url.query_pairs().any(|(name, _)| name == "sig");
        url.as_str().starts_with(&self.0.rasters) && !is_signed()
    }

    /// The URL with a token that is good, where it needs one.
    pub async fn sign(&self, client: &Client, url: &Url) -> Result<Option<Url>, Failed> {
        if !self.signs(url) {
            return Ok(None);
        }
        // Whoever comes while a token is asked for waits for that one.
        let mut token = self.0.token.lock().await;
        if token.as_ref().is_none_or(|token| Instant::now() >= token.renew) {
            *token = Some(self.ask(client).await?);
        }
        let mut signed = url.clone();
        let query = token.as_ref().map(|token| token.query.as_str()).unwrap_or_default();
        signed.set_query(Some(&url.query().map_or_else(|| query.to_owned(), |own| format!("{own}&{query}"))));
        Ok(Some(signed))
    }

    /// Looks at what came of a URL. A token that is refused is given up, and another one asked for: it ran out on the
    /// way, or sooner than it said.
    pub async fn judge(&self, url: &Url, came: Result<Answer, Failed>) -> Result<Answer, Failed> {
        match came {
            Err(Failed::Refused { status: status @ (StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED), why })
                if self.signs(url) =>
            {
                *self.0.token.lock().await = None;
                if self.0.refusals.fetch_add(1, Ordering::Relaxed) < BELIEVED {
                    Err(Failed::Busy { status, after: None, why })
                } else {
                    Err(Failed::Refused { status, why: format!("also with a new token of {}", self.0.token_url) })
                }
            }
            Ok(answer) => {
                if self.signs(url) {
                    self.0.refusals.store(0, Ordering::Relaxed);
                }
                Ok(answer)
            }
            other => other,
        }
    }

    async fn ask(&self, client: &Client) -> Result<Token, Failed> {
        let mut request = client.get(&self.0.token_url);
        if let Some(key) = &self.0.subscription {
            request = request.header(SUBSCRIPTION, key);
        }
        let at = Instant::now();
        let response = request.send().await.map_err(|error| Failed::of(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.map_err(|error| Failed::of(&error))?.to_vec();
        self.read(&Answer { url: self.0.token_url.clone(), status, headers, body }, at)
    }

    fn read(&self, answer: &Answer, asked: Instant) -> Result<Token, Failed> {
        let why = |why: &str| format!("no token of {}: {why}", self.0.token_url);
        match answer.status {
            status if status.is_success() => {}
            status if is_passing(status) => {
                return Err(Failed::Busy { status, after: answer.retry_after(), why: why(&answer.said()) });
            }
            status => return Err(Failed::Refused { status, why: why(&answer.said()) }),
        }
        let given: Given = serde_json::from_slice(&answer.body).map_err(|e| Failed::Spoilt(why(&e.to_string())))?;
        // How long it is good is told by the clock that the expiry is of, whatever ours says.
        let now = answer.date().unwrap_or_else(Timestamp::now);
        let good = Duration::try_from(given.expiry.duration_since(now)).unwrap_or_default();
        Ok(Token { query: given.token.trim_start_matches('?').to_owned(), renew: asked + good.mul_f64(RENEWED) })
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;

    fn given(date: &str, expiry: &str) -> Token {
        let headers = HeaderMap::from_iter([("date".parse().unwrap(), date.parse().unwrap())]);
        let body = format!("{{\"token\": \"se=x&sig=y\", \"msft:expiry\": \"{expiry}\"}}").into_bytes();
        let answer = Answer { url: String::new(), status: StatusCode::OK, headers, body };
        let asked = Instant::now();
        let mut token = Signer::of_environment().read(&answer, asked).unwrap();
        token.query.push_str(&format!("|{}", (token.renew - asked).as_secs()));
        token
    }

    #[test]
    fn a_token_is_good_for_as_long_as_its_own_clock_says() {
        assert_eq!(given("Sun, 06 Nov 1994 08:00:00 GMT", "1994-11-06T08:40:00Z").query, "se=x&sig=y|1800");
        assert_eq!(given("Sun, 06 Nov 2094 08:00:00 GMT", "2094-11-06T08:00:00Z").query, "se=x&sig=y|0");
        assert_eq!(given("Sun, 06 Nov 2094 08:00:00 GMT", "1994-11-06T08:00:00Z").query, "se=x&sig=y|0");
    }
}
