//! Asking web servers: archives' catalogues, their tokens, their pixels by the piece.
//!
//! ```text
//! ask ─► allowed? ─► send ─► redirect? ─► allowed? ─► ...
//!                     │
//!                     ├─► answer ─► can it be read? ─► what was asked for
//!                     │                  └── no ──┐
//!                     ├─► busy, broken, away ─────┴─► wait (jitter, Retry-After), try again, while patience lasts
//!                     └─► refused ─► error
//! ```
//!
//! What an answer is to hold is checked within a try: one that was cut short is asked for again, and never taken for
//! the truth. Nothing is followed, and nothing asked, that the operator does not allow.

mod ask;
mod counts;
mod error;
mod hosts;
mod patience;
mod signer;
#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use mosaic::href::unsigned;
use proto::allow::Allow;
use reqwest::header::{HeaderMap, LOCATION, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode, Url};

pub use ask::{Answer, Ask};
pub use counts::{Counts, counted};
pub use error::WebError;
use error::{Failed, is_passing, plain};
use hosts::Hosts;
pub use patience::Patience;
use signer::Signer;

/// Redirects that are followed.
const HOPS: usize = 5;
/// Headers that are for the host alone that they were meant for.
const SECRET: [&str; 3] = ["authorization", "ocp-apim-subscription-key", "x-api-key"];

/// Whoever asks: connections that are kept, what is allowed, patience. A copy shares them, and the counts.
#[derive(Clone, Debug)]
pub struct Web {
    client: Client,
    allow: Allow,
    patience: Patience,
    hosts: Hosts,
    signer: Signer,
    counts: Arc<Counts>,
}

impl Web {
    /// One that asks only what is allowed.
    ///
    /// # Errors
    /// Where this machine's certificates cannot be read.
    pub fn new(allow: Allow, patience: Patience) -> Result<Self, WebError> {
        let client =
            Client::builder().redirect(Policy::none()).connect_timeout(patience.connect).timeout(patience.once);
        // A body that stands still is given up sooner than one that comes slowly.
        let client = client.read_timeout(patience.stall);
        let client = client.build().map_err(|e| WebError::Setup(plain(&e)))?;
        let (hosts, signer) = (Hosts::of_environment(), Signer::of_environment());
        Ok(Self { client, allow, patience, hosts, signer, counts: Arc::default() })
    }

    /// How often was asked, by this one and its copies.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Asks for JSON.
    ///
    /// # Errors
    /// [`WebError`]; an answer that ends too early is asked for again, one that is something else is not.
    pub async fn json(&self, ask: &Ask) -> Result<serde_json::Value, WebError> {
        let read = |answer: &Answer| match serde_json::from_slice(&answer.body) {
            Err(error) if error.is_eof() => Err(format!("not JSON: {error}")),
            found => Ok(found),
        };
        let bad = |error| WebError::Bad { url: unsigned(&ask.url).into_owned(), why: format!("not JSON: {error}") };
        self.read(ask, read).await?.map_err(bad)
    }

    /// Asks, and reads the answer; one that cannot be read is asked for again.
    ///
    /// # Errors
    /// [`WebError`]: refused at once, away or unreadable for as long as patience lasts.
    pub async fn read<T>(&self, ask: &Ask, read: impl Fn(&Answer) -> Result<T, String>) -> Result<T, WebError> {
        self.take(ask, |answer| read(&answer)).await
    }

    /// The same for whoever keeps what came.
    ///
    /// # Errors
    /// As `read`.
    pub async fn take<T>(&self, ask: &Ask, read: impl Fn(Answer) -> Result<T, String>) -> Result<T, WebError> {
        let began = Instant::now();
        let mut tries = 0;
        loop {
            let failed = match self.once(ask).await {
                Ok(answer) => match read(answer) {
                    Ok(found) => return Ok(found),
                    Err(why) => Failed::Spoilt(why),
                },
                Err(failed) => failed,
            };
            tries += 1;
            let is_enough = self.patience.is_enough(&failed, tries, self.hosts.has_answered(&ask.url));
            let Some(wait) = self.patience.wait(&failed, tries, began.elapsed()).filter(|_| !is_enough) else {
                return Err(failed.told(&ask.url, tries));
            };
            tracing::debug!(url = &*unsigned(&ask.url), ?failed, ?wait, "asked again");
            tokio::time::sleep(wait).await;
            counts::add(&self.counts, |counts| &counts.again, 1);
        }
    }

    /// One try, redirects followed.
    async fn once(&self, ask: &Ask) -> Result<Answer, Failed> {
        let mut url = Url::parse(&ask.url).map_err(|e| Failed::Bad(e.to_string()))?;
        let (mut method, mut headers) = (ask.method.clone(), ask.headers.clone());
        for _ in 0..=HOPS {
            self.allow.admit(url.as_str()).map_err(Failed::NotAllowed)?;
            let _turn = self.hosts.turn(&url).await;
            let response = self.send(&method, &url, &headers, ask).await?;
            self.hosts.note(&url);
            let Some(next) = next(&url, &response)? else {
                return self.signer.judge(&url, self.answer(response, ask).await).await;
            };
            // 303 alone says that what was posted is not to be posted again.
            if response.status() == StatusCode::SEE_OTHER {
                method = Method::GET;
            }
            if next.origin() != url.origin() {
                SECRET.iter().for_each(|name| drop(headers.remove(*name)));
            }
            url = next;
        }
        Err(Failed::Bad("it redirects again and again".to_owned()))
    }

    async fn send(&self, method: &Method, url: &Url, headers: &HeaderMap, ask: &Ask) -> Result<Response, Failed> {
        counts::add(&self.counts, |counts| &counts.asked, 1);
        let signed = self.signer.sign(&self.client, url).await?.unwrap_or_else(|| url.clone());
        let mut request = self.client.request(method.clone(), signed).headers(headers.clone());
        request = request.header(USER_AGENT, concat!("clearmosaic/", env!("CARGO_PKG_VERSION")));
        if let Some(body) = ask.body.as_ref().filter(|_| *method != Method::GET) {
            request = request.body(body.clone());
        }
        request.send().await.map_err(|error| Failed::of(&error))
    }

    async fn answer(&self, mut response: Response, ask: &Ask) -> Result<Answer, Failed> {
        let (status, headers) = (response.status(), response.headers().clone());
        let url = response.url().to_string();
        let mut body = Vec::with_capacity(response.content_length().map_or(0, |length| ask.most.min(length as usize)));
        while let Some(piece) = response.chunk().await.map_err(|error| Failed::of(&error))? {
            counts::add(&self.counts, |counts| &counts.bytes, piece.len() as u64);
            if body.len() + piece.len() > ask.most {
                return Err(Failed::Bad(format!("its answer has more than the {} bytes that may come", ask.most)));
            }
            body.extend_from_slice(&piece);
        }
        let answer = Answer { url, status, headers, body };
        match status {
            status if status.is_success() => Ok(answer),
            status if is_passing(status) => {
                Err(Failed::Busy { status, after: answer.retry_after(), why: answer.said() })
            }
            _ if ask.any_status => Ok(answer),
            status => Err(Failed::Refused { status, why: answer.said() }),
        }
    }
}

/// Where an answer sends whoever asked, if it does.
fn next(url: &Url, response: &Response) -> Result<Option<Url>, Failed> {
    if !response.status().is_redirection() || response.status() == StatusCode::NOT_MODIFIED {
        return Ok(None);
    }
    let location = response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let next = location.and_then(|location| url.join(location).ok());
    next.map(Some).ok_or_else(|| Failed::Bad("it redirects to nowhere".to_owned()))
}

/// The innermost cause of an error.
fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}
