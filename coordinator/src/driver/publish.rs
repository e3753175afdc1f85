//! Publishing what a job has made, once its tasks have ended.
//!
//! ```text
//! compare with what the name means ─► a number, which only the leader is given ─► write the version ─► switch
//!   ▲   └─► nothing has changed: no new version                                     │ │
//!   └── a store does not answer ────────────────────────────────────────────────────┘ └─► an artifact is not as it was
//!                                                                                         made: it is made again first
//! ```

use std::sync::Arc;

use artifacts::Folder;
use mosaic::ids::Key;
use mosaic::plan::TaskKind;
use proto::job::JobState;
use tracing::Span;

use super::{Driver, PAUSE};
use crate::finish::{self, Base, Run};
use crate::job::Job;
use crate::publish::report::Report;
use crate::publish::{PublishError, version};
use crate::state::StateError;

/// What came of a publication.
pub(super) enum Outcome {
    /// The job has ended; where it has changed nothing, with the key of its report.
    Ended(JobState, Option<Key>),
    /// What these tasks of this job had made was lost.
    Lost(Arc<Job>, Vec<u32>),
    /// What its planning had made was lost.
    PlanLost(Arc<Job>),
}

impl Driver {
    /// Publishes what a job has made, for as long as stores do not answer: what comes of it. None where another leads.
    pub(super) async fn publish(&self, id: &str) -> Option<Outcome> {
        let (job, run) = self.run_of(id)?;
        let (job, run) = (job, Arc::new(run));
        let mut number = None;
        loop {
            let error = match self.try_to_publish(&job, &run, &mut number).await? {
                Ok((published, report)) => {
                    tracing::info!(job = id, unchanged = report.is_some(), "a mosaic is published");
                    return Some(Outcome::Ended(published, report));
                }
                Err(PublishError::Lost(lost)) => match self.take_out(&job, &run, lost).await {
                    Ok(tasks) => return Some(Outcome::Lost(job, tasks)),
                    Err(error) => error,
                },
                Err(PublishError::PlanLost(error)) => {
                    tracing::warn!(%error, job = id, "it cannot be published before it is planned again");
                    return Some(Outcome::PlanLost(job));
                }
                Err(error) => error,
            };
            if !error.is_away() {
                return Some(Outcome::Ended(JobState::failed(&error, error.is_internal()), None));
            }
            tracing::warn!(%error, job = id, "it cannot be published yet");
            tokio::time::sleep(PAUSE).await;
            self.leads().ok()?;
        }
    }

    async fn try_to_publish(
        &self,
        job: &Arc<Job>,
        run: &Arc<Run>,
        number: &mut Option<u64>,
    ) -> Option<Result<(JobState, Option<Key>), PublishError>> {
        let (output, greatest, base) = match self.compared(job, run).await {
            Ok(compared) => compared,
            Err(error) => return Some(Err(error)),
        };
        let (name, store) = (job.request.name.clone(), self.components.store.clone());
        let (job, run) = (Arc::clone(job), Arc::clone(run));
        let base = match base {
            Some(base) if base.is_the_same => {
                let (complete, at) = (run.is_complete(), version::at(&output, &name, base.version));
                let kept = blocking(move || finish::unchanged(&job, &run, &store, base)).await;
                return Some(kept.map(|report| (JobState::Published { complete, at, unchanged: true }, Some(report))));
            }
            base => base,
        };
        let number = match *number {
            Some(number) => number,
            None => *number.insert(self.number(&name, greatest + 1).await?),
        };
        let published = blocking(move || finish::publish(&job, &run, &store, &output, base.as_ref(), number)).await;
        let state = |(at, report): (String, Report)| JobState::Published {
            complete: report.failed.is_empty(),
            at,
            unchanged: false,
        };
        Some(published.map(|published| (state(published), None)))
    }

    /// Where a job publishes, the greatest number that is known there, and what its mosaic's name means.
    async fn compared(&self, job: &Arc<Job>, run: &Arc<Run>) -> Result<(Folder, u64, Option<Base>), PublishError> {
        let (job, run, access) = (Arc::clone(job), Arc::clone(run), self.components.access.clone());
        let store = self.components.store.clone();
        let compare = move || {
            let output = version::open(&job.request, &access)?;
            let greatest = version::greatest(&output, &job.request.name)?;
            let base = Base::of(&job, &run, &store, &output)?;
            Ok((output, greatest, base))
        };
        blocking(compare).await
    }

    async fn take_out(&self, job: &Arc<Job>, run: &Arc<Run>, lost: Vec<TaskKind>) -> Result<Vec<u32>, PublishError> {
        let (job, run, store) = (Arc::clone(job), Arc::clone(run), self.components.store.clone());
        blocking(move || finish::take_out(&job, &run, &store, &lost).map_err(PublishError::from)).await
    }

    /// The number of a mosaic's next version; none where another leads.
    async fn number(&self, mosaic: &str, at_least: u64) -> Option<u64> {
        loop {
            match self.components.state.next_version(mosaic, at_least).await {
                Ok(number) => return Some(number),
                Err(StateError::NotLeader) => return None,
                Err(error) => tracing::warn!(%error, mosaic, "its version has no number yet"),
            }
            tokio::time::sleep(PAUSE).await;
            self.leads().ok()?;
        }
    }

    /// What publication needs to know of how a job went.
    fn run_of(&self, id: &str) -> Option<(Arc<Job>, Run)> {
        let inner = self.lock();
        let (running, table) = (inner.jobs.get(id)?, inner.table.job(id)?);
        let job = running.job.clone()?;
        let run = Run::of(&job, table, running.started.elapsed());
        Some((job, run))
    }
}

/// Does what waits for disks and stores; what panics is the program's own fault.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PublishError> + Send + 'static,
) -> Result<T, PublishError> {
    let span = Span::current();
    let done = tokio::task::spawn_blocking(move || span.in_scope(work)).await;
    done.unwrap_or_else(|panic| Err(PublishError::Internal(panic.to_string())))
}
