//! Telling those who want to know how runs end: posted, signed, and posted again where nobody takes it.
//!
//! Whoever is told may be told twice, by another leader: the message bears the same id.

use std::sync::{Arc, Weak};
use std::time::Duration;

use artifacts::Access;
use jiff::Timestamp;
use proto::allow::Allow;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Url};
use web::{Ask, Patience, Web, WebError};

use super::Driver;
use crate::schedule::{Due, Hook, Message, Schedule, Told};

/// Waits between rounds of posting; when all are over it is given up.
const ROUNDS: [Duration; 7] = [
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(1800),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(5 * 3600),
    Duration::from_secs(10 * 3600),
    Duration::ZERO,
];
/// How long one round lasts: its signature is good for that.
const ROUND: Duration = Duration::from_secs(60);
/// How long one posting may take.
const ONCE: Duration = Duration::from_secs(15);
/// Bytes of an answer that are read: nothing in it matters.
const ANSWER: usize = 64 << 10;

/// A hook that can be posted to: its secret, and nothing else of its profile.
struct Opened {
    secret: String,
    /// The host alone that it may lead to, redirects too.
    allow: Allow,
}

/// Opens a hook by its profile, `secret` or `secret_file`, and `hosts`.
fn open(hook: &Hook, access: &Access) -> Result<Opened, String> {
    let Hook { url, profile } = hook;
    let bad = |why: &str| format!("`webhook`: {url}: {why}");
    let parsed = Url::parse(url).map_err(|e| bad(&e.to_string()))?;
    let host = parsed.host_str().filter(|_| matches!(parsed.scheme(), "http" | "https"));
    let host = host.ok_or_else(|| bad("write an https URL"))?.to_owned();
    let options = access.profile(profile).map_err(|e| format!("`webhook`: {e}"))?.0;
    let lacks = |what: &str| format!("`webhook`: profile `{profile}`: {what}");
    let with_port = parsed.port().map(|port| format!("{host}:{port}"));
    let is_meant = |name: &str| name.eq_ignore_ascii_case(&host) || Some(name) == with_port.as_deref();
    let hosts =
        options.get("hosts").ok_or_else(|| lacks("whom it may be posted to is not told: write `hosts: NAME`"))?;
    if !hosts.split(',').any(|name| is_meant(name.trim())) {
        return Err(lacks(&format!("its `hosts` do not name {host}")));
    }
    let secret = match (options.get("secret"), options.get("secret_file")) {
        (Some(secret), _) => secret.clone(),
        (None, Some(path)) => std::fs::read_to_string(path).map_err(|e| lacks(&format!("{path}: {}", e.kind())))?,
        (None, None) => return Err(lacks("no secret to sign with: write `secret_file: PATH`, or `secret: TEXT`")),
    };
    let secret = secret.trim().to_owned();
    if secret.is_empty() {
        return Err(lacks("its secret is empty"));
    }
    let origin = format!("{}/", parsed.origin().ascii_serialization());
    let allow = Allow::under(&[origin]).map_err(|e| bad(&e.to_string()))?;
    Ok(Opened { secret, allow })
}

/// Posts a message for one round.
async fn post(hook: &Hook, access: &Access, message: &Message) -> Result<(), Posted> {
    let Opened { secret, allow } = open(hook, access).map_err(Posted::Never)?;
    let default = Patience::default();
    let patience = Patience {
        all: ROUND,
        once: ONCE,
        connect: default.connect.min(ONCE),
        stall: default.stall.min(ONCE),
        ..default
    };
    let web = Web::new(allow, patience).map_err(|e| Posted::Never(e.to_string()))?;
    let now = Timestamp::now();
    let json = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let ask = Ask::of(Method::POST, hook.url.as_str(), json, Some(message.body.clone().into_bytes()))
        .with("webhook-id", &message.id)
        .with("webhook-timestamp", &now.as_second().to_string())
        .with("webhook-signature", &message.signature(&secret, now))
        .at_most(ANSWER);
    web.read(&ask, |_| Ok(())).await.map_err(|error: WebError| {
        let told = error.to_string();
        if error.is_retryable() { Posted::NotYet(told) } else { Posted::Never(told) }
    })
}

/// Why a message was not taken.
enum Posted {
    /// It may be later.
    NotYet(String),
    /// To post it again is no use.
    Never(String),
}

impl Driver {
    /// Whether a hook can be posted to, as far as can be told from here.
    pub(super) fn check_hook(&self, hook: &Hook) -> Result<(), String> {
        open(hook, &self.components.access).map(drop)
    }

    /// Begins to tell what came of the oldest firing that is to be told, unless somebody is at it.
    pub(super) fn tell_hook(self: &Arc<Self>, schedule: &Schedule) {
        let due = schedule.firings.iter().rfind(|firing| firing.told == Told::Due);
        let (Some(hook), Some(firing)) = (schedule.rule.hook.clone(), due) else { return };
        if let Some(known) = self.lock().schedules.get_mut(&schedule.name)
            && !std::mem::replace(&mut known.is_telling, true)
        {
            let (name, message) = (schedule.name.clone(), Message::of(schedule, firing));
            tokio::spawn(deliver(Arc::downgrade(self), name, hook, firing.due.clone(), message));
        }
    }

    /// Notes how telling went.
    async fn told(&self, name: &str, due: &Due, told: Told) {
        let _alone = self.scheduling.lock().await;
        let (term, Some(mut known)) = self.schedule(name) else { return };
        let firing = known.firings.iter_mut().find(|firing| firing.due == *due && firing.told == Told::Due);
        if let Some(firing) = firing {
            firing.told = told;
            if let Err(error) = self.keep_schedule(term, known, None).await {
                tracing::warn!(%error, schedule = name, "whoever leads now tells it again");
            }
        }
        if let Some(known) = self.lock().schedules.get_mut(name) {
            known.is_telling = false;
        }
    }
}

/// Posts a message round by round, while its driver leads.
async fn deliver(driver: Weak<Driver>, name: String, hook: Hook, due: Due, message: Message) {
    let mut told = Told::Nobody;
    for wait in ROUNDS {
        let Some(access) = driver.upgrade().filter(|driver| driver.leads().is_ok()) else { return };
        let access = access.components.access.clone();
        told = match post(&hook, &access, &message).await {
            Ok(()) => Told::Delivered { at: Timestamp::now() },
            Err(Posted::Never(error) | Posted::NotYet(error)) if wait.is_zero() => Told::Failed { error },
            Err(Posted::Never(error)) => Told::Failed { error },
            Err(Posted::NotYet(error)) => {
                tracing::warn!(%error, schedule = name, "nobody takes it yet");
                tokio::time::sleep(wait).await;
                continue;
            }
        };
        break;
    }
    if let Some(driver) = driver.upgrade().filter(|driver| driver.leads().is_ok()) {
        driver.told(&name, &due, told).await;
    }
}
