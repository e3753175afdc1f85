//! Talking to coordinators: asks until one answers, and goes on where a connection broke off.

use std::time::{Duration, Instant};

use anyhow::anyhow;
use proto::coordinators::{Coordinators, Link, is_away};
use proto::job::{JobProgress, JobState};
use proto::refusal::refusal;
use proto::version::MosaicVersion;
use proto::wire::job_service_client::JobServiceClient;
use proto::wire::{
    CancelJobRequest, GetReportRequest, ListJobsRequest, ListVersionsRequest, ListVersionsResponse, RetryJobRequest,
    RollBackRequest, WatchJobRequest,
};
use tonic::{Code, Status};

use crate::attach::Submission;
use crate::exit::{BadInput, Exit};
use crate::print;
use crate::progress::Display;

/// How long a coordinator may be away: longer than another takes to step in.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(250);

/// Someone who asks coordinators about jobs.
#[derive(Clone)]
pub struct Client {
    coordinators: Coordinators,
    /// What to call them where none answers.
    called: String,
}

type Jobs = JobServiceClient<Link>;

impl Client {
    /// A client of these coordinators.
    pub fn new(coordinators: Coordinators, called: impl Into<String>) -> Self {
        Self { coordinators, called: called.into() }
    }

    /// Asks until one answers.
    async fn ask<T, F: Future<Output = Result<T, Status>>>(
        &self,
        mut call: impl FnMut(Jobs) -> F,
    ) -> anyhow::Result<T> {
        self.ask_one(|coordinators| call(coordinators.jobs())).await
    }

    /// The same of any service.
    pub async fn ask_one<T, F: Future<Output = Result<T, Status>>>(
        &self,
        mut call: impl FnMut(&Coordinators) -> F,
    ) -> anyhow::Result<T> {
        let since = Instant::now();
        loop {
            match call(&self.coordinators).await {
                Ok(answer) => return Ok(answer),
                Err(status) if is_away(&status) && since.elapsed() < PATIENCE => {
                    tracing::debug!(%status, "no coordinator answers");
                    if let Some(fault) = self.coordinators.fault(&status).await {
                        return Err(self.said(&fault));
                    }
                    self.coordinators.turn(&status);
                    tokio::time::sleep(PAUSE).await;
                }
                Err(status) => {
                    let fault = self.coordinators.fault(&status).await;
                    return Err(self.said(fault.as_ref().unwrap_or(&status)));
                }
            }
        }
    }

    fn said(&self, status: &Status) -> anyhow::Error {
        if let Some(why) = refusal(status) {
            return BadInput::one(format!("--coordinator {}: {why}", self.called)).into();
        }
        match status.code() {
            Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition | Code::OutOfRange => {
                BadInput(status.message().lines().map(str::to_owned).collect()).into()
            }
            _ if is_away(status) => {
                BadInput::one(format!("--coordinator {}: no one answers: {}", self.called, status.message())).into()
            }
            _ => anyhow!("{}", status.message()),
        }
    }

    /// Submits a request: the job's id.
    pub async fn submit(&self, submission: &Submission) -> anyhow::Result<String> {
        let pieces = || submission.pieces();
        let answer = self.ask(|mut jobs: Jobs| {
            let pieces = pieces();
            async move { jobs.submit_job(pieces).await }
        });
        Ok(answer.await?.into_inner().job_id)
    }

    /// All jobs, the newest first.
    pub async fn jobs(&self) -> anyhow::Result<Vec<JobProgress>> {
        let (mut all, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = || ListJobsRequest { page_token: page_token.clone() };
            let answer = self.ask(|mut jobs: Jobs| {
                let request = request();
                async move { jobs.list_jobs(request).await }
            });
            let page = answer.await?.into_inner();
            for job in page.jobs {
                all.push(JobProgress::try_from(job)?);
            }
            if page.next_page_token.is_empty() {
                return Ok(all);
            }
            page_token = page.next_page_token;
        }
    }

    /// The `report.json` of a job that was published.
    async fn report(&self, job_id: &str) -> anyhow::Result<String> {
        let request = || GetReportRequest { job_id: job_id.to_owned() };
        let report = self.ask(|mut jobs: Jobs| {
            let request = request();
            async move {
                let (mut pieces, mut report) = (jobs.get_report(request).await?.into_inner(), Vec::new());
                while let Some(piece) = pieces.message().await? {
                    report.extend_from_slice(&piece.data);
                }
                Ok(report)
            }
        });
        Ok(String::from_utf8(report.await?)?)
    }

    /// The newest run of a mosaic, by its name, or a run by its own.
    pub async fn job(&self, name: &str) -> anyhow::Result<JobProgress> {
        let found = self.jobs().await?.into_iter().find(|job| job.name == name || job.job == name);
        found.ok_or_else(|| BadInput::one(format!("there is no mosaic `{name}`: ask `clearmosaic status`")).into())
    }

    /// Stops a job.
    pub async fn cancel(&self, job_id: &str) -> anyhow::Result<()> {
        let request = || CancelJobRequest { job_id: job_id.to_owned() };
        self.ask(|mut jobs: Jobs| {
            let request = request();
            async move { jobs.cancel_job(request).await }
        })
        .await?;
        Ok(())
    }

    /// The versions of a mosaic, and where they are.
    pub async fn versions(&self, mosaic: &str) -> anyhow::Result<Versions> {
        let request = || ListVersionsRequest { mosaic: mosaic.to_owned() };
        let answer = self.ask(|mut jobs: Jobs| {
            let request = request();
            async move { jobs.list_versions(request).await }
        });
        let ListVersionsResponse { versions, output, profile } = answer.await?.into_inner();
        Ok(Versions { versions: versions.into_iter().map(Into::into).collect(), output, profile })
    }

    /// Makes a mosaic's name mean an older version: where it is.
    pub async fn roll_back(&self, mosaic: &str, version: u64) -> anyhow::Result<String> {
        let request = || RollBackRequest { mosaic: mosaic.to_owned(), version };
        let answer = self.ask(|mut jobs: Jobs| {
            let request = request();
            async move { jobs.roll_back(request).await }
        });
        Ok(answer.await?.into_inner().published)
    }

    /// Does again what failed of a job.
    pub async fn retry(&self, job_id: &str) -> anyhow::Result<()> {
        let request = || RetryJobRequest { job_id: job_id.to_owned() };
        self.ask(|mut jobs: Jobs| {
            let request = request();
            async move { jobs.retry_job(request).await }
        })
        .await?;
        Ok(())
    }

    async fn ended(&self, state: JobState, job_id: &str) -> anyhow::Result<Ended> {
        let report = match state {
            JobState::Published { .. } => self.report(job_id).await?,
            _ => String::new(),
        };
        Ok(Ended { state, report })
    }

    /// Follows a job to its end, whatever becomes of the connection. A coordinator that has lost its memory is given
    /// the request again, where there is one.
    pub async fn watch(
        &self,
        mut job_id: String,
        submission: Option<&Submission>,
        display: &mut Display,
    ) -> anyhow::Result<Ended> {
        loop {
            let request = || WatchJobRequest { job_id: job_id.clone() };
            let watching = self.ask(|mut jobs: Jobs| {
                let request = request();
                async move { jobs.watch_job(request).await }
            });
            let mut told = match (watching.await, submission) {
                (Ok(watching), _) => watching.into_inner(),
                (Err(error), Some(submission)) if error.is::<BadInput>() => {
                    tracing::warn!(%error, "the request is submitted again");
                    job_id = self.submit(submission).await?;
                    continue;
                }
                (Err(error), _) => return Err(error),
            };
            let broken = loop {
                match told.message().await {
                    Ok(Some(message)) => {
                        let Some(progress) = message.progress else { continue };
                        let progress = JobProgress::try_from(progress)?;
                        display.show(&progress);
                        if progress.state.is_final() {
                            display.end();
                            return self.ended(progress.state, &job_id).await;
                        }
                    }
                    Ok(None) => break Status::unavailable("the coordinator tells no more"),
                    Err(status) if is_away(&status) => break status,
                    Err(status) => return Err(self.said(&status)),
                }
            };
            self.coordinators.turn(&broken);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// The versions of a mosaic.
pub struct Versions {
    /// All, ascending.
    pub versions: Vec<MosaicVersion>,
    /// Where they are published, as the request says.
    pub output: String,
    /// The credential profile that opens it; empty where the environment does.
    pub profile: String,
}

/// How a job has ended.
pub struct Ended {
    state: JobState,
    /// Its `report.json`, where it was published.
    report: String,
}

/// Tells how a job has ended.
pub fn conclude(ended: Ended, json: bool) -> anyhow::Result<Exit> {
    let Ended { state, report } = ended;
    match state {
        JobState::Published { complete, at, .. } => {
            if json {
                print(&format!("{}\n", report.trim_end()))?;
            } else {
                print(&crate::tables::published(&at, &report)?)?;
            }
            Ok(if complete { Exit::Complete } else { Exit::Incomplete })
        }
        JobState::Failed { error, internal: false } => Err(BadInput::one(error).into()),
        JobState::Failed { error, .. } => Err(anyhow!(error)),
        JobState::Cancelled => {
            Err(anyhow!("stopped: nothing was published; what is done is kept, run it again to go on"))
        }
        JobState::Running | JobState::Publishing => Err(anyhow!("the coordinator stopped telling")),
    }
}
