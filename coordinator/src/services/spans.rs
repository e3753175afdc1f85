//! A span for each call that is part of a trace. Calls that are part of none, as those of workers that wait for tasks,
//! have no span, but for those that begin a mosaic.

use std::task::{Context, Poll};

use opentelemetry::propagation::Extractor;
use proto::trace;
use tonic::codegen::Service;
use tonic::codegen::http::{HeaderMap, Request};
use tower::Layer;
use tracing::instrument::{Instrument, Instrumented};
use tracing::{Span, info_span};

/// Calls that begin a mosaic.
const BEGIN: [&str; 2] = ["/SubmitJob", "/RetryJob"];

/// Puts [`Spans`] before services.
#[derive(Clone, Copy, Debug)]
pub struct SpanLayer;

impl<S> Layer<S> for SpanLayer {
    type Service = Spans<S>;

    fn layer(&self, inner: S) -> Spans<S> {
        Spans(inner)
    }
}

/// Serves each call within its span.
#[derive(Clone, Debug)]
pub struct Spans<S>(S);

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|key| key.as_str()).collect()
    }
}

fn span<B>(request: &Request<B>) -> Span {
    let (path, context) = (request.uri().path(), trace::carried(&Headers(request.headers())));
    if !trace::is_some(&context) && !BEGIN.iter().any(|end| path.ends_with(end)) {
        return Span::none();
    }
    let method = path.trim_start_matches('/');
    let span = info_span!("call", otel.name = method, otel.kind = "server", rpc.system = "grpc", rpc.method = method);
    trace::follow(&span, context);
    span
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Spans<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = Instrumented<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let span = span(&request);
        let call = span.in_scope(|| self.0.call(request));
        call.instrument(span)
    }
}
