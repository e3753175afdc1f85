//! Native blocks where the owner's grid coincides with the output's: rows are copied, bit for bit.
//!
//! A block is cut along the edges of the 100 km squares. All of a piece whose square has a tile is that tile's; the
//! other pieces, and those of owners whose pixels lie between the output's, go the long way.

use super::sample::Sampler;
use super::{Assembler, Block, Composites};
use crate::aoi::Mask;
use crate::grid::mgrs::SQUARE_SIZE_M;
use crate::grid::utm::FALSE_NORTHING_SOUTH;
use crate::grid::{PixelGrid, SUBTILE_PIXELS, Square, Window};
use crate::ids::TileId;
use crate::projection::Utm;

/// Where the output's first pixel lies on the owner's grid: column, row.
type Shift = (i64, i64);

impl Assembler<'_> {
    /// The pieces of a window of the output tile, each within one square.
    pub(super) fn pieces(&self, window: &Window, zone: Utm) -> Vec<Window> {
        let grid = &self.tile.grid;
        let index = |metres: f64| (metres / SQUARE_SIZE_M).floor() as i64;
        let columns = runs(window.x0, window.x1(), |column| index(grid.centre(column, 0).0));
        let rows = runs(window.y0, window.y1(), |row| index(grid.centre(0, row).1 - zone.false_northing()));
        let piece = |(y0, y1): &(usize, usize), (x0, x1): &(usize, usize)| Window {
            x0: *x0,
            y0: *y0,
            width: x1 - x0,
            height: y1 - y0,
        };
        rows.iter().flat_map(|row| columns.iter().map(move |column| piece(row, column))).collect()
    }

    /// The tile of a piece's square and how its grid lies to the output's, where it coincides with that.
    pub(super) fn copied_from(&self, piece: &Window, zone: Utm) -> Option<(TileId, Shift)> {
        let at = zone.in_zone(self.tile.grid.centre(piece.x0, piece.y0).0, self.tile.grid.centre(piece.x0, piece.y0).1);
        let owner = self.owners.native_owner(zone.zone, at.easting, at.northing)?;
        let square = Square::of(zone.zone, at.easting, at.northing);
        let shift = shift(&self.tile.grid, zone, self.grids.get(owner)?, owner)?;
        (owner.square() == square).then_some((owner, shift))
    }

    /// Copies a piece, which lies on the owner's grid throughout, where `mask` (of the whole block) has it.
    pub(super) fn copy<C: Composites>(
        &self,
        (block_window, piece): (&Window, &Window),
        mask: &Mask,
        (owner, shift): (TileId, Shift),
        sampler: &mut Sampler<'_, C>,
        block: &mut Block,
    ) -> Result<(), C::Error> {
        let Some(grid) = self.grids.get(owner) else { return Ok(()) };
        let on_owner = |at: usize, shift: i64| usize::try_from(at as i64 + shift).unwrap_or(usize::MAX);
        let (first_column, first_row) = (on_owner(piece.x0, shift.0), on_owner(piece.y0, shift.1));
        debug_assert!(first_column < grid.width - (piece.width - 1) && first_row < grid.height - (piece.height - 1));
        let cell = |at: usize| (at / SUBTILE_PIXELS) as i64;
        for (r0, r1) in runs(first_row, first_row + piece.height, cell) {
            for (c0, c1) in runs(first_column, first_column + piece.width, cell) {
                let part = Part {
                    from: Window { x0: c0, y0: r0, width: c1 - c0, height: r1 - r0 },
                    x: piece.x0 - block_window.x0 + (c0 - first_column),
                    y: piece.y0 - block_window.y0 + (r0 - first_row),
                };
                part.copy(owner, grid.width, mask, (sampler, self.order.as_slice()), block)?;
            }
        }
        Ok(())
    }
}

/// A part of a block that comes from one composite.
struct Part {
    /// On the owner's grid.
    from: Window,
    /// First column in the block.
    x: usize,
    /// First row in the block.
    y: usize,
}

impl Part {
    fn copy<C: Composites>(
        &self,
        owner: TileId,
        tile_width: usize,
        mask: &Mask,
        (sampler, order): (&mut Sampler<'_, C>, &[usize]),
        block: &mut Block,
    ) -> Result<(), C::Error> {
        let rows: Vec<(usize, Vec<(usize, usize)>)> = (0..self.from.height)
            .map(|row| (row, mask.runs(self.y + row, self.x, self.x + self.from.width)))
            .filter(|(_, runs)| !runs.is_empty())
            .collect();
        // Composites without a pixel in the area need not be planned.
        let Some((first, _)) = rows.first() else { return Ok(()) };
        let (column, row, _) = super::in_subtile(self.from.x0, self.from.y0 + first, tile_width);
        let composite = sampler.composite(owner, column, row)?;
        for (row, runs) in rows {
            for (start, end) in runs {
                let to = (self.y + row) * mask.width() + start;
                let length = end - start;
                block.owned[to..to + length].fill(true);
                let Some(composite) = composite else { continue };
                let (_, _, at) = super::in_subtile(self.from.x0 + (start - self.x), self.from.y0 + row, tile_width);
                block.counts[to..to + length].copy_from_slice(&composite.counts[at..at + length]);
                for (band, plane) in order.iter().zip(&mut block.bands) {
                    plane.copy(to, &composite.bands[*band], at, length);
                }
            }
        }
        Ok(())
    }
}

/// How far the output's grid is shifted against the owner's, in whole pixels; none where that is not whole.
fn shift(output: &PixelGrid, zone: Utm, owner_grid: &PixelGrid, owner: TileId) -> Option<Shift> {
    let south = if owner.is_south() { FALSE_NORTHING_SOUTH } else { 0.0 };
    let columns = (output.ulx - owner_grid.ulx) / owner_grid.resolution;
    let rows = ((owner_grid.uly - south) - (output.uly - zone.false_northing())) / owner_grid.resolution;
    let whole = output.resolution == owner_grid.resolution && columns.fract() == 0.0 && rows.fract() == 0.0;
    whole.then_some((columns as i64, rows as i64))
}

/// Runs of equal values over a range.
fn runs(start: usize, end: usize, value: impl Fn(usize) -> i64) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut last = None;
    for at in start..end {
        let this = Some(value(at));
        match runs.last_mut() {
            Some(run) if this == last => run.1 = at + 1,
            _ => runs.push((at, at + 1)),
        }
        last = this;
    }
    runs
}
