//! The artifacts of a store, from outside: counted, spoilt, removed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime::Runtime;
use tokio_stream::StreamExt;

use crate::{BUCKET, MADE, S3, artifacts};

/// Listing a bucket is work for it: not more often than this.
const LOOK: Duration = Duration::from_millis(300);

/// Where artifacts are.
pub enum Shelf {
    /// In a directory.
    Directory(PathBuf),
    /// Below a prefix of a bucket.
    Bucket(Box<Bucket>),
}

/// A bucket, spoken to without a link between.
pub struct Bucket {
    runtime: Runtime,
    store: AmazonS3,
    prefix: String,
    looked: Option<(Instant, usize)>,
    _server: Arc<S3>,
}

impl Bucket {
    /// What lies below a prefix of the server's bucket.
    #[must_use]
    pub fn new(server: &Arc<S3>, prefix: &str) -> Self {
        // Where another test has installed it, it is there.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut builder = AmazonS3Builder::new().with_bucket_name(BUCKET);
        for (name, value) in server.environment() {
            if let Ok(key) = name.to_lowercase().parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, value);
            }
        }
        let store = builder.build().expect("a store");
        Self { runtime, store, prefix: prefix.to_owned(), looked: None, _server: Arc::clone(server) }
    }

    fn keys(&self) -> Vec<Key> {
        let prefix = Key::from(self.prefix.as_str());
        self.runtime.block_on(async {
            // What the test looks at, and nothing relies on.
            #[allow(clippy::disallowed_methods)]
            let mut listed = self.store.list(Some(&prefix));
            let mut keys = Vec::new();
            while let Some(Ok(found)) = listed.next().await {
                keys.push(found.location);
            }
            keys
        })
    }

    /// `prefix/kind/ab/key` of every artifact of these kinds.
    fn artifacts(&self, kinds: &[&str]) -> BTreeSet<String> {
        let depth = self.prefix.split('/').count();
        let artifact = |key: Key| {
            let parts: Vec<&str> = key.as_ref().split('/').collect();
            let is_one = parts.len() >= depth + 3 && kinds.contains(&parts[depth]);
            is_one.then(|| parts[..depth + 3].join("/"))
        };
        self.keys().into_iter().filter_map(artifact).collect()
    }

    fn flip(&self, key: &Key, rng: &mut Rng) -> Option<()> {
        self.runtime.block_on(async {
            let mut bytes = self.store.get(key).await.ok()?.bytes().await.ok()?.to_vec();
            flip(&mut bytes, rng);
            self.store.put(key, bytes.into()).await.ok().map(drop)
        })
    }
}

impl Shelf {
    /// How many artifacts tasks have made.
    pub fn made(&mut self) -> usize {
        match self {
            Self::Directory(store) => artifacts(store, &MADE).len(),
            Self::Bucket(bucket) => match bucket.looked {
                Some((at, made)) if at.elapsed() < LOOK => made,
                _ => {
                    let made = bucket.artifacts(&MADE).len();
                    bucket.looked.insert((Instant::now(), made)).1
                }
            },
        }
    }

    /// Flips bits of so many artifacts, or removes them: which ones. What was published of them stays as it is.
    pub fn hurt(&self, count: usize, removes: bool, rng: &mut Rng) -> Vec<String> {
        let kinds = [&MADE[..], &["core"]].concat();
        let mut hurt: Vec<String> = match self {
            Self::Directory(store) => {
                let relative = |path: &Path| path.strip_prefix(store).expect("below").to_string_lossy().into_owned();
                artifacts(store, &kinds).into_keys().map(|path| relative(&path)).collect()
            }
            Self::Bucket(bucket) => bucket.artifacts(&kinds).into_iter().collect(),
        };
        rng.shuffle(&mut hurt);
        hurt.truncate(count);
        for artifact in &hurt {
            match self {
                Self::Directory(store) => hurt_file(&store.join(artifact), removes, rng),
                Self::Bucket(bucket) => bucket.hurt(artifact, removes, rng),
            }
        }
        hurt
    }
}

impl Bucket {
    fn hurt(&self, artifact: &str, removes: bool, rng: &mut Rng) {
        let keys: Vec<Key> = self.keys().into_iter().filter(|key| key.as_ref().starts_with(artifact)).collect();
        if removes {
            keys.iter().for_each(|key| drop(self.runtime.block_on(self.store.delete(key))));
        } else if let Some(key) = rng.choice(&keys) {
            let _ = self.flip(key, rng);
        }
    }
}

/// Flips a few bits.
fn flip(bytes: &mut [u8], rng: &mut Rng) {
    for _ in 0..rng.usize(1..8) {
        if let Some(at) = (!bytes.is_empty()).then(|| rng.usize(..bytes.len())) {
            bytes[at] ^= 1 << rng.u8(..8);
        }
    }
}

fn hurt_file(artifact: &Path, removes: bool, rng: &mut Rng) {
    if removes {
        let _ = if artifact.is_dir() { fs::remove_dir_all(artifact) } else { fs::remove_file(artifact) };
        return;
    }
    let Some(file) = file_of(artifact, rng) else { return };
    let Ok(mut bytes) = fs::read(&file) else { return };
    flip(&mut bytes, rng);
    // A file of its own: what was published is another link to the old one.
    let spoilt = file.with_extension("spoilt");
    if fs::write(&spoilt, bytes).is_ok() {
        let _ = fs::rename(spoilt, file);
    }
}

/// The file of an artifact, or one of its files where it is a directory.
fn file_of(artifact: &Path, rng: &mut Rng) -> Option<PathBuf> {
    if artifact.is_file() {
        return Some(artifact.to_owned());
    }
    let files: Vec<PathBuf> = fs::read_dir(artifact).ok()?.flatten().map(|entry| entry.path()).collect();
    rng.choice(files)
}
