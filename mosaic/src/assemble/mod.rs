//! From composites to the pixels of an output tile: whose pixel is it, and which value has it there.
//!
//! ```text
//! block of the output ─► in the AOI? ─┬─► owner ─► position on the owner's grid ─► sample of the owner's composite
//!                                     └─► native, on the owner's own grid: copies of rows
//! ```
//!
//! A block's pixels are a function of the plan and the composites alone: how the output is cut into blocks changes
//! nothing, as every centre is transformed for itself.

mod copy;
mod meta;
mod place;
mod sample;

use std::sync::Arc;

pub use meta::TileMeta;

use crate::aoi::Mask;
use crate::composite::{Composite, Plane};
use crate::grid::{GridError, PixelGrid, SUBTILE_PIXELS, Window, tile_grid};
use crate::ids::TileId;
use crate::owner::Owners;
use crate::plan::{OutputRaster, OutputTile, Outputs};
use crate::product::Product;
use crate::projection::{Projection, ProjectionError, utm_of_epsg};
use crate::request::Resampling;
use place::{Placed, Placer};
use sample::Sampler;

/// Where composites come from. Blocks that are assembled side by side share it.
pub trait Composites {
    /// What goes wrong there.
    type Error;

    /// A composite by tile and its column and row on the lattice of sub-tiles; none where it could not be made.
    ///
    /// # Errors
    /// Where it is not there, or is not one that the plan names.
    fn get(&self, tile: TileId, column: u16, row: u16) -> Result<Option<Arc<Composite>>, Self::Error>;
}

/// An output tile that cannot be assembled.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError<E> {
    /// A composite could not be had.
    #[error("{0}")]
    Composite(E),
    /// The plan's grid is none.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// The output's CRS cannot be transformed.
    #[error(transparent)]
    Projection(#[from] ProjectionError),
}

/// Pixels of one block of the output.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Clear observations per pixel.
    pub counts: Vec<u16>,
    /// A plane for each of the output's rasters that are of a band.
    pub bands: Vec<Plane>,
    /// Which pixels lie in the AOI and have an owner.
    pub owned: Vec<bool>,
}

/// The owners' grids, in order of tile: few enough to be found faster than by hashing.
struct Grids(Vec<(TileId, PixelGrid)>);

impl Grids {
    fn get(&self, tile: TileId) -> Option<&PixelGrid> {
        self.0.binary_search_by_key(&tile, |(tile, _)| *tile).ok().map(|at| &self.0[at].1)
    }
}

/// Assembles the blocks of one output tile.
pub struct Assembler<'a> {
    outputs: &'a Outputs,
    tile: &'a OutputTile,
    owners: Owners,
    grids: Grids,
    projection: Arc<dyn Projection>,
    /// For each raster of the output that is of a band, its place in the composites.
    order: Vec<usize>,
}

impl<'a> Assembler<'a> {
    /// An assembler of one output tile; `projection` is that of the output's CRS.
    ///
    /// # Errors
    /// Where the plan's grid is none.
    pub fn new(
        outputs: &'a Outputs,
        tile: &'a OutputTile,
        projection: Arc<dyn Projection>,
    ) -> Result<Self, AssembleError<std::convert::Infallible>> {
        let owners = Owners::new(tile.owners.iter().copied());
        let grid = |tile: &TileId| Ok((*tile, tile_grid(*tile, outputs.working_resolution)?));
        let grids = Grids(owners.tiles().iter().map(grid).collect::<Result<_, GridError>>()?);
        let mut sorted = outputs.bands.clone();
        sorted.sort_unstable();
        let mut products: Vec<Product> = Product::of_bands(&outputs.products).collect();
        products.sort_unstable();
        let place = |raster: OutputRaster| {
            let product = products.binary_search(&raster.product).ok()?;
            Some(product * sorted.len() + sorted.binary_search(&raster.band?).ok()?)
        };
        let order = outputs.rasters_of_bands().filter_map(place).collect();
        Ok(Self { outputs, tile, owners, grids, projection, order })
    }

    /// The pixels of a window of the output tile.
    ///
    /// # Errors
    /// Where a composite cannot be had.
    pub fn block<C: Composites>(&self, window: &Window, composites: &C) -> Result<Block, AssembleError<C::Error>> {
        let pixels = window.pixels();
        let mut block = Block {
            counts: vec![0; pixels],
            bands: self.order.iter().map(|_| Plane::nodata(self.outputs.dtype, pixels)).collect(),
            owned: vec![false; pixels],
        };
        let mask = self.outputs.aoi.mask(&self.tile.grid, window, self.projection.as_ref())?;
        if mask.count() == 0 {
            return Ok(block);
        }
        let placer = Placer {
            grid: &self.tile.grid,
            zone: utm_of_epsg(self.tile.grid.epsg),
            native: self.tile.native.is_some(),
            owners: &self.owners,
            grids: &self.grids,
            projection: self.projection.as_ref(),
            shapes: self.outputs.resampling == Resampling::Average,
        };
        let mut sampler = Sampler::new(composites, &self.grids, &self.order);
        let Some(zone) = placer.zone.filter(|_| placer.native) else {
            self.transform((window, window), &mask, &placer, &mut sampler, &mut block)?;
            return Ok(block);
        };
        for piece in self.pieces(window, zone) {
            if let Some(from) = self.copied_from(&piece, zone) {
                let copied = self.copy((window, &piece), &mask, from, &mut sampler, &mut block);
                copied.map_err(AssembleError::Composite)?;
            } else {
                self.transform((window, &piece), &mask, &placer, &mut sampler, &mut block)?;
            }
        }
        Ok(block)
    }

    /// Places and samples each pixel of a piece of the block.
    fn transform<C: Composites>(
        &self,
        (window, piece): (&Window, &Window),
        mask: &Mask,
        placer: &Placer<'_>,
        sampler: &mut Sampler<'_, C>,
        block: &mut Block,
    ) -> Result<(), AssembleError<C::Error>> {
        let (mut inside, mut placed) = (Vec::new(), Vec::new());
        let (left, top) = (piece.x0 - window.x0, piece.y0 - window.y0);
        for row in 0..piece.height {
            inside.clear();
            inside.extend((0..piece.width).map(|column| mask.get(left + column, top + row)));
            if !inside.contains(&true) {
                continue;
            }
            placer.row(piece, row, &inside, &mut placed)?;
            for (column, placed) in placed.iter().enumerate() {
                let Some(placed) = placed else { continue };
                let pixel = (top + row) * window.width + left + column;
                block.owned[pixel] = true;
                sampler.sample(self.outputs.resampling, placed, pixel, block).map_err(AssembleError::Composite)?;
            }
        }
        Ok(())
    }
}

/// The sub-tile that holds a working pixel, and the pixel's index in it; `width` is the tile's in pixels.
fn in_subtile(column: usize, row: usize, width: usize) -> (u16, u16, usize) {
    let (sub_column, sub_row) = (column / SUBTILE_PIXELS, row / SUBTILE_PIXELS);
    let sub_width = SUBTILE_PIXELS.min(width - sub_column * SUBTILE_PIXELS);
    let within = (row % SUBTILE_PIXELS) * sub_width + column % SUBTILE_PIXELS;
    // A tile of 109,800 m has fewer than 65,536 sub-tiles a side down to a resolution of 2 mm.
    (u16::try_from(sub_column).unwrap_or(u16::MAX), u16::try_from(sub_row).unwrap_or(u16::MAX), within)
}
