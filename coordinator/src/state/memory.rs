//! Records in memory: of a coordinator that is alone, for as long as it lives.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use super::{Record, Role, StateError, Store};

/// Records in memory.
#[derive(Debug, Default)]
pub struct Memory(Mutex<BTreeMap<String, Record>>);

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
        Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect())
    }

    async fn put(&self, record: &Record) -> Result<(), StateError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(record.job.clone(), record.clone());
        Ok(())
    }
}
