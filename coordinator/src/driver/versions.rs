//! Versions of what jobs have published: which there are, and going back to one.

use std::sync::Arc;

use mosaic::request::Request;
use proto::version::MosaicVersion;

use super::{Driver, NoJob, ReadError, Running, SubmitError};
use crate::publish::version::{self, VersionError};
use crate::state::Record;

impl Driver {
    /// The versions of a mosaic where its newest job publishes, and that job's request.
    ///
    /// # Errors
    /// Where there is no such mosaic, or nothing of it is published.
    pub async fn versions_of(self: &Arc<Self>, mosaic: &str) -> Result<(Request, Vec<MosaicVersion>), ReadError> {
        let (_, request) = self.newest(mosaic).await?;
        let access = self.components.access.clone();
        let asked = request.clone();
        let told = waited(move || {
            let output = version::open(&asked, &access)?;
            Ok(version::versions(&output, &asked.name)?.told(&output, &asked.name))
        });
        Ok((request, told.await?))
    }

    /// Makes a mosaic's name mean an older version again: where that is. Only who leads can.
    ///
    /// # Errors
    /// Where there is no such mosaic or version; where another leads.
    pub async fn roll_back(self: &Arc<Self>, mosaic: &str, number: u64) -> Result<String, ReadError> {
        let (record, request) = self.newest(mosaic).await?;
        {
            // Written as it is by now: only who leads can.
            let _alone = self.records.lock().await;
            let record = self.lock().jobs.get(&record.job).map_or(record, |running| running.record.clone());
            self.components.state.put(&record).await.map_err(SubmitError::State)?;
        }
        let access = self.components.access.clone();
        waited(move || version::roll_back(&version::open(&request, &access)?, &request.name, number)).await
    }

    /// The newest job of a mosaic, or the job of this name, with its request.
    async fn newest(self: &Arc<Self>, mosaic: &str) -> Result<(Record, Request), ReadError> {
        let found = {
            let inner = self.lock();
            let is_it = |running: &&Running| running.record.name() == mosaic || running.record.job == mosaic;
            let newest = inner.jobs.values().filter(is_it).max_by_key(|running| running.record.submitted);
            newest.map(|running| (running.record.clone(), running.job.clone()))
        };
        let (mut record, job) = found.ok_or_else(|| NoJob(mosaic.to_owned()))?;
        let request = match job {
            Some(job) => job.request.clone(),
            None => self.request_of(&mut record).await?,
        };
        Ok((record, request))
    }
}

/// Does what waits for disks and stores.
async fn waited<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, VersionError> + Send + 'static,
) -> Result<T, ReadError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(|panic| SubmitError::Internal(panic.to_string()))??)
}
