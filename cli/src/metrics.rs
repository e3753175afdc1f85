//! `/metrics`, as Prometheus scrapes it: the figures of a coordinator or a worker, and of its process.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::{self, encode};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::net::TcpListener;

use crate::args::MetricsArgs;
use crate::exit::BadInput;

/// A registry that tells of the process.
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Process));
    registry
}

/// Serves a registry, where an address is given, for as long as the process lives.
///
/// # Errors
/// Where the address cannot be listened on; where other machines reach it, and nobody has said that they may.
pub async fn serve(args: &MetricsArgs, registry: Registry) -> Result<(), BadInput> {
    let Some(at) = args.at else { return Ok(()) };
    if !(args.insecure || at.ip().is_loopback()) {
        return Err(BadInput::one(format!(
            "--metrics {at}: other machines read it in plain text: say --metrics-insecure"
        )));
    }
    let listener = TcpListener::bind(at).await.map_err(|e| BadInput::one(format!("--metrics {at}: {e}")))?;
    let registry = Arc::new(registry);
    let told = move || {
        let registry = Arc::clone(&registry);
        async move { told(&registry) }
    };
    let served = axum::serve(listener, Router::new().route("/metrics", get(told)));
    tokio::spawn(async move {
        if let Err(error) = served.await {
            tracing::error!(%error, "metrics are not served any more");
        }
    });
    Ok(())
}

fn told(registry: &Registry) -> Response {
    let mut text = String::new();
    match encode(&mut text, registry) {
        Ok(()) => ([(CONTENT_TYPE, prometheus_text::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// What the system knows of this process, under the names that Prometheus has for it.
#[derive(Debug)]
struct Process;

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        if let Some(resident) = resident_bytes() {
            let gauge = ConstGauge::new(resident);
            let help = "Resident memory of the process.";
            let to =
                encoder.encode_descriptor("process_resident_memory", help, Some(&Unit::Bytes), gauge.metric_type())?;
            gauge.encode(to)?;
        }
        if let Some(used) = cpu_seconds() {
            let counter = ConstCounter::new(used);
            let help = "User and system time of the process.";
            let to = encoder.encode_descriptor("process_cpu", help, Some(&Unit::Seconds), counter.metric_type())?;
            counter.encode(to)?;
        }
        Ok(())
    }
}

fn resident_bytes() -> Option<i64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: i64 = pages.split_ascii_whitespace().nth(1)?.parse().ok()?;
    i64::try_from(rustix::param::page_size()).ok().map(|size| pages * size)
}

fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is a name in brackets, which may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let ticks = ticks()? + ticks()?;
    Some(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}
