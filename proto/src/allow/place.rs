//! Where an href leads, told in a form that can be compared: nothing in it climbs, or means two things.

use std::path::{Path, PathBuf};

/// The schemes of URLs that are read and written.
const SCHEMES: [&str; 8] = ["https", "http", "s3", "gs", "az", "abfs", "abfss", "ee"];

/// Where an href leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// An absolute path of this machine, as it was written: its links are for the caller to resolve.
    Local(PathBuf),
    /// Elsewhere.
    Remote(Remote),
}

/// A place on another machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Scheme, and host with port, or bucket.
    origin: String,
    /// The parts of its path, decoded.
    parts: Vec<String>,
}

/// Why an href cannot be compared with what is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPlace {
    /// Neither an absolute path nor a URL: GDAL would take many other things for a raster.
    #[error("it is neither an absolute path nor an https, http, s3, gs, az or ee URL")]
    Unknown,
    /// A name of GDAL's own, behind which there may be anything.
    #[error("names of GDAL's own, as /vsi..., are not taken: write the path or URL itself")]
    Virtual,
    /// `..` in a URL, encoded or not.
    #[error("it climbs: write the URL without `..`")]
    Climbs,
    /// What programs understand differently.
    #[error("it holds what may be misread: a user name, a backslash, or a character that cannot be seen")]
    Unclear,
}

impl Place {
    /// Where an href leads.
    ///
    /// # Errors
    /// Where that is not plain to see.
    pub fn of(href: &str) -> Result<Self, BadPlace> {
        if href.chars().any(|c| c.is_control() || c == '\u{feff}') {
            return Err(BadPlace::Unclear);
        }
        let path = href.strip_prefix("file://").map(|path| path.strip_prefix("localhost").unwrap_or(path));
        let path = path.unwrap_or(href);
        if path.starts_with('/') {
            let is_virtual = path.trim_start_matches('/').to_ascii_lowercase().starts_with("vsi");
            return if is_virtual { Err(BadPlace::Virtual) } else { Ok(Self::Local(Path::new(path).to_owned())) };
        }
        Remote::of(href).map(Self::Remote)
    }
}

impl Remote {
    fn of(url: &str) -> Result<Self, BadPlace> {
        let (scheme, rest) = url.split_once("://").ok_or(BadPlace::Unknown)?;
        let scheme = SCHEMES.into_iter().find(|known| *known == scheme).ok_or(BadPlace::Unknown)?;
        if rest.chars().any(|c| c == '\\' || c.is_whitespace()) {
            return Err(BadPlace::Unclear);
        }
        let is_web = scheme.starts_with("http");
        // Keys of object stores hold anything; what a web server takes for a query is no part of the path.
        let path_end = if is_web { rest.find(['?', '#']).unwrap_or(rest.len()) } else { rest.len() };
        let (host, path) = rest[..path_end].split_once('/').unwrap_or((&rest[..path_end], ""));
        // Before an `@` stands a user, or with abfss:// a container.
        if host.is_empty() || host.contains(['%', '?', '#']) || (is_web && host.contains('@')) {
            return Err(BadPlace::Unclear);
        }
        let host = if is_web { web_host(scheme, host) } else { host.to_owned() };
        let parts = path.split('/').map(part).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { origin: format!("{scheme}://{host}"), parts })
    }

    /// Whether another place is this one, or below it.
    #[must_use]
    pub fn holds(&self, other: &Self) -> bool {
        let end = self.parts.iter().rposition(|part| !part.is_empty()).map_or(0, |last| last + 1);
        self.origin == other.origin && other.parts.starts_with(&self.parts[..end])
    }
}

/// A host as it is compared: in small letters, without the port that goes without saying.
fn web_host(scheme: &str, host: &str) -> String {
    let host = host.to_ascii_lowercase();
    let port = if scheme == "https" { ":443" } else { ":80" };
    host.strip_suffix(port).map_or_else(|| host.clone(), str::to_owned)
}

/// A part of a path, decoded as often as there is something to decode: servers differ in how often they do.
fn part(encoded: &str) -> Result<String, BadPlace> {
    let mut text = encoded.to_owned();
    loop {
        let decoded = decoded(&text);
        if decoded == text {
            break;
        }
        text = decoded;
    }
    if text.split(['/', '\\']).any(|part| part == "..") || text == "." {
        return Err(BadPlace::Climbs);
    }
    if text.contains(['/', '\\']) || text.chars().any(char::is_control) {
        return Err(BadPlace::Unclear);
    }
    Ok(text)
}

fn decoded(text: &str) -> String {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while at < bytes.len() {
        let pair = bytes.get(at + 1..at + 3).filter(|pair| pair.iter().all(u8::is_ascii_hexdigit));
        let byte = pair.filter(|_| bytes[at] == b'%').and_then(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        });
        out.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}
