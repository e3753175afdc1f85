//! What etcd remembers: every write since it began, and who led at the time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use etcd_client::{Client, Error, EventType, WatchOptions};
use serde_json::Value;

/// Where coordinators write.
const PREFIX: &str = "/clearmosaic/v1/";
/// Written last, so that whoever reads knows when to stop.
const END: &str = "/end-of-the-test";
/// How long etcd may take to tell all of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of etcd that does not go through the links.
pub struct State {
    runtime: tokio::runtime::Runtime,
    endpoints: Vec<String>,
}

/// A change of a key.
#[derive(Clone, Debug)]
struct Event {
    key: String,
    /// Its new value; none where it was deleted.
    value: Option<Vec<u8>>,
    created: i64,
    revision: i64,
}

impl State {
    /// A client of these members, with commas between.
    #[must_use]
    pub fn at(urls: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { runtime, endpoints: urls.split(',').map(str::to_owned).collect() }
    }

    /// The URL of the coordinator that leads, where etcd answers and there is one.
    #[must_use]
    pub fn leader(&self) -> Option<String> {
        let asked = async {
            let mut client = Client::connect(&self.endpoints, None).await.ok()?;
            let leader = client.leader(format!("{PREFIX}leader")).await.ok()?;
            Some(leader.kv()?.value_str().ok()?.to_owned())
        };
        self.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(2), asked).await.ok().flatten() })
    }

    /// Every change since etcd began.
    async fn events(&self) -> Result<Vec<Event>, Error> {
        let mut client = Client::connect(&self.endpoints, None).await?;
        client.put(END, "", None).await?;
        let all = WatchOptions::new().with_start_revision(1).with_range([0]);
        let mut watch = client.watch([0], Some(all)).await?;
        let mut events = Vec::new();
        while let Some(told) = watch.message().await? {
            for event in told.events() {
                let Some(kv) = event.kv() else { continue };
                let key = String::from_utf8_lossy(kv.key()).into_owned();
                if key == END {
                    return Ok(events);
                }
                let value = (event.event_type() == EventType::Put).then(|| kv.value().to_vec());
                events.push(Event { key, value, created: kv.create_revision(), revision: kv.mod_revision() });
            }
        }
        Ok(events)
    }

    /// Whether every write was made by who led, in its term; every job ended once, and every version has a number of its
    /// own; no task was noted as done twice, and none was forgotten, but for those whose artifacts were hurt: so many.
    ///
    /// # Errors
    /// What was not as it must be.
    pub fn check(&self, jobs: usize, hurt: usize) -> Result<History, String> {
        let told = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, self.events()).await });
        let told = told.map_err(|_| "etcd does not tell its history in time")?;
        let events = told.map_err(|e| format!("etcd does not tell its history: {e}"))?;
        let mut history = History::default();
        // What was written together has one revision: the term among it.
        for together in events.chunk_by(|a, b| a.revision == b.revision) {
            history.take(together)?;
        }
        if history.ended.len() != jobs || history.ended.values().any(|ends| ends.len() != 1) {
            return Err(format!("{jobs} jobs end once each: {:?}", history.ended));
        }
        history.check_tasks(hurt)?;
        Ok(history)
    }
}

/// What a history tells.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// How often something was written.
    pub writes: usize,
    /// The terms in which something was written, each with the URL of who was elected for it.
    pub terms: BTreeMap<i64, String>,
    /// How often a task was noted as done.
    pub commits: u64,
    /// How often what a task had made was noted as lost.
    pub losses: u64,
    /// Candidates, by the revision at which each began to wait, each with its key and its URL: the first one leads.
    candidates: BTreeMap<i64, (String, String)>,
    /// The last number of each mosaic's versions.
    versions: BTreeMap<String, u64>,
    /// How each job ended: once, however often that was written.
    ended: BTreeMap<String, BTreeSet<String>>,
    /// Which tasks of each place are noted as done, as bits.
    made: BTreeMap<String, Vec<u8>>,
    /// How often each of them was noted as done, and as lost.
    noted: BTreeMap<(String, usize), [u32; 2]>,
}

impl History {
    /// Takes up what was written at one revision.
    fn take(&mut self, together: &[Event]) -> Result<(), String> {
        let ours = |event: &Event| event.key.strip_prefix(PREFIX).map(str::to_owned);
        let leads = self.candidates.first_key_value().map(|(term, (_, url))| (*term, url.clone()));
        for event in together {
            let Some(key) = ours(event) else { continue };
            if key.starts_with("leader/") {
                match &event.value {
                    Some(url) => {
                        let url = String::from_utf8_lossy(url).into_owned();
                        self.candidates.insert(event.created, (key, url));
                    }
                    None => self.candidates.retain(|_, (candidate, _)| *candidate != key),
                }
                continue;
            }
            self.writes += 1;
            let Some((leads, url)) = leads.clone() else {
                return Err(format!("revision {}: `{key}` is written while nobody leads", event.revision));
            };
            self.terms.insert(leads, url);
            self.look(&key, event.value.as_deref())?;
            if key == "term" && event.value.as_deref() != Some(leads.to_string().as_bytes()) {
                let term = String::from_utf8_lossy(event.value.as_deref().unwrap_or_default()).into_owned();
                return Err(format!("revision {}: the leader of {term} writes in the term of {leads}", event.revision));
            }
        }
        let is_ours = |event: &&Event| ours(event).is_some_and(|key| !key.starts_with("leader/"));
        match together.iter().find(is_ours) {
            Some(event) if !together.iter().any(|event| ours(event).as_deref() == Some("term")) => {
                Err(format!("revision {}: `{}` is written without its term", event.revision, event.key))
            }
            _ => Ok(()),
        }
    }

    fn look(&mut self, key: &str, value: Option<&[u8]>) -> Result<(), String> {
        if key.starts_with("versions/") {
            let number = value.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok()).unwrap_or(0);
            let before = self.versions.insert(key.to_owned(), number).unwrap_or(0);
            if number <= before {
                return Err(format!("`{key}`: {number} after {before}"));
            }
        }
        if key.starts_with("jobs/") {
            let record: Option<Value> = value.and_then(|value| serde_json::from_slice(value).ok());
            let ended = record.map(|record| record["ended"].clone()).filter(|ended| !ended.is_null());
            if let Some(ended) = ended {
                self.ended.entry(key.to_owned()).or_default().insert(ended.to_string());
            }
        }
        if let Some(bits) = value.filter(|_| key.starts_with("progress/") && key.contains("/made/")) {
            let before = self.made.insert(key.to_owned(), bits.to_vec()).unwrap_or_default();
            for bit in 0..8 * bits.len() {
                let is_set = |bytes: &[u8]| bytes.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1);
                match (is_set(&before), is_set(bits)) {
                    (false, true) => self.noted.entry((key.to_owned(), bit)).or_default()[0] += 1,
                    (true, false) => self.noted.entry((key.to_owned(), bit)).or_default()[1] += 1,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// With each artifact at most one other goes: the picture, or what another has found lost meanwhile.
    fn check_tasks(&mut self, hurt: usize) -> Result<(), String> {
        for ((key, bit), [done, lost]) in &self.noted {
            if *done > 1 + lost {
                return Err(format!("task {bit} of {key} is noted as done {done} times, and as lost {lost} times"));
            }
            (self.commits, self.losses) = (self.commits + u64::from(*done), self.losses + u64::from(*lost));
        }
        if self.losses > 2 * hurt as u64 {
            return Err(format!("{hurt} artifacts were hurt, and {} are noted as lost", self.losses));
        }
        Ok(())
    }
}
