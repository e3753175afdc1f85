//! What was asked for, kept in the store; and the report on what came of it, kept where that was published.

use std::sync::Arc;

use artifacts::{ArtifactStore, StoreError};
use mosaic::ids::Key;
use mosaic::request::Request;

use super::{Driver, NoJob, ReadError, Running, SubmitError};
use crate::finish;
use crate::publish::version;
use crate::state::{self, Asked, Record};

/// What a request's key is made of, and a job's id.
const REQUEST: &str = "clearmosaic request";

/// The key of a request.
pub(super) fn key_of(request: &Request) -> Key {
    Key::of(REQUEST, request)
}

/// Keeps a request that bears no rights: its key.
pub(super) fn keep(request: &Request, store: &ArtifactStore) -> Result<Key, StoreError> {
    store.keep_document(REQUEST, request)
}

fn read(key: &Key, store: &ArtifactStore) -> Result<Request, SubmitError> {
    store.document(REQUEST, key).map_err(|error| match error {
        StoreError::Away { .. } => error.into(),
        error => SubmitError::Forgotten(error),
    })
}

impl Driver {
    /// The request of a record. One of before, which holds it itself, is written anew: it is kept in the store from now on.
    pub(super) async fn request_of(&self, record: &mut Record) -> Result<Request, SubmitError> {
        let (store, asked) = (self.components.store.clone(), record.request.clone());
        let found = tokio::task::spawn_blocking(move || match asked {
            Asked::Kept(key) => read(&key, &store).map(|request| (request, None)),
            Asked::Told(request) => {
                let bare = request.unsigned();
                let key = keep(&bare, &store)?;
                Ok((bare, Some(key)))
            }
        });
        let (request, kept) = found.await.map_err(|panic| SubmitError::Internal(panic.to_string()))??;
        if let Some(key) = kept {
            (record.name, record.request) = (request.name.clone(), Asked::Kept(key));
            self.components.state.put(record).await?;
        }
        Ok(request)
    }

    /// The `report.json` of a job that was published.
    ///
    /// # Errors
    /// Where there is none, or it cannot be read.
    pub async fn report_of(self: &Arc<Self>, id: &str) -> Result<String, ReadError> {
        let known = |running: &Running| (running.record.clone(), running.job.clone());
        let (mut record, job) = self.lock().jobs.get(id).map(known).ok_or_else(|| NoJob(id.to_owned()))?;
        let Some(state::Ended::Published { at, .. }) = record.ended.clone() else {
            return Err(ReadError::Nothing("nothing of it is published"));
        };
        if let Some(key) = record.report {
            return self.kept_report(key).await;
        }
        let request = match job {
            Some(job) => job.request.clone(),
            None => self.request_of(&mut record).await?,
        };
        let access = self.components.access.clone();
        let read = tokio::task::spawn_blocking(move || version::report(&at, &request, &access)).await;
        let read = read.map_err(|panic| SubmitError::Internal(panic.to_string()))??;
        read.ok_or(ReadError::Nothing("its report is not where it was published any more"))
    }

    /// The report of a job that has changed nothing.
    async fn kept_report(&self, key: Key) -> Result<String, ReadError> {
        let store = self.components.store.clone();
        let read = tokio::task::spawn_blocking(move || store.document_bytes(finish::REPORT, &key)).await;
        match read.map_err(|panic| SubmitError::Internal(panic.to_string()))? {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.is_lost() => Err(ReadError::Nothing("its report is not in the store any more")),
            Err(error) => Err(SubmitError::from(error).into()),
        }
    }
}
