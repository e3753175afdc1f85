//! Google's files of credentials: a service account's key, or what gcloud keeps of a user.

use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use ring::signature::RsaKeyPair;
use serde::Deserialize;

use super::token::{self, NotGiven, Token};
use super::{assertion, unreadable};
use crate::Error;
use crate::answer::Then;

/// Where tokens are given.
const TOKENS: &str = "https://oauth2.googleapis.com/token";
const BY_ASSERTION: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// A clock that is off by more than this makes assertions worthless.
const SKEW_S: i64 = 30;

/// One of Google's files.
pub(super) enum KeyFile {
    /// A service account.
    Account {
        /// Its address.
        email: String,
        /// What it signs with.
        key: RsaKeyPair,
        /// The key's id.
        key_id: String,
        /// Where tokens are given.
        tokens: String,
    },
    /// A user.
    User {
        /// Who speaks for the user, and the right to.
        form: [(&'static str, String); 4],
        /// Where tokens are given.
        tokens: String,
        /// The project that requests are on.
        project: Option<String>,
    },
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Written {
    ServiceAccount {
        client_email: String,
        private_key: String,
        #[serde(default)]
        private_key_id: String,
        token_uri: Option<String>,
    },
    AuthorizedUser {
        client_id: String,
        client_secret: String,
        refresh_token: String,
        token_uri: Option<String>,
        quota_project_id: Option<String>,
    },
}

impl KeyFile {
    /// Reads a file.
    ///
    /// # Errors
    /// `Setting`, which names the file and nothing that is in it.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(|e| unreadable(path, &e))?;
        let bad = |why: &str| Error::Setting(format!("credentials: {}: {why}", path.display()));
        // What the parser says may show a part of it.
        let written = serde_json::from_str(&text);
        let written =
            written.map_err(|_| bad("it is neither a service account's key nor what gcloud keeps of a user"))?;
        let tokens = |uri: Option<String>| uri.unwrap_or_else(|| TOKENS.to_owned());
        Ok(match written {
            Written::ServiceAccount { client_email: email, private_key, private_key_id: key_id, token_uri } => {
                let key = assertion::key(&private_key).ok_or_else(|| bad("its private_key is no RSA key"))?;
                Self::Account { email, key, key_id, tokens: tokens(token_uri) }
            }
            Written::AuthorizedUser { client_id, client_secret, refresh_token, token_uri, quota_project_id } => {
                let form = [
                    ("grant_type", "refresh_token".to_owned()),
                    ("client_id", client_id),
                    ("client_secret", client_secret),
                    ("refresh_token", refresh_token),
                ];
                Self::User { form, tokens: tokens(token_uri), project: quota_project_id }
            }
        })
    }

    /// The project that requests are on, where the file tells.
    pub fn quota_project(&self) -> Option<String> {
        match self {
            Self::Account { .. } => None,
            Self::User { project, .. } => project.clone(),
        }
    }

    /// Asks for a token. Where it is refused because this machine's clock is off, it is asked for by the other's.
    pub async fn token(&self, http: &reqwest::Client, skew: &AtomicI64) -> Result<Token, Then> {
        let now = || Timestamp::now().as_second();
        let NotGiven { then, clock } = match self.ask(http, now() + skew.load(Ordering::Relaxed)).await {
            Ok(token) => return Ok(token),
            Err(not) => not,
        };
        let ahead = clock.map(|clock| clock - now()).filter(|ahead| ahead.abs() > SKEW_S);
        match (self, ahead, then) {
            (Self::Account { .. }, Some(ahead), Then::Stop(_)) if skew.swap(ahead, Ordering::Relaxed) != ahead => {
                tracing::warn!(
                    seconds = -ahead,
                    "this machine's clock is ahead of Google's: tokens are asked for by theirs"
                );
                self.ask(http, now() + ahead).await.map_err(|not| not.then)
            }
            (_, _, then) => Err(then),
        }
    }

    async fn ask(&self, http: &reqwest::Client, now: i64) -> Result<Token, NotGiven> {
        match self {
            Self::Account { email, key, key_id, tokens } => {
                let unsigned = || {
                    let then = Then::Stop(Error::Setting("credentials: the private_key does not sign".to_owned()));
                    NotGiven { then, clock: None }
                };
                let assertion = assertion::signed(key, key_id, email, tokens, now).ok_or_else(unsigned)?;
                let form = [("grant_type", BY_ASSERTION), ("assertion", &assertion)];
                token::ask(posted(http, tokens, &form), tokens).await
            }
            Self::User { form, tokens, .. } => {
                let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
                token::ask(posted(http, tokens, &form), tokens).await
            }
        }
    }
}

/// A form, posted.
fn posted(http: &reqwest::Client, url: &str, form: &[(&str, &str)]) -> reqwest::RequestBuilder {
    let mut body = reqwest::Url::parse("form:").ok();
    if let Some(body) = &mut body {
        body.query_pairs_mut().extend_pairs(form);
    }
    let body = body.as_ref().and_then(|body| body.query()).unwrap_or_default().to_owned();
    http.post(url).header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
}
