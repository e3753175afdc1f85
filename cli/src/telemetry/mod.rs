//! What the process tells of itself besides its results: logs on stderr, spans over OTLP.
//!
//! ```text
//! events ─► logs (text or JSON, filtered by -v or RUST_LOG) ─► stderr
//! spans  ─► OpenTelemetry: ids, parents, sampling ─► batches, on a thread of their own ─► OTLP/gRPC
//! ```
//!
//! Spans are off, and cost nothing, unless an OTLP endpoint is given. With JSON logs alone they get ids, which the logs
//! carry, and go nowhere.

mod json;
mod otlp;

use std::io::IsTerminal;

use clap::ValueEnum;
use opentelemetry::global;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Level, Metadata, Span};
use tracing_subscriber::filter::{FilterExt, LevelFilter, Targets, filter_fn};
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::args::{Args, Command};
use crate::exit::BadInput;
use otlp::Export;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: an object on each line, with the trace's id.
    Json,
}

/// Crates whose spans are recorded: those of others, and there are many, say nothing about a mosaic.
const OURS: [&str; 4] = ["clearmosaic", "coordinator", "worker", "proto"];

/// What must end well when the process does.
pub struct Telemetry(Option<Export>);

/// Installs logs, and spans where they are asked for.
///
/// # Errors
/// Where the endpoint of the spans is none.
pub fn install(args: &Args) -> Result<Telemetry, BadInput> {
    let export = Export::of(args.otlp.as_deref(), role(&args.command))?;
    let is_json = args.log_format == LogFormat::Json;
    let provider = match &export {
        Some(export) => Some(export.provider()),
        None if is_json => Some(otlp::only_ids()),
        None => None,
    };
    let spans = provider.map(|provider| {
        global::set_text_map_propagator(TraceContextPropagator::new());
        let tracer = provider.tracer("clearmosaic");
        global::set_tracer_provider(provider);
        let ours = Targets::new().with_targets(OURS.map(|target| (target, LevelFilter::INFO)));
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        layer.with_location(false).with_threads(false).with_tracked_inactivity(false).with_filter(ours)
    });
    let (text, json) = if is_json { (None, Some(json(args.verbose))) } else { (Some(text(args.verbose)), None) };
    tracing_subscriber::registry().with(spans).with(text).with(json).init();
    Ok(Telemetry(export))
}

impl Telemetry {
    /// Sends what is left, within a bound.
    pub fn end(self) {
        if let Some(export) = self.0 {
            export.end();
        }
    }
}

/// What a process is called where its command does not say it better.
const fn role(command: &Command) -> &'static str {
    match command {
        Command::Run(_) => "clearmosaic-run",
        Command::Coordinator(_) => "clearmosaic-coordinator",
        Command::Worker(_) => "clearmosaic-worker",
        Command::Submit(_) => "clearmosaic-submit",
        _ => "clearmosaic",
    }
}

/// Warnings, or as much as `verbose` or `RUST_LOG` asks for.
fn asked_for(verbose: u8) -> EnvFilter {
    let default = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug,h2=info,hyper=info,tower=info",
    };
    EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default))
}

/// Lines for people: a message says itself what it is about, so that spans do not stand before it.
fn text<S>(verbose: u8) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // The hint lets callsites below the level asked for cost nothing.
    let events = filter_fn(|metadata: &Metadata<'_>| metadata.is_event()).with_max_level_hint(LevelFilter::TRACE);
    fmt::layer().with_writer(std::io::stderr).with_ansi(colour).with_filter(asked_for(verbose).and(events))
}

/// Lines for programs. Spans are seen whatever is asked for: a warning says where it came from.
fn json<S>(verbose: u8) -> impl Layer<S>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let spans = filter_fn(|metadata: &Metadata<'_>| {
        let is_ours = OURS.iter().any(|target| metadata.target().starts_with(target));
        metadata.is_span() && is_ours && *metadata.level() <= Level::INFO
    });
    let spans = spans.with_max_level_hint(LevelFilter::INFO);
    let lines = fmt::layer().with_writer(std::io::stderr).fmt_fields(JsonFields::new()).event_format(json::Lines);
    lines.with_filter(asked_for(verbose).or(spans))
}

/// Makes a span part of the trace that whoever started this process began, if they say so.
pub fn follow_environment(span: &Span) {
    if let Ok(traceparent) = std::env::var("TRACEPARENT") {
        proto::trace::follow(span, proto::trace::context(&traceparent));
    }
}
