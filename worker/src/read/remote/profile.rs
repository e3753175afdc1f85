//! Credentials for web servers: a bearer token, for the hosts alone that the profile names.
//!
//! `bearer` or `bearer_file`, and `hosts`, names with commas between them. A token in a file is read again when the file
//! changes: whoever renews it need not start anything anew.

use std::fmt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::SystemTime;

use artifacts::StoreError;
use artifacts::access::Options;

use super::lock;

/// A profile as web servers need it.
pub(super) struct Profile {
    hosts: Vec<String>,
    token: Token,
}

enum Token {
    None,
    Given(String),
    /// Its file, and what it held when it was last written.
    File(PathBuf, Mutex<Option<(SystemTime, String)>>),
}

impl Profile {
    /// Reads a profile's options. One that is for a store alone holds nothing for web servers.
    ///
    /// # Errors
    /// `Refused` where there is a token and it is not told for whom.
    pub(super) fn of(name: &str, options: &Options) -> Result<Self, StoreError> {
        let option = |key: &str| options.0.get(key).cloned();
        let hosts = option("hosts").or_else(|| option("host")).unwrap_or_default();
        let hosts: Vec<_> = hosts.split(',').map(|host| host.trim().to_ascii_lowercase()).collect();
        let hosts: Vec<_> = hosts.into_iter().filter(|host| !host.is_empty()).collect();
        let token = match (option("bearer"), option("bearer_file")) {
            (Some(token), _) => Token::Given(token),
            (None, Some(file)) => Token::File(file.into(), Mutex::default()),
            (None, None) => Token::None,
        };
        if hosts.is_empty() && !matches!(token, Token::None) {
            // Requests name hosts: without this they could have the token sent to any.
            let why = "whom its token is for is not told: write `hosts: NAME, NAME`".to_owned();
            return Err(StoreError::Refused { what: format!("profile `{name}`"), why });
        }
        Ok(Self { hosts, token })
    }

    /// The token for a URL; none where it is for no such host.
    pub(super) fn bearer_for(&self, url: &str) -> Option<Result<String, String>> {
        let url = reqwest::Url::parse(url).ok()?;
        let host = url.host_str()?;
        let with_port = url.port().map(|port| format!("{host}:{port}"));
        let is_meant = |meant: &String| *meant == host || Some(meant) == with_port.as_ref();
        if !self.hosts.iter().any(is_meant) {
            return None;
        }
        match &self.token {
            Token::None => None,
            Token::Given(token) => Some(Ok(token.clone())),
            Token::File(path, known) => Some(latest(path, known)),
        }
    }
}

/// A file's token, read again where the file was written since.
fn latest(path: &PathBuf, known: &Mutex<Option<(SystemTime, String)>>) -> Result<String, String> {
    let unread = |error: std::io::Error| format!("its token cannot be read: {}: {}", path.display(), error.kind());
    let written = std::fs::metadata(path).and_then(|found| found.modified()).map_err(unread)?;
    let mut known = lock(known);
    if let Some((when, token)) = known.as_ref().filter(|(when, _)| *when == written) {
        debug_assert_eq!(*when, written);
        return Ok(token.clone());
    }
    let token = std::fs::read_to_string(path).map_err(unread)?.trim().to_owned();
    *known = Some((written, token.clone()));
    Ok(token)
}

impl fmt::Debug for Profile {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Profile").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(options: &[(&str, &str)]) -> Result<Profile, StoreError> {
        let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Profile::of("p", &Options(options))
    }

    #[test]
    fn a_token_is_for_the_hosts_that_are_named() {
        let ours = profile(&[("bearer", "s3cret"), ("hosts", "data.example, other:8080")]).unwrap();
        let token = |url: &str| ours.bearer_for(url).transpose().unwrap();
        assert_eq!(token("https://data.example/a.tif").as_deref(), Some("s3cret"));
        assert_eq!(token("http://other:8080/a").as_deref(), Some("s3cret"));
        for url in ["https://evil/data.example", "https://x.data.example/a", "http://other/a", "http://other:81/a"] {
            assert_eq!(token(url), None, "{url}");
        }
        assert!(!format!("{ours:?}").contains("s3cret"));
        let told = profile(&[("bearer", "s3cret")]).unwrap_err().to_string();
        assert!(told.contains("hosts") && !told.contains("s3cret"), "{told}");
        assert!(profile(&[("access_key_id", "me")]).unwrap().bearer_for("https://data.example/").is_none());
    }

    #[test]
    fn a_token_that_is_renewed_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "first\n").unwrap();
        let ours = profile(&[("bearer_file", &path.to_string_lossy()), ("hosts", "h")]).unwrap();
        let token = || ours.bearer_for("https://h/").unwrap();
        assert_eq!(token().unwrap(), "first");
        std::fs::write(&path, "second\n").unwrap();
        let later = SystemTime::now() + std::time::Duration::from_secs(9);
        std::fs::File::open(&path).unwrap().set_modified(later).unwrap();
        assert_eq!(token().unwrap(), "second");
        std::fs::remove_file(&path).unwrap();
        assert!(token().unwrap_err().contains("token"));
    }
}
