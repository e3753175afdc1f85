//! What an API offers: where it is searched, how, and whether it has the collection.

use mosaic::href::Base;
use mosaic::request::StacApi;
use reqwest::Url;
use serde_json::Value;
use web::{Ask, Web, WebError};

use super::super::fault::Fault;

/// What an API offers.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    /// Its landing page, with a slash at its end: what hrefs of its items are relative to.
    pub root: String,
    /// Where it is searched by POST, if it is.
    pub post: Option<String>,
    /// Where it is searched by GET.
    pub get: String,
    /// Whether it gives only the fields that are asked for.
    pub fields: bool,
    /// Whether it compares properties.
    pub query: bool,
}

impl Offer {
    /// Asks an API what it offers, and for the collection: a search of one that is not there finds nothing, and says
    /// nothing of it.
    pub async fn of(api: &StacApi, web: &Web) -> Result<Self, Fault> {
        let root = format!("{}/", api.url.trim_end_matches('/'));
        let landing = web.json(&Ask::get(&root)).await.map_err(Fault::Web)?;
        let api_fault = |what: String| Fault::Api { url: api.url.clone(), what };
        if landing.get("links").and_then(Value::as_array).is_none() {
            return Err(api_fault("no STAC API: its page has no `links`: write the address of its root".to_owned()));
        }
        let collection = format!("{root}collections/{}", encoded(&api.collection));
        match web.json(&Ask::get(&collection)).await {
            Ok(_) => {}
            Err(WebError::Refused { status: 404 | 400 | 422, .. }) => {
                let what = format!("there is no collection `{}`: {root}collections lists them", api.collection);
                return Err(api_fault(what));
            }
            Err(error) => return Err(Fault::Web(error)),
        }
        Ok(Self::told(root, &landing))
    }

    fn told(root: String, landing: &Value) -> Self {
        let links = landing.get("links").and_then(Value::as_array).into_iter().flatten();
        let text = |link: &Value, name: &str| link.get(name).and_then(Value::as_str).map(str::to_owned);
        let searches = links.filter(|link| link.get("rel").and_then(Value::as_str) == Some("search"));
        let base = Base::of_file(&root);
        let (mut post, mut get) = (None, None);
        for link in searches {
            let Some(href) = text(link, "href").map(|href| base.resolve(&href)) else { continue };
            // Where a link does not tell its method it is GET's.
            let is_post = text(link, "method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
            *(if is_post { &mut post } else { &mut get }) = Some(href);
        }
        let classes: Vec<&str> = landing
            .get("conformsTo")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let conforms = |part: &str| classes.iter().any(|class| class.ends_with(part));
        let default = format!("{root}search");
        Self {
            // Without a word of either, what every API of those days did.
            post: post.or_else(|| get.is_none().then(|| default.clone())),
            get: get.unwrap_or(default),
            fields: conforms("item-search#fields"),
            query: conforms("item-search#query"),
            root,
        }
    }
}

/// A name as a part of a path.
fn encoded(name: &str) -> String {
    let mut url = Url::parse("http://h/").ok();
    if let Some(mut parts) = url.as_mut().and_then(|url| url.path_segments_mut().ok()) {
        parts.clear().push(name);
    }
    url.map_or_else(|| name.to_owned(), |url| url.path().trim_start_matches('/').to_owned())
}
