//! `scores fetch`: a request's scores, copied from Earth Engine to a store of one's own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use bytesize::ByteSize;
use coordinator::prepare::{PrepareError, Prepared, link_all, why_nothing};
use mosaic::plan::TileShard;
use mosaic::request::{Request, ScoreSource};
use serde_json::json;
use worker::scores::{self, FetchError, Needed, Shelf, Tally};

use crate::args::FetchArgs;
use crate::exit::{BadInput, Exit};
use crate::progress::Steps;
use crate::{input, print, sources};

/// Bytes of GDAL's cache: what passes through it passes once.
const GDAL_CACHE: u64 = 128 << 20;

/// Fetches the scores that a request's plan reads.
pub fn fetch(args: &FetchArgs) -> anyhow::Result<Exit> {
    let began = Instant::now();
    let request = input::read(&args.request)?;
    if !matches!(request.scores.source, ScoreSource::EarthEngine(_)) {
        let field = request.scores.source.field();
        let why = "there is nothing to fetch: scores are fetched from Earth Engine, write `scores: {earth_engine: …}`";
        return Err(BadInput::one(format!("{}: `{field}`: {why}", args.request.display())).into());
    }
    worker::set_gdal_cache(GDAL_CACHE);
    let access = args.access.access();
    let (place, profile) = (args.place()?, request.profiles.scores.clone());
    let (prepared, needed) = needed(request, args)?;
    let shelf = Shelf::open(&place, &access).map_err(|e| BadInput::one(format!("--to: {e}")))?;
    let steps = Steps::new("scores", needed.len(), args.json);
    let told = |tally: &Tally| {
        let read = if tally.bytes_read > 0 { format!("{} read", ByteSize(tally.bytes_read)) } else { String::new() };
        steps.show(tally.there + tally.fetched, &read);
    };
    let tally = scores::fetch(&needed, &shelf, (&access, profile.as_deref()), &told).map_err(refused)?;
    steps.end();
    let outcome = Outcome { prepared: &prepared, needed: needed.len(), shelf: &shelf, tally: &tally, began };
    print(&if args.json { outcome.json() } else { outcome.text() })?;
    Ok(if outcome.left() == 0 { Exit::Complete } else { Exit::Incomplete })
}

fn refused(error: FetchError) -> anyhow::Error {
    let lines = match error {
        FetchError::Taken(lines) => lines,
        FetchError::EarthEngine(error) => vec![format!("`scores.earth_engine`: {error}")],
        other @ (FetchError::Unknown(_) | FetchError::Store(_)) => vec![format!("--to: {other}")],
    };
    BadInput(lines).into()
}

impl FetchArgs {
    /// Where copies are kept: an absolute directory, or a URL.
    fn place(&self) -> Result<String, BadInput> {
        let beside = || self.request.parent().unwrap_or(Path::new("")).join("scores").to_string_lossy().into_owned();
        let place = self.to.clone().unwrap_or_else(beside);
        if artifacts::is_url(&place) {
            return Ok(place);
        }
        let absolute = std::path::absolute(&place).map_err(|e| BadInput::one(format!("--to {place}: {e}")))?;
        Ok(absolute.to_string_lossy().into_owned())
    }
}

/// The scores that the tasks of a request's plan read, each once: those of tiles that own a pixel of the mosaic.
fn needed(request: Request, args: &FetchArgs) -> anyhow::Result<(Prepared, Vec<Needed>)> {
    let (library, archives) = sources(&args.access);
    let linked = link_all(request, &library, &archives).map_err(BadInput::from)?;
    if linked.linkage.scenes.is_empty() {
        return Err(BadInput::one(why_nothing(&linked.linkage)).into());
    }
    let needed: Mutex<BTreeMap<String, Needed>> = Mutex::default();
    let of_shard = |shard: &TileShard| {
        let scenes = if shard.subtiles.is_empty() { &[] } else { &shard.scenes[..] };
        let mut needed = needed.lock().unwrap_or_else(PoisonError::into_inner);
        needed.extend(scenes.iter().filter_map(Needed::of).map(|score| (score.index.clone(), score)));
        Ok::<(), PrepareError>(())
    };
    let prepared = linked.plan(|_, _, shard| of_shard(shard)).map_err(BadInput::from)?;
    Ok((prepared, needed.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()))
}

/// What became of a request's scores.
struct Outcome<'a> {
    prepared: &'a Prepared,
    needed: usize,
    shelf: &'a Shelf,
    tally: &'a Tally,
    began: Instant,
}

impl Outcome<'_> {
    /// Scores that are not there.
    fn left(&self) -> usize {
        self.needed - self.tally.there - self.tally.fetched
    }

    fn json(&self) -> String {
        let Tally { there, fetched, failed, stopped, answers, bytes_read, bytes_written } = self.tally;
        let failed: Vec<_> = failed.iter().map(|(index, why)| json!({"system_index": index, "reason": why})).collect();
        let outcome = json!({
            "template": self.shelf.template(),
            "profile": self.shelf.profile(),
            "needed": self.needed,
            "fetched": fetched,
            "there": there,
            "left": self.left(),
            "failed": failed,
            "stopped": stopped,
            "missing": self.prepared.summary().unlinked,
            "answers": answers,
            "bytes_read": bytes_read,
            "bytes_written": bytes_written,
            "seconds": self.began.elapsed().as_secs_f64(),
        });
        format!("{outcome}\n")
    }

    fn text(&self) -> String {
        let Tally { there, fetched, failed, stopped, bytes_read, bytes_written, .. } = self.tally;
        let mut lines = vec![format!(
            "{} scores needed: {fetched} fetched ({} read, {} written), {there} there already, {} left, in {:.1} s",
            self.needed,
            ByteSize(*bytes_read),
            ByteSize(*bytes_written),
            self.left(),
            self.began.elapsed().as_secs_f64()
        )];
        let missing = self.prepared.summary().unlinked;
        lines.extend(missing.iter().map(|scene| format!("  missing: {scene}: Earth Engine has no score of it")));
        lines.extend(failed.iter().map(|(index, why)| format!("  failed: {index}: {why}")));
        lines.extend(stopped.iter().map(|why| format!("  stopped: {why}: run it again to go on")));
        let profile = self.shelf.profile().map(|name| format!(", and profiles: {{scores: {name}}}"));
        lines.push(format!("scores: {{template: \"{}\"}}{}\n", self.shelf.template(), profile.unwrap_or_default()));
        lines.join("\n")
    }
}
