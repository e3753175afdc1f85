//! A window of some bands of an image.

use serde_json::json;

use crate::image::Grid;
use crate::npy::{self, Samples};
use crate::{Client, Error};

/// Bytes that one request may ask for, uncompressed: 48 MB, with room for what else there is.
pub const LARGEST_REQUEST: usize = 47_000_000;

/// A rectangle of a grid's pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First column.
    pub x: usize,
    /// First row.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

/// Pixels of some bands.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    /// Of each band in the order that was asked for.
    pub bands: Vec<Samples>,
    /// Bytes that came.
    pub bytes: u64,
}

impl Client {
    /// Gets a window of bands of an image, all of which lie on this grid. What is masked is 0.
    ///
    /// # Errors
    /// Every one: see [`Error`].
    pub async fn pixels(&self, asset: &str, bands: &[String], grid: &Grid, at: Window) -> Result<Pixels, Error> {
        let [a, b, c, d, e, f] = grid.transform();
        let (x, y) = (at.x as f64, at.y as f64);
        let body = json!({
            "fileFormat": "NPY",
            "bandIds": bands,
            "grid": {
                "dimensions": {"width": at.width, "height": at.height},
                "affineTransform": {
                    "scaleX": a, "shearX": b, "translateX": c + x * a + y * b,
                    "shearY": d, "scaleY": e, "translateY": f + x * d + y * e,
                },
            },
        });
        let url = self.url(&format!("{asset}:getPixels"))?;
        let read = |bytes: &[u8]| {
            let found = npy::bands(bytes, bands, at.width, at.height)?;
            Ok(Pixels { bands: found, bytes: bytes.len() as u64 })
        };
        self.ask(&format!("pixels of {asset}"), |http| http.post(url.clone()).body(body.to_string()), read).await
    }

    /// What an image is.
    ///
    /// # Errors
    /// Every one: see [`Error`].
    pub async fn image(&self, asset: &str) -> Result<crate::Image, Error> {
        let url = self.url(asset)?;
        let read = |bytes: &[u8]| serde_json::from_slice(bytes).map_err(|e| e.to_string());
        self.ask(asset, |http| http.get(url.clone()), read).await
    }
}
