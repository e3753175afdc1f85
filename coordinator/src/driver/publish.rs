//! Publishing what a job has made, once its tasks have ended.
//!
//! ```text
//! look where it is published ─► a number, which only the leader is given ─► write the version ─► switch
//!   ▲                                                                        │ │
//!   └── a store does not answer ─────────────────────────────────────────────┘ └─► an artifact is not as it was made:
//!                                                                                  it is made again first
//! ```

use std::sync::Arc;

use mosaic::plan::TaskKind;
use proto::job::JobState;
use tracing::Span;

use super::{Driver, PAUSE};
use crate::finish::{self, Run};
use crate::job::Job;
use crate::publish::{PublishError, version};
use crate::state::StateError;

/// What came of a publication.
pub(super) enum Outcome {
    /// The job has ended.
    Ended(JobState),
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
                Ok(published) => {
                    tracing::info!(job = id, "a mosaic is published");
                    return Some(Outcome::Ended(published));
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
                return Some(Outcome::Ended(JobState::failed(&error, error.is_internal())));
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
    ) -> Option<Result<JobState, PublishError>> {
        let (request, access) = (job.request.clone(), self.components.access.clone());
        let (name, store) = (request.name.clone(), self.components.store.clone());
        let look = move || {
            let output = version::open(&request, &access)?;
            let (greatest, base) =
                (version::greatest(&output, &request.name)?, version::meant(&output, &request.name)?);
            Ok((output, greatest, (base > 0).then_some(base)))
        };
        let (output, greatest, base) = match blocking(look).await {
            Ok(looked) => looked,
            Err(error) => return Some(Err(error)),
        };
        let number = match *number {
            Some(number) => number,
            None => *number.insert(self.number(&name, greatest + 1).await?),
        };
        let (job, run) = (Arc::clone(job), Arc::clone(run));
        let published = blocking(move || finish::publish(&job, &run, &store, &output, base, number)).await;
        Some(published.map(|(at, report)| JobState::Published { complete: report.failed.is_empty(), at }))
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
