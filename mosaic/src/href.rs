//! Where an href leads: relative to the file that it stands in, and never to the current directory.
//!
//! Resolution is lexical, so that it gives the same on every machine: no disk is asked.

mod profile;
mod signed;

pub use profile::{of_profile, with_profile};
pub use signed::{scrub, unsigned};

/// The place that relative hrefs of one file start from: a directory path, or the directory of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// `https://host`, `s3://bucket`; empty for a path.
    origin: String,
    /// Path of the directory with its closing slash; empty for the current one.
    directory: String,
}

impl Base {
    /// The base of hrefs that stand in this file; give it an absolute path, or a URL.
    #[must_use]
    pub fn of_file(path_or_url: &str) -> Self {
        let (origin, path) = split(path_or_url);
        let path = if origin.is_empty() { path } else { without_query(path) };
        let bare = if origin.is_empty() { "" } else { "/" };
        let directory = path.rfind('/').map_or(bare, |slash| &path[..=slash]);
        Self { origin: origin.to_owned(), directory: directory.to_owned() }
    }

    /// The base of hrefs relative to this directory itself.
    #[must_use]
    pub fn of_directory(path_or_url: &str) -> Self {
        Self::of_file(&format!("{}/", path_or_url.trim_end_matches('/')))
    }

    /// The absolute path or URL that an href of this file means. `file://` becomes a path; other URLs and GDAL's
    /// `/vsi...` names stay as they are, a signed URL's query included.
    #[must_use]
    pub fn resolve(&self, href: &str) -> String {
        let (origin, path) = split(href);
        if !origin.is_empty() || path.starts_with("/vsi") {
            return href.to_owned();
        }
        if let (Some(host), Some((scheme, _))) = (path.strip_prefix("//"), self.origin.split_once("://")) {
            return format!("{scheme}://{host}");
        }
        let (path, query) = if self.origin.is_empty() { (path, "") } else { path.split_at(without_query(path).len()) };
        let joined = if path.starts_with('/') { path.to_owned() } else { format!("{}{path}", self.directory) };
        format!("{}{}{query}", self.origin, normalise(&joined))
    }
}

/// Whether an href is the URL of a web server.
#[must_use]
pub fn is_web(href: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| href.starts_with(scheme))
}

/// Whether an href is a path of this machine, and neither a URL nor one of GDAL's virtual names.
#[must_use]
pub fn is_local(href: &str) -> bool {
    let (origin, path) = split(href);
    origin.is_empty() && !path.starts_with("/vsi")
}

/// The origin (`scheme://authority`, empty for a path) and the path; `file://` is a path.
fn split(text: &str) -> (&str, &str) {
    if let Some(path) = text.strip_prefix("file://") {
        return ("", path.strip_prefix("localhost").unwrap_or(path));
    }
    let Some(colon) = text.find("://") else { return ("", text) };
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    if colon == 0 || !text[..colon].chars().all(is_scheme) {
        return ("", text);
    }
    let path = text[colon + 3..].find(['/', '?']).map_or(text.len(), |at| colon + 3 + at);
    text.split_at(path)
}

fn without_query(path: &str) -> &str {
    path.find(['?', '#']).map_or(path, |at| &path[..at])
}

/// Takes `.` and `..` away; `..` above the root stays at the root. Empty parts stay: object keys may hold them.
fn normalise(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.strip_prefix('/').unwrap_or(path).split('/') {
        match part {
            "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    format!("{}{}", if rooted { "/" } else { "" }, parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hrefs_are_relative_to_their_file() {
        for (file, href, want) in [
            ("/data/s/items.json", "scenes/a/B02.tif", "/data/s/scenes/a/B02.tif"),
            ("/data/s/items.json", "./B02.tif", "/data/s/B02.tif"),
            ("/data/s/items.json", "../x/./B02.tif", "/data/x/B02.tif"),
            ("/items.json", "../../B02.tif", "/B02.tif"),
            ("/data/items.json", "/abs/B02.tif", "/abs/B02.tif"),
            ("/data/items.json", "file:///abs/B02.tif", "/abs/B02.tif"),
            ("file:///data/items.json", "B02.tif", "/data/B02.tif"),
            ("/data/items.json", "s3://bucket/k/B02.tif", "s3://bucket/k/B02.tif"),
            ("/data/items.json", "/vsis3/bucket/B02.tif", "/vsis3/bucket/B02.tif"),
            ("/vsicurl/https://h/d/items.json", "B02.tif", "/vsicurl/https://h/d/B02.tif"),
            ("items.json", "../B02.tif", "../B02.tif"),
            ("https://h/d/items.json?token=a/b", "x/B02.tif", "https://h/d/x/B02.tif"),
            ("https://h/d/items.json", "../x/B02.tif?sig=a/../b", "https://h/x/B02.tif?sig=a/../b"),
            ("https://h/d/items.json", "/x/B02.tif", "https://h/x/B02.tif"),
            ("https://h/d/items.json", "//other/B02.tif", "https://other/B02.tif"),
            ("https://h/items.json", "B02.tif", "https://h/B02.tif"),
            ("https://h", "B02.tif", "https://h/B02.tif"),
            ("s3://bucket/a/b/items.json", "../B02.tif", "s3://bucket/a/B02.tif"),
            ("az://c/a/items.json", "B02.tif", "az://c/a/B02.tif"),
        ] {
            assert_eq!(Base::of_file(file).resolve(href), want, "{href} in {file}");
        }
    }

    #[test]
    fn a_directory_is_a_base_too() {
        assert_eq!(Base::of_directory("/data/s").resolve("B02.tif"), "/data/s/B02.tif");
        assert_eq!(Base::of_directory("/").resolve("B02.tif"), "/B02.tif");
        assert_eq!(Base::of_directory("gs://b/x/").resolve("../B02.tif"), "gs://b/B02.tif");
    }

    #[test]
    fn a_template_keeps_its_placeholders() {
        let base = Base::of_file("/r/request.yaml");
        assert_eq!(base.resolve("scores/{tile}/{system_index}.tif"), "/r/scores/{tile}/{system_index}.tif");
    }

    #[test]
    fn local_paths_are_told_from_the_rest() {
        assert!(is_local("/a/b.tif") && is_local("a.tif") && is_local("file:///a.tif"));
        assert!(!is_local("https://h/a.tif") && !is_local("s3://b/a") && !is_local("/vsis3/b/a"));
    }
}
