//! The world: a clock, what happens next, what is stored and noted, and what goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use coordinator::table::{Grant, Saved, Settings};
use fastrand::Rng;

use super::coordinators::Coordinator;
use super::plan::Job;
use super::seen::{Seen, What};
use super::workers::{Answer, Call, Caller, NO_ANSWER, Waking, Worker};

/// Nothing goes wrong after this.
const PEACE: Duration = Duration::from_secs(150);
/// Everything has come to its end by then.
const END: Duration = Duration::from_secs(900);

/// Something that happens at its time.
pub enum Event {
    /// A coordinator looks around.
    Tick(usize),
    /// A coordinator writes to etcd what there is to be noted.
    Note(usize),
    /// A worker's life wakes, unless it has ended.
    Worker { from: Caller, what: Waking },
    /// A call arrives; its answer may get lost.
    Call { from: Caller, to: usize, call: Call, is_answered: bool },
    /// Something goes wrong.
    Trouble,
    /// A new leader is elected.
    Elect,
    /// A leader that leads no more learns of it.
    StepDown(usize),
}

/// A world.
pub struct World {
    pub seed: u64,
    pub rng: Rng,
    pub now: Duration,
    queue: BTreeMap<(Duration, u64), Event>,
    queued: u64,
    pub jobs: Vec<Job>,
    /// What is in the store: job and task.
    pub store: BTreeSet<(usize, u32)>,
    /// There is no room in the store before.
    pub full_until: Duration,
    /// What is in etcd.
    pub noted: Vec<Saved>,
    /// Tasks of which a worker was told that they are noted, and that nobody has found lost since.
    pub told: BTreeSet<(usize, u32)>,
    pub published: Vec<bool>,
    pub coordinators: Vec<Coordinator>,
    pub leader: Option<usize>,
    pub workers: Vec<Worker>,
    pub settings: Settings,
    pub seen: Seen,
}

impl World {
    /// The world of a seed.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let jobs: Vec<Job> = (0..rng.usize(1..=3)).map(|n| Job::random(format!("job-{n}"), &mut rng)).collect();
        let workers = (0..rng.usize(1..=4)).map(|_| Worker::with(rng.usize(1..=3))).collect();
        let settings = Settings {
            lease: Duration::from_secs(6),
            tries: 5,
            tail: Duration::from_secs(3),
            room: Some(Duration::from_secs(2)),
            ..Settings::default()
        };
        let mut world = Self {
            seed,
            rng,
            now: Duration::ZERO,
            queue: BTreeMap::new(),
            queued: 0,
            store: BTreeSet::new(),
            full_until: Duration::ZERO,
            noted: vec![Saved::default(); jobs.len()],
            told: BTreeSet::new(),
            published: vec![false; jobs.len()],
            jobs,
            coordinators: Vec::new(),
            leader: None,
            workers,
            settings,
            seen: Seen::default(),
        };
        world.elect();
        (0..world.workers.len()).for_each(|worker| world.begin(worker));
        world.after(Duration::from_secs(1), Event::Trouble);
        world
    }

    /// Lets everything happen: what was seen.
    pub fn run(mut self) -> Seen {
        while !self.published.iter().all(|published| *published) {
            let Some(((at, _), event)) = self.queue.pop_first() else { panic!("seed {}: nothing happens", self.seed) };
            assert!(at < END, "seed {}: it does not end: {:?}", self.seed, self.published);
            self.now = at;
            self.happen(event);
        }
        self.seen
    }

    pub fn after(&mut self, time: Duration, event: Event) {
        self.queued += 1;
        self.queue.insert((self.now + time, self.queued), event);
    }

    /// A time up to so many milliseconds.
    pub fn within(&mut self, millis: u64) -> Duration {
        Duration::from_millis(self.rng.u64(1..=millis))
    }

    /// Once in so many times, while there is trouble.
    pub fn is_bad(&mut self, times: u32) -> bool {
        self.rng.u32(..times) == 0 && self.now < PEACE
    }

    /// The number of a lease's job.
    pub fn job_of(&self, grant: &Grant) -> usize {
        self.jobs.iter().position(|job| job.id == grant.job).expect("a job")
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Tick(coordinator) => self.tick(coordinator),
            Event::Note(coordinator) => self.note(coordinator),
            Event::Elect => self.elect(),
            Event::StepDown(coordinator) => self.coordinators[coordinator].leads = false,
            Event::Trouble => self.trouble(),
            Event::Call { from, to, call, is_answered } => self.arrive(from, to, call, is_answered),
            Event::Worker { from, what } => {
                let Worker { life, stalled_until, .. } = self.workers[from.worker];
                if life == from.life && stalled_until > self.now {
                    self.wake(from, stalled_until - self.now, what);
                } else if life == from.life {
                    self.wakes(from, what);
                }
            }
        }
    }

    fn arrive(&mut self, from: Caller, to: usize, call: Call, is_answered: bool) {
        let answered = self.answer(from, to, &call, is_answered);
        match answered {
            // It is told once that is noted.
            None => {}
            Some(answer) if is_answered => self.tell(from, answer),
            Some(_) => self.wake(from, NO_ANSWER, Waking::Answer(Answer::Away(call))),
        }
    }

    pub fn tell(&mut self, from: Caller, answer: Answer) {
        let time = self.within(50);
        self.wake(from, time, Waking::Answer(answer));
    }

    // ------------------------------------------------------------ trouble

    fn trouble(&mut self) {
        if self.now > PEACE {
            return;
        }
        let worker = self.rng.usize(..self.workers.len());
        match self.rng.u8(..12) {
            0..=2 => self.crash(worker),
            3..=4 => {
                let time = self.within(15_000);
                self.workers[worker].stalled_until = self.now + time;
                self.seen.count(What::Stalls);
            }
            5..=6 => self.lose(),
            7..=8 => self.vanish(),
            9 => {
                let time = self.within(5000);
                self.full_until = self.now + time;
            }
            _ => {}
        }
        let time = self.within(6000);
        self.after(time, Event::Trouble);
    }

    /// A worker dies, and another takes its place. Its messages that are under way arrive.
    fn crash(&mut self, worker: usize) {
        self.seen.count(What::Crashes);
        self.begin(worker);
        let time = self.within(5000);
        self.workers[worker].stalled_until = self.now + time;
    }

    /// The leader dies, or leads no more without knowing it yet.
    fn lose(&mut self) {
        let Some(leader) = self.leader.take() else { return };
        if self.rng.bool() {
            self.coordinators[leader].leads = false;
        } else {
            self.seen.count(What::Zombies);
            let time = self.within(12_000);
            self.after(time, Event::StepDown(leader));
        }
        let time = self.within(6000);
        self.after(time, Event::Elect);
    }

    /// An artifact vanishes, that others are made of or that is to be published.
    fn vanish(&mut self) {
        let there: Vec<(usize, u32)> = self.store.iter().copied().collect();
        if let Some(gone) = self.rng.choice(there) {
            self.store.remove(&gone);
        }
    }
}
