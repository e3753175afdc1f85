//! The value of a place: from the owner's composites only, nodata ignored; the count always by nearest.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Block, Composites, Placed, in_subtile};
use crate::composite::{Composite, Plane};
use crate::grid::PixelGrid;
use crate::ids::TileId;
use crate::request::Resampling;

/// A composite with its place: tile, column and row on the lattice of sub-tiles.
type Held = (TileId, u16, u16, Option<Arc<Composite>>);

/// Takes samples of composites.
pub struct Sampler<'a, C> {
    /// Where composites come from.
    pub composites: &'a mut C,
    /// The owners' grids.
    pub grids: &'a HashMap<TileId, PixelGrid>,
    /// For each band of the output, its place in the composites.
    pub order: &'a [usize],
    /// The composite that was asked for last: most often that of the next pixel too.
    pub last: Option<Held>,
}

/// A pixel of a composite with its weight.
type Weighted = (Arc<Composite>, usize, f64);

impl<C: Composites> Sampler<'_, C> {
    /// Fills one pixel of the block. It stays nodata where the owner's nearest pixel is.
    pub fn sample(
        &mut self,
        resampling: Resampling,
        placed: &Placed,
        pixel: usize,
        block: &mut Block,
    ) -> Result<(), C::Error> {
        let (column, row) = (placed.at.0.floor(), placed.at.1.floor());
        let Some((nearest, at)) = self.pixel(placed.owner, column, row)? else { return Ok(()) };
        block.counts[pixel] = nearest.counts[at];
        if self.order.first().is_none_or(|band| nearest.bands[*band].get(at) == 0.0) {
            return Ok(());
        }
        let weighted = match resampling {
            Resampling::Nearest => {
                copy(self.order, &nearest, at, pixel, block);
                return Ok(());
            }
            Resampling::Bilinear => self.around(placed, 1, linear)?,
            Resampling::Cubic => self.around(placed, 2, cubic)?,
            Resampling::Average => self.under(placed)?,
        };
        if weighted.is_empty() {
            copy(self.order, &nearest, at, pixel, block);
            return Ok(());
        }
        mix(self.order, &weighted, pixel, block);
        Ok(())
    }

    /// The composite that holds a working pixel and the pixel's index there; none beyond the tile's edge or where the
    /// composite could not be made.
    fn pixel(&mut self, tile: TileId, column: f64, row: f64) -> Result<Option<(Arc<Composite>, usize)>, C::Error> {
        let Some(grid) = self.grids.get(&tile) else { return Ok(None) };
        let inside = column >= 0.0 && row >= 0.0 && column < grid.width as f64 && row < grid.height as f64;
        if !inside {
            return Ok(None);
        }
        let (sub_column, sub_row, within) = in_subtile(column as usize, row as usize, grid.width);
        let known = matches!(&self.last, Some((t, c, r, _)) if (*t, *c, *r) == (tile, sub_column, sub_row));
        if !known {
            let composite = self.composites.get(tile, sub_column, sub_row)?;
            self.last = Some((tile, sub_column, sub_row, composite));
        }
        let composite = self.last.as_ref().and_then(|(.., composite)| composite.clone());
        Ok(composite.map(|composite| (composite, within)))
    }

    /// A working pixel that has data, with its weight.
    fn weigh(&mut self, tile: TileId, (column, row): (f64, f64), weight: f64) -> Result<Option<Weighted>, C::Error> {
        let Some((composite, at)) = self.pixel(tile, column, row)? else { return Ok(None) };
        let has_data = self.order.first().is_some_and(|band| composite.bands[*band].get(at) != 0.0);
        Ok((has_data && weight != 0.0).then_some((composite, at, weight)))
    }

    /// The pixels whose centres lie within `reach` pixels of the place, weighed along both axes.
    fn around(&mut self, placed: &Placed, reach: i32, weight: fn(f64) -> f64) -> Result<Vec<Weighted>, C::Error> {
        let (x, y) = (placed.at.0 - 0.5, placed.at.1 - 0.5);
        let mut weighted = Vec::with_capacity(16);
        for dy in 1 - reach..=reach {
            for dx in 1 - reach..=reach {
                let (column, row) = (x.floor() + f64::from(dx), y.floor() + f64::from(dy));
                let both = weight(column - x) * weight(row - y);
                weighted.extend(self.weigh(placed.owner, (column, row), both)?);
            }
        }
        Ok(weighted)
    }

    /// The pixels whose centres lie under the output pixel, taken as a parallelogram.
    fn under(&mut self, placed: &Placed) -> Result<Vec<Weighted>, C::Error> {
        let [(ac, ar), (bc, br)] = placed.step;
        let (half_width, half_height) = ((ac.abs() + bc.abs()) / 2.0, (ar.abs() + br.abs()) / 2.0);
        let determinant = ac * br - bc * ar;
        let (x, y) = (placed.at.0 - 0.5, placed.at.1 - 0.5);
        let mut weighted = Vec::new();
        let (mut row, last_row) = ((y - half_height).ceil(), (y + half_height).floor());
        while row <= last_row {
            let mut column = (x - half_width).ceil();
            while column <= x + half_width {
                let (dc, dr) = (column - x, row - y);
                let (u, v) = ((dc * br - dr * bc) / determinant, (dr * ac - dc * ar) / determinant);
                // West and north edges in, as for every pixel.
                if (-0.5..0.5).contains(&u) && (-0.5..0.5).contains(&v) {
                    weighted.extend(self.weigh(placed.owner, (column, row), 1.0)?);
                }
                column += 1.0;
            }
            row += 1.0;
        }
        Ok(weighted)
    }
}

fn copy(order: &[usize], from: &Composite, at: usize, pixel: usize, block: &mut Block) {
    for (band, plane) in order.iter().zip(&mut block.bands) {
        match (plane, &from.bands[*band]) {
            (Plane::U16(to), Plane::U16(from)) => to[pixel] = from[at],
            (Plane::F32(to), Plane::F32(from)) => to[pixel] = from[at],
            _ => debug_assert!(false, "a composite of another type than its mosaic"),
        }
    }
}

/// The weighted mean, in float64 and in the order of the pixels, rounded half up; data never becomes nodata.
fn mix(order: &[usize], weighted: &[Weighted], pixel: usize, block: &mut Block) {
    let total: f64 = weighted.iter().map(|(.., weight)| weight).sum();
    for (band, plane) in order.iter().zip(&mut block.bands) {
        let sum: f64 = weighted.iter().map(|(from, at, weight)| f64::from(from.bands[*band].get(*at)) * weight).sum();
        let mean = sum / total;
        match plane {
            Plane::U16(to) => to[pixel] = (mean + 0.5).floor().clamp(1.0, 65_535.0) as u16,
            Plane::F32(to) => to[pixel] = mean.max(0.5) as f32,
        }
    }
}

fn linear(distance: f64) -> f64 {
    (1.0 - distance.abs()).max(0.0)
}

/// Cubic convolution with a = -0.5 (Keys 1981).
fn cubic(distance: f64) -> f64 {
    let d = distance.abs();
    if d < 1.0 {
        (1.5 * d - 2.5) * d * d + 1.0
    } else if d < 2.0 {
        ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
    } else {
        0.0
    }
}
