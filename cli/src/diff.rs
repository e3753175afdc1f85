//! `diff`: what has changed since a mosaic was published, and what it would cost to follow. Reads no pixel.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use artifacts::Folder;
use coordinator::changes::{Changes, Today};
use coordinator::prepare::{Linked, PrepareError, Prepared, link_all};
use coordinator::publish::PublishError;
use coordinator::publish::snapshot::{Published, Scenes};
use coordinator::publish::version;
use mosaic::ids::TileId;
use mosaic::plan::{Planned, TileShard};
use serde_json::{Value, json};

use crate::args::RequestArgs;
use crate::exit::{BadInput, Exit};
use crate::{input, print, sources, tables};

/// Sets today's catalogue against the version that the mosaic's name means.
pub fn diff(args: &RequestArgs) -> anyhow::Result<Exit> {
    let request = input::read(&args.request)?;
    let said = |error: PublishError| BadInput::one(error.to_string());
    let output = version::open(&request, &args.access.access()).map_err(said)?;
    let base = base(&output, &request.name).map_err(said)?;
    let (library, archives) = sources(&args.access);
    let linked = link_all(request, &library, &archives).map_err(BadInput::from)?;
    let told = match base {
        None => from_nothing(linked)?,
        Some(old) => {
            let changes = since(&old, linked)?;
            let mut told = serde_json::to_value(&changes)?;
            told["unchanged"] = json!(changes.is_nothing());
            told["mosaic"] = json!(old.request.name);
            told
        }
    };
    print(&if args.json { format!("{told}\n") } else { tables::diff(&told) })?;
    Ok(Exit::Complete)
}

/// The version that is compared with; none where nothing is published, or it does not tell what it came from.
fn base(output: &Folder, name: &str) -> Result<Option<Published>, PublishError> {
    let meant = version::meant(output, name)?;
    if meant == 0 {
        return Ok(None);
    }
    Published::open(version::folder(output, name, meant), name, meant)
}

/// Everything is to be made.
fn from_nothing(linked: Linked) -> Result<Value, BadInput> {
    let prepared: Prepared = linked.plan(|_, _, _| Ok::<_, PrepareError>(())).map_err(BadInput::from)?;
    let summary = prepared.summary();
    let (tasks, bytes) = (summary.tasks, summary.bytes_to_read);
    Ok(json!({
        "mosaic": prepared.request.name, "version": null, "unchanged": false, "tasks": tasks, "bytes_to_read": bytes,
        "outputs": {"touched": summary.outputs, "gone": [], "carried": 0},
    }))
}

/// What has changed. Of the tiles only those are held whose shards are not as they were.
fn since(old: &Published, linked: Linked) -> anyhow::Result<Changes> {
    let known: BTreeMap<TileId, _> = old.plan.tiles.iter().map(|tile| (tile.tile, &tile.shard)).collect();
    let held: Mutex<BTreeMap<usize, TileShard>> = Mutex::default();
    let prepared = linked.plan(|index, key, shard| {
        if known.get(&shard.tile) != Some(&key) {
            held.lock().unwrap_or_else(PoisonError::into_inner).insert(index, shard.clone());
        }
        Ok::<_, PrepareError>(())
    });
    let prepared = prepared.map_err(BadInput::from)?;
    let scenes = Scenes::of(&prepared.request.name, &prepared.linkage);
    let planned = Planned::new(prepared.plan)?;
    let outputs = planned.mosaics(&[]).into_iter().map(Some).collect();
    let held = held.into_inner().unwrap_or_else(PoisonError::into_inner);
    let none = |index| PublishError::Internal(format!("tile {index} of the plan was not held"));
    let shard = |index: usize| held.get(&index).cloned().ok_or_else(|| none(index));
    let today = Today { request: &prepared.request, planned: &planned, scenes: &scenes, outputs };
    Changes::since(old, &today, shard).map_err(|e| BadInput::one(e.to_string()).into())
}
