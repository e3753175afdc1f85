//! What may be opened, and as what. Where an operator bounds it, a raster is of a format that holds all of its pixels
//! itself, and nothing beside it is looked at: a description of other files would lead out again.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gdal::{DatasetOptions, GdalOpenFlags};
use mosaic::href::unsigned;
use proto::allow::Allow;
use reqwest::header::{LOCATION, RANGE};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};

use super::ReadError;

/// GDAL's drivers of formats whose files stand alone: TIFF, cloud-optimised or not, and JPEG 2000.
const STANDALONE: [&str; 5] = ["GTiff", "JP2OpenJPEG", "JP2KAK", "JP2ECW", "JP2MrSID"];
/// Redirects that are followed.
const HOPS: usize = 5;
/// How long a server may take to say where a file is.
const PATIENCE: Duration = Duration::from_secs(30);
/// URLs of which it is known that they lead nowhere else.
const KNOWN: usize = 1 << 16;

/// What may be opened: everything, unless it is bounded.
#[derive(Clone, Default)]
pub struct Door {
    allow: Allow,
    settled: Arc<Mutex<HashSet<String>>>,
    signed: Option<Arc<Mutex<HashMap<String, String>>>>,
}

impl Door {
    /// A door for what is allowed.
    #[must_use]
    pub fn new(allow: Allow) -> Self {
        Self { allow, ..Self::default() }
    }

    /// One that opens everything, and that knows URLs' signatures which it was told of: they are in no plan, and in no
    /// store. It is of use where who plans and who reads are one process.
    #[must_use]
    pub fn remembering() -> Self {
        Self { signed: Some(Arc::default()), ..Self::default() }
    }

    /// Keeps a URL with its signature in mind.
    pub fn remember(&self, href: &str) {
        if let Some(signed) = &self.signed {
            let mut signed = signed.lock().unwrap_or_else(PoisonError::into_inner);
            signed.insert(unsigned(href).into_owned(), href.to_owned());
        }
    }

    fn signed(&self, href: &str) -> Option<String> {
        self.signed.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner).get(href).cloned()
    }

    /// What to open for an href: a path without links, or a URL that redirects to no other.
    ///
    /// # Errors
    /// Where it is not allowed, or leads to what is not.
    pub fn admit(&self, href: &str) -> Result<String, ReadError> {
        let refused = |e: proto::allow::NotAllowed| ReadError::permanent(href, e.why);
        let mut admitted = self.allow.admit(href).map_err(refused)?;
        if self.allow.is_everything() || !admitted.starts_with("http") {
            return Ok(self.signed(&admitted).unwrap_or(admitted));
        }
        for _ in 0..HOPS {
            let settled = || self.settled.lock().unwrap_or_else(PoisonError::into_inner);
            if settled().contains(&admitted) {
                return Ok(admitted);
            }
            let Some(next) = redirect(href, &admitted)? else {
                let mut settled = settled();
                if settled.len() >= KNOWN {
                    settled.clear();
                }
                settled.insert(admitted.clone());
                return Ok(admitted);
            };
            let leads = |e: proto::allow::NotAllowed| ReadError::permanent(href, format!("it redirects: {}", e.why));
            admitted = self.allow.admit(&next).map_err(leads)?;
        }
        Err(ReadError::permanent(href, "it redirects again and again"))
    }

    /// How GDAL is to open something, beside which there are these files: none but itself where that is bounded.
    pub(super) fn options<'a>(&self, itself: &'a [&'a str]) -> DatasetOptions<'a> {
        let bounded = !self.allow.is_everything();
        DatasetOptions {
            open_flags: GdalOpenFlags::GDAL_OF_RASTER | GdalOpenFlags::GDAL_OF_VERBOSE_ERROR,
            allowed_drivers: bounded.then_some(&STANDALONE[..]),
            sibling_files: bounded.then_some(itself),
            ..DatasetOptions::default()
        }
    }
}

/// Where a URL redirects to, if it does. GDAL would follow without asking.
fn redirect(href: &str, url: &str) -> Result<Option<String>, ReadError> {
    let away = |e: &dyn fmt::Display| ReadError { retryable: true, ..ReadError::permanent(href, e.to_string()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| away(&e))?;
    let client = Client::builder().redirect(Policy::none()).timeout(PATIENCE).build().map_err(|e| away(&e))?;
    // A request is bound to its runtime when it is made already.
    let asked = runtime.block_on(async { client.get(url).header(RANGE, "bytes=0-0").send().await });
    let asked = asked.map_err(|e| away(&e.without_url()))?;
    let is_redirect = asked.status().is_redirection() && asked.status() != StatusCode::NOT_MODIFIED;
    if !is_redirect {
        return Ok(None);
    }
    let location = asked.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    let next = Url::parse(url).ok().zip(location).and_then(|(base, location)| base.join(location).ok());
    next.map(|next| Some(next.into())).ok_or_else(|| ReadError::permanent(href, "it redirects to nowhere"))
}

impl fmt::Debug for Door {
    /// Without what it remembers, which is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("allow", &self.allow).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use super::*;

    /// A web server that sends `/data/go` out of `/data`, `/data/on` to `/data/there`, and `/data/round` in a circle.
    fn server() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
                lines.take_while(|line| !line.is_empty()).for_each(drop);
                let (status, location) = match &*path {
                    "/data/go" => ("302 Found", "/secret?sig=hunter2"),
                    "/data/on" => ("307 Temporary Redirect", "there"),
                    "/data/round" => ("301 Moved Permanently", "round"),
                    _ => ("206 Partial Content", ""),
                };
                let answer = format!("HTTP/1.1 {status}\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        at
    }

    #[test]
    fn redirects_do_not_lead_out() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let at = server();
        let door = Door::new(Allow::under(&[format!("{at}/data/")]).unwrap());
        let admit = |path: &str| door.admit(&format!("{at}{path}")).map_err(|e| e.problem);
        assert_eq!(admit("/data/there"), Ok(format!("{at}/data/there")));
        assert_eq!(admit("/data/on"), Ok(format!("{at}/data/there")), "what is opened is where it leads");
        let refused = admit("/data/go").unwrap_err();
        assert!(
            refused.contains("redirects") && refused.contains("--allow") && !refused.contains("hunter2"),
            "{refused}"
        );
        assert!(admit("/data/round").unwrap_err().contains("again and again"));
        assert!(admit("/secret").unwrap_err().contains("--allow"));
    }

    #[test]
    fn a_signature_is_known_only_to_who_was_told() {
        let (open, told) = (Door::default(), Door::remembering());
        for door in [&open, &told] {
            door.remember("https://h/a.tif?sig=hunter2");
        }
        assert_eq!(open.admit("https://h/a.tif").unwrap(), "https://h/a.tif");
        assert_eq!(told.clone().admit("https://h/a.tif").unwrap(), "https://h/a.tif?sig=hunter2");
        assert!(!format!("{told:?}").contains("hunter2"));
    }
}
