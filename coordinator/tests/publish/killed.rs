//! A publisher that dies between any two calls of the store: the name means a whole version, and the next one publishes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use artifacts::remote::Bucket;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::*;
use coordinator::publish::verify::verify;
use coordinator::publish::version;

/// A store that does so many calls, and none after that.
#[derive(Debug)]
struct Dying {
    store: Arc<InMemory>,
    left: AtomicUsize,
}

impl Dying {
    fn alive(&self) -> Result<()> {
        let taken = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        let dead = || Error::Generic { store: "test", source: "the publisher is dead".into() };
        taken.map(drop).map_err(|_| dead())
    }
}

impl fmt::Display for Dying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dying")
    }
}

#[tonic::async_trait]
impl ObjectStore for Dying {
    async fn put_opts(&self, at: &ObjectPath, bytes: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.alive()?;
        self.store.put_opts(at, bytes, options).await
    }

    async fn put_multipart_opts(
        &self,
        at: &ObjectPath,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.alive()?;
        self.store.put_multipart_opts(at, options).await
    }

    async fn get_opts(&self, at: &ObjectPath, options: GetOptions) -> Result<GetResult> {
        self.alive()?;
        self.store.get_opts(at, options).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<ObjectPath>>,
    ) -> BoxStream<'static, Result<ObjectPath>> {
        self.store.delete_stream(locations)
    }

    #[allow(clippy::disallowed_methods, reason = "nobody calls it")]
    fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    #[allow(clippy::disallowed_methods, reason = "nobody calls it")]
    async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &ObjectPath, to: &ObjectPath, options: CopyOptions) -> Result<()> {
        self.alive()?;
        self.store.copy_opts(from, to, options).await
    }
}

/// An output in a store.
fn output(store: &Arc<impl ObjectStore>) -> Folder {
    Folder::Objects(Bucket::of(Arc::clone(store) as Arc<dyn ObjectStore>, "s3://b", "out"))
}

/// Does something in a store that is prepared each time, and lets it die after more and more calls, until it lives to its
/// end: what the name means after each death.
fn dying(prepare: impl Fn(&Folder), act: impl Fn(&Folder), after: impl Fn(&Folder)) -> Vec<u64> {
    let mut meant = Vec::new();
    for calls in 0.. {
        let store = Arc::new(InMemory::new());
        let living = output(&store);
        prepare(&living);
        let dying = Arc::new(Dying { store, left: calls.into() });
        act(&output(&dying));
        // Of the version that the name means, every file is what was published.
        let found = verify(&living, NAME, None).unwrap();
        assert_eq!(found.faults, Vec::<String>::new(), "dead after {calls} calls");
        meant.push(found.version);
        after(&living);
        if dying.left.load(Ordering::SeqCst) > 0 {
            break;
        }
    }
    meant
}

/// Artifacts of two output tiles that hold this.
fn artifacts_of(root: &Path, value: u8) -> Made {
    let made = |dir: &Path, outputs: &Outputs, _: &OutputTile| {
        let names: Vec<String> = outputs.bands.iter().map(|band| format!("{band}.tif")).collect();
        names.iter().for_each(|name| std::fs::write(dir.join(name), vec![value; 100]).unwrap());
        names
    };
    Made::new(root, neighbours(), &[Some(value.into()); 2], made)
}

#[test]
fn the_name_means_a_whole_version_whenever_a_publisher_dies() {
    let root = tempfile::tempdir().unwrap();
    let [old, new] = [1, 2].map(|value| artifacts_of(&root.path().join(value.to_string()), value));
    let meant = dying(
        |living| drop(old.publish(living, 1).unwrap()),
        |dying| drop(new.publish(dying, 2)),
        |living| {
            let next = version::greatest(living, NAME).unwrap() + 1;
            let next = new.publish(living, next).unwrap().version;
            let found = verify(living, NAME, None).unwrap();
            assert_eq!((found.version, found.faults), (next, Vec::new()));
            assert_eq!(version::versions(living, NAME).unwrap().latest, next);
        },
    );
    assert!(meant.len() > 30 && meant.is_sorted() && meant[0] == 1 && meant.ends_with(&[2]), "{meant:?}");
}

#[test]
fn the_name_means_a_whole_version_whenever_who_goes_back_dies() {
    let root = tempfile::tempdir().unwrap();
    let made = artifacts_of(root.path(), 1);
    let meant = dying(
        |living| (1..=3).for_each(|number| drop(made.publish(living, number).unwrap())),
        |dying| drop(version::roll_back(dying, NAME, 1)),
        |living| {
            version::roll_back(living, NAME, 1).unwrap();
            assert_eq!(version::meant(living, NAME).unwrap(), 1);
        },
    );
    assert!(meant.is_sorted_by(|a, b| a >= b) && meant[0] == 3 && meant.ends_with(&[1]), "{meant:?}");
}
