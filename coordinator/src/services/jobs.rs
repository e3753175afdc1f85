//! JobService.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mosaic::request::{self, Request as MosaicRequest};
use prost::Message;
use proto::job::{JobProgress, Priority, in_brief};
use proto::limits::{PIECE, REQUEST};
use proto::wire::job_service_server::JobService;
use proto::wire::submit_job_request::Piece;
use proto::wire::{
    self, AttachmentChunk, CancelJobRequest, CancelJobResponse, GetJobRequest, GetJobResponse, GetReportRequest,
    GetReportResponse, ListJobsRequest, ListJobsResponse, ListVersionsRequest, ListVersionsResponse, RetryJobRequest,
    RetryJobResponse, RollBackRequest, RollBackResponse, SubmitJobRequest, SubmitJobResponse, WatchJobRequest,
    WatchJobResponse,
};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::{bounds, leading};
use crate::attachments::{AttachmentError, Attachments};
use crate::driver::{Driver, NoJob, ReadError, RetryError, SubmitError};

/// Submissions that are taken in at once; others wait, their attachments with them. So memory has a bound.
const SUBMISSIONS: usize = 2;
/// How long one may take to be sent.
pub(super) const SUBMITTING: Duration = Duration::from_secs(600);

/// Takes requests and tells how they fare.
pub struct Jobs {
    driver: Arc<Driver>,
    attached: usize,
    submitting: Semaphore,
}

impl Jobs {
    /// Those of a driver; takes so many bytes of attachments with a request.
    pub fn new(driver: Arc<Driver>, attached: usize) -> Self {
        Self { driver, attached, submitting: Semaphore::new(SUBMISSIONS) }
    }

    /// Takes a request in, and what is sent along with it.
    async fn take_in(&self, mut pieces: Streaming<SubmitJobRequest>) -> Result<Submitted, Status> {
        let bad = |e: &dyn std::fmt::Display| Status::invalid_argument(in_brief(&e.to_string()));
        let first = bounds::next(&mut pieces).await?.and_then(|message| message.piece);
        let Some(Piece::Header(header)) = first else {
            return Err(bad(&"a submission starts with its header"));
        };
        if header.request_json.len() > REQUEST {
            return Err(bad(&AttachmentError::LongRequest));
        }
        let written = request::parse_written(&header.request_json).map_err(|e| bad(&e))?;
        let request = written.at(Timestamp::now()).map_err(|e| bad(&e))?;
        let priority = (header.priority > 0).then(|| Priority::try_from(header.priority)).transpose()?;
        let mut attachments = Attachments::within(self.attached);
        while let Some(message) = bounds::next(&mut pieces).await? {
            let Some(Piece::Attachment(AttachmentChunk { key, data })) = message.piece else {
                return Err(bad(&"a submission has one header, then attachments"));
            };
            attachments.add(key, &data).map_err(|e| bad(&e))?;
        }
        Ok(Submitted { request, attachments, priority })
    }
}

/// A request, and what was sent along with it.
struct Submitted {
    request: MosaicRequest,
    attachments: Attachments,
    priority: Option<Priority>,
}

pub(super) fn refused(error: SubmitError) -> Status {
    match error {
        SubmitError::Internal(_) => Status::internal(error.to_string()),
        SubmitError::State(_) => Status::unavailable(error.to_string()),
        _ => Status::invalid_argument(in_brief(&error.to_string())),
    }
}

/// Sends a job's progress as it changes; ends with the job, or with the watcher.
async fn follow(mut progress: watch::Receiver<JobProgress>, tell: mpsc::Sender<Result<WatchJobResponse, Status>>) {
    loop {
        let now = progress.borrow_and_update().clone();
        let ended = now.state.is_final();
        let told = tell.send(Ok(WatchJobResponse { progress: Some(now.into()) })).await;
        if ended || told.is_err() || progress.changed().await.is_err() {
            return;
        }
    }
}

/// As many jobs as fit well into a message, from where the page before ended.
fn page(all: Vec<JobProgress>, token: &str) -> Result<ListJobsResponse, Status> {
    let from = match token {
        "" => 0,
        last => 1 + all.iter().position(|job| job.job == last).ok_or_else(|| unknown(last))?,
    };
    let (mut jobs, mut bytes, count) = (Vec::<wire::JobProgress>::new(), 0, all.len());
    for job in all.into_iter().skip(from).map(wire::JobProgress::from) {
        bytes += job.encoded_len();
        if bytes > PIECE && !jobs.is_empty() {
            break;
        }
        jobs.push(job);
    }
    let is_last = from + jobs.len() == count;
    let next_page_token = jobs.last().filter(|_| !is_last).map_or_else(String::new, |job| job.job_id.clone());
    Ok(ListJobsResponse { jobs, next_page_token })
}

fn unread(error: ReadError) -> Status {
    match error {
        ReadError::NoJob(error) => Status::not_found(error.to_string()),
        ReadError::Nothing(why) => Status::failed_precondition(why),
        ReadError::Request(error) if error.is_away() => Status::unavailable(error.to_string()),
        ReadError::Request(error) => refused(error),
        ReadError::Output(error) => Status::unavailable(error.to_string()),
        ReadError::Version(error) if error.is_away() => Status::unavailable(error.to_string()),
        ReadError::Version(error) => Status::failed_precondition(error.to_string()),
    }
}

fn unknown(job: &str) -> Status {
    Status::not_found(NoJob(job.to_owned()).to_string())
}

#[tonic::async_trait]
impl JobService for Jobs {
    type GetReportStream = Pin<Box<dyn Stream<Item = Result<GetReportResponse, Status>> + Send>>;
    type WatchJobStream = Pin<Box<dyn Stream<Item = Result<WatchJobResponse, Status>> + Send>>;

    async fn submit_job(
        &self,
        request: Request<Streaming<SubmitJobRequest>>,
    ) -> Result<Response<SubmitJobResponse>, Status> {
        leading(&self.driver)?;
        let permit = self.submitting.acquire().await.map_err(|e| Status::internal(e.to_string()))?;
        let taken = tokio::time::timeout(SUBMITTING, self.take_in(request.into_inner())).await;
        let Submitted { request, attachments, priority } =
            taken.map_err(|_| Status::deadline_exceeded("the submission takes too long"))??;
        let job_id = self.driver.submit(request, attachments, priority).await.map_err(refused)?;
        drop(permit);
        Ok(Response::new(SubmitJobResponse { job_id }))
    }

    async fn get_job(&self, request: Request<GetJobRequest>) -> Result<Response<GetJobResponse>, Status> {
        leading(&self.driver)?;
        let id = request.into_inner().job_id;
        let progress = self.driver.progress(&id).ok_or_else(|| unknown(&id))?.borrow().clone();
        Ok(Response::new(GetJobResponse { progress: Some(progress.into()) }))
    }

    async fn list_jobs(&self, request: Request<ListJobsRequest>) -> Result<Response<ListJobsResponse>, Status> {
        leading(&self.driver)?;
        Ok(Response::new(page(self.driver.all(), &request.into_inner().page_token)?))
    }

    async fn get_report(&self, request: Request<GetReportRequest>) -> Result<Response<Self::GetReportStream>, Status> {
        leading(&self.driver)?;
        let id = request.into_inner().job_id;
        let report = self.driver.report_of(&id).await.map_err(unread)?;
        let piece = |data: &[u8]| Ok(GetReportResponse { data: data.to_vec() });
        let pieces: Vec<_> = report.as_bytes().chunks(PIECE).map(piece).collect();
        Ok(Response::new(Box::pin(tokio_stream::iter(pieces))))
    }

    async fn watch_job(&self, request: Request<WatchJobRequest>) -> Result<Response<Self::WatchJobStream>, Status> {
        leading(&self.driver)?;
        let id = request.into_inner().job_id;
        let progress = self.driver.progress(&id).ok_or_else(|| unknown(&id))?;
        let (tell, told) = mpsc::channel(4);
        tokio::spawn(follow(progress, tell));
        Ok(Response::new(Box::pin(ReceiverStream::new(told))))
    }

    async fn cancel_job(&self, request: Request<CancelJobRequest>) -> Result<Response<CancelJobResponse>, Status> {
        leading(&self.driver)?;
        let id = request.into_inner().job_id;
        if self.driver.cancel(&id).await { Ok(Response::new(CancelJobResponse {})) } else { Err(unknown(&id)) }
    }

    async fn list_versions(
        &self,
        request: Request<ListVersionsRequest>,
    ) -> Result<Response<ListVersionsResponse>, Status> {
        leading(&self.driver)?;
        let (request, versions) = self.driver.versions_of(&request.into_inner().mosaic).await.map_err(unread)?;
        let (output, profile) = (request.output, request.profile.unwrap_or_default());
        let versions = versions.into_iter().map(Into::into).collect();
        Ok(Response::new(ListVersionsResponse { versions, output, profile }))
    }

    async fn roll_back(&self, request: Request<RollBackRequest>) -> Result<Response<RollBackResponse>, Status> {
        leading(&self.driver)?;
        let RollBackRequest { mosaic, version } = request.into_inner();
        let published = self.driver.roll_back(&mosaic, version).await.map_err(unread)?;
        Ok(Response::new(RollBackResponse { published }))
    }

    async fn retry_job(&self, request: Request<RetryJobRequest>) -> Result<Response<RetryJobResponse>, Status> {
        leading(&self.driver)?;
        let id = request.into_inner().job_id;
        match self.driver.retry(&id).await {
            Ok(()) => Ok(Response::new(RetryJobResponse {})),
            Err(RetryError::NoJob(error)) => Err(Status::not_found(error.to_string())),
            Err(RetryError::Nothing(why)) => Err(Status::failed_precondition(why)),
            Err(RetryError::Submit(error)) => Err(refused(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::job::JobState;

    #[test]
    fn jobs_are_listed_a_page_at_a_time() {
        let failed = JobState::Failed { error: "x".repeat(5_000), internal: false };
        let job = |number: usize| JobProgress {
            job: format!("m-{number}"),
            name: "m".to_owned(),
            state: failed.clone(),
            priority: Priority::default(),
            tasks: Vec::new(),
            bytes_read: 0,
        };
        let all: Vec<JobProgress> = (0..1_000).map(job).collect();
        let (mut listed, mut token, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = page(all.clone(), &token).unwrap();
            assert!(page.encoded_len() <= PIECE + 6_000);
            listed.extend(page.jobs.into_iter().map(|job| job.job_id));
            (token, pages) = (page.next_page_token, pages + 1);
            if token.is_empty() {
                break;
            }
        }
        assert_eq!((listed, pages), (all.into_iter().map(|job| job.job).collect(), 5));
        assert!(page(Vec::new(), "").unwrap().next_page_token.is_empty());
        assert_eq!(page(Vec::new(), "gone").unwrap_err().code(), tonic::Code::NotFound);
    }
}
