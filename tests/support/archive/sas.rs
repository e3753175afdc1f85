//! The Planetary Computer's rasters: open to whoever brings a token that is not too old, by the server's own clock.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::header::{CONTENT_TYPE, DATE};
use axum::http::{Response, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::routing::get;
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};

use super::faults::drawn;
use super::files;

/// Tokens as a server gives them.
#[derive(Clone, Copy, Debug)]
pub struct Sas {
    /// How long a token is good.
    pub lasts: Duration,
    /// Seconds that the server's clock is ahead of ours.
    pub skew: i64,
    /// This part of tokens is refused at once, by this seed.
    pub stillborn: (u64, f64),
}

#[derive(Debug)]
struct Given {
    sas: Sas,
    tokens: Mutex<HashMap<u64, Instant>>,
}

impl Sas {
    /// Tokens at `/sas/token`, and the files of a directory below `/blobs/`.
    pub(super) fn router(self, dir: &Path) -> Router {
        let given = Arc::new(Given { sas: self, tokens: Mutex::default() });
        let blobs = files::router(dir).layer(from_fn_with_state(Arc::clone(&given), admit));
        Router::new().route("/sas/token", get(token)).with_state(given).nest("/blobs", blobs)
    }
}

async fn token(State(given): State<Arc<Given>>) -> Response<Body> {
    let mut tokens = given.tokens.lock().unwrap_or_else(PoisonError::into_inner);
    let number = tokens.len() as u64 + 1;
    tokens.insert(number, Instant::now());
    let now = Timestamp::now() + SignedDuration::from_secs(given.sas.skew);
    let expiry = now + given.sas.lasts;
    let date = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now).expect("a date");
    let token = format!("{{\"msft:expiry\": \"{expiry}\", \"token\": \"se=x&sp=r&sig={number}\"}}");
    let response = Response::builder().header(CONTENT_TYPE, "application/json").header(DATE, date);
    response.body(Body::from(token)).expect("an answer")
}

async fn admit(
    State(given): State<Arc<Given>>,
    RawQuery(query): RawQuery,
    request: Request,
    next: Next,
) -> Response<Body> {
    let number = query.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("sig=")?.parse().ok()));
    let (seed, rate) = given.sas.stillborn;
    let is_good = number.is_some_and(|number: u64| {
        let tokens = given.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let is_young = tokens.get(&number).is_some_and(|at| at.elapsed() < given.sas.lasts);
        is_young && drawn(seed, "token", number) >= rate
    });
    if is_good {
        return next.run(request).await;
    }
    let refused = Response::builder().status(StatusCode::FORBIDDEN);
    refused.body(Body::from("<Error><Code>AuthenticationFailed</Code></Error>")).expect("an answer")
}
