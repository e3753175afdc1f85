//! The gRPC services: wire types in and out, everything else is the driver's.
//!
//! ```text
//! connection ─► TLS ─► guard (token, role) ─► bounds (how much) ─► jobs | schedules | work ─► driver
//! ```

mod bounds;
mod guard;
mod jobs;
mod schedules;
mod secured;
mod spans;
mod work;

use std::sync::Arc;
use std::time::Duration;

use proto::limits::{ATTACHED, CALLS, HEADERS, MESSAGE};
use proto::reread::Reread;
use proto::wire::job_service_server::JobServiceServer;
use proto::wire::schedule_service_server::ScheduleServiceServer;
use proto::wire::work_service_server::WorkServiceServer;
use rustls::ServerConfig;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::Status;
use tonic_health::pb::health_server::{Health, HealthServer};

use crate::driver::{Driver, NotLeader};
use crate::tokens::Tokens;
use guard::GuardLayer;
use secured::secured;

/// How often a connection says that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// After how long a connection of the network is to be made anew.
pub const CONNECTION_AGE: Duration = Duration::from_secs(600);

/// Who is let in, and how much is taken of them.
#[derive(Clone)]
pub struct Settings {
    /// This side's certificate, and whose it takes; none where everything is said in the open.
    pub tls: Option<Arc<Reread<ServerConfig>>>,
    /// Who may do what; none where everyone may do everything.
    pub tokens: Option<Arc<Reread<Tokens>>>,
    /// Bytes of all attachments of one request.
    pub attached: usize,
    /// After how long a connection is to be made anew, so that peers spread out over several coordinators.
    pub connection_age: Option<Duration>,
}

impl Default for Settings {
    /// For peers in this very process.
    fn default() -> Self {
        Self { tls: None, tokens: None, attached: ATTACHED, connection_age: None }
    }
}

/// The transport, guarded and bounded.
fn server(settings: &Settings) -> tonic::transport::Server {
    let server = tonic::transport::Server::builder()
        // Load balancers close what is silent; a peer that is gone is noticed.
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE))
        .http2_max_header_list_size(HEADERS)
        .max_concurrent_streams(CALLS);
    match settings.connection_age {
        Some(age) => server.max_connection_age(age),
        None => server,
    }
}

/// Who leads, in the metadata of an answer that it is not this coordinator.
fn leading(driver: &Driver) -> Result<(), Status> {
    driver.leads().map_err(elsewhere)
}

fn elsewhere(not: NotLeader) -> Status {
    let mut status = Status::unavailable(not.to_string());
    if let Some(leader) = not.leader.and_then(|leader| leader.parse().ok()) {
        status.metadata_mut().insert(proto::coordinators::LEADER, leader);
    }
    status
}

/// The health service: whoever follows serves too, as it says who leads.
async fn healthy() -> HealthServer<impl Health> {
    let (health, healthy) = tonic_health::server::health_reporter();
    health.set_serving::<JobServiceServer<jobs::Jobs>>().await;
    health.set_serving::<ScheduleServiceServer<schedules::Schedules>>().await;
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

/// Serves all services on a stream of connections until `stop` resolves; and says that it does, and what they are.
///
/// # Errors
/// Where the transport fails.
pub async fn serve<I, IO, E>(
    driver: &Arc<Driver>,
    settings: &Settings,
    incoming: I,
    stop: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error>
where
    I: tokio_stream::Stream<Item = Result<IO, E>> + Send + 'static,
    IO: tokio::io::AsyncRead + tokio::io::AsyncWrite + tonic::transport::server::Connected + Unpin + Send + 'static,
    E: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
{
    let jobs = JobServiceServer::new(jobs::Jobs::new(Arc::clone(driver), settings.attached))
        .max_decoding_message_size(MESSAGE)
        .max_encoding_message_size(MESSAGE);
    let schedules = ScheduleServiceServer::new(schedules::Schedules::new(Arc::clone(driver), settings.attached))
        .max_decoding_message_size(MESSAGE)
        .max_encoding_message_size(MESSAGE);
    let work = WorkServiceServer::new(work::Work(Arc::clone(driver)))
        .max_decoding_message_size(MESSAGE)
        .max_encoding_message_size(MESSAGE);
    let described = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1();
    let router = server(settings)
        .layer(spans::SpanLayer)
        .layer(GuardLayer::new(settings.tokens.clone()))
        .add_service(jobs)
        .add_service(schedules)
        .add_service(work)
        .add_service(healthy().await)
        .add_optional_service(described.ok());
    match &settings.tls {
        Some(tls) => router.serve_with_incoming_shutdown(secured(incoming, Arc::clone(tls)), stop).await,
        None => router.serve_with_incoming_shutdown(incoming, stop).await,
    }
}
