//! ScheduleService.

use std::sync::Arc;

use mosaic::request::{self, Written};
use proto::job::in_brief;
use proto::limits::{NAME, REQUEST};
use proto::schedule::Rule;
use proto::wire::create_schedule_request::Piece;
use proto::wire::schedule_service_server::ScheduleService;
use proto::wire::{
    self, AttachmentChunk, CreateScheduleRequest, CreateScheduleResponse, DeleteScheduleRequest,
    DeleteScheduleResponse, GetScheduleRequest, GetScheduleResponse, ListSchedulesRequest, ListSchedulesResponse,
    PauseScheduleRequest, PauseScheduleResponse, ResumeScheduleRequest, ResumeScheduleResponse, RunScheduleRequest,
    RunScheduleResponse,
};
use tonic::{Request, Response, Status, Streaming};

use super::jobs::{SUBMITTING, refused as refused_request};
use super::{bounds, leading};
use crate::attachments::{AttachmentError, Attachments};
use crate::driver::{Driver, ScheduleRefused};
use crate::schedule::ScheduleError;

/// Schedules of one page.
const PAGE: usize = 500;

/// Keeps schedules, and tells how they fare.
pub struct Schedules {
    driver: Arc<Driver>,
    attached: usize,
}

/// A schedule as it is to be, and what was sent along with its request.
struct Created {
    name: String,
    written: Written,
    rule: Rule,
    replace: bool,
    attachments: Attachments,
}

impl Schedules {
    /// Those of a driver; takes so many bytes of attachments with a request.
    pub fn new(driver: Arc<Driver>, attached: usize) -> Self {
        Self { driver, attached }
    }

    async fn take_in(&self, mut pieces: Streaming<CreateScheduleRequest>) -> Result<Created, Status> {
        let bad = |e: &dyn std::fmt::Display| Status::invalid_argument(in_brief(&e.to_string()));
        let first = bounds::next(&mut pieces).await?.and_then(|message| message.piece);
        let Some(Piece::Header(header)) = first else {
            return Err(bad(&"a schedule starts with its header"));
        };
        if header.request_json.len() > REQUEST {
            return Err(bad(&AttachmentError::LongRequest));
        }
        let written = request::parse_written(&header.request_json).map_err(|e| bad(&e))?;
        let rule = Rule::try_from(header.rule.ok_or_else(|| bad(&"a schedule has a rule"))?)?;
        let mut attachments = Attachments::within(self.attached);
        while let Some(message) = bounds::next(&mut pieces).await? {
            let Some(Piece::Attachment(AttachmentChunk { key, data })) = message.piece else {
                return Err(bad(&"a schedule has one header, then attachments"));
            };
            attachments.add(key, &data).map_err(|e| bad(&e))?;
        }
        Ok(Created { name: header.name, written, rule, replace: header.replace, attachments })
    }

    /// Every schedule, with so many of their firings.
    fn all(&self, firings: usize) -> Vec<wire::Schedule> {
        let told = self.driver.schedules();
        told.iter().map(|(schedule, times)| schedule.told(times, firings).into()).collect()
    }
}

fn refused(error: ScheduleRefused) -> Status {
    match error {
        ScheduleRefused::Schedule(error @ ScheduleError::Unknown(_)) => Status::not_found(error.to_string()),
        ScheduleRefused::Schedule(error @ (ScheduleError::Taken(_) | ScheduleError::Busy { .. })) => {
            Status::failed_precondition(error.to_string())
        }
        ScheduleRefused::Schedule(error) => Status::invalid_argument(in_brief(&error.to_string())),
        ScheduleRefused::Request(error) => refused_request(error),
    }
}

#[tonic::async_trait]
impl ScheduleService for Schedules {
    async fn create_schedule(
        &self,
        request: Request<Streaming<CreateScheduleRequest>>,
    ) -> Result<Response<CreateScheduleResponse>, Status> {
        leading(&self.driver)?;
        let taken = tokio::time::timeout(SUBMITTING, self.take_in(request.into_inner())).await;
        let taken = taken.map_err(|_| Status::deadline_exceeded("the schedule takes too long"))??;
        let Created { name, written, rule, replace, attachments } = taken;
        let created = self.driver.create_schedule(&name, written, attachments, rule, replace).await;
        let created = created.map_err(refused)?;
        Ok(Response::new(CreateScheduleResponse { schedule: Some(created.told(&created.times(), 0).into()) }))
    }

    async fn list_schedules(
        &self,
        request: Request<ListSchedulesRequest>,
    ) -> Result<Response<ListSchedulesResponse>, Status> {
        leading(&self.driver)?;
        let last = request.into_inner().page_token;
        // In order of name: one that has gone meanwhile is no hindrance.
        let mut schedules: Vec<_> = self.all(1).into_iter().filter(|schedule| schedule.name > last).collect();
        let is_last = schedules.len() <= PAGE;
        schedules.truncate(PAGE);
        let next_page_token = schedules.last().filter(|_| !is_last).map(|last| last.name.clone()).unwrap_or_default();
        Ok(Response::new(ListSchedulesResponse { schedules, next_page_token }))
    }

    async fn get_schedule(
        &self,
        request: Request<GetScheduleRequest>,
    ) -> Result<Response<GetScheduleResponse>, Status> {
        leading(&self.driver)?;
        let name = request.into_inner().name;
        let found = self.all(usize::MAX).into_iter().find(|schedule| schedule.name == name);
        let schedule = found.ok_or_else(|| refused(ScheduleError::Unknown(name).into()))?;
        Ok(Response::new(GetScheduleResponse { schedule: Some(schedule) }))
    }

    async fn pause_schedule(
        &self,
        request: Request<PauseScheduleRequest>,
    ) -> Result<Response<PauseScheduleResponse>, Status> {
        leading(&self.driver)?;
        self.driver.pause_schedule(&request.into_inner().name, true).await.map_err(refused)?;
        Ok(Response::new(PauseScheduleResponse {}))
    }

    async fn resume_schedule(
        &self,
        request: Request<ResumeScheduleRequest>,
    ) -> Result<Response<ResumeScheduleResponse>, Status> {
        leading(&self.driver)?;
        self.driver.pause_schedule(&request.into_inner().name, false).await.map_err(refused)?;
        Ok(Response::new(ResumeScheduleResponse {}))
    }

    async fn run_schedule(
        &self,
        request: Request<RunScheduleRequest>,
    ) -> Result<Response<RunScheduleResponse>, Status> {
        leading(&self.driver)?;
        let RunScheduleRequest { name, asked } = request.into_inner();
        if !(1..=NAME).contains(&asked.len()) {
            return Err(Status::invalid_argument(format!("`asked`: expected 1 to {NAME} characters")));
        }
        let job_id = self.driver.run_schedule(&name, &asked).await.map_err(refused)?.unwrap_or_default();
        Ok(Response::new(RunScheduleResponse { job_id }))
    }

    async fn delete_schedule(
        &self,
        request: Request<DeleteScheduleRequest>,
    ) -> Result<Response<DeleteScheduleResponse>, Status> {
        leading(&self.driver)?;
        self.driver.delete_schedule(&request.into_inner().name).await.map_err(refused)?;
        Ok(Response::new(DeleteScheduleResponse {}))
    }
}
