//! WorkService.

use std::sync::Arc;
use std::time::Duration;

use proto::wire::work_service_server::WorkService;
use proto::wire::{
    LeaseTasksRequest, LeaseTasksResponse, RenewLeasesRequest, RenewLeasesResponse, ReportTaskRequest,
    ReportTaskResponse,
};
use proto::work::{LeaseRef, Outcome};
use tonic::{Request, Response, Status};

use super::{bounds, leading};
use crate::driver::{Driver, ReportError};

/// The longest that a request for tasks is held: load balancers close what is idle for longer.
const LONGEST_POLL: Duration = Duration::from_secs(20);

/// Hands tasks out.
pub struct Work(pub(super) Arc<Driver>);

#[tonic::async_trait]
impl WorkService for Work {
    async fn lease_tasks(&self, request: Request<LeaseTasksRequest>) -> Result<Response<LeaseTasksResponse>, Status> {
        leading(&self.0)?;
        let LeaseTasksRequest { worker_id, free_slots, wait_ms } = request.into_inner();
        bounds::worker(&worker_id)?;
        let slots = bounds::slots(free_slots)?;
        let patience = Duration::from_millis(wait_ms.into()).min(LONGEST_POLL);
        let leases = self.0.lease(&worker_id, slots, patience).await;
        let (store, allow) = (self.0.store().location(), self.0.allow().prefixes());
        Ok(Response::new(LeaseTasksResponse { leases: leases.into_iter().map(Into::into).collect(), store, allow }))
    }

    async fn renew_leases(
        &self,
        request: Request<RenewLeasesRequest>,
    ) -> Result<Response<RenewLeasesResponse>, Status> {
        leading(&self.0)?;
        let RenewLeasesRequest { worker_id, leases, leaving } = request.into_inner();
        bounds::worker(&worker_id)?;
        bounds::leases(leases.len())?;
        if leaving {
            self.0.leave(&worker_id);
        }
        let leases: Vec<LeaseRef> = leases.into_iter().map(Into::into).collect();
        let void_leases = self.0.renew(&worker_id, &leases).into_iter().map(Into::into).collect();
        Ok(Response::new(RenewLeasesResponse { void_leases }))
    }

    async fn report_task(&self, request: Request<ReportTaskRequest>) -> Result<Response<ReportTaskResponse>, Status> {
        leading(&self.0)?;
        let ReportTaskRequest { worker_id, lease, outcome } = request.into_inner();
        bounds::worker(&worker_id)?;
        let lease: LeaseRef = lease.ok_or_else(|| Status::invalid_argument("ReportTaskRequest: no `lease`"))?.into();
        let outcome = outcome.ok_or_else(|| Status::invalid_argument("ReportTaskRequest: no `outcome`"))?;
        let outcome = Outcome::try_from(outcome)?;
        match self.0.report(&worker_id, &lease, outcome).await {
            Ok(()) => Ok(Response::new(ReportTaskResponse {})),
            Err(error @ ReportError::Unknown(_)) => Err(Status::not_found(error.to_string())),
            Err(error @ ReportError::NotLeader) => {
                leading(&self.0)?;
                Err(Status::unavailable(error.to_string()))
            }
        }
    }
}
