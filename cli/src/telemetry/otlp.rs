//! Spans over OTLP/gRPC, by the environment that OpenTelemetry's specification names.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, IdGenerator, RandomIdGenerator, SdkTracerProvider,
};
use tokio::runtime::Runtime;
use tonic::transport::{Certificate, ClientTlsConfig};

use crate::exit::BadInput;

/// How long the end of a process waits for spans to be taken.
const GRACE: Duration = Duration::from_secs(3);
/// Spans that may wait to be sent; more are dropped, rather than that anything waits for them.
const QUEUE: usize = 8192;

/// Spans on their way to a collector.
pub struct Export {
    provider: SdkTracerProvider,
    /// What the connection lives on: the process's own runtimes end before the last spans are sent.
    runtime: Runtime,
}

/// Asked for in the environment, unless that says too that it is not wanted.
fn is_wanted() -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let is_off = set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
        || set("OTEL_TRACES_EXPORTER").is_some_and(|value| value == "none");
    let endpoint = set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| set("OTEL_EXPORTER_OTLP_ENDPOINT"));
    endpoint.is_some() && !is_off
}

impl Export {
    /// The export to this endpoint, else to that of the environment; none where neither is given.
    ///
    /// # Errors
    /// Where the endpoint is none.
    pub fn of(endpoint: Option<&str>, role: &'static str) -> Result<Option<Self>, BadInput> {
        if endpoint.is_none() && !is_wanted() {
            return Ok(None);
        }
        let failed = |e: &dyn std::fmt::Display| BadInput::one(format!("spans over OTLP: {e}"));
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).thread_name("otlp").enable_all().build().map_err(|e| failed(&e))?;
        let exporter = {
            let _within = runtime.enter();
            exporter(endpoint).map_err(|e| failed(&e))?
        };
        let mut batches = BatchConfigBuilder::default();
        if std::env::var_os("OTEL_BSP_MAX_QUEUE_SIZE").is_none() {
            batches = batches.with_max_queue_size(QUEUE);
        }
        let batches = BatchSpanProcessor::builder(exporter).with_batch_config(batches.build()).build();
        let provider = SdkTracerProvider::builder().with_span_processor(batches);
        let provider = provider.with_id_generator(Ids::default()).with_resource(resource(role)).build();
        Ok(Some(Self { provider, runtime }))
    }

    /// What makes spans.
    pub fn provider(&self) -> SdkTracerProvider {
        self.provider.clone()
    }

    /// Sends what is left, within a bound.
    pub fn end(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(GRACE) {
            tracing::warn!(%error, "the last spans were not taken");
        }
        self.runtime.shutdown_background();
    }
}

fn exporter(endpoint: Option<&str>) -> anyhow::Result<SpanExporter> {
    let mut builder = SpanExporter::builder().with_tonic();
    if let Some(endpoint) = endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    let certificate = ["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"].map(std::env::var_os);
    if let Some(path) = certificate.into_iter().flatten().next() {
        let trusted = Certificate::from_pem(std::fs::read(path)?);
        builder = builder.with_tls_config(ClientTlsConfig::new().with_enabled_roots().ca_certificate(trusted));
    }
    Ok(builder.build()?)
}

/// Who this process is. What the environment says of it goes before.
fn resource(role: &'static str) -> Resource {
    let own = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", crate::serve::process_id()));
    let is_named = std::env::var("OTEL_SERVICE_NAME").is_ok_and(|name| !name.is_empty())
        || std::env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(|all| all.contains("service.name="));
    if is_named { own.build() } else { own.with_service_name(role).build() }
}

/// Spans that get their ids and go nowhere.
pub fn only_ids() -> SdkTracerProvider {
    SdkTracerProvider::builder().with_id_generator(Ids::default()).build()
}

/// Ids by chance, but for spans whose children were there first.
#[derive(Debug, Default)]
struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        self.0.new_trace_id()
    }

    fn new_span_id(&self) -> SpanId {
        proto::trace::chosen_id().unwrap_or_else(|| self.0.new_span_id())
    }
}
