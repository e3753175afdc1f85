//! What passes between clients and a router: counted, and spoilt where faults are switched on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_LENGTH, RANGE, RETRY_AFTER};
use axum::http::{Method, Response, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use tokio_stream::{Stream, StreamExt};

use super::faults::{Fault, Faults};

/// A request, and how it was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its method.
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// What it said in `Range`.
    pub range: Option<String>,
    /// The answer's status; none where there was no answer.
    pub status: Option<StatusCode>,
    /// Bytes of the answer's body that were sent.
    pub bytes: u64,
    /// What was done to it.
    pub fault: Option<Fault>,
}

/// What was asked and answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Requests, those that met a fault too.
    pub requests: u64,
    /// Bytes of bodies that were sent.
    pub bytes: u64,
    /// Requests that met a fault.
    pub faults: u64,
}

/// What passes.
#[derive(Default)]
pub(super) struct Traffic(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    faults: Faults,
    asked: Vec<Asked>,
    times: HashMap<String, u64>,
}

impl Traffic {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, faults: Faults) {
        *self.inner() = Inner { faults, ..Inner::default() };
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.inner().asked.clone()
    }

    pub(super) fn seen(&self) -> Seen {
        let add = |sum: Seen, asked: &Asked| Seen {
            requests: sum.requests + 1,
            bytes: sum.bytes + asked.bytes,
            faults: sum.faults + u64::from(asked.fault.is_some()),
        };
        self.inner().asked.iter().fold(Seen::default(), add)
    }

    /// What is to happen to a request, and what a 429 or 503 asks to wait.
    fn fault(&self, asked: &Asked) -> (Option<Fault>, Option<u32>) {
        let name = format!("{} {} {:?}", asked.method, asked.path, asked.range);
        let mut inner = self.inner();
        let times = inner.times.entry(name.clone()).or_default();
        *times += 1;
        let nth = *times;
        (inner.faults.to(&name, nth), inner.faults.retry_after)
    }
}

/// A router behind which everything is as it was, but for faults and the account that is kept.
pub(super) fn through(traffic: &Arc<Traffic>, router: Router) -> Router {
    router.layer(from_fn_with_state(Arc::clone(traffic), pass))
}

async fn pass(State(traffic): State<Arc<Traffic>>, request: Request, next: Next) -> Response<Body> {
    let range = request.headers().get(RANGE).map(|range| String::from_utf8_lossy(range.as_bytes()).into_owned());
    let path = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
    let method = request.method().clone();
    let mut asked = Asked { method, path, range, status: None, bytes: 0, fault: None };
    let (fault, retry_after) = traffic.fault(&asked);
    asked.fault = fault;
    let answer = match fault {
        Some(Fault::Silence) => {
            traffic.inner().asked.push(asked);
            return std::future::pending().await;
        }
        Some(Fault::TooMany) => refusal(StatusCode::TOO_MANY_REQUESTS, retry_after),
        Some(Fault::Internal) => refusal(StatusCode::INTERNAL_SERVER_ERROR, None),
        Some(Fault::Unavailable) => refusal(StatusCode::SERVICE_UNAVAILABLE, retry_after),
        _ => next.run(request).await,
    };
    let (mut parts, body) = answer.into_parts();
    let whole = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let half = whole.slice(..whole.len() / 2);
    let sent = match fault {
        Some(Fault::Stall | Fault::Reset | Fault::Truncated | Fault::Short | Fault::ShortUnmeasured) => half.len(),
        _ => whole.len(),
    };
    (asked.status, asked.bytes) = (Some(parts.status), sent as u64);
    traffic.inner().asked.push(asked);
    let half = move || tokio_stream::once(Ok::<Bytes, std::io::Error>(half));
    let body = match fault {
        Some(Fault::Stall) => {
            parts.headers.insert(CONTENT_LENGTH, whole.len().into());
            Body::from_stream(half().chain(tokio_stream::pending()))
        }
        Some(Fault::Reset) => {
            parts.headers.remove(CONTENT_LENGTH);
            Body::from_stream(half().chain(later(Err(std::io::ErrorKind::ConnectionReset.into()))))
        }
        Some(Fault::Truncated) => {
            parts.headers.insert(CONTENT_LENGTH, whole.len().into());
            Body::from_stream(half().chain(later(Ok(Bytes::new()))))
        }
        Some(Fault::Short) => {
            parts.headers.insert(CONTENT_LENGTH, sent.into());
            Body::from_stream(half())
        }
        Some(Fault::ShortUnmeasured) => {
            parts.headers.remove(CONTENT_LENGTH);
            Body::from_stream(half())
        }
        _ => Body::from(whole),
    };
    Response::from_parts(parts, body)
}

/// Something once what came before it is on its way: else the server would keep that back.
fn later(what: std::io::Result<Bytes>) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    tokio_stream::once(what).then(|what| async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        what
    })
}

fn refusal(status: StatusCode, retry_after: Option<u32>) -> Response<Body> {
    let mut response = Response::new(Body::from("not now"));
    *response.status_mut() = status;
    if let Some(seconds) = retry_after {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}
