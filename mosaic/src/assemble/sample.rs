//! The value of a place: from the owner's composites only, nodata ignored; the count always by nearest.

use std::sync::Arc;

use super::{Block, Composites, Grids, Placed, in_subtile};
use crate::composite::{Composite, Plane};
use crate::ids::TileId;
use crate::request::Resampling;

/// A composite with its place: tile, column and row on the lattice of sub-tiles.
type Held = (TileId, u16, u16, Option<Arc<Composite>>);

/// Takes samples of composites.
pub struct Sampler<'a, C> {
    /// Where composites come from.
    composites: &'a C,
    /// The owners' grids.
    grids: &'a Grids,
    /// For each raster of the output that is of a band, its place in the composites.
    order: &'a [usize],
    /// The composite that was asked for last: most often that of the next pixel too.
    last: Option<Held>,
    mean: Mean,
}

impl<'a, C: Composites> Sampler<'a, C> {
    pub fn new(composites: &'a C, grids: &'a Grids, order: &'a [usize]) -> Self {
        let mean = Mean { sums: vec![0.0; order.len()], ..Mean::default() };
        Self { composites, grids, order, last: None, mean }
    }

    /// Fills one pixel of the block. It stays nodata where the owner's nearest pixel is.
    pub fn sample(
        &mut self,
        resampling: Resampling,
        placed: &Placed,
        pixel: usize,
        block: &mut Block,
    ) -> Result<(), C::Error> {
        let (column, row) = (placed.at.0.floor(), placed.at.1.floor());
        let order = self.order;
        let Some((nearest, at)) = self.pixel(placed.owner, column, row)? else { return Ok(()) };
        block.counts[pixel] = nearest.counts[at];
        if order.first().is_none_or(|band| nearest.bands[*band].get(at) == 0.0) {
            return Ok(());
        }
        // What mixing finds no data for keeps the nearest value.
        copy(order, nearest, at, pixel, block);
        self.mean.clear();
        match resampling {
            Resampling::Nearest => return Ok(()),
            Resampling::Bilinear => self.around(placed, 1, linear)?,
            Resampling::Cubic => {
                self.around(placed, 2, cubic)?;
                // With pixels missing the negative weights could outweigh the others.
                if self.mean.missing {
                    self.mean.clear();
                    self.around(placed, 1, linear)?;
                }
            }
            Resampling::Average => self.under(placed)?,
        }
        self.mean.write(pixel, block);
        Ok(())
    }

    /// The composite that holds a working pixel and the pixel's index there; none beyond the tile's edge or where the
    /// composite could not be made.
    fn pixel(&mut self, tile: TileId, column: f64, row: f64) -> Result<Option<(&Composite, usize)>, C::Error> {
        let Some(grid) = self.grids.get(tile) else { return Ok(None) };
        let inside = column >= 0.0 && row >= 0.0 && column < grid.width as f64 && row < grid.height as f64;
        if !inside {
            return Ok(None);
        }
        let (sub_column, sub_row, within) = in_subtile(column as usize, row as usize, grid.width);
        Ok(self.composite(tile, sub_column, sub_row)?.map(|composite| (composite, within)))
    }

    /// A composite by its place; none where it could not be made.
    pub fn composite(&mut self, tile: TileId, column: u16, row: u16) -> Result<Option<&Composite>, C::Error> {
        let known = matches!(&self.last, Some((t, c, r, _)) if (*t, *c, *r) == (tile, column, row));
        if !known {
            let composite = self.composites.get(tile, column, row)?;
            self.last = Some((tile, column, row, composite));
        }
        Ok(self.last.as_ref().and_then(|(.., composite)| composite.as_deref()))
    }

    /// Adds a working pixel to the mean, if it has data. One without weight is not looked at: the plan need not hold it.
    fn add(&mut self, tile: TileId, (column, row): (f64, f64), weight: f64) -> Result<(), C::Error> {
        if weight == 0.0 {
            return Ok(());
        }
        let (order, mut mean) = (self.order, std::mem::take(&mut self.mean));
        match self.pixel(tile, column, row)? {
            Some((composite, at)) if order.first().is_some_and(|band| composite.bands[*band].get(at) != 0.0) => {
                mean.total += weight;
                for (band, sum) in order.iter().zip(&mut mean.sums) {
                    *sum += f64::from(composite.bands[*band].get(at)) * weight;
                }
            }
            _ => mean.missing = true,
        }
        self.mean = mean;
        Ok(())
    }

    /// The pixels whose centres lie within `reach` pixels of the place, weighed along both axes.
    fn around(&mut self, placed: &Placed, reach: i32, weight: fn(f64) -> f64) -> Result<(), C::Error> {
        let (x, y) = (placed.at.0 - 0.5, placed.at.1 - 0.5);
        for dy in 1 - reach..=reach {
            for dx in 1 - reach..=reach {
                let (column, row) = (x.floor() + f64::from(dx), y.floor() + f64::from(dy));
                self.add(placed.owner, (column, row), weight(column - x) * weight(row - y))?;
            }
        }
        Ok(())
    }

    /// The pixels whose centres lie under the output pixel, taken as a parallelogram.
    fn under(&mut self, placed: &Placed) -> Result<(), C::Error> {
        let [(ac, ar), (bc, br)] = placed.step;
        let (half_width, half_height) = ((ac.abs() + bc.abs()) / 2.0, (ar.abs() + br.abs()) / 2.0);
        let determinant = ac * br - bc * ar;
        let (x, y) = (placed.at.0 - 0.5, placed.at.1 - 0.5);
        let (mut row, last_row) = ((y - half_height).ceil(), (y + half_height).floor());
        while row <= last_row {
            let mut column = (x - half_width).ceil();
            while column <= x + half_width {
                let (dc, dr) = (column - x, row - y);
                let (u, v) = ((dc * br - dr * bc) / determinant, (dr * ac - dc * ar) / determinant);
                // West and north edges in, as for every pixel.
                if (-0.5..0.5).contains(&u) && (-0.5..0.5).contains(&v) {
                    self.add(placed.owner, (column, row), 1.0)?;
                }
                column += 1.0;
            }
            row += 1.0;
        }
        Ok(())
    }
}

/// A weighted mean per band, in float64 and in the order of the pixels.
#[derive(Default)]
struct Mean {
    sums: Vec<f64>,
    total: f64,
    /// Whether a pixel had no data.
    missing: bool,
}

impl Mean {
    fn clear(&mut self) {
        self.sums.fill(0.0);
        (self.total, self.missing) = (0.0, false);
    }

    /// Rounded half up; data never becomes nodata. Nothing where no pixel was added.
    fn write(&self, pixel: usize, block: &mut Block) {
        if self.total <= 0.0 {
            return;
        }
        for (sum, plane) in self.sums.iter().zip(&mut block.bands) {
            let mean = sum / self.total;
            match plane {
                Plane::U16(to) => to[pixel] = (mean + 0.5).floor().clamp(1.0, 65_535.0) as u16,
                Plane::F32(to) => to[pixel] = mean.max(1.0) as f32,
            }
        }
    }
}

fn copy(order: &[usize], from: &Composite, at: usize, pixel: usize, block: &mut Block) {
    for (band, plane) in order.iter().zip(&mut block.bands) {
        plane.copy(pixel, &from.bands[*band], at, 1);
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
