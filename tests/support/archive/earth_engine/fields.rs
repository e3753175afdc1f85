//! Google's `fields`, `nextPageToken,images(name,properties(MGRS_TILE))`: what of an answer is wanted.

use serde_json::{Map, Value};

/// What of `value` a selector wants; none where the selector is none.
pub(super) fn pick(value: &Value, selector: &str) -> Option<Value> {
    let mut rest = selector;
    let wanted = list(&mut rest)?;
    rest.is_empty().then(|| picked(value, &wanted))
}

/// A field, and what of it is wanted: all where nothing is said.
struct Wanted(String, Vec<Self>);

fn list(rest: &mut &str) -> Option<Vec<Wanted>> {
    let mut wanted = Vec::new();
    loop {
        let end = rest.find([',', '(', ')']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        *rest = after;
        let mut inner = Vec::new();
        if let Some(after) = rest.strip_prefix('(') {
            *rest = after;
            inner = list(rest)?;
            *rest = rest.strip_prefix(')')?;
        }
        if name.is_empty() {
            return None;
        }
        wanted.push(Wanted(name.to_owned(), inner));
        match rest.strip_prefix(',') {
            Some(after) => *rest = after,
            None => return Some(wanted),
        }
    }
}

fn picked(value: &Value, wanted: &[Wanted]) -> Value {
    match value {
        Value::Array(values) => values.iter().map(|value| picked(value, wanted)).collect(),
        Value::Object(fields) => {
            let pick = |Wanted(name, inner): &Wanted| {
                let value = fields.get(name)?;
                Some((name.clone(), if inner.is_empty() { value.clone() } else { picked(value, inner) }))
            };
            Value::Object(wanted.iter().filter_map(pick).collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}
