//! The task table in a made-up world with virtual time: coordinators that die, come back without their memory or go on as
//! zombies; workers that crash, stand still past their leases, report twice or late; calls and answers that are lost;
//! artifacts that vanish, a disk that is full. Thousands of seeds, each a world of its own; the same seed gives the same.
//!
//! ```text
//! queue of (time, event) ─► World: store · etcd · coordinators (a real Table each) · workers ─► more events
//!                            └ after each event: the Book, which keeps what must hold
//! ```
//!
//! `SEED=17 cargo test -p coordinator --test simulation` lives through one world again.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

mod book;
mod coordinators;
mod driver;
mod plan;
mod schedules;
mod seen;
mod workers;
mod world;

use std::thread;

use seen::Seen;
use world::World;

/// Worlds of one run.
const SEEDS: u64 = 4000;

fn seen(seed: u64) -> Seen {
    World::new(seed).run()
}

/// No task is lost, done twice, tried for ever or kept waiting while somebody is free; everything comes to its end.
#[test]
fn thousands_of_worlds_come_to_a_good_end() {
    if let Some(seed) = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        let _ = seen(seed);
        return;
    }
    let threads = thread::available_parallelism().map_or(1, usize::from) as u64;
    let sum: Seen = thread::scope(|scope| {
        let some = |n: u64| (1..=SEEDS).filter(move |seed| seed % threads == n).map(seen).sum::<Seen>();
        let running: Vec<_> = (0..threads).map(|n| scope.spawn(move || some(n))).collect();
        running.into_iter().map(|thread| thread.join().expect("a world is not as it must be")).sum()
    });
    for (what, count) in sum.counts() {
        assert!(count > SEEDS / 20, "{what}: only {count} in {SEEDS} worlds");
    }
}

#[test]
fn the_same_seed_gives_the_same() {
    for seed in 1..20 {
        assert_eq!(seen(seed), seen(seed));
    }
}
