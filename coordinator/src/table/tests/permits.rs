//! Shares of a budget, whatever becomes of processes, messages and leaders.

use proptest::prelude::*;
use proto::permits::{Claim, Share};

use super::super::{Permits, Rules};
use super::*;

const LEASE: Duration = Duration::from_secs(10);

fn rules(limit: u32) -> Rules {
    Rules { limit, lease: LEASE, grace: LEASE }
}

fn claim(held: u32, wanted: u32) -> Vec<Claim> {
    vec![Claim { credential: "c".into(), held, wanted }]
}

/// A process as a worker is one: it obeys a share at once, and holds what is under way until that ends.
#[derive(Clone, Debug, Default)]
struct Process {
    number: u64,
    limit: u32,
    until: Duration,
    under_way: u32,
    wanted: u32,
}

impl Process {
    fn limit(&self, now: Duration) -> u32 {
        if now < self.until { self.limit } else { 0 }
    }

    /// What is under way is called off where the share has run out.
    fn held(&mut self, now: Duration) -> u32 {
        if now >= self.until {
            self.under_way = 0;
        }
        self.limit(now).max(self.under_way)
    }

    fn begin(&mut self, now: Duration) {
        let _ = self.held(now);
        if self.under_way < self.limit(now).min(self.wanted) {
            self.under_way += 1;
        }
    }

    fn claims(&mut self, now: Duration) -> (u64, Vec<Claim>) {
        self.number += 1;
        (self.number, claim(self.held(now), self.wanted))
    }

    fn obey(&mut self, shares: &[Share], sent: Duration) {
        if let [Share { permits, .. }] = shares {
            (self.limit, self.until) = (*permits, sent + LEASE);
        }
    }
}

/// What happens next; numbers choose a process.
#[derive(Clone, Copy, Debug)]
enum Event {
    Want(u8, u8),
    Begin(u8),
    End(u8),
    /// It claims, and is answered after so many milliseconds.
    Claim(u8, u16),
    /// What it claims is never heard.
    Unheard(u8),
    /// What it is answered is never heard.
    Unanswered(u8),
    /// What it claimed before, and has not waited for, comes now.
    Late(u8),
    Leave(u8),
    TakeOver,
    Pass(u16),
}

fn event() -> impl Strategy<Value = Event> {
    let any = any::<u8>;
    prop_oneof![
        3 => (any(), 0..20u8).prop_map(|(process, wanted)| Event::Want(process, wanted)),
        8 => any().prop_map(Event::Begin),
        3 => any().prop_map(Event::End),
        8 => (any(), 0..3000u16).prop_map(|(process, takes)| Event::Claim(process, takes)),
        1 => any().prop_map(Event::Unheard),
        2 => any().prop_map(Event::Unanswered),
        2 => any().prop_map(Event::Late),
        1 => any().prop_map(Event::Leave),
        1 => Just(Event::TakeOver),
        3 => (0..12_000u16).prop_map(Event::Pass),
    ]
}

/// Processes that share a budget, and who shares it out.
struct World {
    permits: Permits,
    limit: u32,
    now: Duration,
    processes: Vec<Process>,
    /// Claims that are still on their way.
    late: Vec<Option<(u64, Vec<Claim>)>>,
}

impl World {
    fn new(limit: u32) -> Self {
        let permits = Permits::beginning(rules(limit), Duration::ZERO);
        Self { permits, limit, now: Duration::ZERO, processes: vec![Process::default(); 5], late: vec![None; 5] }
    }

    fn claimed(&mut self, at: usize, claims: (u64, Vec<Claim>)) -> Vec<Share> {
        self.permits.claim(&format!("w{at}"), claims.0, claims.1, self.now)
    }

    fn happen(&mut self, event: Event) {
        let now = self.now;
        let number = |process: u8| usize::from(process) % 5;
        match event {
            Event::Want(process, wanted) => self.processes[number(process)].wanted = wanted.into(),
            Event::Begin(process) => self.processes[number(process)].begin(now),
            Event::End(process) => {
                let process = &mut self.processes[number(process)];
                process.under_way = process.under_way.saturating_sub(1);
            }
            Event::Claim(process, takes) => {
                let at = number(process);
                let claims = self.processes[at].claims(now);
                let shares = self.claimed(at, claims);
                self.pass(Duration::from_millis(takes.into()));
                self.processes[at].obey(&shares, now);
            }
            Event::Unheard(process) => {
                let at = number(process);
                self.late[at] = Some(self.processes[at].claims(now));
            }
            Event::Unanswered(process) => {
                let claims = self.processes[number(process)].claims(now);
                drop(self.claimed(number(process), claims));
            }
            Event::Late(process) => {
                if let Some(claims) = self.late[number(process)].take() {
                    drop(self.claimed(number(process), claims));
                }
            }
            Event::Leave(process) => {
                let at = number(process);
                self.permits.leave(&format!("w{at}"));
                let number = self.processes[at].number;
                self.processes[at] = Process { number, ..Process::default() };
                self.late[at] = None;
            }
            Event::TakeOver => {
                self.permits = Permits::beginning(rules(self.limit), now);
                self.late.fill(None);
            }
            Event::Pass(time) => self.pass(Duration::from_millis(time.into())),
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn held(&mut self) -> u32 {
        let now = self.now;
        self.processes.iter_mut().map(|process| process.held(now)).sum()
    }
}

proptest! {
    #[test]
    fn never_more_is_held_than_the_limit(limit in 1..12u32, events in prop::collection::vec(event(), 1..200)) {
        let mut world = World::new(limit);
        for event in events {
            world.happen(event);
            let held = world.held();
            prop_assert!(held <= limit, "{held} held of {limit} after {event:?}");
        }
        // In the end all that is wanted is had, or all that there is.
        let wanted: u32 = world.processes.iter().map(|process| process.wanted).sum();
        let mut had = 0;
        for second in 0..60 {
            world.pass(Duration::from_secs(1));
            // What is under way ends.
            world.processes.iter_mut().for_each(|process| process.under_way = 0);
            (0..5u8).for_each(|process| world.happen(Event::Claim(process, 0)));
            let now = world.now;
            let has: u32 = world.processes.iter().map(|process| process.limit(now)).sum();
            // Where they take turns, one may have given its share up before the next one asks again.
            had = if second < 40 { 0 } else { had.max(has) };
        }
        prop_assert!(had == wanted.min(limit), "{had} of {}", wanted.min(limit));
    }
}

#[test]
fn shares_are_fair_and_no_more_than_is_wanted() {
    let mut permits = Permits::beginning(Rules { grace: Duration::ZERO, ..rules(40) }, Duration::ZERO);
    let mut share = |process: &str, number, held, wanted| {
        permits.claim(process, number, claim(held, wanted), Duration::ZERO).pop().unwrap().permits
    };
    assert_eq!(share("a", 1, 0, 100), 40, "it is alone");
    assert_eq!(share("b", 1, 0, 5), 0, "what another holds is not given away");
    assert_eq!(share("a", 2, 40, 100), 35);
    assert_eq!(share("b", 2, 0, 5), 0, "not before it is told that it is held no more");
    assert_eq!(share("a", 3, 35, 100), 35);
    assert_eq!(share("b", 3, 0, 5), 5);
    assert_eq!(share("c", 1, 0, 100), 0);
    assert_eq!((share("a", 4, 35, 100), share("a", 5, 18, 100), share("c", 2, 0, 100)), (18, 18, 17));
}

#[test]
fn who_is_silent_past_its_lease_has_lost_its_share_and_not_before() {
    let mut permits = Permits::beginning(Rules { grace: Duration::ZERO, ..rules(4) }, Duration::ZERO);
    let mut share = |process: &str, number, wanted, now| {
        permits.claim(process, number, claim(0, wanted), now).pop().unwrap().permits
    };
    assert_eq!(share("a", 1, 4, Duration::ZERO), 4);
    assert_eq!(share("b", 1, 4, LEASE - Duration::from_millis(1)), 0);
    assert_eq!(share("b", 2, 4, LEASE), 4);
}

#[test]
fn more_processes_than_permits_take_turns() {
    let mut permits = Permits::beginning(Rules { grace: Duration::ZERO, ..rules(2) }, Duration::ZERO);
    let (mut held, mut served) = ([0u32; 5], [0u32; 5]);
    for second in 1..=200u64 {
        for process in 0..5 {
            let name = format!("w{process}");
            let now = Duration::from_secs(second);
            held[process] = permits.claim(&name, second, claim(held[process], 3), now).pop().unwrap().permits;
            served[process] += held[process];
        }
        assert!(held.iter().sum::<u32>() <= 2);
    }
    assert!(served.iter().all(|seconds| *seconds > 40), "{served:?}");
}
