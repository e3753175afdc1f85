//! The gRPC services: wire types in and out, everything else is the driver's.

mod jobs;
mod spans;
mod work;

use std::sync::Arc;
use std::time::Duration;

use proto::wire::job_service_server::JobServiceServer;
use proto::wire::work_service_server::WorkServiceServer;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Status;
use tonic_health::pb::health_server::{Health, HealthServer};

use crate::driver::Driver;

/// How often a connection says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Who leads, in the metadata of an answer that it is not this coordinator.
fn leading(driver: &Driver) -> Result<(), Status> {
    driver.leads().map_err(|not| {
        let mut status = Status::unavailable(not.to_string());
        if let Some(leader) = not.leader.and_then(|leader| leader.parse().ok()) {
            status.metadata_mut().insert(proto::coordinators::LEADER, leader);
        }
        status
    })
}

/// The health service: whoever follows serves too, as it says who leads.
async fn healthy() -> HealthServer<impl Health> {
    let (health, healthy) = tonic_health::server::health_reporter();
    health.set_serving::<JobServiceServer<jobs::Jobs>>().await;
    health.set_serving::<WorkServiceServer<work::Work>>().await;
    healthy
}

/// Answers health and nothing else on a listener, in plain text and to everybody: for probes that speak no TLS.
pub async fn serve_health(incoming: TcpListenerStream) {
    let served = tonic::transport::Server::builder().add_service(healthy().await).serve_with_incoming(incoming).await;
    if let Err(error) = served {
        tracing::error!(%error, "health is no longer answered");
    }
}

/// Serves both services on a stream of connections until `stop` resolves; and says that it does, and what they are.
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
    let jobs = JobServiceServer::new(jobs::Jobs(Arc::clone(driver)));
    let work = WorkServiceServer::new(work::Work(Arc::clone(driver)));
    let described = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1();
    tonic::transport::Server::builder()
        // Load balancers close what is silent; a peer that is gone is noticed.
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .layer(spans::SpanLayer)
        .add_service(jobs)
        .add_service(work)
        .add_service(healthy().await)
        .add_optional_service(described.ok())
        .serve_with_incoming_shutdown(incoming, stop)
        .await
}
