//! What tasks make here: artifacts of the right form, in which the key stands for the pixels.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use artifacts::{ArtifactStore, Kind, StoreError};
use mosaic::assemble::TileMeta;
use mosaic::ids::Key;
use mosaic::plan::{Outputs, QUICKLOOK, TileShard, parts};
use proto::work::{Done, Failure, FailureKind, Outcome, TaskSpec, Work};

/// Every raster and the picture of a mosaic, by name.
pub type Published = BTreeMap<String, String>;

/// What a mosaic's name means.
pub fn published(mosaic: &Path) -> Published {
    let read = |path: &Path| fs::read_to_string(path).expect("it was published whole");
    let entries = |dir: &Path| fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
    let files = entries(&mosaic.join("tiles")).flat_map(|tile| entries(&tile).collect::<Vec<_>>());
    let named = |path: &Path| path.strip_prefix(mosaic).expect("below it").to_string_lossy().into_owned();
    files.chain([mosaic.join(QUICKLOOK)]).map(|path| (named(&path), read(&path))).collect()
}

/// Makes a task's artifact, as a worker does.
pub fn make(store: &ArtifactStore, task: &TaskSpec) -> Outcome {
    match try_to_make(store, task) {
        Ok(outcome) => outcome,
        Err(error) => {
            let reason = error.to_string();
            Outcome::Failed(Failure { kind: FailureKind::Retryable, reason, scene: None })
        }
    }
}

fn try_to_make(store: &ArtifactStore, TaskSpec { key, work }: &TaskSpec) -> Result<Outcome, StoreError> {
    let shelf = match work {
        Work::Partial { .. } => Kind::Partial,
        Work::Composite { .. } => Kind::Composite,
        Work::Mosaic { .. } => Kind::Mosaic,
        Work::Quicklook { .. } => Kind::Quicklook,
    };
    if is_whole(store, shelf, key) {
        return Ok(Outcome::Done(Done::default()));
    }
    let (kind, inputs) = match inputs(store, work) {
        Err(error) if error.is_lost() => return Ok(Outcome::InputsLost(parts_of(work))),
        inputs => inputs?,
    };
    let lost: Vec<Key> = inputs.into_iter().filter(|input| !is_whole(store, kind, input)).collect();
    if !lost.is_empty() {
        // What is not there may be by now.
        let is_spoilt = |input: &&Key| !matches!(store.read(kind, input), Err(StoreError::Missing(_)));
        lost.iter()
            .filter(is_spoilt)
            .filter(|input| !is_whole(store, kind, input))
            .try_for_each(|input| store.discard(kind, input))?;
        return Ok(Outcome::InputsLost(lost));
    }
    let bytes = match work {
        Work::Mosaic { outputs, output, .. } => {
            let bands = &store.document::<Outputs>(parts::OUTPUT, outputs)?;
            let names = bands.bands.iter().map(|band| format!("{band}.tif")).chain(["count.tif".to_owned()]).collect();
            keep(store, shelf, key, names, TileMeta::default()).map(|()| *output as u64)?
        }
        Work::Quicklook { .. } => keep(store, shelf, key, vec![QUICKLOOK.to_owned()], ()).map(|()| 1)?,
        _ => {
            let said = |e| StoreError::Io { what: "a frame".to_owned(), source: e };
            store.write(shelf, key, (), |out| out.frame(key.as_str().as_bytes()).map_err(said))?
        }
    };
    Ok(Outcome::Done(Done { bytes_read: 1, bytes_written: bytes, ..Done::default() }))
}

/// What a task reads. The picture is drawn of what is there.
fn inputs(store: &ArtifactStore, work: &Work) -> Result<(Kind, Vec<Key>), StoreError> {
    Ok(match work {
        Work::Composite { shard, subtile } => {
            let shard: TileShard = store.document(parts::SHARD, shard)?;
            (Kind::Partial, shard.subtiles[*subtile].partials.iter().map(|partial| partial.key.clone()).collect())
        }
        Work::Mosaic { outputs, output, missing } => {
            let outputs: Outputs = store.document(parts::OUTPUT, outputs)?;
            let missing = missing.as_ref().map(|list| store.document(parts::MISSING, list)).transpose()?;
            let missing: Vec<usize> = missing.unwrap_or_default();
            let inputs = outputs.tiles[*output].inputs.iter().enumerate();
            let there = inputs.filter(|(number, _)| !missing.contains(number));
            (Kind::Composite, there.map(|(_, input)| input.key.clone()).collect())
        }
        Work::Partial { shard, .. } => {
            store.document::<TileShard>(parts::SHARD, shard).map(|_| (Kind::Partial, vec![]))?
        }
        Work::Quicklook { outputs, tiles } => {
            store.document::<Outputs>(parts::OUTPUTS, outputs)?;
            store.document::<Vec<Key>>(parts::PICTURED, tiles).map(|_| (Kind::Partial, vec![]))?
        }
    })
}

/// What a task reads of the plan.
fn parts_of(work: &Work) -> Vec<Key> {
    match work {
        Work::Partial { shard, .. } | Work::Composite { shard, .. } => vec![shard.clone()],
        Work::Mosaic { outputs, missing, .. } => [outputs].into_iter().chain(missing).cloned().collect(),
        Work::Quicklook { outputs, tiles } => vec![outputs.clone(), tiles.clone()],
    }
}

fn is_whole(store: &ArtifactStore, kind: Kind, key: &Key) -> bool {
    match kind {
        Kind::Mosaic | Kind::Quicklook => store.verify(kind, key).is_ok(),
        _ => store.read(kind, key).is_ok_and(|read| read.frame(0).is_ok_and(|frame| frame == key.as_str().as_bytes())),
    }
}

fn keep<M>(store: &ArtifactStore, kind: Kind, key: &Key, names: Vec<String>, meta: M) -> Result<(), StoreError>
where
    M: serde::Serialize + serde::de::DeserializeOwned,
{
    let scratch = store.scratch()?;
    for name in &names {
        fs::write(scratch.path().join(name), format!("{key} {name}")).expect("a file is written");
    }
    store.keep(kind, key, scratch, &names, meta).map(drop)
}
