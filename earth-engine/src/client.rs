//! Asking, and asking again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use artifacts::Access;
use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, Url};

use crate::answer::{Then, pause, refusal};
use crate::budget::{Budget, Permit};
use crate::credentials::{Credentials, Token};
use crate::{Error, Settings};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(10);
/// How often a server is asked again that has never answered anything.
const FIRST_TRIES: u32 = 3;
/// How often a question is put again that meets anything but want of quota.
const TRIES: u32 = 12;
/// The profile that is used where there is one, and no other is named.
pub(crate) const PROFILE: &str = "earth-engine";

/// Earth Engine, as one credential sees it.
pub struct Client {
    settings: Settings,
    http: reqwest::Client,
    credentials: Credentials,
    budget: Arc<Budget>,
    /// Whether it has ever answered anything.
    has_answered: AtomicBool,
}

impl Client {
    /// A client as a profile says, that of this name, else `earth-engine` where there is one; and as the environment
    /// says. Nothing is asked yet.
    ///
    /// # Errors
    /// `Setting` where they say nothing that can be used.
    pub fn open(access: &Access, profile: Option<&str>, budget: Arc<Budget>) -> Result<Self, Error> {
        let is_there = || access.profiles.as_ref().is_some_and(|dir| dir.join(PROFILE).is_file());
        let name = profile.or_else(|| is_there().then_some(PROFILE));
        let options = name.map(|name| access.profile(name)).transpose();
        let options = options.map_err(|e| Error::Setting(e.to_string()))?;
        let profile = name.zip(options.as_ref());
        let settings = Settings::of(options.as_ref())?;
        let builder = reqwest::Client::builder().connect_timeout(CONNECT).read_timeout(settings.silence);
        // A redirect of an API would have tokens sent elsewhere.
        let http = builder.redirect(reqwest::redirect::Policy::none()).build();
        let http = http.map_err(|e| Error::Setting(plain(&e)))?;
        let credentials = Credentials::of(profile)?;
        Ok(Self { settings, http, credentials, budget, has_answered: AtomicBool::new(false) })
    }

    pub(crate) fn url(&self, name: &str) -> Result<Url, Error> {
        let bad = |_| Error::Bad { what: name.to_owned(), why: "it is no name".to_owned() };
        Url::parse(&format!("{}{name}", self.settings.base)).map_err(bad)
    }

    /// Puts a question until it is answered by something that can be read.
    pub(crate) async fn ask<T>(
        &self,
        what: &str,
        question: impl Fn(&reqwest::Client) -> RequestBuilder,
        read: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<T, Error> {
        let (mut spent, mut tries, mut is_renewed) = (Duration::ZERO, 0, false);
        loop {
            // It may be long until there is a permit: that is nobody's fault, and tokens run out meanwhile.
            let permit = self.budget.take().await;
            let began = Instant::now();
            let then = match self.permitted(&permit, what, &question, &read).await {
                Ok(answer) => return Ok(answer),
                Err(Then::Renew(error)) if is_renewed => Then::Stop(error),
                Err(then) => then,
            };
            drop(permit);
            let (error, at_least) = match then {
                Then::Stop(error) => return Err(error),
                Then::Renew(_) => {
                    is_renewed = true;
                    continue;
                }
                Then::Again(error, at_least) => (error, at_least),
            };
            let pause = pause(tries, at_least);
            tries += 1;
            spent += began.elapsed() + pause;
            if self.is_enough(&error, tries) || spent > self.settings.patience {
                return Err(error);
            }
            tracing::debug!(what, %error, ?pause, "asked again");
            if matches!(error, Error::Quota(_)) {
                self.budget.pause(pause);
            } else {
                tokio::time::sleep(pause).await;
            }
            is_renewed = false;
        }
    }

    /// Whether there is no use in asking again, however much time there is.
    fn is_enough(&self, error: &Error, tries: u32) -> bool {
        let is_known = self.has_answered.load(Ordering::Relaxed);
        match error {
            Error::Quota(_) => false,
            _ => tries >= if is_known { TRIES } else { FIRST_TRIES },
        }
    }

    /// One try, which ends where the share does that its permit is of.
    async fn permitted<T>(
        &self,
        permit: &Permit<'_>,
        what: &str,
        question: impl Fn(&reqwest::Client) -> RequestBuilder,
        read: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<T, Then> {
        let asked = async {
            let token = self.credentials.token(&self.http).await?;
            match self.once(what, &question, &token, &read).await {
                Err(Then::Renew(error)) if !self.credentials.forget(&token) => Err(Then::Stop(error)),
                answered => answered,
            }
        };
        tokio::select! {
            answered = asked => answered,
            () = permit.lapsed() => {
                let (at, why) = (self.settings.base.to_string(), "the share of its requests has run out".to_owned());
                Err(Then::Again(Error::Away { at, why }, None))
            }
        }
    }

    async fn once<T>(
        &self,
        what: &str,
        question: impl Fn(&reqwest::Client) -> RequestBuilder,
        token: &Token,
        read: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<T, Then> {
        let mut request = question(&self.http).bearer_auth(&token.text).header(CONTENT_TYPE, "application/json");
        if let Some(project) = self.credentials.project() {
            request = request.header("x-goog-user-project", project);
        }
        let at = self.settings.base.as_str();
        let away = |why: String| Then::Again(Error::Away { at: at.to_owned(), why }, None);
        let answer = request.send().await.map_err(|e| away(plain(&e)))?;
        self.has_answered.store(true, Ordering::Relaxed);
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.bytes().await.map_err(|e| away(plain(&e)))?;
        if !status.is_success() {
            return Err(refusal(what, at, status, &headers, &body));
        }
        read(&body).map_err(away)
    }
}

/// The innermost cause of an error of HTTP, without the URL.
pub(crate) fn plain(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { "it does not answer in time".to_owned() } else { cause.to_string() }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.settings.base.as_str()).finish_non_exhaustive()
    }
}
