//! One output tile: composites joined, warped where they must be, and written as COGs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use artifacts::Kind;
use mosaic::assemble::{AssembleError, Assembler, Block, TileMeta};
use mosaic::composite::Plane;
use mosaic::grid::SUBTILE_PIXELS;
use mosaic::ids::Key;
use mosaic::plan::{OutputRaster, OutputTile, Outputs};
use mosaic::projection::Projection;
use mosaic::request::Dtype;
use proto::work::Done;
use rayon::prelude::*;
use tracing::field::Empty;

use super::composites::{Inputs, Told};
use super::stopwatch::Stopwatch;
use super::{Cancel, Executor, TaskError};
use crate::project::{self, Operation};
use crate::read::Counters;
use crate::write::{self, BLOCK, BandSpec, CogWriter, Level, Overviews};

/// Composites that are worth keeping: a row of a tile's, and those around an output block.
const KEPT: usize = 24;

impl Executor {
    /// Makes the rasters of one output tile.
    pub(super) fn mosaic_tile(
        &self,
        key: &Key,
        outputs: &Outputs,
        output: usize,
        missing: &[usize],
        cancel: &Cancel,
    ) -> Result<Done, TaskError> {
        let none = || TaskError::Plan(format!("the plan has no output tile {output}"));
        let tile = outputs.tiles.get(output).ok_or_else(none)?;
        let needs = Needs::of(outputs, tile);
        let _room = self.room(needs.files(tile, self.pool.current_num_threads()))?;
        let reserved = self.memory.reserve(needs.least(), needs.most(self.pool.current_num_threads()))?;
        let watch = Stopwatch::start();
        let (threads, bound) = needs.divide(reserved.bytes(), self.pool.current_num_threads());
        let inputs = Inputs::new(self, tile, missing, bound);
        let projection = projection(outputs, tile)?;
        let assembler = Assembler::new(outputs, tile, projection).map_err(|e| TaskError::Plan(e.to_string()))?;
        let scratch = self.store.scratch()?;
        let writers = self.pool.install(|| writers(scratch.path(), outputs, tile))?;
        let observations = Mutex::new(BTreeMap::new());
        let assemble = tracing::info_span!("assemble", inputs = tile.inputs.len(), threads);
        write::fill(&writers, (tile.grid.width, tile.grid.height), (&self.pool, threads), |window| {
            // What is told of a block is told of this tile, whatever thread it is on.
            let _within = assemble.enter();
            cancel.check()?;
            let block = cancel.within(|| assembler.block(window, &inputs)).map_err(|error| match error {
                AssembleError::Composite(error) => error,
                other => TaskError::Plan(other.to_string()),
            })?;
            tally(&block, &observations);
            Ok::<_, TaskError>(block.bands.into_iter().chain([Plane::U16(block.counts)]).collect())
        })?;
        drop(assemble);
        let observations = observations.into_inner().unwrap_or_else(PoisonError::into_inner);
        let Told { contributors, doubts } = inputs.into_told();
        let meta = TileMeta { observations, contributors, doubts };
        let write = tracing::info_span!("write", bytes = Empty).entered();
        let kept = watch.writing(|| {
            let finish = || writers.into_par_iter().map(CogWriter::finish).collect::<Result<Vec<_>, _>>();
            let names = self.pool.install(finish)?;
            Ok::<_, TaskError>(self.store.keep(Kind::Mosaic, key, scratch, &names, meta)?)
        })?;
        let bytes_written = kept.files.iter().map(|file| file.size).sum();
        write.record("bytes", bytes_written);
        Ok(watch.done(Counters::default(), bytes_written))
    }
}

/// What a tile takes of memory, in bytes.
struct Needs {
    /// One composite.
    composite: usize,
    /// A pixel of all bands and of the count.
    pixel: usize,
    /// Each thread: the composite that it read last and the one that it reads now; a block as it is assembled, as it is
    /// encoded, and halved.
    thread: usize,
    /// The blocks of overviews that lack some of their quarters.
    shared: usize,
}

impl Needs {
    fn of(outputs: &Outputs, tile: &OutputTile) -> Self {
        let sample = |raster: &OutputRaster| match raster.dtype(outputs.dtype) {
            Dtype::Uint16 => size_of::<u16>(),
            Dtype::Float32 => size_of::<f32>(),
        };
        let pixel: usize = outputs.rasters().iter().map(sample).sum();
        let (composite, block) = (SUBTILE_PIXELS * SUBTILE_PIXELS * pixel, BLOCK * BLOCK * pixel);
        let levels = Level::all(tile.grid.width, tile.grid.height).len();
        Self { composite, pixel, thread: 2 * composite + 3 * block, shared: (levels + 2) * block }
    }

    /// Bytes of files at most: all pixels with their overviews, a third of them, put aside and written; and a composite
    /// from elsewhere for each thread.
    const fn files(&self, tile: &OutputTile, threads: usize) -> usize {
        2 * self.pixel * tile.grid.width * tile.grid.height / 3 * 4 + threads * self.composite
    }

    /// One thread, which keeps two composites beside those that it holds.
    const fn least(&self) -> usize {
        self.shared + self.thread + 2 * self.composite
    }

    const fn most(&self, threads: usize) -> usize {
        self.shared + threads * self.thread + KEPT * self.composite
    }

    /// How many threads there is room for, and how many bytes of composites may be kept beside.
    fn divide(&self, bytes: usize, threads: usize) -> (usize, usize) {
        let left = bytes.saturating_sub(self.shared + 2 * self.composite);
        let threads = (left / self.thread).clamp(1, threads);
        (threads, bytes.saturating_sub(self.shared + threads * self.thread))
    }
}

/// The projection of the output's CRS: UTM by our own formulae, else by the plan's operation.
fn projection(outputs: &Outputs, tile: &OutputTile) -> Result<Arc<dyn Projection>, TaskError> {
    let planned = |e: &dyn std::fmt::Display| TaskError::Plan(e.to_string());
    match &outputs.operation {
        Some(operation) => Ok(Arc::new(Operation::new(operation).map_err(|e| planned(&e))?)),
        None => project::of_epsg(tile.grid.epsg).map_err(|e| planned(&e)),
    }
}

/// A writer for each raster, in order.
fn writers(dir: &Path, outputs: &Outputs, tile: &OutputTile) -> Result<Vec<CogWriter>, TaskError> {
    let spec = |raster: OutputRaster| BandSpec {
        name: raster.name(),
        dtype: raster.dtype(outputs.dtype),
        scaling: raster.product.scaling(),
        overviews: if raster.band.is_some() { Overviews::Average } else { Overviews::Nearest },
    };
    let writers = outputs.rasters().into_par_iter().map(|raster| CogWriter::new(dir, &tile.grid, spec(raster)));
    Ok(writers.collect::<Result<_, _>>()?)
}

/// Counts the observations of a block's pixels.
fn tally(block: &Block, observations: &Mutex<BTreeMap<u16, u64>>) {
    let mut tally: Vec<u64> = Vec::new();
    for (count, _) in block.counts.iter().zip(&block.owned).filter(|(_, owned)| **owned) {
        let count = usize::from(*count);
        if count >= tally.len() {
            tally.resize(count + 1, 0);
        }
        tally[count] += 1;
    }
    let mut observations = observations.lock().unwrap_or_else(PoisonError::into_inner);
    for (count, pixels) in (0..).zip(tally).filter(|(_, pixels)| *pixels > 0) {
        *observations.entry(count).or_default() += pixels;
    }
}
