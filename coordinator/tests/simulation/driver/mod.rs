//! The real driver, several of it at a time, over one made-up etcd and a real store, in worlds where much goes wrong:
//! leaders are dropped or deposed without knowing it, etcd does not answer or its answers are lost, workers vanish and
//! stand still past their leases, artifacts are spoilt and removed until the very end. Only the pixels are made up.
//!
//! ```text
//! archive (a plan of real items) ─► drivers ◄─► etcd: terms, what is noted, and what must hold of every write
//!                                     ▲ └─► publication, compared with that of a world without trouble
//!                                  workers ─► store ◄─ trouble
//! ```
//!
//! Drivers tell time by a clock that goes on by itself, and wait for most of it: so many worlds live at once.
//! `DRIVERS=2000 cargo test -p coordinator --test simulation` lives through more of them.

mod etcd;
mod made;
mod workers;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use artifacts::{Access, ArtifactStore};
use coordinator::attachments::Attachments;
use coordinator::driver::{Components, Driver};
use coordinator::state::Role;
use coordinator::table::{Rules, Settings};
use earth_engine::Budgets;
use fastrand::Rng;
use mosaic::ids::Key;
use mosaic::projection::{Projection, ProjectionError};
use mosaic::request::{Request, parse};
use mosaic::survey::{RasterSurvey, Survey};
use proto::allow::Allow;
use serde_json::json;
use tempfile::TempDir;
use tests::World as Archive;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use etcd::{Etcd, Seat, Seen};
use made::Published;

/// Worlds of one run, and those that live at once.
const WORLDS: u64 = 150;
const AT_ONCE: usize = 75;
/// Nothing goes wrong after this.
const PEACE: Duration = Duration::from_secs(4);
/// How long the last of them may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// Headers that cannot be read: tasks would name them.
struct NoHeaders;

impl Survey for NoHeaders {
    fn exist(&self, hrefs: &[String]) -> Vec<Result<bool, String>> {
        hrefs.iter().map(|href| Err(format!("{href}: nobody is asked here"))).collect()
    }

    fn any_at_hand(&self, _: &[String]) -> bool {
        true
    }

    fn list(&self, directory: &str) -> Result<Vec<String>, String> {
        Err(format!("{directory}: nobody is asked here"))
    }

    fn raster(&self, _: &str, _: Option<&str>) -> Result<RasterSurvey, String> {
        Err("there is no pixel here".to_owned())
    }

    fn projection(&self, crs: &str, _: [f64; 4]) -> Result<(Arc<dyn Projection>, String), ProjectionError> {
        unreachable!("{crs}: native grids need none")
    }
}

/// A place at the table for a coordinator, whoever sits there.
struct Place {
    seat: Mutex<Arc<Seat>>,
    role: watch::Sender<Role>,
    driver: Mutex<Option<Arc<Driver>>>,
}

impl Place {
    fn seat(&self) -> Arc<Seat> {
        Arc::clone(&self.seat.lock().unwrap())
    }

    /// The coordinator is gone. What it has begun comes to nothing.
    fn fall(&self, etcd: &Arc<Etcd>) {
        drop(self.driver.lock().unwrap().take());
        *self.seat.lock().unwrap() = Arc::new(Seat::at(etcd));
        self.role.send_replace(Role::Follower { leader: None });
    }
}

/// A world.
pub struct World {
    seed: u64,
    dir: TempDir,
    store: ArtifactStore,
    etcd: Arc<Etcd>,
    places: Vec<Arc<Place>>,
    /// Who is told what he is: one at a time.
    roles: Arc<Mutex<()>>,
    /// The key of the request, which nobody could make again.
    asked: OnceLock<Key>,
    began: Instant,
}

fn settings() -> Settings {
    Settings {
        lease: Duration::from_millis(700),
        backoff: Duration::from_millis(50),
        tail: Duration::from_millis(400),
        room: Some(Duration::from_millis(200)),
        ..Settings::default()
    }
}

impl World {
    async fn new(seed: u64) -> Arc<Self> {
        let dir = tempfile::tempdir().unwrap();
        let store = ArtifactStore::directory(&dir.path().join("store")).unwrap();
        let etcd = Arc::new(Etcd::new(seed));
        let place = |_| {
            let role = watch::Sender::new(Role::Follower { leader: None });
            Arc::new(Place { seat: Mutex::new(Arc::new(Seat::at(&etcd))), role, driver: Mutex::new(None) })
        };
        let places = (0..2).map(place).collect();
        let world = Arc::new(Self {
            seed,
            dir,
            store,
            etcd: Arc::clone(&etcd),
            places,
            roles: Arc::default(),
            asked: OnceLock::new(),
            began: Instant::now(),
        });
        for place in 0..2 {
            world.sit_down(place).await;
        }
        world
    }

    /// A coordinator begins, with nothing in its memory.
    async fn sit_down(&self, place: usize) {
        let Place { role, driver, .. } = &*self.places[place];
        let components = Components {
            store: self.store.clone(),
            access: Access::default(),
            survey: Arc::new(NoHeaders),
            allow: Allow::everything(),
            settings: settings(),
            rules: Rules::default(),
            budgets: Budgets::alone(),
            state: self.places[place].seat(),
            role: role.subscribe(),
            traced_tasks: 0,
        };
        let begun = Driver::start(components).await;
        *driver.lock().unwrap() = Some(begun);
    }

    fn driver(&self, place: usize) -> Option<Arc<Driver>> {
        self.places[place].driver.lock().unwrap().clone()
    }

    /// One of the coordinators is elected; whoever led before learns of it sooner or later.
    fn elect(&self, place: usize, learns: Duration) {
        let _alone = self.roles.lock().unwrap();
        self.places[place].seat().elect();
        for (_, other) in self.places.iter().enumerate().filter(|(number, _)| *number != place) {
            let (other, roles) = (Arc::clone(other), Arc::clone(&self.roles));
            tokio::spawn(async move {
                sleep(learns).await;
                let _alone = roles.lock().unwrap();
                // It may have been elected again meanwhile.
                if !other.seat().leads() {
                    other.role.send_replace(Role::Follower { leader: None });
                }
            });
        }
        self.places[place].role.send_replace(Role::Leader);
    }

    /// Who leads, as etcd has it and as they have it, and what they know of the mosaic.
    fn told(&self) -> String {
        let of = |place: &Arc<Place>| {
            let driver = place.driver.lock().unwrap().clone();
            let jobs = driver.as_ref().map(|driver| (driver.leads().is_ok(), driver.all()));
            format!("{} {:?} {jobs:?}", place.seat().leads(), *place.role.borrow())
        };
        self.places.iter().map(of).collect::<Vec<_>>().join("; ")
    }

    fn is_at_peace(&self) -> bool {
        self.began.elapsed() > PEACE
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("out")
    }

    /// Submits the request, and again wherever the answer was lost or another leads.
    async fn submit(&self, request: &Request) {
        for place in (0..self.places.len()).cycle() {
            let submitted = match self.driver(place).filter(|driver| driver.leads().is_ok()) {
                Some(driver) => driver.submit(request.clone(), Attachments::within(0), None).await.is_ok(),
                None => false,
            };
            if submitted {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Things go wrong, one after the other.
    async fn trouble(self: Arc<Self>) {
        let mut rng = Rng::with_seed(self.seed);
        let mut leader = 0;
        while !self.is_at_peace() {
            sleep(Duration::from_millis(rng.u64(50..500))).await;
            match rng.u8(..10) {
                0..=2 => {
                    leader = rng.usize(..self.places.len());
                    // One that stood still goes on for a while as if it led.
                    self.elect(leader, Duration::from_millis(rng.u64(0..1500)));
                }
                3 => {
                    self.places[leader].fall(&self.etcd);
                    sleep(Duration::from_millis(rng.u64(10..300))).await;
                    self.sit_down(leader).await;
                    self.elect(leader, Duration::ZERO);
                }
                4..=5 => self.etcd.be_away(Duration::from_millis(rng.u64(50..800))),
                _ => self.hurt(&mut rng),
            }
        }
    }

    /// Spoils an artifact that a task or planning has made, or takes it away.
    fn hurt(&self, rng: &mut Rng) {
        let kinds = if rng.u8(..4) > 0 { &tests::MADE[..] } else { &["plan"] };
        let is_asked = |path: &PathBuf| self.asked.get().is_some_and(|key| path.ends_with(key.as_str()));
        let there = tests::artifacts(&self.dir.path().join("store"), kinds).into_keys();
        let Some(artifact) = rng.choice(there.filter(|path| !is_asked(path)).collect::<Vec<_>>()) else { return };
        self.etcd.hurt();
        let files =
            if artifact.is_dir() { fs::read_dir(&artifact).map_or(vec![], entries) } else { vec![artifact.clone()] };
        match rng.choice(files) {
            Some(file) if rng.bool() => {
                let Ok(mut bytes) = fs::read(&file) else { return };
                let at = rng.usize(..bytes.len().max(1));
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << rng.u8(..8));
                // What was published is another link to the old bytes.
                let spoilt = file.with_extension("spoilt");
                let _ = fs::write(&spoilt, bytes).and_then(|()| fs::rename(spoilt, file));
            }
            _ => drop(if artifact.is_dir() { fs::remove_dir_all(artifact) } else { fs::remove_file(artifact) }),
        }
    }
}

fn entries(dir: fs::ReadDir) -> Vec<PathBuf> {
    dir.flatten().map(|entry| entry.path()).collect()
}

/// Lives through a world, with trouble or without: what was published, and what was seen.
async fn live(archive: &Path, seed: u64, has_trouble: bool) -> (Published, Seen) {
    let world = World::new(seed).await;
    let request = request(archive, &world.out());
    world.asked.set(Key::of("clearmosaic request", &request)).unwrap();
    world.elect(0, Duration::ZERO);
    let mut others = JoinSet::new();
    if has_trouble {
        others.spawn(Arc::clone(&world).trouble());
    }
    world.submit(&request).await;
    for number in 0..3 {
        others.spawn(workers::work(Arc::clone(&world), number, has_trouble));
    }
    while !world.etcd.has_ended() {
        assert!(world.began.elapsed() < PATIENCE, "seed {seed}: it does not end: {}", world.told());
        sleep(Duration::from_millis(50)).await;
    }
    others.abort_all();
    while others.join_next().await.is_some() {}
    let seen = world.etcd.check();
    (made::published(&world.out().join(&request.name)), seen)
}

fn request(archive: &Path, out: &Path) -> Request {
    let text = fs::read_to_string(archive.join("monthly.json")).unwrap();
    let mut request: serde_json::Value = serde_json::from_str(&text).unwrap();
    request["output"] = out.to_string_lossy().into();
    parse(&request.to_string()).unwrap()
}

#[test]
fn drivers_in_many_worlds_publish_the_same() {
    let worlds = std::env::var("DRIVERS").ok().and_then(|count| count.parse().ok()).unwrap_or(WORLDS);
    let archive = Archive::new("year");
    let at = |name: &str| archive.path(name).to_string_lossy().into_owned();
    let _ = archive.write(
        "monthly.json",
        &json!({
            "slice": "P1M", "scenes": {"items": at("items.json")},
            "scores": {"template": at("scores/{system_index}.tif")},
        }),
    );
    let dir = archive.path("");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let (whole, _) = live(&dir, 0, false).await;
        assert_eq!(whole.len(), 2 * 3 + 1);
        let mut living: JoinSet<(u64, (Published, Seen))> = JoinSet::new();
        let (mut seeds, mut seen) = (1..=worlds, Vec::new());
        loop {
            while living.len() < AT_ONCE {
                let Some(seed) = seeds.next() else { break };
                let dir = dir.clone();
                living.spawn(async move { (seed, live(&dir, seed, true).await) });
            }
            let Some(lived) = living.join_next().await else { break };
            let (seed, (published, saw)) = lived.expect("a world is not as it must be");
            seen.push(saw);
            let differ: BTreeMap<_, _> =
                published.iter().filter(|(name, bytes)| whole.get(*name) != Some(bytes)).collect();
            assert!(differ.is_empty() && published.len() == whole.len(), "seed {seed}: {differ:?}");
        }
        let Seen { lost, terms, refused, untold, .. } = seen.iter().copied().sum();
        let enough = [lost, refused, untold].iter().all(|count| u64::from(*count) > worlds / 2);
        assert!(
            enough && u64::from(terms) > 3 * worlds,
            "{lost} lost, {terms} terms, {refused} refused, {untold} untold"
        );
    });
}
