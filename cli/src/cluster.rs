//! A whole cluster in one process: a coordinator and workers that speak gRPC over in-memory pipes.

use std::io;
use std::sync::Arc;

use coordinator::driver::{Components, Driver};
use coordinator::services;
use hyper_util::rt::TokioIo;
use proto::coordinators::Coordinators;
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Endpoint, Uri};
use worker::agent;
use worker::budget::Budget;
use worker::execute::Executor;
use worker::metrics::Metrics;
use worker::read::Door;

/// Bytes that a pipe holds.
const PIPE: usize = 256 << 10;

/// A coordinator and its workers.
pub struct Cluster {
    dial: mpsc::UnboundedSender<DuplexStream>,
    stop: watch::Sender<bool>,
    workers: JoinSet<()>,
}

impl Cluster {
    /// Starts a coordinator and `workers` workers, which share budgets, of memory and of files in the making, and what may be opened.
    pub async fn start(
        components: Components,
        workers: usize,
        [memory, scratch]: [Arc<Budget>; 2],
        door: Door,
    ) -> anyhow::Result<Self> {
        let (dial, dialled) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let store = components.store.clone();
        let driver = Driver::start(components).await;
        tokio::spawn(async move {
            let incoming = UnboundedReceiverStream::new(dialled).map(Ok::<DuplexStream, io::Error>);
            let settings = services::Settings::default();
            if let Err(error) = services::serve(&driver, &settings, incoming, std::future::pending()).await {
                tracing::error!(%error, "the coordinator's services ended");
            }
        });
        // One for all: what one worker has learnt of a file or of a plan, the others need not ask again.
        let budgets = Arc::clone(door.budgets());
        let executor = Executor::new(store, Arc::clone(&memory), worker::pool(workers)?).behind(door);
        let executor = Arc::new(executor.with_scratch(Arc::clone(&scratch)));
        let mut cluster = Self { dial, stop, workers: JoinSet::new() };
        let metrics = Arc::new(Metrics::default());
        for number in 0..workers {
            let coordinators = cluster.coordinators().await?;
            let executor = Arc::clone(&executor);
            let worker_id = format!("worker-{number}");
            let (memory, scratch, metrics) = (Arc::clone(&memory), Arc::clone(&scratch), Arc::clone(&metrics));
            // What they read they read together: one claims for all.
            let budgets = (number == 0).then(|| Arc::clone(&budgets));
            let settings = agent::Settings { worker_id, slots: 1, memory, scratch, metrics, budgets };
            let stopped = stopped.clone();
            cluster.workers.spawn(async move {
                let executors = |_: &str, _| Ok(Arc::clone(&executor));
                if let Err(error) = agent::work(coordinators, executors, settings, stopped).await {
                    tracing::error!(%error, "a worker ended");
                }
            });
        }
        Ok(cluster)
    }

    /// A connection to the coordinator.
    pub async fn coordinators(&self) -> anyhow::Result<Coordinators> {
        let dial = self.dial.clone();
        let connector = tower::service_fn(move |_: Uri| {
            let (ours, theirs) = tokio::io::duplex(PIPE);
            let dialled = dial.send(theirs).map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused));
            async move { dialled.map(|()| TokioIo::new(ours)) }
        });
        let channel = Endpoint::from_static("http://in-process").connect_with_connector(connector).await?;
        Ok(Coordinators::single(channel))
    }

    /// Stops the workers, once each has ended what it does.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.workers.join_next().await.is_some() {}
    }
}
