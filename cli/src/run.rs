//! `run`: the whole job in one process.

use std::sync::Arc;
use std::time::Duration;

use artifacts::ArtifactStore;
use coordinator::driver::Components;
use coordinator::publish::version;
use coordinator::state;
use coordinator::table::{Rules, Settings};
use earth_engine::Budgets;
use mosaic::request::Request;
use proto::allow::Allow;
use tracing::Instrument;
use worker::budget::Budget;
use worker::library::Library;
use worker::read::Door;

use crate::args::RunArgs;
use crate::attach::Submission;
use crate::client::{Client, Ended, conclude};
use crate::cluster::Cluster;
use crate::exit::{BadInput, Exit};
use crate::progress::Display;
use crate::{input, memory, telemetry};

/// Runs a request to its end.
pub fn run(args: &RunArgs) -> anyhow::Result<Exit> {
    let request = input::read(&args.request)?;
    let division = memory::divide(args.memory)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = args.workers.map_or(cores, usize::from);
    worker::set_gdal_cache(division.gdal);
    worker::load_gdal_meanwhile();
    let access = args.access.access();
    let files = memory::files(args.scratch.size, &access.scratch);
    // Asked before the store is opened, which is in the output unless told otherwise.
    version::check(&request, &access).map_err(|e| BadInput::one(e.to_string()))?;
    let (place, field) = match &args.store {
        Some(store) => (store.clone(), "--store"),
        None => (store_in(&request), "`output`"),
    };
    let store = ArtifactStore::open(&place, &access).map_err(|e| BadInput::one(format!("{field}: {e}")))?;
    let tasks = usize::try_from(division.tasks).unwrap_or(usize::MAX);
    let door = Door::remembering().with(access.clone()).within(Budgets::shared());
    let components = Components {
        store,
        access,
        survey: Arc::new(Library::behind(door.clone())),
        // Whoever runs it may read what he may.
        allow: Allow::everything(),
        settings: Settings::default(),
        // Nobody has given a share before it.
        rules: Rules { grace: Duration::ZERO, ..Rules::default() },
        budgets: Budgets::shared(),
        state: Arc::new(state::Memory::default()),
        role: state::Memory::role(),
        traced_tasks: args.traced.tasks,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let ended = runtime.block_on(async {
        let budgets = [Budget::new(tasks, workers), Budget::new(files, workers)];
        let cluster = Cluster::start(components, workers, budgets, door).await?;
        let span = tracing::info_span!("run", mosaic = request.name);
        telemetry::follow_environment(&span);
        let ended = drive(&cluster, &request, args.json).instrument(span).await;
        cluster.stop().await;
        ended
    })?;
    conclude(ended, args.json)
}

/// The store of an output: in it, and opened by the same profile.
fn store_in(request: &Request) -> String {
    let store = format!("{}/.store", request.output.trim_end_matches('/'));
    match &request.profile {
        Some(profile) => format!("{store}?profile={profile}"),
        None => store,
    }
}

/// Submits the request and watches it to its end. Told to stop, it stops the job first.
async fn drive(cluster: &Cluster, request: &Request, json: bool) -> anyhow::Result<Ended> {
    let client = Client::new(cluster.coordinators().await?, "in-process");
    let job_id = client.submit(&Submission::bare(request)?).await?;
    let mut display = Display::new(json);
    let mut watching = std::pin::pin!(client.watch(job_id.clone(), None, &mut display));
    tokio::select! {
        ended = &mut watching => return ended,
        () = interrupted() => client.cancel(&job_id).await?,
    }
    watching.await
}

/// Resolves when the process is asked to stop.
pub async fn interrupted() {
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
