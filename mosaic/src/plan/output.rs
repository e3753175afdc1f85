//! What comes out: the output tiles, and what each reads.

use serde::{Deserialize, Serialize};

use super::ALGORITHM;
use crate::aoi::Aoi;
use crate::band::Band;
use crate::grid::{PixelGrid, SubTile};
use crate::ids::{Key, TileId};
use crate::product::{Product, is_median_alone, median_alone};
use crate::request::{Crs, Dtype, Resampling};

/// Reflectance of one DN of the mosaic.
pub const SCALE: f64 = 0.0001;
/// Name of the picture of the whole mosaic.
pub const QUICKLOOK: &str = "quicklook.png";

/// A finished sub-tile that an output tile reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CompositeRef {
    /// The MGRS tile.
    pub tile: TileId,
    /// The sub-tile.
    pub at: SubTile,
    /// The composite's key.
    pub key: Key,
}

/// One raster set of the output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputTile {
    /// `33TWL` or `x12y8`.
    pub id: String,
    /// The MGRS tile whose own grid this is, for `native`.
    pub native: Option<TileId>,
    /// Its pixels.
    pub grid: PixelGrid,
    /// The tiles that may own a pixel of it, in order of tile.
    pub owners: Vec<TileId>,
    /// The composites that it may read.
    pub inputs: Vec<CompositeRef>,
}

/// One raster of an output tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputRaster {
    /// What it tells.
    pub product: Product,
    /// Of which band; none where it tells of the pixel.
    pub band: Option<Band>,
}

impl OutputRaster {
    /// Its name: `B04`, `B04_p10`, `count`.
    #[must_use]
    pub fn name(&self) -> String {
        match (self.band, self.product) {
            (Some(band), Product::Median) => band.name().to_owned(),
            (Some(band), product) => format!("{band}_{product}"),
            (None, product) => product.name().to_owned(),
        }
    }

    /// Type of its samples, where `dtype` is that of the bands' values.
    #[must_use]
    pub const fn dtype(&self, dtype: Dtype) -> Dtype {
        if self.band.is_some() { dtype } else { Dtype::Uint16 }
    }
}

/// What comes out, and all that the output tiles have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outputs {
    /// Native or one CRS.
    pub crs: Crs,
    /// For a CRS that is no UTM zone of WGS 84: the coordinate operation to longitude and latitude, as PROJ writes it,
    /// chosen once.
    pub operation: Option<String>,
    /// How composites come to a grid that is not their own.
    pub resampling: Resampling,
    /// Data type of the medians.
    pub dtype: Dtype,
    /// Bands in the request's order.
    pub bands: Vec<Band>,
    /// Products in the request's order, without the count.
    #[serde(default = "median_alone", skip_serializing_if = "is_median_alone")]
    pub products: Vec<Product>,
    /// Working resolution of the composites, in metres.
    pub working_resolution: f64,
    /// The area.
    pub aoi: Aoi,
    /// The output tiles: by MGRS tile, or by column and row of the lattice.
    pub tiles: Vec<OutputTile>,
}

#[derive(Serialize)]
struct MosaicKey<'a> {
    algorithm: u32,
    crs: String,
    operation: &'a Option<String>,
    resampling: Resampling,
    dtype: Dtype,
    bands: &'a [Band],
    #[serde(skip_serializing_if = "is_median_alone")]
    products: &'a [Product],
    working_resolution: f64,
    aoi: Key,
    grid: &'a PixelGrid,
    native: Option<TileId>,
    owners: &'a [TileId],
    composites: Vec<(&'a CompositeRef, bool)>,
}

impl Outputs {
    /// Key of an output tile's rasters, where the composites for which `missing` holds could not be made.
    pub fn key(&self, tile: &OutputTile, missing: impl Fn(&CompositeRef) -> bool) -> Key {
        self.key_within(&self.area_key(), tile, missing)
    }

    /// Digest of the area, which every output tile's key holds: for those that ask for many keys.
    #[must_use]
    pub fn area_key(&self) -> Key {
        Key::of("clearmosaic aoi", &self.aoi)
    }

    /// The same as [`Self::key`], with the area's digest at hand.
    pub fn key_within(&self, area: &Key, tile: &OutputTile, missing: impl Fn(&CompositeRef) -> bool) -> Key {
        Key::of(
            "clearmosaic mosaic tile",
            &MosaicKey {
                algorithm: ALGORITHM,
                crs: self.crs.to_string(),
                operation: &self.operation,
                resampling: self.resampling,
                dtype: self.dtype,
                bands: &self.bands,
                products: &self.products,
                working_resolution: self.working_resolution,
                aoi: area.clone(),
                grid: &tile.grid,
                native: tile.native,
                owners: &tile.owners,
                composites: tile.inputs.iter().map(|input| (input, missing(input))).collect(),
            },
        )
    }

    /// The same outputs with other tiles.
    #[must_use]
    pub fn with_tiles(&self, tiles: Vec<OutputTile>) -> Self {
        Self {
            operation: self.operation.clone(),
            bands: self.bands.clone(),
            products: self.products.clone(),
            aoi: self.aoi.clone(),
            tiles,
            ..*self
        }
    }

    /// Key of the picture of these output tiles.
    #[must_use]
    pub fn quicklook_key(&self, tiles: &[Key]) -> Key {
        let bands: Vec<Band> = self.quicklook_bands();
        Key::of("clearmosaic quicklook", &(ALGORITHM, tiles, bands))
    }

    /// The rasters of every output tile that are of a band: of one product those of all bands, then of the next one.
    pub fn rasters_of_bands(&self) -> impl Iterator<Item = OutputRaster> + '_ {
        let of = |product| self.bands.iter().map(move |band| OutputRaster { product, band: Some(*band) });
        Product::of_bands(&self.products).flat_map(of)
    }

    /// The rasters of every output tile, in order.
    #[must_use]
    pub fn rasters(&self) -> Vec<OutputRaster> {
        let count = OutputRaster { product: Product::Count, band: None };
        self.rasters_of_bands().chain([count]).collect()
    }

    /// Red, green and blue of the picture: of the median, or of the first product where there is none.
    #[must_use]
    pub fn quicklook_rasters(&self) -> Vec<OutputRaster> {
        let of_bands = || Product::of_bands(&self.products);
        let product = of_bands().find(|product| *product == Product::Median).or_else(|| of_bands().next());
        let raster = |band| Some(OutputRaster { product: product?, band: Some(band) });
        self.quicklook_bands().into_iter().filter_map(raster).collect()
    }

    /// True colour where it can be had, else the first bands.
    fn quicklook_bands(&self) -> Vec<Band> {
        let true_colour = [Band::B04, Band::B03, Band::B02];
        if true_colour.iter().all(|band| self.bands.contains(band)) {
            return true_colour.to_vec();
        }
        self.bands.iter().copied().take(3).collect()
    }
}
