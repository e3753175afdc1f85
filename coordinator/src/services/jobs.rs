//! JobService.

use std::pin::Pin;
use std::sync::Arc;

use mosaic::request::{self, Request as MosaicRequest};
use proto::job::JobProgress;
use proto::wire::job_service_server::JobService;
use proto::wire::submit_job_request::Piece;
use proto::wire::{
    AttachmentChunk, CancelJobRequest, CancelJobResponse, GetJobRequest, GetJobResponse, ListJobsRequest,
    ListJobsResponse, RetryJobRequest, RetryJobResponse, SubmitJobRequest, SubmitJobResponse, WatchJobRequest,
    WatchJobResponse,
};
use tokio::sync::{mpsc, watch};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::leading;
use crate::attachments::Attachments;
use crate::driver::{Driver, NoJob, RetryError, SubmitError};

/// Takes requests and tells how they fare.
pub struct Jobs(pub(super) Arc<Driver>);

fn refused(error: SubmitError) -> Status {
    match error {
        SubmitError::Internal(_) => Status::internal(error.to_string()),
        SubmitError::State(_) => Status::unavailable(error.to_string()),
        _ => Status::invalid_argument(error.to_string()),
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

fn unknown(job: &str) -> Status {
    Status::not_found(NoJob(job.to_owned()).to_string())
}

#[tonic::async_trait]
impl JobService for Jobs {
    type WatchJobStream = Pin<Box<dyn Stream<Item = Result<WatchJobResponse, Status>> + Send>>;

    async fn submit_job(
        &self,
        request: Request<Streaming<SubmitJobRequest>>,
    ) -> Result<Response<SubmitJobResponse>, Status> {
        leading(&self.0)?;
        let mut pieces = request.into_inner();
        let first = pieces.message().await?.and_then(|message| message.piece);
        let Some(Piece::Header(header)) = first else {
            return Err(Status::invalid_argument("a submission starts with its header"));
        };
        let mut attachments = Attachments::default();
        while let Some(message) = pieces.message().await? {
            let Some(Piece::Attachment(AttachmentChunk { key, data })) = message.piece else {
                return Err(Status::invalid_argument("a submission has one header, then attachments"));
            };
            attachments.add(key, &data).map_err(|e| Status::invalid_argument(e.to_string()))?;
        }
        let request: MosaicRequest =
            request::parse(&header.request_json).map_err(|e| Status::invalid_argument(e.to_string()))?;
        let job_id = self.0.submit(request, attachments).await.map_err(refused)?;
        Ok(Response::new(SubmitJobResponse { job_id }))
    }

    async fn get_job(&self, request: Request<GetJobRequest>) -> Result<Response<GetJobResponse>, Status> {
        leading(&self.0)?;
        let id = request.into_inner().job_id;
        let progress = self.0.progress(&id).ok_or_else(|| unknown(&id))?.borrow().clone();
        Ok(Response::new(GetJobResponse { progress: Some(progress.into()) }))
    }

    async fn list_jobs(&self, _: Request<ListJobsRequest>) -> Result<Response<ListJobsResponse>, Status> {
        leading(&self.0)?;
        let jobs = self.0.all().into_iter().map(Into::into).collect();
        Ok(Response::new(ListJobsResponse { jobs }))
    }

    async fn watch_job(&self, request: Request<WatchJobRequest>) -> Result<Response<Self::WatchJobStream>, Status> {
        leading(&self.0)?;
        let id = request.into_inner().job_id;
        let progress = self.0.progress(&id).ok_or_else(|| unknown(&id))?;
        let (tell, told) = mpsc::channel(4);
        tokio::spawn(follow(progress, tell));
        Ok(Response::new(Box::pin(ReceiverStream::new(told))))
    }

    async fn cancel_job(&self, request: Request<CancelJobRequest>) -> Result<Response<CancelJobResponse>, Status> {
        leading(&self.0)?;
        let id = request.into_inner().job_id;
        if self.0.cancel(&id).await { Ok(Response::new(CancelJobResponse {})) } else { Err(unknown(&id)) }
    }

    async fn retry_job(&self, request: Request<RetryJobRequest>) -> Result<Response<RetryJobResponse>, Status> {
        leading(&self.0)?;
        let id = request.into_inner().job_id;
        match self.0.retry(&id).await {
            Ok(()) => Ok(Response::new(RetryJobResponse {})),
            Err(RetryError::NoJob(error)) => Err(Status::not_found(error.to_string())),
            Err(RetryError::Nothing(why)) => Err(Status::failed_precondition(why)),
            Err(RetryError::Submit(error)) => Err(refused(error)),
        }
    }
}
