//! One search, page by page, until it is whole.

use std::collections::BTreeSet;

use mosaic::href::unsigned;
use serde_json::{Map, Value};
use web::{Answer, Ask, Web, WebError};

use super::super::fault::Fault;
use super::name;
use super::offer::Offer;
use super::query::{PAGE, in_url};

/// Searches that are made before one is told to be beyond repair.
const SEARCHES: usize = 8;
/// Pages of one search: more are a circle that does not look like one.
const MOST: usize = 1000;

/// All items of a search; `what` names it.
pub(super) async fn all(web: &Web, offer: &Offer, body: &Value, what: &str) -> Result<Vec<Value>, Fault> {
    let mut all = Found::default();
    let mut doubt = String::new();
    for n in 0..SEARCHES {
        let found = search(web, offer, body).await?;
        let Some(why) = found.doubt() else { return Ok(found.items) };
        let known = all.names.len();
        all.take(found);
        // What one search loses the next one finds; what a catalogue lists twice for good is not lost by that.
        if all.is_all() || (n > 0 && all.names.len() == known && all.matched.is_none_or(|_| all.is_listed)) {
            return Ok(all.items);
        }
        doubt = why;
        tracing::debug!(what, doubt, "searched again");
    }
    Err(Fault::Api { url: offer.root.clone(), what: format!("{what}: {doubt}, {SEARCHES} times: try again later") })
}

/// What a search found.
#[derive(Debug, Default)]
struct Found {
    items: Vec<Value>,
    names: BTreeSet<String>,
    /// Items of all pages, those that came twice too.
    listed: usize,
    /// How many there are, as the last page that says so says.
    matched: Option<usize>,
    /// Whether as many were listed as there are.
    is_listed: bool,
    /// A page ended before it was full, and another one came.
    has_gap: bool,
    /// A page led back to one that was read.
    is_circle: bool,
}

impl Found {
    fn add(&mut self, page: Page) {
        self.has_gap |= !self.listed.is_multiple_of(PAGE);
        self.listed += page.items.len();
        self.matched = page.matched.or(self.matched);
        self.is_listed = self.matched == Some(self.listed);
        self.insert(page.items);
    }

    fn insert(&mut self, items: Vec<Value>) {
        let new = items.into_iter().filter(|item| self.names.insert(name(item).to_owned()));
        self.items.extend(new);
    }

    /// Adds what another search found.
    fn take(&mut self, other: Self) {
        (self.matched, self.is_listed) = (other.matched, other.is_listed);
        self.insert(other.items);
    }

    fn is_all(&self) -> bool {
        self.matched == Some(self.names.len())
    }

    /// Why it may not be all.
    fn doubt(&self) -> Option<String> {
        let (found, listed) = (self.names.len(), self.listed);
        match self.matched {
            Some(matched) if matched != found => Some(format!("{matched} items match, and {found} are listed")),
            Some(_) => None,
            None if self.is_circle => Some("its pages lead in a circle".to_owned()),
            None if listed != found => Some(format!("its pages repeat {} items", listed - found)),
            None if self.has_gap => Some("a page within has fewer items than it could".to_owned()),
            None => None,
        }
    }
}

async fn search(web: &Web, offer: &Offer, body: &Value) -> Result<Found, Fault> {
    let mut found = Found::default();
    let mut step = Some(Step::first(offer, body)?);
    let mut taken = BTreeSet::new();
    while let Some(now) = step {
        if !taken.insert(now.clone()) || taken.len() > MOST {
            found.is_circle = true;
            break;
        }
        let page = match now.page(web).await {
            Err(WebError::Refused { status: 404 | 405 | 501, .. }) if now.is_first_post(offer) => {
                Step::get(&offer.get, body)?.page(web).await
            }
            page => page,
        };
        let page = page.map_err(Fault::Web)?;
        // An empty page is the end, whatever it links to.
        step = if page.items.is_empty() { None } else { now.next(&page, body) };
        found.add(page);
    }
    Ok(found)
}

/// What is asked for one page.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    url: String,
    /// Posted; none where it is got.
    body: Option<String>,
    headers: Vec<(String, String)>,
}

impl Step {
    fn first(offer: &Offer, body: &Value) -> Result<Self, Fault> {
        match &offer.post {
            Some(url) => Ok(Self { url: url.clone(), body: Some(body.to_string()), headers: Vec::new() }),
            None => Self::get(&offer.get, body),
        }
    }

    fn get(at: &str, body: &Value) -> Result<Self, Fault> {
        Ok(Self { url: in_url(at, body)?, body: None, headers: Vec::new() })
    }

    fn is_first_post(&self, offer: &Offer) -> bool {
        self.body.is_some() && offer.post.as_ref() == Some(&self.url)
    }

    async fn page(&self, web: &Web) -> Result<Page, WebError> {
        let ask = match &self.body {
            Some(body) => Ask::post(&self.url, &serde_json::from_str(body).unwrap_or_default()),
            None => Ask::get(&self.url),
        };
        let ask = self.headers.iter().fold(ask, |ask, (name, value)| ask.with(name, value));
        web.read(&ask, Page::of).await
    }

    /// What the page says comes next: a link to get, or what to post, whole or to be merged with what was posted.
    fn next(&self, page: &Page, body: &Value) -> Option<Self> {
        let link = page.next.as_ref()?;
        let url = web_url(&page.url, link.get("href")?.as_str()?)?;
        let headers = link.get("headers").and_then(Value::as_object).into_iter().flatten();
        let headers = headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
        let is_post = link.get("method").and_then(Value::as_str).is_some_and(|name| name.eq_ignore_ascii_case("post"));
        if !is_post {
            return Some(Self { url, body: None, headers });
        }
        let told = link.get("body").and_then(Value::as_object);
        let merge = link.get("merge").and_then(Value::as_bool).unwrap_or(false);
        let posted = match told {
            Some(told) if merge => merged(body, told),
            Some(told) => Value::Object(told.clone()),
            None => body.clone(),
        };
        Some(Self { url, body: Some(posted.to_string()), headers })
    }
}

fn merged(body: &Value, told: &Map<String, Value>) -> Value {
    let mut all = body.as_object().cloned().unwrap_or_default();
    all.extend(told.clone());
    Value::Object(all)
}

fn web_url(page: &str, href: &str) -> Option<String> {
    Some(reqwest::Url::parse(page).ok()?.join(href).ok()?.into())
}

/// One page of a search.
#[derive(Debug)]
struct Page {
    /// Who gave it.
    url: String,
    items: Vec<Value>,
    matched: Option<usize>,
    next: Option<Value>,
}

impl Page {
    /// Reads an answer; one that is not what it says is asked for again.
    fn of(answer: &Answer) -> Result<Self, String> {
        let mut page: Value = serde_json::from_slice(&answer.body).map_err(|e| format!("not JSON: {e}"))?;
        let Some(Value::Array(items)) = page.get_mut("features").map(Value::take) else {
            return Err("no page of a search: it has no `features`".to_owned());
        };
        let context = page.get("context");
        let number = |top: &str, within: &str| {
            let number = page.get(top).or_else(|| context?.get(within))?.as_u64()?;
            usize::try_from(number).ok()
        };
        if let Some(returned) = number("numberReturned", "returned").filter(|returned| *returned != items.len()) {
            return Err(format!("it says that it has {returned} items, and has {}", items.len()));
        }
        let links = page.get("links").and_then(Value::as_array).into_iter().flatten();
        let next = links.into_iter().find(|link| link.get("rel").and_then(Value::as_str) == Some("next")).cloned();
        let matched = number("numberMatched", "matched");
        Ok(Self { url: unsigned(&answer.url).into_owned(), matched, items, next })
    }
}
