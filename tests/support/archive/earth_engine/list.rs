//! `listImages`.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::catalogue::Image;
use super::{Refusal, bad, fields, missing};

/// Images of a page, whatever is asked for.
const PAGE: usize = 3;

/// A page of the images of a collection that a query asks for.
pub(super) fn list(images: &[Image], collection: &str, query: &str) -> Result<Value, Refusal> {
    let query = parameters(query);
    let text = |name: &str| query.get(name).map(String::as_str);
    if images.iter().all(|image| image.collection != collection) {
        return Err(missing(collection));
    }
    let time = |name: &str| {
        let parsed = text(name).map(str::parse::<Timestamp>).transpose();
        parsed.map_err(|_| bad(format!("Invalid value at '{name}' (type.googleapis.com/google.protobuf.Timestamp)")))
    };
    let (start, end) = (time("startTime")?, time("endTime")?);
    let region = text("region").map(boxes).transpose()?;
    let is_wanted = |image: &&Image| {
        let sensed: Timestamp = image.start.parse().expect("a time");
        image.collection == collection
            && start.is_none_or(|start| start <= sensed)
            && end.is_none_or(|end| sensed < end)
            && region.as_ref().is_none_or(|boxes| boxes.iter().any(|other| meet(&image.bbox, other)))
    };
    let found: Vec<&Image> = images.iter().filter(is_wanted).collect();
    let from: usize = match text("pageToken") {
        None => 0,
        Some(token) => {
            token.strip_prefix("page-").and_then(|at| at.parse().ok()).ok_or_else(|| bad("Bad pageToken"))?
        }
    };
    let asked: usize = text("pageSize").and_then(|size| size.parse().ok()).unwrap_or(PAGE);
    let to = found.len().min(from + asked.min(PAGE));
    let whole = text("view") != Some("BASIC");
    let mut page = json!({"images": found[from.min(to)..to].iter().map(|image| image.told(whole)).collect::<Vec<_>>()});
    if to < found.len() {
        page["nextPageToken"] = format!("page-{to}").into();
    }
    match text("fields") {
        None => Ok(page),
        Some(selector) => fields::pick(&page, selector).ok_or_else(|| bad("Invalid field selection")),
    }
}

fn meet(a: &[f64; 4], b: &[f64; 4]) -> bool {
    a[0] <= b[2] && b[0] <= a[2] && a[1] <= b[3] && b[1] <= a[3]
}

/// The boxes of the polygons of a geometry.
fn boxes(region: &str) -> Result<Vec<[f64; 4]>, Refusal> {
    let geometry: Value = serde_json::from_str(region).map_err(|_| bad("Invalid GeoJSON geometry"))?;
    let polygons = match geometry["type"].as_str() {
        Some("Polygon") => vec![geometry["coordinates"].clone()],
        Some("MultiPolygon") => geometry["coordinates"].as_array().cloned().unwrap_or_default(),
        _ => return Err(bad("Invalid GeoJSON geometry")),
    };
    let outline = |polygon: &Value| {
        let points = polygon[0].as_array()?.iter().map(|point| Some((point[0].as_f64()?, point[1].as_f64()?)));
        let start = [f64::INFINITY, f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY];
        points.collect::<Option<Vec<_>>>().map(|points| {
            points.iter().fold(start, |b, (x, y)| [b[0].min(*x), b[1].min(*y), b[2].max(*x), b[3].max(*y)])
        })
    };
    polygons.iter().map(outline).collect::<Option<_>>().ok_or_else(|| bad("Invalid GeoJSON geometry"))
}

/// The parameters of a query, decoded.
pub(super) fn parameters(query: &str) -> HashMap<String, String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (bytes[at], hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}
