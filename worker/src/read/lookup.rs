//! Nearest neighbour: the source pixel that holds a working pixel's centre (design 2.4). A centre on an edge belongs
//! to the pixel to the east and to the south, which is what rounding down does in both directions of a north-up grid.

use mosaic::grid::PixelGrid;
use mosaic::projection::Projection;

use super::ReadError;
use super::layout::Layout;

/// Marks a working pixel that no source pixel holds.
pub const OUTSIDE: u32 = u32::MAX;

/// For every pixel of a working window, the source pixel that holds its centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Both grids are north-up in one CRS: a source column for each column, a source row for each row.
    Aligned {
        /// Source column of each working column, or `OUTSIDE`.
        columns: Vec<u32>,
        /// Source row of each working row, or `OUTSIDE`.
        rows: Vec<u32>,
    },
    /// A source column and row for each pixel, row-major.
    Scattered {
        /// Source column and row, both `OUTSIDE` where there is none.
        pixels: Vec<(u32, u32)>,
    },
}

impl Lookup {
    /// The lookup of a window's pixels, given as a grid of its own, in a source.
    ///
    /// `projections` are those of the working grid and of the source, where their CRSs differ.
    ///
    /// # Errors
    /// Where the source's geotransform cannot be inverted, or the transformation fails as a whole.
    pub fn new(
        window: &PixelGrid,
        source: &Layout,
        projections: Option<(&dyn Projection, &dyn Projection)>,
    ) -> Result<Self, ReadError> {
        let g = &source.geotransform;
        let north_up = g[2] == 0.0 && g[4] == 0.0 && g[1] > 0.0 && g[5] < 0.0;
        match projections {
            None if north_up => Ok(Self::aligned(window, source)),
            _ => Self::scattered(window, source, projections),
        }
    }

    fn aligned(window: &PixelGrid, source: &Layout) -> Self {
        let g = &source.geotransform;
        let column = |c: usize| hold((window.centre(c, 0).0 - g[0]) / g[1], source.width);
        let row = |r: usize| hold((window.centre(0, r).1 - g[3]) / g[5], source.height);
        Self::Aligned { columns: (0..window.width).map(column).collect(), rows: (0..window.height).map(row).collect() }
    }

    fn scattered(
        window: &PixelGrid,
        source: &Layout,
        projections: Option<(&dyn Projection, &dyn Projection)>,
    ) -> Result<Self, ReadError> {
        let failed = |e: &dyn std::fmt::Display| ReadError::permanent(&source.href, e.to_string());
        let inverse = Inverse::of(&source.geotransform)
            .ok_or_else(|| ReadError::permanent(&source.href, "its geotransform cannot be inverted"))?;
        let mut pixels = Vec::with_capacity(window.width * window.height);
        for row in 0..window.height {
            let mut x: Vec<f64> = (0..window.width).map(|c| window.centre(c, row).0).collect();
            let mut y = vec![window.centre(0, row).1; window.width];
            if let Some((working, own)) = projections {
                working.to_lonlat(&mut x, &mut y).map_err(|e| failed(&e))?;
                own.from_lonlat(&mut x, &mut y).map_err(|e| failed(&e))?;
            }
            pixels.extend(x.iter().zip(&y).map(|(x, y)| {
                let (column, row) = inverse.apply(*x, *y);
                match (hold(column, source.width), hold(row, source.height)) {
                    (OUTSIDE, _) | (_, OUTSIDE) => (OUTSIDE, OUTSIDE),
                    held => held,
                }
            }));
        }
        Ok(Self::Scattered { pixels })
    }
}

/// The pixel of `0..size` that holds a position; `OUTSIDE` too where the position is not a number.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn hold(position: f64, size: usize) -> u32 {
    let cell = position.floor();
    if cell >= 0.0 && cell < size as f64 { cell as u32 } else { OUTSIDE }
}

/// The inverse of an affine geotransform.
struct Inverse {
    g: [f64; 6],
    determinant: f64,
}

impl Inverse {
    fn of(g: &[f64; 6]) -> Option<Self> {
        let determinant = g[1] * g[5] - g[2] * g[4];
        (determinant.is_finite() && determinant != 0.0).then_some(Self { g: *g, determinant })
    }

    /// Column and row of a position. Where nothing is sheared it divides once, so that edges stay exact.
    fn apply(&self, x: f64, y: f64) -> (f64, f64) {
        let [x0, gxc, gxr, y0, gyc, gyr] = self.g;
        let (dx, dy) = (x - x0, y - y0);
        if gxr == 0.0 && gyc == 0.0 {
            return (dx / gxc, dy / gyr);
        }
        ((dx * gyr - dy * gxr) / self.determinant, (dy * gxc - dx * gyc) / self.determinant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::Sample;

    fn source(geotransform: [f64; 6], width: usize, height: usize) -> Layout {
        Layout {
            href: "source".into(),
            epsg: Some(32633),
            wkt: None,
            geotransform,
            width,
            height,
            block: (256, 256),
            sample: Sample::U16,
            nodata: None,
            scale: 1.0,
            offset: 0.0,
        }
    }

    fn window(resolution: f64, ulx: f64, uly: f64, side: usize) -> PixelGrid {
        PixelGrid { epsg: 32633, ulx, uly, resolution, width: side, height: side }
    }

    #[test]
    fn coarse_bands_repeat_and_pixels_beyond_the_source_are_outside() {
        let found = Lookup::new(&window(10.0, 0.0, 100.0, 5), &source([0.0, 20.0, 0.0, 100.0, 0.0, -20.0], 2, 9), None);
        let expected = Lookup::Aligned { columns: vec![0, 0, 1, 1, OUTSIDE], rows: vec![0, 0, 1, 1, 2] };
        assert_eq!(found.unwrap(), expected);
    }

    #[test]
    fn a_centre_on_an_edge_belongs_to_the_pixel_to_the_east_and_south() {
        // The window is shifted by half a pixel: every centre lies on a corner of four source pixels.
        let found = Lookup::new(&window(10.0, 5.0, 95.0, 2), &source([0.0, 10.0, 0.0, 100.0, 0.0, -10.0], 9, 9), None);
        assert_eq!(found.unwrap(), Lookup::Aligned { columns: vec![1, 2], rows: vec![1, 2] });
    }

    #[test]
    fn a_sheared_or_south_up_source_is_looked_up_pixel_by_pixel() {
        let south_up = source([0.0, 10.0, 0.0, 0.0, 0.0, 10.0], 10, 10);
        let Lookup::Scattered { pixels } = Lookup::new(&window(10.0, 0.0, 100.0, 2), &south_up, None).unwrap() else {
            panic!("a south-up source is not aligned");
        };
        assert_eq!(pixels, [(0, 9), (1, 9), (0, 8), (1, 8)]);
    }
}
