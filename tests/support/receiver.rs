//! Whoever is told by webhooks, on loopback.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;

use crate::Archive;

/// What was posted: headers by name, and the body.
type Posted = Arc<Mutex<Vec<(Value, String)>>>;

/// A server that takes what is posted to it, every second time only when it is posted again.
pub struct Receiver {
    server: Archive,
    posted: Posted,
}

impl Receiver {
    /// Starts one.
    #[must_use]
    pub fn start() -> Self {
        let (posted, calls) = (Posted::default(), Arc::new(Mutex::new(0_u32)));
        let taken = Arc::clone(&posted);
        let take = move |headers: HeaderMap, body: String| {
            let (taken, calls) = (Arc::clone(&taken), Arc::clone(&calls));
            async move {
                let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
                *calls += 1;
                if *calls % 2 == 1 {
                    return StatusCode::SERVICE_UNAVAILABLE;
                }
                let text = |value: &axum::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
                let headers = headers.iter().map(|(name, value)| (name.to_string(), text(value).into())).collect();
                taken.lock().unwrap_or_else(PoisonError::into_inner).push((Value::Object(headers), body));
                StatusCode::NO_CONTENT
            }
        };
        Self { server: Archive::serving(Router::new().route("/hook", post(take))), posted }
    }

    /// Where it is posted to.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url("/hook")
    }

    /// What was taken, in order.
    #[must_use]
    pub fn received(&self) -> Vec<(Value, String)> {
        self.posted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
