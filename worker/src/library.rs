//! What the planner asks of GDAL and PROJ: layouts of rasters, and projections.

use std::sync::Arc;

use mosaic::projection::{Projection, ProjectionError};
use mosaic::survey::{RasterSurvey, SCORE_TAGS, Survey};

use crate::project;
use crate::read::{Door, Heads, Layout, Raster, RasterBand, is_image, is_remote};

/// GDAL and PROJ as the planner sees them.
#[derive(Clone, Debug, Default)]
pub struct Library {
    door: Door,
    /// What is looked at again and again while a request is planned.
    heads: Heads,
}

impl Library {
    /// One that opens only what a door admits.
    #[must_use]
    pub fn behind(door: Door) -> Self {
        Self { door: door.of_planner(), heads: Heads::default() }
    }
}

impl Survey for Library {
    fn raster(&self, href: &str, band: Option<&str>) -> Result<RasterSurvey, String> {
        let source = self.door.admit(href).map_err(|e| e.problem)?;
        let raster = RasterBand::admitted(&self.door, &source, band, &self.heads).map_err(|e| e.problem)?;
        let (tags, version) = (raster.tags(&SCORE_TAGS), raster.version().map(str::to_owned));
        let Layout { epsg, wkt, geotransform, width, height, block, .. } = raster.into_layout();
        Ok(RasterSurvey { epsg, wkt, geotransform, width, height, block, tags, version })
    }

    fn exist(&self, hrefs: &[String]) -> Vec<Result<bool, String>> {
        self.door.exist(hrefs, &self.heads).into_iter().map(|found| found.map_err(|e| e.to_string())).collect()
    }

    fn any_at_hand(&self, hrefs: &[String]) -> bool {
        let (afar, here): (Vec<_>, Vec<_>) = hrefs.iter().cloned().partition(|href| is_remote(href) && !is_image(href));
        here.iter().any(|href| self.raster(href, None).is_ok())
            || self.door.exist(&afar, &Heads::default()).contains(&Ok(true))
    }

    fn list(&self, directory: &str) -> Result<Vec<String>, String> {
        self.door.list(directory).map_err(|e| e.to_string())
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
