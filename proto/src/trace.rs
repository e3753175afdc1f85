//! The context of a trace, as it crosses processes: W3C's `traceparent`.
//!
//! ```text
//! current span ─► carry (every call) ─► metadata ─► the services' layer ─► span of the call
//! mosaic's span ─► record, lease ─► worker ─► span of the task, though it came over a long poll
//! ```
//!
//! Where nothing records spans there is no context, and all of this does nothing.

use std::cell::Cell;
use std::collections::HashMap;

use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, global};
use tonic::metadata::{MetadataKey, MetadataMap};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The name under which a context is carried.
const TRACEPARENT: &str = "traceparent";

/// Puts the context of the current span into the metadata of a call.
pub fn carry(metadata: &mut MetadataMap) {
    let context = Context::current();
    global::get_text_map_propagator(|w3c| w3c.inject_context(&context, &mut Metadata(metadata)));
}

struct Metadata<'a>(&'a mut MetadataMap);

impl Injector for Metadata<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(key), Ok(value)) = (MetadataKey::from_bytes(key.as_bytes()), value.parse()) {
            self.0.insert(key, value);
        }
    }
}

/// The context that a call carries; an empty one where it carries none.
#[must_use]
pub fn carried(headers: &dyn Extractor) -> Context {
    global::get_text_map_propagator(|w3c| w3c.extract_with_context(&Context::new(), headers))
}

/// The context that this text says; an empty one where it says none.
#[must_use]
pub fn context(traceparent: &str) -> Context {
    carried(&HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]))
}

/// A context as text; none where it is empty.
#[must_use]
pub fn traceparent(context: &Context) -> Option<String> {
    let mut said = HashMap::new();
    global::get_text_map_propagator(|w3c| w3c.inject_context(context, &mut said));
    said.remove(TRACEPARENT)
}

/// The trace of work that is part of none, so that its parts do not begin traces of their own. Nothing is recorded of it.
pub const NOWHERE: TraceId = TraceId::from_bytes([u8::MAX; 16]);

/// A place in [`NOWHERE`].
#[must_use]
pub fn nowhere() -> Context {
    let span = SpanId::from_bytes([u8::MAX; 8]);
    let place = SpanContext::new(NOWHERE, span, TraceFlags::default(), true, TraceState::default());
    Context::new().with_remote_span_context(place)
}

/// Whether there is a trace to be part of.
#[must_use]
pub fn is_some(context: &Context) -> bool {
    context.span().span_context().is_valid()
}

/// The same place in the trace, with what follows from it recorded or not.
#[must_use]
pub fn sampled(context: &Context, is_sampled: bool) -> Context {
    place(context, None, is_sampled)
}

/// The span of this id in the same trace, recorded if this one is.
#[must_use]
pub fn beside(context: &Context, span: SpanId) -> Context {
    place(context, Some(span), context.span().span_context().is_sampled())
}

fn place(context: &Context, span: Option<SpanId>, is_sampled: bool) -> Context {
    let span_ref = context.span();
    let old = span_ref.span_context();
    let flags = old.trace_flags().with_sampled(is_sampled);
    let id = span.unwrap_or_else(|| old.span_id());
    let new = SpanContext::new(old.trace_id(), id, flags, true, old.trace_state().clone());
    Context::new().with_remote_span_context(new)
}

/// Makes a span that has not begun a child of another process's. An empty context leaves it as it is.
pub fn follow(span: &Span, context: Context) {
    if is_some(&context) {
        // It fails where spans are not recorded, or this one is not: then it follows nothing.
        let _ = span.set_parent(context);
    }
}

thread_local! {
    static CHOSEN: Cell<Option<SpanId>> = const { Cell::new(None) };
}

/// Runs `make` so that the one span that it makes gets this id: others may be its children before it is told of.
pub fn with_id<T>(id: SpanId, make: impl FnOnce() -> T) -> T {
    CHOSEN.set(Some(id));
    let made = make();
    CHOSEN.set(None);
    made
}

/// The id that the next span of this thread is to have, where that is not left to chance.
#[must_use]
pub fn chosen_id() -> Option<SpanId> {
    CHOSEN.take()
}
