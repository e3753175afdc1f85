//! An OTLP receiver: the real service, over gRPC, that keeps what it is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// A span that was received, with the process that sent it.
#[derive(Clone, Debug)]
pub struct Told {
    pub service: String,
    pub instance: String,
    pub span: Span,
}

impl Told {
    /// An attribute as text.
    pub fn attribute(&self, name: &str) -> Option<String> {
        text(&self.span.attributes, name)
    }

    /// An attribute that counts something; 0 where there is none.
    pub fn count(&self, name: &str) -> u64 {
        self.attribute(name).map_or(0, |count| count.parse().unwrap())
    }

    pub fn is_error(&self) -> bool {
        self.span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error)
    }

    /// Whether it is a worker's task, rather than a part of one.
    pub fn is_task(&self) -> bool {
        ["partial", "composite", "mosaic", "quicklook"].contains(&self.span.name.as_str())
            && self.service.ends_with("worker")
    }
}

fn text(attributes: &[KeyValue], name: &str) -> Option<String> {
    let value = attributes.iter().find(|attribute| attribute.key == name)?.value.clone()?.value?;
    Some(match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(is) => is.to_string(),
        other => format!("{other:?}"),
    })
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Told>>>);

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource_spans in request.into_inner().resource_spans {
            let of = resource_spans.resource.map(|resource| resource.attributes).unwrap_or_default();
            let (service, instance) = (text(&of, "service.name").unwrap(), text(&of, "service.instance.id").unwrap());
            let spans = resource_spans.scope_spans.into_iter().flat_map(|scope| scope.spans);
            let told = spans.map(|span| Told { service: service.clone(), instance: instance.clone(), span });
            self.0.lock().unwrap().extend(told);
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// A receiver on a port of its own.
pub struct Receiver {
    pub url: String,
    kept: Kept,
    _runtime: Runtime,
}

impl Receiver {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let kept = Kept::default();
        let server = tonic::transport::Server::builder().add_service(TraceServiceServer::new(kept.clone()));
        runtime.spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { url, kept, _runtime: runtime }
    }

    /// What was received so far.
    pub fn spans(&self) -> Vec<Told> {
        self.kept.0.lock().unwrap().clone()
    }
}

/// The ids of traces, as text.
pub fn traces(spans: &[Told]) -> BTreeSet<String> {
    spans.iter().map(|told| hex(&told.span.trace_id)).collect()
}

/// Spans by their ids.
pub fn by_id(spans: &[Told]) -> BTreeMap<Vec<u8>, &Told> {
    let by_id: BTreeMap<_, _> = spans.iter().map(|told| (told.span.span_id.clone(), told)).collect();
    assert_eq!(by_id.len(), spans.len(), "no id twice");
    by_id
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
