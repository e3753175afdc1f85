//! `mosaic.vrt`: all output tiles of one CRS as one virtual raster, every band in the request's order
//! (of one product after the other), then the count.

use std::collections::BTreeMap;
use std::fmt::Write;

use mosaic::band::Band;
use mosaic::grid::{Bounds, PixelGrid};
use mosaic::plan::{OutputRaster, OutputTile, Outputs};
use mosaic::request::Dtype;

/// Side of the tiles' blocks.
const BLOCK: usize = 512;

/// A virtual raster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vrt {
    /// Its file name.
    pub name: String,
    /// EPSG code of its CRS.
    pub epsg: u32,
    /// What the file holds.
    pub xml: String,
}

/// The virtual rasters of the output tiles that were made: `mosaic-<epsg>.vrt` for each of several CRSs, `mosaic.vrt`
/// where there is one.
#[must_use]
pub fn vrts(outputs: &Outputs, tiles: &[&OutputTile]) -> Vec<Vrt> {
    let mut by_crs: BTreeMap<u32, Vec<&OutputTile>> = BTreeMap::new();
    for tile in tiles {
        by_crs.entry(tile.grid.epsg).or_default().push(tile);
    }
    let only = by_crs.len() == 1;
    let one = |(epsg, tiles): (u32, Vec<&OutputTile>)| {
        let name = if only { "mosaic.vrt".to_owned() } else { format!("mosaic-{epsg}.vrt") };
        Some(Vrt { name, epsg, xml: dataset(outputs, &tiles)? })
    };
    by_crs.into_iter().filter_map(one).collect()
}

/// The whole file; none where there is no tile.
fn dataset(outputs: &Outputs, tiles: &[&OutputTile]) -> Option<String> {
    let grid = union(tiles)?;
    let mut xml = format!("<VRTDataset rasterXSize=\"{}\" rasterYSize=\"{}\">\n", grid.width, grid.height);
    // No mapping of axes: GDAL then takes x as easting, whatever the authority's order.
    line(&mut xml, 1, &format!("<SRS>EPSG:{}</SRS>", grid.epsg));
    let transform = grid.geotransform().map(|v| v.to_string()).join(", ");
    line(&mut xml, 1, &format!("<GeoTransform>{transform}</GeoTransform>"));
    for (index, raster) in outputs.rasters().into_iter().enumerate() {
        let name = raster.name();
        let data_type = match raster.dtype(outputs.dtype) {
            Dtype::Float32 => "Float32",
            Dtype::Uint16 => "UInt16",
        };
        // The product that comes first is what is looked at.
        let band = raster.band.filter(|_| outputs.products.first() == Some(&raster.product));
        line(&mut xml, 1, &format!("<VRTRasterBand dataType=\"{data_type}\" band=\"{}\">", index + 1));
        line(&mut xml, 2, &format!("<Description>{name}</Description>"));
        line(&mut xml, 2, "<NoDataValue>0</NoDataValue>");
        line(&mut xml, 2, &format!("<ColorInterp>{}</ColorInterp>", colour(&raster, band)));
        if let Some((scale, offset)) = raster.product.scaling() {
            line(&mut xml, 2, &format!("<Offset>{offset}</Offset>"));
            line(&mut xml, 2, &format!("<Scale>{scale}</Scale>"));
        }
        for tile in tiles {
            source(&mut xml, &grid, tile, &name, data_type);
        }
        line(&mut xml, 1, "</VRTRasterBand>");
    }
    xml.push_str("</VRTDataset>\n");
    Some(xml)
}

/// One tile's part of a band. Tiles overlap, and the nodata of one must not hide the data of another.
fn source(xml: &mut String, whole: &PixelGrid, tile: &OutputTile, name: &str, data_type: &str) {
    let PixelGrid { width, height, .. } = tile.grid;
    let x = (tile.grid.ulx - whole.ulx) / whole.resolution;
    let y = (whole.uly - tile.grid.uly) / whole.resolution;
    let file = format!("tiles/{}/{name}.tif", escaped(&tile.id));
    line(xml, 2, "<ComplexSource>");
    line(xml, 3, &format!("<SourceFilename relativeToVRT=\"1\">{file}</SourceFilename>"));
    line(xml, 3, "<SourceBand>1</SourceBand>");
    let size = format!("RasterXSize=\"{width}\" RasterYSize=\"{height}\"");
    let block = format!("BlockXSize=\"{BLOCK}\" BlockYSize=\"{BLOCK}\"");
    line(xml, 3, &format!("<SourceProperties {size} DataType=\"{data_type}\" {block}/>"));
    line(xml, 3, &format!("<SrcRect xOff=\"0\" yOff=\"0\" xSize=\"{width}\" ySize=\"{height}\"/>"));
    line(xml, 3, &format!("<DstRect xOff=\"{x}\" yOff=\"{y}\" xSize=\"{width}\" ySize=\"{height}\"/>"));
    line(xml, 3, "<NODATA>0</NODATA>");
    line(xml, 2, "</ComplexSource>");
}

/// The grid over all tiles, from the north-westernmost corner.
fn union(tiles: &[&OutputTile]) -> Option<PixelGrid> {
    let first = tiles.first()?.grid;
    let bounds = tiles.iter().map(|tile| tile.grid.bounds(&tile.grid.window())).reduce(|a, b| a.union(&b))?;
    let Bounds { min_x, min_y, max_x, max_y } = bounds;
    // Tiles that lie off the lattice by a part of a pixel end within one.
    let pixels = |length: f64| (length / first.resolution - 1e-6).ceil() as usize;
    Some(PixelGrid { ulx: min_x, uly: max_y, width: pixels(max_x - min_x), height: pixels(max_y - min_y), ..first })
}

fn colour(raster: &OutputRaster, of_the_first: Option<Band>) -> &'static str {
    match (raster.band, of_the_first) {
        (_, Some(Band::B04)) => "Red",
        (_, Some(Band::B03)) => "Green",
        (_, Some(Band::B02)) => "Blue",
        (Some(_), _) => "Undefined",
        (None, _) => "Gray",
    }
}

fn line(xml: &mut String, depth: usize, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(xml, "{:1$}{text}", "", 2 * depth);
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
