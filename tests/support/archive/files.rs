//! The files of a directory over HTTP, with ranges and `ETag`s.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT_RANGES, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, IF_MATCH, LOCATION, RANGE,
};
use axum::http::{HeaderMap, Method, Response, StatusCode};

/// The token that opens what is closed.
pub(super) const TOKEN: &str = "the-token-of-the-tests";

/// Serves the files of a directory.
pub(super) fn router(dir: &Path) -> Router {
    Router::new().fallback(file).with_state(Arc::new(dir.to_owned()))
}

async fn file(State(dir): State<Arc<PathBuf>>, request: Request) -> Response<Body> {
    let path = request.uri().path();
    if let Some(target) = path.strip_prefix("/moved") {
        return answer(StatusCode::FOUND, &[(LOCATION, target.to_owned())], Body::empty());
    }
    let path = match path.strip_prefix("/closed") {
        Some(_) if !is_known(request.headers()) => return refusal(StatusCode::FORBIDDEN),
        Some(path) => path,
        None => path,
    };
    let (path, changes) = path.strip_prefix("/changing").map_or((path, false), |path| (path, true));
    let path = Path::new(path.trim_start_matches('/'));
    if !path.components().all(|part| matches!(part, Component::Normal(_))) {
        return refusal(StatusCode::NOT_FOUND);
    }
    match File::open(dir.join(path)) {
        Ok(file) if file.metadata().is_ok_and(|found| found.is_file()) => {
            let mut answer = part(&file, request.method(), request.headers());
            if changes {
                let tag = format!("\"{}\"", fastrand::u64(..));
                answer.headers_mut().insert(ETAG, tag.try_into().expect("a tag"));
            }
            answer
        }
        _ => refusal(StatusCode::NOT_FOUND),
    }
}

fn is_known(headers: &HeaderMap) -> bool {
    headers.get(AUTHORIZATION).is_some_and(|token| token.as_bytes() == format!("Bearer {TOKEN}").as_bytes())
}

/// A file, or the range of it that is asked for.
fn part(file: &File, method: &Method, headers: &HeaderMap) -> Response<Body> {
    let found = file.metadata().expect("it is open");
    let size = found.len();
    let tag = format!("\"{size:x}-{:x}-{:x}\"", found.mtime(), found.mtime_nsec());
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if text(&IF_MATCH).is_some_and(|wanted| wanted != tag) {
        return refusal(StatusCode::PRECONDITION_FAILED);
    }
    let (status, range) = match text(&RANGE).map(|text| range(text, size)) {
        None => (StatusCode::OK, 0..size),
        Some(Some(range)) => (StatusCode::PARTIAL_CONTENT, range),
        Some(None) => {
            let all = [(CONTENT_RANGE, format!("bytes */{size}"))];
            return answer(StatusCode::RANGE_NOT_SATISFIABLE, &all, Body::empty());
        }
    };
    let length = range.end - range.start;
    let mut fields = vec![(ETAG, tag), (ACCEPT_RANGES, "bytes".to_owned()), (CONTENT_LENGTH, length.to_string())];
    if status == StatusCode::PARTIAL_CONTENT {
        fields.push((CONTENT_RANGE, format!("bytes {}-{}/{size}", range.start, range.end - 1)));
    }
    if method == Method::HEAD {
        return answer(status, &fields, Body::empty());
    }
    let mut bytes = vec![0; usize::try_from(length).expect("a range fits into memory")];
    file.read_exact_at(&mut bytes, range.start).expect("a file is read");
    answer(status, &fields, Body::from(bytes))
}

/// The bytes that `bytes=a-b`, `bytes=a-` or `bytes=-n` means; none where there are none of them.
fn range(text: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let range = match (first.parse::<u64>().ok(), last.parse::<u64>().ok()) {
        (Some(first), Some(last)) => first..size.min(last + 1),
        (Some(first), None) => first..size,
        (None, Some(length)) => size.saturating_sub(length)..size,
        (None, None) => return None,
    };
    (range.start < range.end).then_some(range)
}

fn refusal(status: StatusCode) -> Response<Body> {
    answer(status, &[], Body::empty())
}

fn answer(status: StatusCode, fields: &[(HeaderName, String)], body: Body) -> Response<Body> {
    let mut response = Response::builder().status(status);
    for (name, value) in fields {
        response = response.header(name, value);
    }
    response.body(body).expect("an answer")
}
