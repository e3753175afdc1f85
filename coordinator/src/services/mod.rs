//! The gRPC services: wire types in and out, everything else is the driver's.

mod jobs;
mod work;

use std::sync::Arc;
use std::time::Duration;

use proto::wire::job_service_server::JobServiceServer;
use proto::wire::work_service_server::WorkServiceServer;

use crate::driver::Driver;

/// How often a connection says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Both services of a driver.
#[must_use]
pub fn services(driver: &Arc<Driver>) -> (JobServiceServer<jobs::Jobs>, WorkServiceServer<work::Work>) {
    (JobServiceServer::new(jobs::Jobs(Arc::clone(driver))), WorkServiceServer::new(work::Work(Arc::clone(driver))))
}

/// Serves both services on a stream of connections until `stop` resolves.
///
/// # Errors
/// Where the transport fails.
pub async fn serve<I, IO, E>(
    driver: &Arc<Driver>,
    incoming: I,
    stop: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error>
where
    I: tokio_stream::Stream<Item = Result<IO, E>>,
    IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + tonic::transport::server::Connected + Unpin + Send + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (jobs, work) = services(driver);
    tonic::transport::Server::builder()
        // Load balancers close what is silent; a peer that is gone is noticed.
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .add_service(jobs)
        .add_service(work)
        .serve_with_incoming_shutdown(incoming, stop)
        .await
}
