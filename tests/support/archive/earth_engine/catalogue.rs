//! Images: what they say of themselves, and where their pixels come from.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use gdal::Dataset;
use serde_json::{Map, Value, json};

/// An image of a collection.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its collection, `COPERNICUS/S2_SR_HARMONIZED`.
    pub collection: String,
    /// Its `system:index`.
    pub index: String,
    /// When it was sensed, RFC 3339.
    pub start: String,
    /// West, south, east, north.
    pub bbox: [f64; 4],
    /// Its properties.
    pub properties: Map<String, Value>,
    /// Its bands.
    pub bands: Vec<Band>,
}

/// A band of an image.
#[derive(Clone, Debug)]
pub struct Band {
    /// Its id, `B4`.
    pub id: String,
    /// What its pixels are.
    pub samples: Samples,
    /// EPSG code of its CRS.
    pub epsg: u32,
    /// Pixels a row, and rows.
    pub size: (usize, usize),
    /// GDAL's geotransform, north-up.
    pub geotransform: [f64; 6],
    /// Its pixels.
    pub source: Source,
}

/// What pixels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Samples {
    /// Unsigned, 16 bits.
    U16,
    /// 32-bit floating point.
    F32,
    /// 64-bit floating point.
    F64,
}

impl Samples {
    /// Bytes of one.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::U16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

/// Where pixels come from.
#[derive(Clone)]
pub struct Source(Arc<dyn Fn(usize, usize) -> f64 + Send + Sync>);

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Source")
    }
}

impl Source {
    /// Pixels by column and row.
    #[must_use]
    pub fn made(value: impl Fn(usize, usize) -> f64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(value))
    }

    /// The pixels of a raster, read when one is asked for; `shift` is added to those that are not 0.
    fn of_file(path: PathBuf, shift: f64, scale: f64) -> Self {
        let read = OnceLock::new();
        Self::made(move |x, y| {
            let (width, samples): &(usize, Vec<f32>) = read.get_or_init(|| plane(&path));
            let value = f64::from(samples[y * width + x]);
            if value == 0.0 { 0.0 } else { (value + shift) * scale }
        })
    }

    pub(super) fn at(&self, x: usize, y: usize) -> f64 {
        (self.0)(x, y)
    }
}

/// All of a raster: 16 bits fit into a float.
fn plane(path: &Path) -> (usize, Vec<f32>) {
    let dataset = Dataset::open(path).expect("a raster opens");
    let (width, height) = dataset.raster_size();
    let band = dataset.rasterband(1).expect("a band");
    let read = band.read_as::<f32>((0, 0), (width, height), (width, height), None).expect("it is read");
    (width, read.into_shape_and_vec().1)
}

impl Image {
    /// Its name without the project.
    pub(super) fn asset(&self) -> String {
        format!("{}/{}", self.collection, self.index)
    }

    /// What it tells of itself.
    pub(super) fn told(&self, whole: bool) -> Value {
        let [west, south, east, north] = self.bbox;
        let ring = [[west, south], [east, south], [east, north], [west, north], [west, south]];
        let mut told = json!({
            "type": "IMAGE",
            "name": format!("{}{}", super::PUBLIC, self.asset()),
            "id": self.asset(),
            "startTime": self.start,
            "endTime": self.start,
            "updateTime": "2024-03-01T12:00:00.123456Z",
        });
        if whole {
            told["geometry"] = json!({"type": "Polygon", "coordinates": [ring]});
            told["properties"] = Value::Object(self.properties.clone());
            told["bands"] = self.bands.iter().map(Band::told).collect();
        }
        told
    }
}

impl Band {
    /// Its grid and type; what is 0 is left out, as protocol buffers have it.
    fn told(&self) -> Value {
        let [x, a, _, y, _, e] = self.geotransform;
        let kind = match self.samples {
            Samples::U16 => json!({"precision": "INT", "range": {"max": 65535}}),
            Samples::F32 => json!({"precision": "FLOAT"}),
            Samples::F64 => json!({"precision": "DOUBLE", "range": {"max": 1}}),
        };
        json!({
            "id": self.id,
            "dataType": kind,
            "grid": {
                "crsCode": format!("EPSG:{}", self.epsg),
                "dimensions": {"width": self.size.0, "height": self.size.1},
                "affineTransform": {"scaleX": a, "translateX": x, "scaleY": e, "translateY": y},
            },
        })
    }

    fn of_file(id: &str, path: &Path, shift: f64) -> Self {
        let dataset = Dataset::open(path).expect("a raster opens");
        let epsg = dataset.spatial_ref().and_then(|reference| reference.auth_code()).expect("it has a CRS");
        let band = dataset.rasterband(1).expect("a band");
        let (scale, is_float) = (band.scale().unwrap_or(1.0), band.band_type() == gdal::raster::GdalDataType::Float32);
        let samples = match (is_float, scale == 1.0) {
            (true, _) => Samples::F32,
            (false, true) => Samples::U16,
            (false, false) => Samples::F64,
        };
        Self {
            id: id.to_owned(),
            samples,
            epsg: epsg.unsigned_abs(),
            size: dataset.raster_size(),
            geotransform: dataset.geo_transform().expect("it has a geotransform"),
            source: Source::of_file(path.to_owned(), shift, scale),
        }
    }
}

/// The scenes and scores of two Slovenian tiles as Earth Engine has them: harmonised, as they are, and their twins that
/// carry 1000 more; and Cloud Score+.
///
/// # Panics
/// Where the data are not what they should be.
#[must_use]
pub fn slovenia(data: &Path) -> Vec<Image> {
    let items = crate::json(&data.join("items.json"));
    let mut images = Vec::new();
    for item in items["features"].as_array().expect("features") {
        images.push(scene(data, item, "COPERNICUS/S2_SR_HARMONIZED", 0.0));
        images.push(scene(data, item, "COPERNICUS/S2_SR", 1000.0));
        images.extend(score(data, images[images.len() - 1].clone()));
    }
    images
}

fn scene(data: &Path, item: &Value, collection: &str, shift: f64) -> Image {
    let text = |field: &str| item["properties"][field].as_str().unwrap_or_else(|| panic!("{field}")).to_owned();
    let stamp = |text: &str| text.split('_').find(|part| part.len() == 15).expect("a time").to_owned();
    let strip = text("s2:datastrip_id");
    let strip = strip.split('_').find_map(|part| part.strip_prefix('S').filter(|time| time.len() == 15));
    let tile = text("grid:code").replace("MGRS-", "");
    let bbox: Vec<f64> = item["bbox"].as_array().expect("a box").iter().filter_map(Value::as_f64).collect();
    let properties = json!({
        "MGRS_TILE": tile,
        "PRODUCT_ID": text("s2:product_uri").replace(".SAFE", ""),
        "DATATAKE_IDENTIFIER": text("s2:datatake_id"),
        "DATASTRIP_ID": text("s2:datastrip_id"),
        "GRANULE_ID": text("s2:granule_id"),
        "PROCESSING_BASELINE": text("s2:processing_baseline"),
        "SPACECRAFT_NAME": text("platform").replace("sentinel-2a", "Sentinel-2A").replace("sentinel-2b", "Sentinel-2B"),
        "CLOUDY_PIXEL_PERCENTAGE": item["properties"]["eo:cloud_cover"],
        "GENERATION_TIME": 1_692_115_857_000_i64,
        "MEAN_SOLAR_ZENITH_ANGLE": 35.2,
    });
    let bands = [("B2", "B02"), ("B3", "B03"), ("B4", "B04"), ("B8", "B08")];
    let id = item["id"].as_str().expect("an id");
    let band =
        |(ours, theirs): (&str, &str)| Band::of_file(ours, &data.join(format!("scenes/{id}/{theirs}.tif")), shift);
    Image {
        collection: collection.to_owned(),
        index: format!("{}_{}_T{tile}", stamp(&text("s2:datatake_id")), strip.expect("a datastrip")),
        start: text("datetime"),
        bbox: bbox.try_into().expect("four numbers"),
        properties: properties.as_object().expect("properties").clone(),
        bands: bands.map(band).to_vec(),
    }
}

/// The score of a scene, where there is one: both of its bands.
fn score(data: &Path, scene: Image) -> Option<Image> {
    let path = data.join(format!("scores/{}.tif", scene.index));
    if !path.is_file() {
        return None;
    }
    let product = scene.properties["PRODUCT_ID"].as_str().expect("a name").replace("MSIL2A", "MSIL1C");
    let properties = json!({
        "MGRS_TILE": scene.properties["MGRS_TILE"],
        "MODEL_VERSION": "1",
        "PROCESSING_SOFTWARE_VERSION": "v1.0.1",
        "NO_CONTEXT_FRACTION": 0.0,
        "SOURCE_PRODUCT_ID": product,
        "SOURCE_ASSET_ID": format!("COPERNICUS/S2_HARMONIZED/{}", scene.index),
        "DATE_PRODUCT_GENERATED": "2023-10-01",
    });
    Some(Image {
        collection: "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED".to_owned(),
        properties: properties.as_object().expect("properties").clone(),
        bands: vec![Band::of_file("cs", &path, 0.0), Band::of_file("cs_cdf", &path, 0.0)],
        ..scene
    })
}
