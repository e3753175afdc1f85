//! The images of a collection.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Client, Error, Image};

/// Images of a page, at most: servers give fewer.
const PAGE: &str = "1000";
/// A server that gives no end of pages is none.
const PAGES: usize = 10_000;

/// Which images of a collection are wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The collection's full name.
    pub collection: String,
    /// First instant, RFC 3339.
    pub start: String,
    /// First instant after, RFC 3339.
    pub end: String,
    /// GeoJSON of a geometry that they meet.
    pub region: String,
    /// The properties that are wanted of each.
    pub properties: Vec<String>,
    /// Whether its bands are.
    pub bands: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    images: Vec<Image>,
    #[serde(default)]
    next_page_token: String,
}

impl Query {
    /// Which fields of an answer are wanted: a list of properties, or all of them for servers that cannot pick.
    fn fields(&self, picked: bool) -> String {
        let properties = match (picked, &self.properties[..]) {
            (_, []) => String::new(),
            (true, names) => format!(",properties({})", names.join(",")),
            (false, _) => ",properties".to_owned(),
        };
        let bands = if self.bands { ",bands(id,dataType,grid)" } else { "" };
        format!("nextPageToken,images(name,updateTime{properties}{bands})")
    }
}

impl Client {
    /// Lists images, each once, in order of name. Pages may be smaller than what was asked for, or empty, and may
    /// repeat what others hold.
    ///
    /// # Errors
    /// Every one: see [`Error`]; `Missing` where there is no such collection.
    pub async fn list(&self, query: &Query) -> Result<Vec<Image>, Error> {
        match self.pages(query, true).await {
            Err(Error::Bad { .. }) => self.pages(query, false).await,
            listed => listed,
        }
    }

    async fn pages(&self, query: &Query, picked: bool) -> Result<Vec<Image>, Error> {
        let mut found: BTreeMap<String, Image> = BTreeMap::new();
        let mut token = String::new();
        for _ in 0..PAGES {
            let page = self.page(query, picked, &token).await?;
            found.extend(page.images.into_iter().map(|image| (image.name.clone(), image)));
            if page.next_page_token.is_empty() {
                return Ok(found.into_values().collect());
            }
            token = page.next_page_token;
        }
        Err(Error::Bad { what: query.collection.clone(), why: format!("there is no end of pages after {PAGES}") })
    }

    async fn page(&self, query: &Query, picked: bool, token: &str) -> Result<Page, Error> {
        let mut url = self.url(&format!("{}:listImages", query.collection))?;
        url.query_pairs_mut()
            .append_pair("pageSize", PAGE)
            .append_pair("startTime", &query.start)
            .append_pair("endTime", &query.end)
            .append_pair("region", &query.region)
            .append_pair("view", "FULL")
            .append_pair("fields", &query.fields(picked));
        if !token.is_empty() {
            url.query_pairs_mut().append_pair("pageToken", token);
        }
        let read = |bytes: &[u8]| serde_json::from_slice(bytes).map_err(|e| e.to_string());
        self.ask(&query.collection, |http| http.get(url.clone()), read).await
    }
}
