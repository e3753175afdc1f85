//! One band of an output tile as a cloud-optimised GeoTIFF.
//!
//! Blocks come from any thread and in any order, encoded where they come from, and are put aside. When all are there
//! their sizes are known, and the file is put together: its head, then the blocks in the order that readers expect. So
//! its bytes are a function of the pixels alone.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use mosaic::composite::Plane;
use mosaic::grid::{PixelGrid, Window};
use mosaic::request::Dtype;

use super::WriteError;
use super::block::Encoder;
use super::level::Level;
use super::overview::Overviews;
use super::spool::Spool;
use super::template::template;
use super::tiff::{AROUND, Extent, Tag, head};

/// What one file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct BandSpec {
    /// Its description, `B04` or `count`.
    pub name: String,
    /// Type of its samples.
    pub dtype: Dtype,
    /// Reflectance = stored x scale + offset, for bands; none for counts.
    pub scaling: Option<(f64, f64)>,
    /// How overviews are made.
    pub overviews: Overviews,
}

/// Takes the blocks of one band, and makes the file of them.
pub struct CogWriter {
    path: PathBuf,
    spec: BandSpec,
    levels: Vec<Level>,
    template: Vec<Tag>,
    spool: Spool,
}

impl CogWriter {
    /// A writer of `dir`/`name`.tif.
    ///
    /// # Errors
    /// Where no file can be made there, or GDAL does not know how to describe the raster.
    pub fn new(dir: &Path, grid: &PixelGrid, spec: BandSpec) -> Result<Self, WriteError> {
        let path = dir.join(format!("{}.tif", spec.name));
        let levels = Level::all(grid.width, grid.height);
        let template = template(&path, grid, &spec).map_err(|why| WriteError::new(&path, why))?;
        let blocks: Vec<usize> = levels.iter().map(|level| level.columns() * level.rows()).collect();
        let spool = Spool::new(&path, &blocks).map_err(|e| WriteError::io(&path, &e))?;
        Ok(Self { path, spec, levels, template, spool })
    }

    /// Type of its samples.
    #[must_use]
    pub const fn dtype(&self) -> Dtype {
        self.spec.dtype
    }

    /// How overviews are made.
    #[must_use]
    pub const fn overviews(&self) -> Overviews {
        self.spec.overviews
    }

    /// Puts the pixels of a level's block at their window.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn put(
        &self,
        level: usize,
        (column, row): (usize, usize),
        window: &Window,
        plane: &Plane,
        encoder: &mut Encoder,
    ) -> Result<(), WriteError> {
        let block = encoder.encode(plane, window.width);
        let index = row * self.levels[level].columns() + column;
        self.spool.put(level, index, block).map_err(|e| WriteError::io(&self.path, &e))
    }

    /// Makes the file, once every block of every level is there; its name in the directory.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn finish(self) -> Result<String, WriteError> {
        let (aside, blocks) = self.spool.into_parts();
        let levels: Vec<_> = self.levels.into_iter().zip(aside).collect();
        assemble(&self.path, &self.template, &levels, &blocks, CLASSIC).map_err(|e| WriteError::io(&self.path, &e))?;
        Ok(format!("{}.tif", self.spec.name))
    }
}

/// Bytes of a file up to which its offsets have 32 bits, which more readers understand.
const CLASSIC: u64 = u32::MAX as u64;

/// Puts a file together of blocks that are put aside in another one.
fn assemble(
    path: &Path,
    template: &[Tag],
    aside: &[(Level, Vec<Extent>)],
    blocks: &File,
    classic: u64,
) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    file.write_all(&head_of(template, aside, classic))?;
    let mut block = Vec::new();
    // The smallest overview is the first that a reader asks for.
    for extent in aside.iter().rev().flat_map(|(_, extents)| extents) {
        block.resize(extent.size, 0);
        blocks.read_exact_at(&mut block, extent.offset)?;
        file.write_all(&(extent.size as u32).to_le_bytes())?;
        file.write_all(&block)?;
        file.write_all(&block[block.len().saturating_sub(AROUND)..])?;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error).map(drop)
}

/// The head of the file that holds blocks of these sizes.
fn head_of(template: &[Tag], aside: &[(Level, Vec<Extent>)], classic: u64) -> Vec<u8> {
    let whole = |extent: &Extent| (extent.size + 2 * AROUND) as u64;
    let data: u64 = aside.iter().flat_map(|(_, extents)| extents).map(whole).sum();
    let ahead = head(template, aside, false).len() as u64;
    let big = ahead + data > classic;
    let mut at = if big { head(template, aside, true).len() as u64 } else { ahead };
    let mut placed = aside.to_vec();
    for extent in placed.iter_mut().rev().flat_map(|(_, extents)| extents) {
        let next = at + whole(extent);
        extent.offset = at + AROUND as u64;
        at = next;
    }
    head(template, &placed, big)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gdal::{Dataset, Metadata};

    const GRID: PixelGrid = PixelGrid { epsg: 3035, ulx: 0.0, uly: 0.0, resolution: 10.0, width: 1300, height: 700 };

    /// A pixel; none where it cannot be read.
    fn at(band: &gdal::raster::RasterBand<'_>, x: isize, y: isize) -> Option<u16> {
        Some(band.read_as::<u16>((x, y), (1, 1), (1, 1), None).ok()?.data()[0])
    }

    /// A writer that has all blocks, each of one value: its level's, row's and column's.
    fn filled(dir: &Path) -> CogWriter {
        let scaling = Some((0.0001, 0.0));
        let spec = BandSpec { name: "B04".into(), dtype: Dtype::Uint16, scaling, overviews: Overviews::Average };
        let writer = CogWriter::new(dir, &GRID, spec).unwrap();
        let mut encoder = Encoder::default();
        for (index, level) in writer.levels.iter().enumerate() {
            for (column, row) in (0..level.rows()).flat_map(|row| (0..level.columns()).map(move |column| (column, row)))
            {
                let window = level.window((column, row)).unwrap();
                let plane = Plane::U16(vec![(100 * index + 10 * row + column) as u16; window.pixels()]);
                writer.put(index, (column, row), &window, &plane, &mut encoder).unwrap();
            }
        }
        writer
    }

    #[test]
    fn overviews_come_before_the_raster() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(filled(dir.path()).finish().unwrap());
        let mut bytes = std::fs::read(&path).unwrap();
        let before = super::super::before_raster(&bytes[..4096]).unwrap() as usize;
        assert!(before < bytes.len());
        bytes[before..].fill(0);
        std::fs::write(&path, bytes).unwrap();
        let file = Dataset::open(&path).unwrap();
        let band = file.rasterband(1).unwrap();
        assert_eq!(
            (at(&band.overview(0).unwrap(), 600, 0), at(&band.overview(1).unwrap(), 0, 0)),
            (Some(101), Some(200))
        );
        assert_eq!(at(&band, 0, 0), None, "what is not there is not taken for pixels");
    }

    #[test]
    fn large_files_have_offsets_of_64_bits() {
        let dir = tempfile::tempdir().unwrap();
        let writer = filled(dir.path());
        let (aside, blocks) = writer.spool.into_parts();
        let levels: Vec<_> = writer.levels.into_iter().zip(aside).collect();
        assemble(&writer.path, &writer.template, &levels, &blocks, 1000).unwrap();
        assert_eq!(std::fs::read(&writer.path).unwrap()[..4], *b"II\x2b\0");
        let file = Dataset::open(&writer.path).unwrap();
        assert_eq!(file.metadata_item("LAYOUT", "IMAGE_STRUCTURE").as_deref(), Some("COG"));
        assert_eq!(file.geo_transform().unwrap(), GRID.geotransform());
        assert_eq!(file.spatial_ref().unwrap().auth_code().unwrap(), 3035);
        let band = file.rasterband(1).unwrap();
        assert_eq!((band.scale(), band.no_data_value(), band.overview_count().unwrap()), (Some(0.0001), Some(0.0), 2));
        assert_eq!((at(&band, 0, 0), at(&band, 1299, 699)), (Some(0), Some(12)));
        assert_eq!(
            (at(&band.overview(0).unwrap(), 600, 0), at(&band.overview(1).unwrap(), 0, 0)),
            (Some(101), Some(200))
        );
    }
}
