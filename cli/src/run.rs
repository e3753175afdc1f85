//! `run`: the whole job in one process.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use artifacts::ArtifactStore;
use coordinator::driver::Components;
use coordinator::publish::version;
use coordinator::table::Settings;
use mosaic::request::Request;
use proto::job::{JobProgress, JobState};
use proto::wire::job_service_client::JobServiceClient;
use proto::wire::submit_job_request::Piece;
use proto::wire::{CancelJobRequest, SubmitHeader, SubmitJobRequest, WatchJobRequest};
use tonic::Code;
use tonic::transport::Channel;
use worker::library::Library;
use worker::memory::Memory;

use crate::args::RunArgs;
use crate::cluster::Cluster;
use crate::exit::{BadInput, Exit};
use crate::progress::Display;
use crate::{input, memory, print};

/// Runs a request to its end.
pub fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    memory::keep_to_one_heap();
    let request = input::read(&args.request)?;
    worker::gdal_messages::install();
    let division = memory::divide(args.memory)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = args.workers.map_or(cores, usize::from);
    worker::set_gdal_cache(division.gdal);
    // Asked before the store is opened, which is in the output unless told otherwise.
    version::check(Path::new(&request.output), &request.name).map_err(|e| BadInput::one(e.to_string()))?;
    let (root, field) = match &args.store {
        Some(store) => (store.clone(), "--store"),
        None => (Path::new(&request.output).join(".store"), "`output`"),
    };
    let store = ArtifactStore::open(&root).map_err(|e| BadInput::one(format!("{field}: {e}")))?;
    let tasks = usize::try_from(division.tasks).unwrap_or(usize::MAX);
    let components = Components { store, survey: Arc::new(Library), settings: Settings::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let ended = runtime.block_on(async {
        let cluster = Cluster::start(components, workers, Memory::new(tasks, workers)).await?;
        let ended = drive(&cluster, &request, args.json).await;
        cluster.stop().await;
        ended
    })?;
    conclude(ended, args.json)
}

/// Submits the request and watches it to its end.
async fn drive(cluster: &Cluster, request: &Request, json: bool) -> anyhow::Result<JobProgress> {
    let mut client = JobServiceClient::new(cluster.channel().await?);
    let header = SubmitHeader { request_json: serde_json::to_string(request)? };
    let pieces = tokio_stream::once(SubmitJobRequest { piece: Some(Piece::Header(header)) });
    let submitted = client.submit_job(pieces).await.map_err(|status| match status.code() {
        Code::InvalidArgument => BadInput(status.message().lines().map(str::to_owned).collect()).into(),
        _ => anyhow!("{}", status.message()),
    })?;
    let job_id = submitted.into_inner().job_id;
    let mut watching = client.watch_job(WatchJobRequest { job_id: job_id.clone() }).await?.into_inner();
    let mut display = Display::new(json);
    let mut stop = std::pin::pin!(interrupted());
    let mut stopping = false;
    loop {
        tokio::select! {
            told = watching.message() => {
                let told = told?.and_then(|message| message.progress).context("the coordinator is gone")?;
                let progress = JobProgress::try_from(told)?;
                display.show(&progress);
                if progress.state.is_final() {
                    display.end();
                    return Ok(progress);
                }
            }
            () = &mut stop, if !stopping => {
                stopping = true;
                cancel(&mut client, &job_id).await?;
            }
        }
    }
}

async fn cancel(client: &mut JobServiceClient<Channel>, job_id: &str) -> anyhow::Result<()> {
    client.cancel_job(CancelJobRequest { job_id: job_id.to_owned() }).await?;
    Ok(())
}

/// Resolves when the process is asked to stop.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Tells how it ended.
fn conclude(ended: JobProgress, json: bool) -> anyhow::Result<Exit> {
    match ended.state {
        JobState::Published { complete, at, report } => {
            if json {
                print(&format!("{}\n", report.trim_end()))?;
            } else {
                print(&crate::tables::published(&at, &report)?)?;
            }
            Ok(if complete { Exit::Complete } else { Exit::Incomplete })
        }
        JobState::Failed { error, internal: false } => Err(BadInput::one(error).into()),
        JobState::Failed { error, .. } => Err(anyhow!(error)),
        JobState::Cancelled => {
            Err(anyhow!("stopped: nothing was published; what is done is kept, run it again to go on"))
        }
        JobState::Running | JobState::Publishing => Err(anyhow!("the coordinator stopped telling")),
    }
}
