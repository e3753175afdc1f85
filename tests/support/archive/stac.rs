//! A STAC API, as the public archives have it: searches by POST and GET, pages by token and by link, and pages that
//! repeat or lose items where that is switched on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, Method, Response, StatusCode};
use axum::routing::{get, post};
use serde_json::{Map, Value, json};

use super::faults::drawn;

/// How an API leads from one page to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// A link to get.
    Link,
    /// A token to be posted with what was posted before (`merge`).
    Token,
    /// All that is to be posted.
    Body,
}

/// A STAC API.
#[derive(Clone, Debug)]
pub struct StacApi {
    /// Its collections: their ids, and their items.
    pub collections: Vec<(String, Vec<Value>)>,
    /// How pages follow each other.
    pub paging: Paging,
    /// Items a page, at most.
    pub page: usize,
    /// Whether it tells how many items match.
    pub counts: bool,
    /// Whether it can be searched by POST.
    pub posts: bool,
    /// Whether it has the extensions `fields` and `query`.
    pub extensions: bool,
    /// This part of pages repeats the one before, and this part loses an item; by this seed.
    pub unsteady: (u64, f64, f64),
}

impl StacApi {
    /// An API with one collection, steady, that does what the public ones do.
    #[must_use]
    pub fn of(collection: &str, items: Vec<Value>) -> Self {
        let collections = vec![(collection.to_owned(), items)];
        Self {
            collections,
            paging: Paging::Token,
            page: 100,
            counts: true,
            posts: true,
            extensions: true,
            unsteady: (0, 0.0, 0.0),
        }
    }

    /// The API as a router, with its root at `/stac/`.
    pub fn router(self) -> Router {
        let posts = self.posts;
        let state = Arc::new(Served { api: self, asked: Mutex::default() });
        let search = if posts { post(search).get(search) } else { get(search) };
        Router::new()
            .route("/stac/", get(landing))
            .route("/stac/collections/{collection}", get(collection))
            .route("/stac/search", search)
            .with_state(state)
    }
}

struct Served {
    api: StacApi,
    /// How often each page was asked for.
    asked: Mutex<HashMap<String, u64>>,
}

async fn landing(State(served): State<Arc<Served>>, headers: HeaderMap) -> Response<Body> {
    let at = format!("{}/search", root(&headers));
    let mut links = vec![json!({"rel": "search", "href": at, "type": "application/geo+json"})];
    if served.api.posts {
        links.push(json!({"rel": "search", "href": at, "method": "POST", "type": "application/geo+json"}));
    }
    let mut classes = vec!["https://api.stacspec.org/v1.0.0/item-search"];
    if served.api.extensions {
        classes.push("https://api.stacspec.org/v1.0.0/item-search#fields");
        classes.push("https://api.stacspec.org/v1.0.0-rc.2/item-search#query");
    }
    answer(StatusCode::OK, &json!({"type": "Catalog", "id": "api", "conformsTo": classes, "links": links}))
}

async fn collection(State(served): State<Arc<Served>>, Path(id): Path<String>) -> Response<Body> {
    if served.api.collections.iter().any(|(name, _)| *name == id) {
        return answer(StatusCode::OK, &json!({"type": "Collection", "id": id, "links": []}));
    }
    answer(StatusCode::NOT_FOUND, &json!({"code": "NotFoundError", "description": "No such collection"}))
}

async fn search(State(served): State<Arc<Served>>, RawQuery(query): RawQuery, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let root = root(&parts.headers);
    let is_post = parts.method == Method::POST;
    let asked = if is_post {
        let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
        serde_json::from_slice(&bytes).ok()
    } else {
        Some(of_url(&query.unwrap_or_default()))
    };
    match asked {
        Some(Value::Object(asked)) => answer(StatusCode::OK, &served.page(&root, &asked, is_post)),
        _ => answer(StatusCode::BAD_REQUEST, &json!({"code": "BadRequest", "description": "no search"})),
    }
}

/// A search written in a URL, as one that is posted.
fn of_url(query: &str) -> Value {
    let mut asked = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let text = decoded(value);
        let listed = || Value::from(text.split(',').map(str::to_owned).collect::<Vec<_>>());
        let value = match name {
            "collections" => listed(),
            "fields" => json!({"include": listed()}),
            "limit" | "token" | "intersects" | "query" => serde_json::from_str(&text).unwrap_or(json!(text)),
            _ => json!(text),
        };
        asked.insert(name.to_owned(), value);
    }
    Value::Object(asked)
}

impl Served {
    /// One page of a search; the token is the number of the page.
    fn page(&self, root: &str, asked: &Map<String, Value>, is_post: bool) -> Value {
        let found = self.found(asked);
        let limit = asked.get("limit").and_then(Value::as_u64).unwrap_or(10) as usize;
        let (size, number) =
            (limit.min(self.api.page), asked.get("token").and_then(Value::as_u64).unwrap_or(0) as usize);
        let (repeats, loses) = self.fate(asked);
        let from = if repeats { number.saturating_sub(1) } else { number } * size;
        let mut items: Vec<Value> = found.iter().skip(from).take(size).map(|item| self.given(item, asked)).collect();
        if loses {
            items.pop();
        }
        let mut links = Vec::new();
        if (number + 1) * size < found.len() {
            links.push(self.next(root, asked, number + 1, is_post));
        }
        let mut page =
            json!({"type": "FeatureCollection", "numberReturned": items.len(), "features": items, "links": links});
        if self.api.counts {
            page["numberMatched"] = json!(found.len());
        }
        page
    }

    /// Whether a page repeats the one before, and whether it loses an item.
    fn fate(&self, asked: &Map<String, Value>) -> (bool, bool) {
        let (seed, repeats, loses) = self.api.unsteady;
        let name = json!(asked).to_string();
        let mut times = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let nth = times.entry(name.clone()).or_default();
        *nth += 1;
        (drawn(seed, &name, *nth) < repeats, drawn(seed + 1, &name, *nth) < loses)
    }

    fn next(&self, root: &str, asked: &Map<String, Value>, token: usize, is_post: bool) -> Value {
        let at = format!("{root}/search");
        if self.api.paging == Paging::Link || !is_post {
            let mut asked = asked.clone();
            asked.insert("token".to_owned(), json!(token));
            return json!({"rel": "next", "method": "GET", "href": format!("{at}?{}", in_url(&asked))});
        }
        let (body, merge) = if self.api.paging == Paging::Token {
            (json!({"token": token}), true)
        } else {
            let mut asked = asked.clone();
            asked.insert("token".to_owned(), json!(token));
            (Value::Object(asked), false)
        };
        json!({"rel": "next", "method": "POST", "href": at, "body": body, "merge": merge})
    }

    /// What matches, in order of time, the latest first, as these archives have it.
    fn found(&self, asked: &Map<String, Value>) -> Vec<&Value> {
        let wanted: Vec<&str> = asked
            .get("collections")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let of_collection = self.api.collections.iter().filter(|(name, _)| wanted.contains(&&**name));
        let mut found: Vec<&Value> =
            of_collection.flat_map(|(_, items)| items).filter(|item| matches(item, asked)).collect();
        let time = |item: &Value| item["properties"]["datetime"].as_str().unwrap_or_default().to_owned();
        found.sort_by_key(|item| std::cmp::Reverse((time(item), item["id"].as_str().unwrap_or_default().to_owned())));
        found
    }

    /// An item with the fields that are asked for.
    fn given(&self, item: &Value, asked: &Map<String, Value>) -> Value {
        let Some(fields) = asked.get("fields").filter(|_| self.api.extensions).and_then(|f| f["include"].as_array())
        else {
            return item.clone();
        };
        let mut given = json!({});
        for field in fields.iter().filter_map(Value::as_str) {
            match field.split_once('.') {
                Some((part, name)) if !item[part][name].is_null() => given[part][name] = item[part][name].clone(),
                None if !item[field].is_null() => given[field] = item[field].clone(),
                _ => {}
            }
        }
        given
    }
}

fn matches(item: &Value, asked: &Map<String, Value>) -> bool {
    let time = item["properties"]["datetime"].as_str().unwrap_or_default();
    let period = asked.get("datetime").and_then(Value::as_str).and_then(|text| text.split_once('/'));
    let in_time = period.is_none_or(|(start, end)| start.trim_end_matches('Z') <= time && time <= end);
    let area = asked.get("intersects");
    let meets = item["geometry"].is_null()
        || area.is_none_or(|area| boxes(area).iter().any(|a| boxes(&item["geometry"]).iter().any(|b| meet(a, b))));
    let queried = asked.get("query").and_then(Value::as_object).into_iter().flatten().all(|(name, test)| {
        let value = &item["properties"][name];
        test.get("eq").is_none_or(|wanted| wanted == value)
            && test.get("in").and_then(Value::as_array).is_none_or(|wanted| wanted.contains(value))
    });
    in_time && meets && queried
}

type Bounds = [f64; 4];

/// The box of each polygon of a geometry.
fn boxes(geometry: &Value) -> Vec<Bounds> {
    let polygons = match geometry["type"].as_str() {
        Some("MultiPolygon") => geometry["coordinates"].as_array().cloned().unwrap_or_default(),
        _ => vec![geometry["coordinates"].clone()],
    };
    polygons.iter().map(bounds).collect()
}

fn bounds(polygon: &Value) -> Bounds {
    let points = polygon[0].as_array().into_iter().flatten().filter_map(|p| Some([p[0].as_f64()?, p[1].as_f64()?]));
    let none = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
    points.fold(none, |b, [x, y]| [b[0].min(x), b[1].min(y), b[2].max(x), b[3].max(y)])
}

fn meet(a: &Bounds, b: &Bounds) -> bool {
    a[0] <= b[2] && b[0] <= a[2] && a[1] <= b[3] && b[1] <= a[3]
}

fn in_url(asked: &Map<String, Value>) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        value => value.get("include").map_or_else(
            || value.to_string(),
            |list| list.as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        ),
    };
    asked.iter().map(|(name, value)| format!("{name}={}", encoded(&text(value)))).collect::<Vec<_>>().join("&")
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b',');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            _ => bytes.push(first),
        }
        rest = after;
    }
    String::from_utf8(bytes).expect("a query is UTF-8")
}

fn root(headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("http://{host}/stac")
}

fn answer(status: StatusCode, json: &Value) -> Response<Body> {
    let response = Response::builder().status(status).header(CONTENT_TYPE, "application/geo+json");
    response.body(Body::from(json.to_string())).expect("an answer")
}
