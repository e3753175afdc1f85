//! How much is asked of one host at once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Url;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests that are under way to one host, at most, unless `CLEARMOSAIC_ARCHIVE_AT_ONCE` says otherwise.
const AT_ONCE: usize = 32;

/// Turns to ask a host. A copy shares them.
#[derive(Clone, Debug)]
pub struct Hosts {
    at_once: usize,
    known: Arc<Mutex<HashMap<String, Arc<Semaphore>>>>,
    answered: Arc<Mutex<HashSet<String>>>,
}

impl Hosts {
    pub fn of_environment() -> Self {
        let told = std::env::var("CLEARMOSAIC_ARCHIVE_AT_ONCE").ok().and_then(|text| text.parse().ok());
        Self {
            at_once: told.filter(|told| *told > 0).unwrap_or(AT_ONCE),
            known: Arc::default(),
            answered: Arc::default(),
        }
    }

    /// Notes that a host has answered.
    pub fn note(&self, url: &Url) {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).extend(name(url));
    }

    /// Whether a URL's host has ever answered.
    pub fn has_answered(&self, url: &str) -> bool {
        let name = Url::parse(url).ok().and_then(|url| name(&url));
        name.is_some_and(|name| self.answered.lock().unwrap_or_else(PoisonError::into_inner).contains(&name))
    }

    /// Waits for a turn to ask a URL's host; it lasts until it is dropped.
    pub async fn turn(&self, url: &Url) -> Option<OwnedSemaphorePermit> {
        let name = name(url)?;
        let turns = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(name).or_insert_with(|| Arc::new(Semaphore::new(self.at_once))))
        };
        turns.acquire_owned().await.ok()
    }
}

/// A host and its port.
fn name(url: &Url) -> Option<String> {
    Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
}
