//! Whether a coordinator serves, by the health service of gRPC: asked here, and answered on a port for probes.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::bail;
use tokio::net::TcpListener;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::args::HealthArgs;
use crate::exit::{BadInput, Exit};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks once: an error unless the answer is that it serves.
pub fn health(args: &HealthArgs) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let endpoint = Endpoint::from(args.url.clone()).connect_timeout(PATIENCE).timeout(PATIENCE);
    let answer = runtime.block_on(async {
        let mut client = HealthClient::new(endpoint.connect_lazy());
        client.check(HealthCheckRequest::default()).await
    });
    match answer.map(|answer| answer.into_inner().status()) {
        Ok(ServingStatus::Serving) => Ok(Exit::Complete),
        Ok(other) => bail!("{}: {}", args.url, other.as_str_name()),
        Err(status) => bail!("{}: {}", args.url, status.message()),
    }
}

/// Where probes ask, if anywhere.
pub async fn listener(at: Option<SocketAddr>) -> Result<Option<TcpListener>, BadInput> {
    let Some(at) = at else { return Ok(None) };
    let listener = TcpListener::bind(at).await;
    listener.map(Some).map_err(|e| BadInput::one(format!("--health {at}: {e}")))
}
