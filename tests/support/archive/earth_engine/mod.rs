//! Earth Engine as its REST API shows it: lists of images, images, pixels, and the tokens that it wants.
//!
//! ```text
//! GET  v1/{collection}:listImages   images by region and time, in pages smaller than asked   (list, fields)
//! GET  v1/{image}                   what GDAL's EEDAI driver asks
//! POST v1/{image}:getPixels         NPY or GEO_TIFF of a grid, at most 48 MB                  (pixels)
//! POST token                        a token for a signed assertion                            (tokens)
//! ```
//!
//! It answers 40 requests at once and no more, and as many as a quota allows, where one is set.

mod catalogue;
mod fields;
mod list;
pub mod made;
mod pixels;
mod tokens;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Response, StatusCode};
use serde_json::{Value, json};

use super::Archive;
pub use catalogue::{Band, Image, Samples, Source, slovenia};
use tokens::Tokens;

/// The project that public collections are in.
const PUBLIC: &str = "projects/earthengine-public/assets/";
/// Requests at once, beyond which it says 429.
const AT_ONCE: usize = 40;
/// How long an answer takes: so long that requests overlap.
const TAKES: Duration = Duration::from_millis(3);

/// A server of images; gone when it is dropped.
pub struct EarthEngine {
    archive: Archive,
    served: Arc<Served>,
}

struct Served {
    images: Vec<Image>,
    takes: Duration,
    tokens: Tokens,
    at_once: AtomicUsize,
    most: AtomicUsize,
    /// Requests that are still answered; none where all are.
    quota: Mutex<Option<u64>>,
}

/// What it says instead of an answer.
#[derive(Debug)]
struct Refusal(StatusCode, String);

type Answer = Result<(&'static str, Vec<u8>), Refusal>;

impl EarthEngine {
    /// Serves these images.
    #[must_use]
    pub fn of(images: Vec<Image>) -> Self {
        Self::taking(images, TAKES)
    }

    /// Serves these images, and takes so long for each answer.
    #[must_use]
    pub fn taking(images: Vec<Image>, takes: Duration) -> Self {
        let served = Arc::new(Served {
            images,
            takes,
            tokens: Tokens::default(),
            at_once: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            quota: Mutex::new(None),
        });
        let archive = Archive::serving(Router::new().fallback(serve).with_state(Arc::clone(&served)));
        Self { archive, served }
    }

    /// Its traffic, and the faults of it.
    #[must_use]
    pub const fn archive(&self) -> &Archive {
        &self.archive
    }

    /// What the environment must say for a program to use it with a token that is always good.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut environment = self.address();
        environment.push(("EEDA_BEARER", tokens::ALWAYS.to_owned()));
        environment
    }

    /// What the environment must say for a program to find it.
    #[must_use]
    pub fn address(&self) -> Vec<(&'static str, String)> {
        vec![("EEDA_URL", self.archive.url("/v1/"))]
    }

    /// Makes the key of a service account that is given tokens, each good for so many requests; its file.
    ///
    /// # Panics
    /// Where it cannot be made.
    #[must_use]
    pub fn service_account(&self, dir: &Path, good_for: u64) -> PathBuf {
        self.served.tokens.new_account(dir, &self.archive.url("/token"), good_for)
    }

    /// How many tokens were given to service accounts.
    #[must_use]
    pub fn tokens_given(&self) -> u64 {
        self.served.tokens.given()
    }

    /// Answers so many requests more, and then says that the quota is used up; all, where none is given.
    pub fn set_quota(&self, requests: Option<u64>) {
        *self.served.quota.lock().unwrap_or_else(PoisonError::into_inner) = requests;
    }

    /// The most requests that there ever were at once.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.served.most.load(Ordering::SeqCst)
    }
}

impl Served {
    /// Whether one more request is answered.
    fn has_quota(&self) -> bool {
        match &mut *self.quota.lock().unwrap_or_else(PoisonError::into_inner) {
            None => true,
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    fn image(&self, name: &str) -> Result<&Image, Refusal> {
        let asset = name.strip_prefix(PUBLIC).ok_or_else(|| missing(name))?;
        self.images.iter().find(|image| image.asset() == asset).ok_or_else(|| missing(name))
    }
}

fn missing(name: &str) -> Refusal {
    let message = format!("Asset '{name}' not found (does not exist or caller does not have access).");
    Refusal(StatusCode::NOT_FOUND, message)
}

async fn serve(State(served): State<Arc<Served>>, request: Request) -> Response<Body> {
    if request.uri().path() == "/token" {
        return respond(token(&served, request).await);
    }
    let at_once = served.at_once.fetch_add(1, Ordering::SeqCst) + 1;
    served.most.fetch_max(at_once, Ordering::SeqCst);
    tokio::time::sleep(served.takes).await;
    let answer = answer(&served, request, at_once).await;
    served.at_once.fetch_sub(1, Ordering::SeqCst);
    respond(answer)
}

fn respond(answer: Answer) -> Response<Body> {
    let respond = |status, kind: &str, body: Vec<u8>| {
        Response::builder().status(status).header(CONTENT_TYPE, kind).body(Body::from(body)).expect("an answer")
    };
    match answer {
        Ok((kind, body)) => respond(StatusCode::OK, kind, body),
        Err(Refusal(status, message)) => {
            let name = match status.as_u16() {
                400 => "INVALID_ARGUMENT",
                401 => "UNAUTHENTICATED",
                404 => "NOT_FOUND",
                429 => "RESOURCE_EXHAUSTED",
                _ => "UNKNOWN",
            };
            let error = json!({"error": {"code": status.as_u16(), "message": message, "status": name}});
            respond(status, "application/json; charset=UTF-8", error.to_string().into())
        }
    }
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    to_bytes(body, 1 << 20).await.map_err(|_| Refusal(StatusCode::PAYLOAD_TOO_LARGE, String::new()))
}

/// Tokens are given by somebody else than Earth Engine.
async fn token(served: &Served, request: Request) -> Answer {
    served.tokens.give(&read(request.into_body()).await?).map(json_answer)
}

async fn answer(served: &Arc<Served>, request: Request, at_once: usize) -> Answer {
    let (head, body) = request.into_parts();
    let body = read(body).await?;
    if at_once > AT_ONCE || !served.has_quota() {
        let message = "Too many concurrent requests, or quota exceeded.".to_owned();
        return Err(Refusal(StatusCode::TOO_MANY_REQUESTS, message));
    }
    let token = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    served.tokens.check(token.unwrap_or_default())?;
    let path = head.uri.path();
    let name = path.strip_prefix("/v1/").or_else(|| path.strip_prefix("/v1alpha/")).ok_or_else(|| missing(path))?;
    match name.rsplit_once(':') {
        Some((collection, "listImages")) => {
            let collection = collection.strip_prefix(PUBLIC).ok_or_else(|| missing(collection))?;
            list::list(&served.images, collection, head.uri.query().unwrap_or_default()).map(json_answer)
        }
        Some((image, "getPixels")) => {
            let (served, image) = (Arc::clone(served), image.to_owned());
            let made = tokio::task::spawn_blocking(move || pixels::pixels(served.image(&image)?, &body)).await;
            made.map_err(|e| Refusal(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))?
        }
        Some(_) => Err(missing(name)),
        None => served.image(name).map(|image| json_answer(image.told(true))),
    }
}

fn json_answer(value: Value) -> (&'static str, Vec<u8>) {
    ("application/json; charset=UTF-8", value.to_string().into())
}

fn bad(message: impl Into<String>) -> Refusal {
    Refusal(StatusCode::BAD_REQUEST, message.into())
}
