//! Requests compared, field by field.

use std::collections::BTreeMap;

use mosaic::request::Request;
use serde_json::Value;

use super::Change;
use crate::attachments::is_attachment;

/// Fields that say where something is found or put: what comes of them is seen elsewhere.
const PLACES: [&str; 9] = [
    "aoi",
    "output",
    "profile",
    "profiles",
    "scenes",
    "scores.earth_engine",
    "scores.items",
    "scores.stac",
    "scores.template",
];

/// Every field that is another than it was. What was sent along bears another name each time, and is compared by what it
/// says.
pub fn changes(old: &Request, new: &Request) -> Vec<Change> {
    let (old, new) = (fields(old), fields(new));
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let change = |name: &String| {
        let of = |fields: &BTreeMap<String, Value>| fields.get(name).cloned().unwrap_or_default();
        let (was, is) = (of(&old), of(&new));
        let is_sent = [&was, &is].iter().any(|value| value.as_str().is_some_and(is_attachment));
        (was != is && !is_sent).then(|| Change { field: name.clone(), was, is })
    };
    names.into_iter().filter_map(change).collect()
}

/// Whether a change of a field makes another mosaic, though all pixels may be the same.
pub fn matters(change: &Change) -> bool {
    let is_of =
        |place: &&str| change.field.strip_prefix(*place).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    !PLACES.iter().any(is_of)
}

/// The fields of a request by their paths: `scores.threshold`.
fn fields(request: &Request) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    flatten(String::new(), serde_json::to_value(request.unsigned()).unwrap_or_default(), &mut fields);
    fields
}

fn flatten(path: String, value: Value, into: &mut BTreeMap<String, Value>) {
    let Value::Object(object) = value else {
        into.insert(path, value);
        return;
    };
    for (name, value) in object {
        let below = if path.is_empty() { name } else { format!("{path}.{name}") };
        flatten(below, value, into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mosaic::request::parse;
    use serde_json::json;

    fn request(fields: Value) -> Request {
        let mut all = json!({
            "version": 1, "name": "m", "aoi": {"bbox": [1, 2, 3, 4]}, "period": {"start": "2023-01-01", "end": "2024-01-01"},
            "bands": ["B04"], "scenes": {"items": "/items.json"}, "scores": {"items": "/scores.json"}, "output": "/out",
        });
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap_or_else(|_| panic!("{:?}", parse("")))
    }

    #[test]
    fn fields_are_compared_by_their_paths_and_places_do_not_matter() {
        let old = request(json!({}));
        assert_eq!(changes(&old, &old), []);
        let scores = json!({"items": "attachment:0123", "threshold": 0.5});
        let new = request(json!({"scores": scores, "scenes": {"items": "/others.json"}, "months": [6]}));
        let changes = changes(&old, &new);
        let told: Vec<_> = changes.iter().map(|change| (change.field.as_str(), matters(change))).collect();
        assert_eq!(told, [("months", true), ("scenes.items", false), ("scores.threshold", true)]);
        assert_eq!((&changes[2].was, &changes[2].is), (&json!(0.6), &json!(0.5)));
        assert_eq!(changes[0].was, Value::Null);
    }
}
