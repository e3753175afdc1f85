//! What the planner asks of GDAL and PROJ: layouts of rasters, and projections.

use std::sync::Arc;

use mosaic::projection::{Projection, ProjectionError};
use mosaic::survey::{RasterSurvey, SCORE_TAGS, Survey};

use crate::project;
use crate::read::{Door, Layout, RasterBand};

/// GDAL and PROJ as the planner sees them.
#[derive(Clone, Debug, Default)]
pub struct Library {
    door: Door,
}

impl Library {
    /// One that opens only what a door admits.
    #[must_use]
    pub const fn behind(door: Door) -> Self {
        Self { door }
    }
}

impl Survey for Library {
    fn raster(&self, href: &str, band: Option<&str>) -> Result<RasterSurvey, String> {
        let href = self.door.admit(href).map_err(|e| e.problem)?;
        let raster = RasterBand::admitted(&self.door, &href, band).map_err(|e| e.problem)?;
        let tags = raster.tags(&SCORE_TAGS);
        let Layout { epsg, wkt, geotransform, width, height, block, .. } = raster.into_layout();
        Ok(RasterSurvey { epsg, wkt, geotransform, width, height, block, tags })
    }

    fn signed(&self, href: &str) {
        self.door.remember(href);
    }

    fn projection(&self, crs: &str, area: [f64; 4]) -> Result<(Arc<dyn Projection>, String), ProjectionError> {
        let operation = project::choose(crs, area)?;
        let definition = operation.definition().to_owned();
        Ok((Arc::new(operation), definition))
    }
}
