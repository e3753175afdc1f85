//! The processes that serve: `coordinator` and `worker`.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use artifacts::{Access, ArtifactStore, StoreError};
use coordinator::driver::{Components, Driver};
use coordinator::services;
use coordinator::state::{Etcd, EtcdAccess, Memory, Role, StateError, Store};
use coordinator::table::{Rules, Settings};
use earth_engine::Budgets;
use proto::allow::Allow;
use proto::refusal::refusal;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_stream::wrappers::TcpListenerStream;
use worker::agent::{self, AgentError};
use worker::budget::Budget;
use worker::execute::Executor;
use worker::library::Library;
use worker::metrics::Metrics;
use worker::read::Door;

use crate::args::{CoordinatorArgs, WorkerArgs};
use crate::exit::{BadInput, Exit};
use crate::{access, health, memory, metrics, print};

/// Between two attempts to open a store.
const PAUSE: Duration = Duration::from_secs(2);
/// How long a coordinator that is told to stop lets calls end.
const GRACE: Duration = Duration::from_secs(5);

/// How long nothing of a mosaic is handed out after the store had no room.
const ROOM: Duration = Duration::from_secs(10);

/// Coordinates until it is told to stop.
pub fn coordinator(args: &CoordinatorArgs) -> anyhow::Result<Exit> {
    let entry = access::of_coordinator(args)?;
    let allow = Allow::under(&args.allow).map_err(|e| BadInput::one(e.to_string()))?;
    let access = args.access.access();
    let store = ArtifactStore::open(&args.store, &access).map_err(|e| BadInput::one(format!("--store: {e}")))?;
    runtime()?.block_on(async {
        let failed = |e: std::io::Error| BadInput::one(format!("--listen {}: {e}", args.listen));
        let listener = TcpListener::bind(args.listen).await.map_err(failed)?;
        let at = listener.local_addr()?;
        let probed = health::listener(args.health).await?;
        let stopped = stop_when_told();
        let scheme = if entry.tls.is_some() { "https" } else { "http" };
        let advertise = args.advertise.as_ref().map_or_else(|| format!("{scheme}://{at}"), ToString::to_string);
        let (state, role) = state(&args.etcd, access::of_etcd(&args.etcd_access)?, advertise, stopped.clone()).await?;
        // A full disk is waited for: others may make room.
        let settings =
            Settings { lease: Duration::from_secs(args.lease.into()), room: Some(ROOM), ..Settings::default() };
        let budgets = Budgets::shared();
        let door = Door::new(allow.clone()).with(access.clone()).within(Arc::clone(&budgets));
        let (survey, traced_tasks, rules) =
            (Arc::new(Library::behind(door)), args.traced.tasks, Rules::within(settings.lease));
        let components =
            Components { store, access, survey, allow, settings, rules, budgets, state, role, traced_tasks };
        let driver = Driver::start(components).await;
        let mut registry = metrics::registry();
        coordinator::metrics::register(&driver, &mut registry);
        metrics::serve(&args.metrics, registry).await?;
        // Whoever started it may wait for this line.
        print(&format!("{scheme}://{at}\n"))?;
        tracing::info!(%at, "listening");
        probed.map(|listener| tokio::spawn(services::serve_health(TcpListenerStream::new(listener))));
        let (mut stop, mut late) = (stopped.clone(), stopped);
        let stopping = async move { drop(stop.wait_for(|stopped| *stopped).await) };
        tokio::select! {
            served = services::serve(&driver, &entry, TcpListenerStream::new(listener), stopping) => served?,
            // Those that watch or wait for tasks do so elsewhere.
            () = async { drop(late.wait_for(|stopped| *stopped).await); tokio::time::sleep(GRACE).await } => {}
        }
        Ok(Exit::Complete)
    })
}

/// Where requests are kept, and whether this coordinator leads.
async fn state(
    etcd: &[String],
    access: EtcdAccess,
    advertise: String,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<(Arc<dyn Store>, watch::Receiver<Role>)> {
    if etcd.is_empty() {
        return Ok((Arc::new(Memory::default()), Memory::role()));
    }
    let failed = |e: StateError| BadInput::one(format!("--etcd {}: {e}", etcd.join(",")));
    let (state, role) = Etcd::join_as(etcd, access, advertise, stopped).await.map_err(failed)?;
    Ok((state, role))
}

/// Works until it is told to stop.
pub fn worker(args: &WorkerArgs) -> anyhow::Result<Exit> {
    let division = memory::divide(args.memory)?;
    worker::set_gdal_cache(division.gdal);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let slots = args.slots.map_or(cores, usize::from);
    let own = Allow::under(&args.allow).map_err(|e| BadInput::one(e.to_string()))?;
    let runtime = runtime()?;
    let worked = runtime.block_on(async {
        let mut registry = metrics::registry();
        let counted = Arc::new(Metrics::registered(&mut registry, slots));
        metrics::serve(&args.metrics, registry).await?;
        let memory = Budget::new(usize::try_from(division.tasks).unwrap_or(usize::MAX), slots);
        let access = args.access.access();
        let scratch = Budget::new(memory::files(args.scratch.size, &access.scratch), slots);
        let budgets = Budgets::shared();
        let settings = agent::Settings {
            worker_id: process_id(),
            slots,
            memory: Arc::clone(&memory),
            scratch: Arc::clone(&scratch),
            metrics: counted,
            budgets: Some(Arc::clone(&budgets)),
        };
        let stopped = stop_when_told();
        let executors = Executors {
            memory,
            scratch,
            pool: ::worker::pool(slots)?,
            access,
            budgets,
            opened: Mutex::default(),
            stopped: stopped.clone(),
        };
        let open = |store: &str, allowed: Allow| executors.of(store, own.and(&allowed));
        match agent::work(args.at.coordinators()?, open, settings, stopped.clone()).await {
            // It was told to stop while it waited for its store.
            Err(AgentError::Store(StoreError::Away { .. })) if *stopped.borrow() => Ok(Exit::Complete),
            Err(error @ AgentError::Store(_)) => Err(BadInput::one(error.to_string()).into()),
            Err(AgentError::Refused(status)) if refusal(&status).is_some() => {
                let why = refusal(&status).unwrap_or_default();
                Err(BadInput::one(format!("--coordinator {}: {why}", args.at.called())).into())
            }
            worked => Ok(worked.map(|()| Exit::Complete)?),
        }
    });
    // A task that was left to itself is not waited for: it may never end.
    runtime.shutdown_background();
    worked
}

/// A store and what may be read, and who executes tasks with them.
struct Opened {
    store: String,
    allow: Allow,
    executor: Arc<Executor>,
}

/// The executor of the store that coordinators name, and of what they allow: one at a time, as they all name the same.
struct Executors {
    memory: Arc<Budget>,
    scratch: Arc<Budget>,
    pool: Arc<rayon::ThreadPool>,
    access: Access,
    budgets: Arc<Budgets>,
    opened: Mutex<Option<Opened>>,
    stopped: watch::Receiver<bool>,
}

impl Executors {
    fn of(&self, store: &str, allow: Allow) -> Result<Arc<Executor>, StoreError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = opened.as_ref().filter(|known| known.store == store && known.allow == allow) {
            return Ok(Arc::clone(&known.executor));
        }
        let artifacts = self.open(store)?;
        let executor = Executor::new(artifacts, Arc::clone(&self.memory), Arc::clone(&self.pool));
        let executor = executor.with_scratch(Arc::clone(&self.scratch));
        let door = Door::new(allow.clone()).with(self.access.clone()).within(Arc::clone(&self.budgets));
        let executor = Arc::new(executor.behind(door));
        *opened = Some(Opened { store: store.to_owned(), allow, executor: Arc::clone(&executor) });
        Ok(executor)
    }

    /// Opens a store, which is waited for where it is away: there is nothing else to do meanwhile.
    fn open(&self, store: &str) -> Result<ArtifactStore, StoreError> {
        loop {
            match tokio::task::block_in_place(|| ArtifactStore::open(store, &self.access)) {
                Err(error @ StoreError::Away { .. }) if !*self.stopped.borrow() => {
                    tracing::warn!(%error, "the store cannot be opened yet");
                    tokio::task::block_in_place(|| std::thread::sleep(PAUSE));
                }
                opened => return opened,
            }
        }
    }
}

/// Unique among all processes that ever were: machine, process, and when it was first asked.
pub fn process_id() -> String {
    static ID: OnceLock<String> = OnceLock::new();
    let id = || {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("{host}-{}-{:x}", std::process::id(), since.as_micros())
    };
    ID.get_or_init(id).clone()
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// Becomes true when the process is asked to stop.
fn stop_when_told() -> watch::Receiver<bool> {
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        crate::run::interrupted().await;
        stop.send_replace(true);
    });
    stopped
}
