//! What is asked, and what is answered.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// A request; what it asks for may be asked for again.
#[derive(Clone, Debug)]
pub struct Ask {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) most: usize,
    pub(crate) any_status: bool,
}

/// An answer of more bytes is none that is asked for, unless told otherwise.
const MOST: usize = 1 << 30;

impl Ask {
    /// Reads a URL.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self::of(Method::GET, url, HeaderMap::new(), None)
    }

    /// Posts JSON. Meant for searches: it is posted again where it fails.
    #[must_use]
    pub fn post(url: impl Into<String>, body: &Value) -> Self {
        let json = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        Self::of(Method::POST, url, json, Some(body.to_string().into_bytes()))
    }

    /// A request of any kind that may be made again where it fails.
    #[must_use]
    pub fn of(method: Method, url: impl Into<String>, headers: HeaderMap, body: Option<Vec<u8>>) -> Self {
        Self { method, url: url.into(), headers, body, most: MOST, any_status: false }
    }

    /// An answer of more bytes than this is none that is asked for.
    #[must_use]
    pub const fn at_most(mut self, bytes: usize) -> Self {
        self.most = bytes;
        self
    }

    /// A refusal is an answer too.
    #[must_use]
    pub const fn with_any_status(mut self) -> Self {
        self.any_status = true;
        self
    }

    /// Adds a header; one that cannot be sent is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        if let (Ok(name), Ok(mut value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
            value.set_sensitive(name == AUTHORIZATION || super::SECRET.contains(&name.as_str()));
            self.headers.insert(name, value);
        }
        self
    }

    /// What is asked.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Who answered: not who was asked first, where that one redirects.
    pub url: String,
    /// Success, unless any status was asked for.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// All of it.
    pub body: Vec<u8>,
}

impl Answer {
    /// The server's own time, where it tells.
    #[must_use]
    pub fn date(&self) -> Option<Timestamp> {
        time(self.headers.get(DATE)?.to_str().ok()?)
    }

    /// How long the server wants to be left alone. A date is one of its own clock, whatever ours says.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let now = self.date().unwrap_or_else(Timestamp::now);
        Some(time(text)?.duration_since(now).try_into().unwrap_or(Duration::ZERO))
    }

    /// What the server says of a failure, on one line: a field of its JSON, else the beginning of its text.
    pub(crate) fn said(&self) -> String {
        const MOST: usize = 200;
        let json = serde_json::from_slice::<Value>(&self.body).ok();
        let field = json.as_ref().and_then(|json| {
            let fields = ["description", "detail", "message", "error", "code"];
            fields.into_iter().find_map(|name| {
                let found = json.get(name)?;
                found.as_str().or_else(|| found.get("message")?.as_str())
            })
        });
        let text = field.map_or_else(|| String::from_utf8_lossy(&self.body).into_owned(), str::to_owned);
        let is_page = text.trim_start().starts_with('<');
        let line = if is_page { String::new() } else { text.split_whitespace().collect::<Vec<_>>().join(" ") };
        line.chars().take(MOST).collect()
    }
}

/// A date of HTTP, `Sun, 06 Nov 1994 08:49:37 GMT`.
fn time(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()
}
