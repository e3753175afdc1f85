//! The commands that ask a coordinator: `submit`, `status`, `watch`, `cancel`, `retry`.

use proto::job::{JobProgress, JobState, TaskCounts};
use serde_json::json;
use tracing::Instrument;

use crate::args::{At, MosaicArgs, StatusArgs, SubmitArgs};
use crate::attach::Submission;
use crate::client::{Client, conclude};
use crate::exit::Exit;
use crate::progress::Display;
use crate::{input, print, tables, telemetry};

/// Asks within a runtime of one thread.
pub fn asking<T>(at: &At, ask: impl AsyncFnOnce(Client) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { ask(Client::new(at.coordinators()?, at.called())).await })
}

/// Submits a request, and perhaps follows it.
pub fn submit(args: &SubmitArgs) -> anyhow::Result<Exit> {
    let request = input::read(&args.request)?;
    // The mosaic's trace begins here.
    let span = tracing::info_span!("submit", mosaic = request.name);
    telemetry::follow_environment(&span);
    let submission = span.in_scope(|| Submission::with_files(request))?.preferred(args.priority);
    asking(&args.at, async |client| {
        let submitted = async {
            let job_id = client.submit(&submission).await?;
            if !args.watch {
                print(&format!("{job_id}\n"))?;
                return Ok(Exit::Complete);
            }
            conclude(client.watch(job_id, Some(&submission), &mut Display::new(args.json)).await?, args.json)
        };
        submitted.instrument(span).await
    })
}

/// Tells how mosaics fare.
pub fn status(args: &StatusArgs) -> anyhow::Result<Exit> {
    asking(&args.at, async |client| {
        let jobs = match &args.name {
            Some(name) => vec![client.job(name).await?],
            None => client.jobs().await?,
        };
        if args.json {
            print(&jobs.iter().map(|job| format!("{}\n", told(job))).collect::<String>())?;
        } else {
            print(&tables::status(&jobs))?;
        }
        Ok(Exit::Complete)
    })
}

/// Follows a mosaic to its end.
pub fn watch(args: &MosaicArgs) -> anyhow::Result<Exit> {
    asking(&args.at, async |client| {
        let job = client.job(&args.name).await?.job;
        conclude(client.watch(job, None, &mut Display::new(args.json)).await?, args.json)
    })
}

/// Stops a mosaic.
pub fn cancel(args: &MosaicArgs) -> anyhow::Result<Exit> {
    asking(&args.at, async |client| {
        client.cancel(&client.job(&args.name).await?.job).await?;
        Ok(Exit::Complete)
    })
}

/// Makes again what failed of a mosaic.
pub fn retry(args: &MosaicArgs) -> anyhow::Result<Exit> {
    asking(&args.at, async |client| {
        let span = tracing::info_span!("retry", mosaic = args.name);
        telemetry::follow_environment(&span);
        let job = client.job(&args.name).await?.job;
        client.retry(&job).instrument(span).await?;
        Ok(Exit::Complete)
    })
}

/// What a job's state is called.
pub fn called(state: &JobState) -> &'static str {
    match state {
        JobState::Running => "running",
        JobState::Publishing => "publishing",
        JobState::Published { complete: true, .. } => "complete",
        JobState::Published { complete: false, .. } => "incomplete",
        JobState::Failed { .. } => "failed",
        JobState::Cancelled => "cancelled",
    }
}

/// A job for programs.
fn told(job: &JobProgress) -> serde_json::Value {
    let counts = |c: &TaskCounts| {
        json!({"kind": c.kind, "total": c.total, "done": c.done, "reused": c.reused, "failed": c.failed,
               "running": c.running})
    };
    let (published, unchanged, error) = match &job.state {
        JobState::Published { at, unchanged, .. } => (Some(at), *unchanged, None),
        JobState::Failed { error, .. } => (None, false, Some(error)),
        _ => (None, false, None),
    };
    json!({
        "name": job.name,
        "job": job.job,
        "state": called(&job.state),
        "priority": u32::from(job.priority),
        "tasks": job.tasks.iter().map(counts).collect::<Vec<_>>(),
        "bytes_read": job.bytes_read,
        "published": published,
        "unchanged": unchanged,
        "error": error,
    })
}
