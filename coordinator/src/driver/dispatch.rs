//! Handing tasks out: leases are granted, renewed, and reported on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use artifacts::StoreError;
use mosaic::plan::TaskKind;
use proto::work::{Lease, LeaseRef, Outcome};
use tokio::sync::oneshot;

use super::{Driver, Inner, NotLeader, PAUSE};
use crate::job::Job;
use crate::metrics::Ending;
use crate::table::{Grant, Report, Unknown};
use crate::trace::TaskContexts;

/// A grant with what it takes to tell the worker what to do.
struct Granted {
    grant: Grant,
    job: Arc<Job>,
    /// Tasks of the job that are set aside, where the task could do without them.
    failed: Vec<u32>,
    contexts: Option<TaskContexts>,
}

impl Driver {
    /// Grants tasks to a worker, waiting for one at most `patience`.
    pub async fn lease(&self, worker: &str, slots: usize, patience: Duration) -> Vec<Lease> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let woken = self.ready.notified();
            let granted = self.grant(worker, slots);
            if !granted.is_empty() {
                return self.leases(worker, granted).await;
            }
            if tokio::time::timeout_at(deadline, woken).await.is_err() {
                return Vec::new();
            }
        }
    }

    fn grant(&self, worker: &str, slots: usize) -> Vec<Granted> {
        let now = self.now();
        let mut inner = self.lock();
        if now < inner.grants_from {
            return Vec::new();
        }
        let grants = inner.table.lease(worker, slots, now);
        if !grants.is_empty() && inner.table.has_work(now) {
            self.ready.notify_one();
        }
        grants.into_iter().filter_map(|grant| Granted::of(&inner, grant)).collect()
    }

    /// What a worker is told: a task's name and key are worked out without the lock. Where what the task must read cannot
    /// be stored, it is had again later.
    async fn leases(&self, worker: &str, granted: Vec<Granted>) -> Vec<Lease> {
        let (since, mut leases) = (Instant::now(), Vec::with_capacity(granted.len()));
        for granted in granted {
            if let Err(error) = self.keep_inputs(&granted).await {
                tracing::warn!(%error, job = granted.grant.job, "a task cannot be handed out yet");
                tokio::time::sleep(PAUSE).await;
                // It may not be its any more.
                let _ = self.take(worker, &granted.grant, Report::HandedBack);
                continue;
            }
            leases.extend(granted.lease(self.components.settings.lease));
        }
        self.metrics.granted(leases.len(), since.elapsed());
        leases
    }

    /// What has failed is known only now, and it may be much: it is kept in the store.
    async fn keep_inputs(&self, Granted { grant, job, failed, .. }: &Granted) -> Result<(), StoreError> {
        let is_picture = job.planned.layout().kind(grant.task) == Some(TaskKind::Quicklook);
        if failed.is_empty() && !is_picture {
            return Ok(());
        }
        let (task, store) = (grant.task, self.components.store.clone());
        let (job, failed) = (Arc::clone(job), failed.clone());
        let kept = tokio::task::spawn_blocking(move || job.keep_inputs(task, &failed, &store)).await;
        let panicked = |panic| StoreError::Io { what: "a task".to_owned(), source: std::io::Error::other(panic) };
        kept.unwrap_or_else(|panic| Err(panicked(panic)))
    }

    /// Renews leases; returns those that are void.
    pub fn renew(&self, worker: &str, leases: &[LeaseRef]) -> Vec<LeaseRef> {
        let now = self.now();
        let mut inner = self.lock();
        let mut is_void = |lease: &&LeaseRef| {
            let grant = inner.grant(lease);
            !grant.is_some_and(|(_, grant)| inner.table.renew(worker, &grant, now))
        };
        leases.iter().filter(|lease| is_void(lease)).cloned().collect()
    }

    /// Takes back what a worker holds that goes away.
    pub fn leave(self: &Arc<Self>, worker: &str) {
        self.free_permits(worker);
        let left = self.lock().table.leave(worker, self.now());
        self.wake();
        left.iter().for_each(|job| self.follow(job));
    }

    /// Records how tasks ended: it is noted down when this returns. Those that are refused: the lease is no longer the
    /// worker's, and the artifact is not there.
    ///
    /// # Errors
    /// Where it cannot be noted down any more, as another leads.
    pub async fn report(
        self: &Arc<Self>,
        worker: &str,
        reports: Vec<(LeaseRef, Outcome)>,
    ) -> Result<Vec<LeaseRef>, NotLeader> {
        let since = Instant::now();
        let (mut taken, mut jobs, mut refused) = (Vec::new(), BTreeSet::new(), Vec::new());
        for (lease, outcome) in reports {
            match self.report_one(worker, &lease, outcome).await {
                Ok(noted) => {
                    taken.push(noted);
                    jobs.insert(lease.job);
                }
                Err(Unknown) => refused.push(lease),
            }
        }
        self.to_note.notify_one();
        self.wake();
        jobs.iter().for_each(|job| self.follow(job));
        for noted in taken {
            noted.await.map_err(|_| self.leads().err().unwrap_or(NotLeader { leader: None }))?;
        }
        self.metrics.report_took(since.elapsed());
        Ok(refused)
    }

    async fn report_one(
        self: &Arc<Self>,
        worker: &str,
        lease: &LeaseRef,
        outcome: Outcome,
    ) -> Result<oneshot::Receiver<()>, Unknown> {
        let ending = Ending::of(&outcome);
        // What was lost is looked up by its key, which says what it lacks.
        let is_lost = matches!(outcome, Outcome::InputsLost(_));
        let known = {
            let inner = self.lock();
            inner.grant(lease).map(|known| (known, if is_lost { inner.failed(&lease.job) } else { Vec::new() }))
        };
        let taken = match known {
            None => Err(Unknown),
            Some(((job, grant), failed)) => {
                let report = job.report(grant.task, outcome, &failed);
                let is_plan_lost = report == Report::PlanLost;
                match self.take(worker, &grant, report) {
                    Err(Unknown) if ending == Ending::Done => self.find(job, &grant).await,
                    taken => {
                        if is_plan_lost && taken.is_ok() {
                            self.mend(&grant.job, &job);
                        }
                        taken
                    }
                }
            }
        };
        self.metrics.reported(if taken.is_ok() { ending } else { Ending::Stale });
        taken
    }

    /// Takes a report; what resolves once it is noted down.
    fn take(&self, worker: &str, grant: &Grant, report: Report) -> Result<oneshot::Receiver<()>, Unknown> {
        let (tell, noted) = oneshot::channel();
        let mut inner = self.lock();
        inner.table.report(worker, grant, report, self.now())?;
        inner.waiting.push(tell);
        Ok(noted)
    }

    /// Whoever comes too late, or from another leader, may have stored the artifact all the same.
    async fn find(&self, job: Arc<Job>, grant: &Grant) -> Result<oneshot::Receiver<()>, Unknown> {
        let failed: Vec<u32> = {
            let inner = self.lock();
            inner.table.job(&grant.job).filter(|table| table.ended().is_none()).ok_or(Unknown)?;
            inner.failed(&grant.job)
        };
        let (store, task) = (self.components.store.clone(), grant.task);
        let looked = tokio::task::spawn_blocking(move || job.is_there(task, &failed, &store)).await;
        if !looked.unwrap_or_default() {
            return Err(Unknown);
        }
        let (tell, noted) = oneshot::channel();
        let mut inner = self.lock();
        inner.table.found(&grant.job, grant.task);
        inner.waiting.push(tell);
        Ok(noted)
    }
}

impl Inner {
    /// Tasks of a job that are set aside, ascending.
    fn failed(&self, job: &str) -> Vec<u32> {
        self.table.job(job).map_or_else(Vec::new, |table| table.failures().keys().copied().collect())
    }

    /// What a lease means in the table, and its job.
    fn grant(&self, lease: &LeaseRef) -> Option<(Arc<Job>, Grant)> {
        let job = self.jobs.get(&lease.job)?.job.clone()?;
        let task = job.planned.find(&lease.task)?;
        Some((job, Grant { job: lease.job.clone(), task, epoch: lease.epoch }))
    }
}

impl Granted {
    fn of(inner: &Inner, grant: Grant) -> Option<Self> {
        let running = inner.jobs.get(&grant.job)?;
        let (job, contexts) = (running.job.clone()?, running.contexts.clone());
        let failed = match job.planned.layout().kind(grant.task) {
            Some(TaskKind::Mosaic { .. } | TaskKind::Quicklook) => inner.failed(&grant.job),
            _ => Vec::new(),
        };
        Some(Self { grant, job, failed, contexts })
    }

    fn lease(self, ttl: Duration) -> Option<Lease> {
        let (task, spec) = self.job.spec(self.grant.task, &self.failed)?;
        let traceparent = self.contexts.map(|contexts| contexts.of_task(&task));
        let grant = LeaseRef { job: self.grant.job, task, epoch: self.grant.epoch };
        Some(Lease { grant, ttl, spec, traceparent })
    }
}
