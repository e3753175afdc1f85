//! One output tile: composites joined, warped where they must be, and written as COGs.

use std::collections::BTreeMap;
use std::sync::Arc;

use artifacts::Kind;
use mosaic::assemble::{AssembleError, Assembler, Block, TileMeta};
use mosaic::composite::Plane;
use mosaic::grid::Window;
use mosaic::ids::Key;
use mosaic::plan::{OutputTile, Outputs, SCALE};
use mosaic::projection::Projection;
use mosaic::request::Dtype;
use proto::work::Done;

use super::composites::Inputs;
use super::{Cancel, Executor, TaskError};
use crate::project::{self, Operation};
use crate::write::{BandSpec, CogWriter, WriteError};

/// Side of a block, as in the files.
const BLOCK: usize = 512;

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
        let composite = 2 * (outputs.bands.len() + 1) * 1024 * 1024 * width_factor(outputs.dtype);
        let reserved = self.memory.reserve(4 * composite, 24 * composite);
        let mut inputs = Inputs::new(self, tile, missing, reserved.bytes().saturating_sub(2 * composite));
        let projection = projection(outputs, tile)?;
        let assembler = Assembler::new(outputs, tile, projection).map_err(|e| TaskError::Plan(e.to_string()))?;
        let scratch = self.store.scratch()?;
        let mut writers = writers(scratch.path(), outputs, tile)?;
        let mut observations = BTreeMap::new();
        for window in blocks(tile) {
            cancel.check()?;
            let block = assembler.block(&window, &mut inputs).map_err(|error| match error {
                AssembleError::Composite(error) => error,
                other => TaskError::Plan(other.to_string()),
            })?;
            tally(&block, &mut observations);
            let planes = block.bands.into_iter().chain([Plane::U16(block.counts)]);
            for (writer, plane) in writers.iter_mut().zip(planes) {
                writer.put(&window, plane)?;
            }
        }
        let meta = TileMeta { observations, contributors: std::mem::take(&mut inputs.contributors) };
        drop(inputs);
        let names = finish(writers)?;
        let kept = self.store.keep(Kind::Mosaic, key, scratch, &names, meta)?;
        Ok(Done { bytes_read: 0, bytes_written: kept.files.iter().map(|file| file.size).sum() })
    }
}

/// Makes the files side by side: overviews are the work of one thread each.
fn finish(writers: Vec<CogWriter>) -> Result<Vec<String>, TaskError> {
    std::thread::scope(|scope| {
        let finishing: Vec<_> = writers.into_iter().map(|writer| scope.spawn(|| writer.finish())).collect();
        let ended = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread
                .join()
                .unwrap_or_else(|_| Err(WriteError::Failed { what: "a raster".into(), why: "panicked".into() }))
        };
        // Every thread is joined before the first failure is told.
        let names: Vec<_> = finishing.into_iter().map(ended).collect();
        Ok(names.into_iter().collect::<Result<_, _>>()?)
    })
}

const fn width_factor(dtype: Dtype) -> usize {
    match dtype {
        Dtype::Uint16 => 1,
        Dtype::Float32 => 2,
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

/// A writer for each band in the request's order, then one for the count.
fn writers(dir: &std::path::Path, outputs: &Outputs, tile: &OutputTile) -> Result<Vec<CogWriter>, TaskError> {
    let bands = outputs.bands.iter().map(|band| BandSpec {
        name: band.name().to_owned(),
        dtype: outputs.dtype,
        scale: Some(SCALE),
        overviews: "AVERAGE",
    });
    let count = BandSpec { name: "count".into(), dtype: Dtype::Uint16, scale: None, overviews: "NEAREST" };
    let writers = bands.chain([count]).map(|spec| CogWriter::new(dir, &tile.grid, spec));
    Ok(writers.collect::<Result<_, _>>()?)
}

/// The blocks of an output tile, row by row.
fn blocks(tile: &OutputTile) -> impl Iterator<Item = Window> + use<> {
    let (width, height) = (tile.grid.width, tile.grid.height);
    (0..height).step_by(BLOCK).flat_map(move |y0| {
        let block = move |x0| Window { x0, y0, width: BLOCK.min(width - x0), height: BLOCK.min(height - y0) };
        (0..width).step_by(BLOCK).map(block)
    })
}

fn tally(block: &Block, observations: &mut BTreeMap<u16, u64>) {
    for (count, _) in block.counts.iter().zip(&block.owned).filter(|(_, owned)| **owned) {
        *observations.entry(*count).or_default() += 1;
    }
}
