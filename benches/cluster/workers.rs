//! Workers that do no pixels, each with a connection of its own.
//!
//! Where a rate is held, each worker rests after a task for as long as makes all of them together do so many a second: a
//! grant is measured as a worker sees it that has a slot free, and not as the queue that those make who never rest.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use proto::coordinators::{Access, Coordinators, is_away};
use proto::wire::job_service_client::JobServiceClient;
use proto::wire::submit_job_request::Piece;
use proto::wire::task_report::Outcome;
use proto::wire::work_service_client::WorkServiceClient;
use proto::wire::{
    GetJobRequest, LeaseTasksRequest, ReportTasksRequest, SubmitHeader, SubmitJobRequest, TaskDone, TaskReport,
};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tonic::transport::Uri;

/// What workers have seen.
#[derive(Default)]
pub struct Seen {
    /// Tasks that were reported done, and acknowledged.
    pub done: u64,
    /// How long each grant took, seconds.
    pub grants: Vec<f64>,
    /// How long each report took, seconds.
    pub reports: Vec<f64>,
    /// Reports that were not taken.
    pub refused: u64,
}

/// Many workers.
pub struct Crowd {
    seen: Arc<Mutex<Seen>>,
    stop: watch::Sender<bool>,
    running: JoinSet<()>,
}

fn at(urls: &[&str]) -> Coordinators {
    let uris: Vec<Uri> = urls.iter().map(|url| url.parse().expect("a coordinator's URL")).collect();
    Coordinators::at(&uris, Access::default()).expect("addresses without TLS")
}

impl Crowd {
    /// Starts so many, whose work takes so long; where there is a rate, they do so many tasks a second together.
    pub fn start(urls: &[&str], workers: usize, work: Duration, rate: Option<f64>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (seen, mut running) = (Arc::<Mutex<Seen>>::default(), JoinSet::new());
        for number in 0..workers {
            let (seen, mut stopped, coordinators) = (Arc::clone(&seen), stopped.clone(), at(urls));
            let id = format!("bench-{}-{number}", std::process::id());
            let every = rate.map(|rate| Duration::from_secs_f64(workers as f64 / rate));
            // Workers do not come all at one moment.
            let first = every.map_or(Duration::ZERO, |every| every * number as u32 / workers as u32);
            let worker = Worker { id, coordinators, seen, work, every, first };
            running.spawn(async move {
                tokio::select! {
                    () = worker.work() => {}
                    _ = stopped.changed() => {}
                }
            });
        }
        Self { seen, stop, running }
    }

    /// What has been seen since this was last asked.
    pub fn take(&self) -> Seen {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Stops all.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.running.join_next().await.is_some() {}
    }
}

/// Works for a coordinator until it is killed; its work is a sleep.
pub async fn sleep_on(url: &str) {
    let crowd = Crowd::start(&[url], 1, Duration::from_millis(250), None);
    loop {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(crowd.take());
    }
}

struct Worker {
    id: String,
    coordinators: Coordinators,
    seen: Arc<Mutex<Seen>>,
    work: Duration,
    /// From one task's beginning to the next one's, where a rate is held.
    every: Option<Duration>,
    first: Duration,
}

impl Worker {
    fn see(&self, see: impl FnOnce(&mut Seen)) {
        see(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn work(&self) {
        let mut next = tokio::time::Instant::now() + self.first;
        loop {
            if let Some(every) = self.every {
                // Who is late does not make up for it.
                tokio::time::sleep_until(next).await;
                next = next.max(tokio::time::Instant::now() - every) + every;
            }
            let mut client = WorkServiceClient::new(self.coordinators.current());
            let request = LeaseTasksRequest { worker_id: self.id.clone(), free_slots: 1, wait_ms: 15_000 };
            let since = Instant::now();
            let leases = match client.lease_tasks(request).await {
                Ok(response) => response.into_inner().leases,
                Err(status) => {
                    assert!(is_away(&status), "{status}");
                    self.coordinators.turn(&status);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            if !leases.is_empty() {
                self.see(|seen| seen.grants.push(since.elapsed().as_secs_f64()));
            }
            for lease in leases {
                tokio::time::sleep(self.work).await;
                let done = TaskDone { bytes_read: 1 << 20, bytes_written: 1 << 20, ..TaskDone::default() };
                self.report(TaskReport { lease: lease.r#ref, outcome: Some(Outcome::Done(done)) }).await;
            }
        }
    }

    async fn report(&self, report: TaskReport) {
        let request = ReportTasksRequest { worker_id: self.id.clone(), reports: vec![report] };
        let since = Instant::now();
        let mut client = WorkServiceClient::new(self.coordinators.current());
        match client.report_tasks(request).await {
            Ok(answer) if answer.get_ref().refused.is_empty() => self.see(|seen| {
                seen.done += 1;
                seen.reports.push(since.elapsed().as_secs_f64());
            }),
            _ => self.see(|seen| seen.refused += 1),
        }
    }
}

/// Submits a request whose files the coordinator reads itself: how many tasks it has.
pub async fn submit(url: &str, request: &str) -> u64 {
    let mut client = JobServiceClient::new(at(&[url]).current());
    let header = SubmitHeader { request_json: request.to_owned(), priority: 0 };
    let pieces = tokio_stream::iter([SubmitJobRequest { piece: Some(Piece::Header(header)) }]);
    let job_id = client.submit_job(pieces).await.expect("it is taken").into_inner().job_id;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let progress = client.get_job(GetJobRequest { job_id }).await.expect("it is known").into_inner().progress;
    progress.expect("it has a progress").tasks.iter().map(|count| u64::from(count.total)).sum()
}
