//! Who asks.
//!
//! ```text
//! profile     ─► bearer | bearer_file | application_credentials (a file of Google's)
//! environment ─► EEDA_BEARER | EEDA_BEARER_FILE | GOOGLE_APPLICATION_CREDENTIALS | gcloud's own file | the machine's
//!                                     │                 │
//!                              read again each time     service account (a signed assertion), or a user's refresh token
//!                                                       ─► a token that is kept until shortly before it expires
//! ```

mod assertion;
mod key_file;
mod token;

use std::path::{Path, PathBuf};
use std::time::Duration;

use artifacts::access::Options;
use tokio::sync::Mutex;

use crate::Error;
use crate::answer::Then;
use crate::settings::environment;
use key_file::KeyFile;
pub(crate) use token::Token;

/// Where gcloud keeps what it has of a user, below the home directory.
const WELL_KNOWN: &str = ".config/gcloud/application_default_credentials.json";

/// Who asks, and the token that is kept for it.
pub(crate) struct Credentials {
    source: Source,
    project: Option<String>,
    kept: Mutex<Option<Token>>,
    /// Seconds that Google's clock is ahead of this machine's.
    skew: std::sync::atomic::AtomicI64,
}

/// Where tokens come from.
enum Source {
    /// It is the token.
    Fixed(String),
    /// A file that holds one, and another one later.
    File(PathBuf),
    /// One of Google's files.
    Key(Box<KeyFile>),
    /// The machine's own identity.
    Machine(String),
}

/// Whether a profile may say it.
const KNOWN: [&str; 5] = ["url", "bearer", "bearer_file", "application_credentials", "quota_project"];

impl Credentials {
    /// As a profile says, by its name, else the environment.
    ///
    /// # Errors
    /// `Setting` where a file is not there or is none, or a profile says what means nothing.
    pub fn of(profile: Option<(&str, &Options)>) -> Result<Self, Error> {
        let said = |field: &str| profile.and_then(|(_, options)| options.0.get(field).cloned());
        let is_unknown = |field: &&String| !KNOWN.contains(&field.as_str());
        if let Some((name, unknown)) = profile.and_then(|(name, all)| Some((name, all.0.keys().find(is_unknown)?))) {
            let known = KNOWN.join(", ");
            return Err(Error::Setting(format!("profile `{name}`: `{unknown}` is not known: write {known}")));
        }
        let source = match (said("bearer"), said("bearer_file"), said("application_credentials")) {
            (Some(token), ..) => Source::Fixed(token),
            (None, Some(path), _) => Source::File(path.into()),
            (None, None, Some(path)) => Source::Key(Box::new(KeyFile::read(Path::new(&path))?)),
            (None, None, None) => from_environment()?,
        };
        let told = match &source {
            Source::Key(file) => file.quota_project(),
            _ => None,
        };
        let project = said("quota_project").or_else(|| environment("GOOGLE_CLOUD_QUOTA_PROJECT")).or(told);
        Ok(Self { source, project, kept: Mutex::default(), skew: 0.into() })
    }

    /// The project that requests are on, where that is not the credentials' own.
    pub fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// A token that is good for a while.
    pub async fn token(&self, http: &reqwest::Client) -> Result<Token, Then> {
        match &self.source {
            Source::Fixed(text) => Ok(Token::lasting(text.trim())),
            Source::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|e| Then::Stop(unreadable(path, &e)))?;
                Ok(Token::lasting(text.trim()))
            }
            source => {
                // One asks, the others wait for what it gets.
                let mut kept = self.kept.lock().await;
                if let Some(token) = kept.as_ref().filter(|token| token.is_good()) {
                    return Ok(token.clone());
                }
                let token = match source {
                    Source::Key(file) => file.token(http, &self.skew).await?,
                    Source::Machine(host) => token::of_machine(http, host).await?,
                    Source::Fixed(_) | Source::File(_) => Token::lasting(""),
                };
                Ok(kept.insert(token).clone())
            }
        }
    }

    /// Forgets a token that was refused: whether another one may be had.
    pub fn forget(&self, token: &Token) -> bool {
        match &self.source {
            Source::Fixed(_) => false,
            Source::File(path) => std::fs::read_to_string(path).is_ok_and(|text| text.trim() != token.text),
            Source::Key(_) | Source::Machine(_) => {
                if let Ok(mut kept) = self.kept.try_lock()
                    && kept.as_ref().is_some_and(|kept| kept.text == token.text)
                {
                    *kept = None;
                }
                true
            }
        }
    }
}

fn from_environment() -> Result<Source, Error> {
    if let Some(token) = environment("EEDA_BEARER") {
        return Ok(Source::Fixed(token));
    }
    if let Some(path) = environment("EEDA_BEARER_FILE") {
        return Ok(Source::File(path.into()));
    }
    if let Some(path) = environment("GOOGLE_APPLICATION_CREDENTIALS") {
        return Ok(Source::Key(Box::new(KeyFile::read(Path::new(&path))?)));
    }
    let well_known = environment("HOME").map(|home| Path::new(&home).join(WELL_KNOWN));
    if let Some(path) = well_known.filter(|path| path.is_file()) {
        return Ok(Source::Key(Box::new(KeyFile::read(&path)?)));
    }
    Ok(Source::Machine(environment("GCE_METADATA_HOST").unwrap_or_else(|| token::METADATA.to_owned())))
}

/// A file that cannot be read; what is in it is not told.
fn unreadable(path: &Path, error: &std::io::Error) -> Error {
    Error::Setting(format!("credentials: {}: {}", path.display(), error.kind()))
}

/// How long a token must still be good to be used, where it is good for long.
const MARGIN: Duration = Duration::from_secs(60);
