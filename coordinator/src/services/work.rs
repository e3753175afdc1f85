//! WorkService.

use std::sync::Arc;
use std::time::Duration;

use proto::limits::GRANTS;
use proto::wire::work_service_server::WorkService;
use proto::wire::{
    LeaseTasksRequest, LeaseTasksResponse, RenewLeasesRequest, RenewLeasesResponse, ReportTasksRequest,
    ReportTasksResponse,
};
use proto::work::{LeaseRef, Outcome};
use tonic::{Request, Response, Status};

use super::{bounds, elsewhere, leading};
use crate::driver::Driver;

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
        let leases = self.0.lease(&worker_id, slots.min(GRANTS), patience).await;
        let (store, allow) = (self.0.store().location(), self.0.allow().prefixes());
        Ok(Response::new(LeaseTasksResponse { leases: leases.into_iter().map(Into::into).collect(), store, allow }))
    }

    async fn renew_leases(
        &self,
        request: Request<RenewLeasesRequest>,
    ) -> Result<Response<RenewLeasesResponse>, Status> {
        leading(&self.0)?;
        let RenewLeasesRequest { worker_id, leases, leaving, claims, claims_number } = request.into_inner();
        bounds::worker(&worker_id)?;
        bounds::leases(leases.len())?;
        bounds::claims(&claims)?;
        if leaving {
            self.0.leave(&worker_id);
        }
        let leases: Vec<LeaseRef> = leases.into_iter().map(Into::into).collect();
        let void_leases = self.0.renew(&worker_id, &leases).into_iter().map(Into::into).collect();
        let (shares, ttl) = if claims.is_empty() {
            (Vec::new(), Duration::ZERO)
        } else {
            self.0.claim(&worker_id, claims_number, claims.into_iter().map(Into::into).collect())
        };
        let shares = shares.into_iter().map(Into::into).collect();
        let shares_ttl_ms = u32::try_from(ttl.as_millis()).unwrap_or(u32::MAX);
        Ok(Response::new(RenewLeasesResponse { void_leases, shares, shares_ttl_ms }))
    }

    async fn report_tasks(
        &self,
        request: Request<ReportTasksRequest>,
    ) -> Result<Response<ReportTasksResponse>, Status> {
        leading(&self.0)?;
        let ReportTasksRequest { worker_id, reports } = request.into_inner();
        bounds::worker(&worker_id)?;
        bounds::leases(reports.len())?;
        let reports: Vec<(LeaseRef, Outcome)> = reports.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
        let refused = self.0.report(&worker_id, reports).await.map_err(elsewhere)?;
        Ok(Response::new(ReportTasksResponse { refused: refused.into_iter().map(Into::into).collect() }))
    }
}
