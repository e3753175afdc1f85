//! The `clearmosaic` command.
//!
//! ```text
//! args ─► request (read, checked, paths made absolute) ─► run | plan | link | diff     here
//!                                                         scores fetch
//!                                                      ─► submit               to a coordinator
//!      ─► coordinator | worker                         serve, until told to stop
//!      ─► status | watch | cancel | retry | health     ask a coordinator
//!      ─► versions | rollback | verify                 look where it is published, or ask a coordinator
//!      ─► access                                       certificates and tokens of all of these
//! ```
//!
//! Results go to stdout, everything else to stderr. Exit codes: 0 complete, 1 internal, 2 bad input, 3 incomplete.

mod access;
mod args;
mod attach;
mod client;
mod cluster;
mod diff;
mod exit;
mod health;
mod input;
mod jobs;
mod memory;
mod metrics;
mod progress;
mod run;
mod schedules;
mod scores;
mod serve;
mod tables;
mod telemetry;
mod versions;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use args::{AccessArgs, Args, Command, RequestArgs, ScoresCommand};
use clap::{CommandFactory, Parser};
use coordinator::catalogue::Archives;
use exit::{BadInput, Exit};
use proto::allow::Allow;
use worker::library::Library;
use worker::read::Door;

fn main() -> ExitCode {
    // The one provider of TLS in this process; it fails only where there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Parsed before anything else: `--help` does not wait.
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return exit::usage(&error),
    };
    // Before the first thread.
    memory::keep_to_one_heap();
    let telemetry = match telemetry::install(&args) {
        Ok(telemetry) => telemetry,
        Err(error) => return exit::code(Err(error.into())),
    };
    let code = exit::code(execute(args.command));
    telemetry.end();
    code
}

fn execute(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Plan(args) => plan(&args),
        Command::Link(args) => link(&args),
        Command::Scores { what: ScoresCommand::Fetch(args) } => scores::fetch(&args),
        Command::Diff(args) => diff::diff(&args),
        Command::Schema => {
            print(&format!("{:#}\n", mosaic::request::schema()))?;
            Ok(Exit::Complete)
        }
        Command::Coordinator(args) => serve::coordinator(&args),
        Command::Worker(args) => serve::worker(&args),
        Command::Health(args) => health::health(&args),
        Command::Submit(args) => jobs::submit(&args),
        Command::Status(args) => jobs::status(&args),
        Command::Watch(args) => jobs::watch(&args),
        Command::Cancel(args) => jobs::cancel(&args),
        Command::Retry(args) => jobs::retry(&args),
        Command::Schedule(command) => schedules::schedule(command),
        Command::Versions(args) => versions::versions(&args),
        Command::Rollback(args) => versions::roll_back(&args),
        Command::Verify(args) => versions::verify(&args),
        Command::Token(args) => access::token(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "clearmosaic", &mut script);
            print(&String::from_utf8_lossy(&script))?;
            Ok(Exit::Complete)
        }
    }
}

/// What looks at rasters for whoever asks, and where catalogues are read: who asks may read what he may.
fn sources(access: &AccessArgs) -> (Library, Archives) {
    let access = access.access();
    let library = Library::behind(Door::remembering().with(access.clone()));
    (library, Archives::behind(Allow::everything()).with(access))
}

fn plan(args: &RequestArgs) -> anyhow::Result<Exit> {
    let request = input::read(&args.request)?;
    let (library, archives) = sources(&args.access);
    let prepared = coordinator::prepare::prepare(request, &library, &archives).map_err(BadInput::from)?;
    let summary = prepared.summary();
    if args.json {
        print(&format!("{}\n", serde_json::to_string(&summary)?))?;
    } else {
        print(&tables::plan(&prepared.request, &summary))?;
    }
    Ok(Exit::Complete)
}

fn link(args: &RequestArgs) -> anyhow::Result<Exit> {
    let request = input::read(&args.request)?;
    let (library, archives) = sources(&args.access);
    let linked = coordinator::prepare::link_only(&request, &library, &archives);
    let (_, _, linkage) = linked.map_err(BadInput::from)?;
    let lines = coordinator::prepare::link_lines(&request, &linkage);
    if args.json {
        let mut text = String::new();
        for line in &lines {
            text += &serde_json::to_string(line)?;
            text.push('\n');
        }
        print(&text)?;
    } else {
        print(&tables::link(&lines, &linkage))?;
    }
    Ok(Exit::Complete)
}

/// Writes a result to stdout. A reader that has gone away, as `head` does, is no error.
fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("stdout"),
    }
}
