//! Records in memory: of a coordinator that is alone, for as long as it lives.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use super::{Note, Record, Role, StateError, Store};
use crate::schedule::Schedule;
use crate::table::Saved;

/// Records in memory.
#[derive(Debug, Default)]
pub struct Memory {
    records: Mutex<BTreeMap<String, Record>>,
    /// The last number of each mosaic's versions.
    versions: Mutex<BTreeMap<String, u64>>,
    schedules: Mutex<BTreeMap<String, Schedule>>,
}

impl Memory {
    /// The role of a coordinator that is alone.
    #[must_use]
    pub fn role() -> watch::Receiver<Role> {
        // Nobody will ever tell it otherwise.
        watch::channel(Role::Leader).1
    }
}

#[tonic::async_trait]
impl Store for Memory {
    async fn load(&self) -> Result<Vec<Record>, StateError> {
        Ok(self.records.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect())
    }

    async fn put(&self, record: &Record) -> Result<(), StateError> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).insert(record.job.clone(), record.clone());
        Ok(())
    }

    async fn next_version(&self, mosaic: &str, at_least: u64) -> Result<u64, StateError> {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let last = versions.entry(mosaic.to_owned()).or_default();
        *last = (*last + 1).max(at_least);
        Ok(*last)
    }

    async fn note(&self, _: &[Note]) -> Result<(), StateError> {
        // Nobody would be there to read it: what is done is found in the store.
        Ok(())
    }

    async fn noted(&self, _: &str) -> Result<Saved, StateError> {
        Ok(Saved::default())
    }

    async fn forget(&self, _: &str) -> Result<(), StateError> {
        Ok(())
    }

    async fn schedules(&self) -> Result<Vec<Schedule>, StateError> {
        Ok(self.schedules.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect())
    }

    async fn put_schedule(&self, _: u64, schedule: &Schedule, made: Option<&Record>) -> Result<(), StateError> {
        let mut schedules = self.schedules.lock().unwrap_or_else(PoisonError::into_inner);
        schedules.insert(schedule.name.clone(), schedule.clone());
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.extend(made.map(|record| (record.job.clone(), record.clone())));
        Ok(())
    }

    async fn drop_schedule(&self, _: u64, name: &str) -> Result<(), StateError> {
        self.schedules.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(())
    }

    fn term(&self) -> u64 {
        // Seconds: workers of one that was there before may still hold what it granted.
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }
}
