//! Images of the Cloud Score+ catalogue's own example, made of formulae: January 2023 around -119.9087, 37.4159, in the
//! tile whose square holds that. A lake among fields, under clouds that wander; all pixels of it are known.

use serde_json::json;

use super::catalogue::{Band, Image, Samples, Source};

/// The point, in UTM zone 11.
pub const CENTRE: (f64, f64) = (242_582.53, 4_144_983.16);
/// The days that it was seen on.
const DAYS: [u8; 7] = [3, 5, 10, 13, 18, 23, 28];
/// The tile, its EPSG code, upper left corner, and bounds in degrees.
const TILE: (&str, u32, [f64; 2], [f64; 4]) =
    ("11SKB", 32611, [199_980.0, 4_200_000.0], [-120.42, 36.90, -119.13, 37.90]);
/// Pixels of a side at 10 m.
const SIDE: usize = 10_980;
/// What one of these shows where there are clouds.
const CLOUD: f64 = 7000.0;

/// A band, by its place in B4, B3, B2.
type Which = usize;

/// Reflectance on the ground, as DN; none where it is as dark as can be.
fn ground(band: Which, x: f64, y: f64) -> f64 {
    let (east, north) = (x - CENTRE.0, y - CENTRE.1);
    match east.hypot(north) {
        r if r < 200.0 => 0.0,
        r if r < 1500.0 => [200.0, 500.0, 900.0][band],
        _ if ((east / 1000.0).floor() + (north / 1000.0).floor()) % 2.0 == 0.0 => [1800.0, 1500.0, 900.0][band],
        _ => [600.0, 1300.0, 500.0][band],
    }
}

/// Whether there are clouds on a day, the last of which sees nothing else.
fn is_cloudy(day: usize, x: f64, y: f64) -> bool {
    day == DAYS.len() - 1 || (((x + y) / 700.0).floor() as i64 + day as i64).rem_euclid(3) == 0
}

/// Whether a day's swath holds a place.
fn is_seen(day: usize, x: f64) -> bool {
    day != 1 || x < CENTRE.0 + 3000.0
}

/// What a day shows: 0 where it shows nothing, or what is as dark as can be.
fn shown(day: usize, band: Which, x: f64, y: f64) -> f64 {
    match ground(band, x, y) {
        _ if is_cloudy(day, x, y) => CLOUD,
        0.0 => 0.0,
        value => value + 30.0 * day as f64,
    }
}

/// The median of the clear days at the centre of a pixel.
///
/// # Panics
/// Where no day is clear.
#[must_use]
pub fn median(band: Which, x: f64, y: f64) -> u16 {
    let clear = (0..DAYS.len()).filter(|day| is_seen(*day, x) && !is_cloudy(*day, x, y));
    let mut values: Vec<u16> = clear.map(|day| (shown(day, band, x, y) as u16).max(1)).collect();
    values.sort_unstable();
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    (low + high).div_ceil(2)
}

/// The images: scenes, harmonised and not, and their scores.
#[must_use]
pub fn yosemite() -> Vec<Image> {
    (0..DAYS.len()).flat_map(|day| [scene(day, 0.0), scene(day, 1000.0), score(day)]).collect()
}

/// The full names of the scenes.
#[must_use]
pub fn scenes() -> Vec<String> {
    let name = |day| format!("{}COPERNICUS/S2_SR_HARMONIZED/{}", super::PUBLIC, scene(day, 0.0).index);
    (0..DAYS.len()).map(name).collect()
}

/// A band of an image: its value by the centre of a pixel.
fn band(id: &str, samples: Samples, value: impl Fn(f64, f64) -> f64 + Send + Sync + 'static) -> Band {
    let (_, epsg, [west, north], _) = TILE;
    let at = move |x: usize, y: usize| value(west + 10.0 * (x as f64 + 0.5), north - 10.0 * (y as f64 + 0.5));
    let geotransform = [west, 10.0, 0.0, north, 0.0, -10.0];
    Band { id: id.to_owned(), samples, epsg, size: (SIDE, SIDE), geotransform, source: Source::made(at) }
}

fn image(day: usize, collection: &str) -> Image {
    let (tile, .., bbox) = TILE;
    let date = format!("202301{:02}", DAYS[day]);
    let properties = json!({"MGRS_TILE": tile});
    Image {
        collection: collection.to_owned(),
        index: format!("{date}T184721_{date}T184718_T{tile}"),
        start: format!("2023-01-{:02}T18:47:25.024Z", DAYS[day]),
        bbox,
        properties: properties.as_object().expect("properties").clone(),
        bands: Vec::new(),
    }
}

/// A scene, whose DN are `shift` more where it has data: of the twin that is not harmonised.
fn scene(day: usize, shift: f64) -> Image {
    let name = if shift == 0.0 { "COPERNICUS/S2_SR_HARMONIZED" } else { "COPERNICUS/S2_SR" };
    let mut image = image(day, name);
    let (unit, date, mgrs) = (["A", "B"][day % 2], format!("202301{:02}", DAYS[day]), TILE.0);
    let properties = json!({
        "PRODUCT_ID": format!("S2{unit}_MSIL2A_{date}T184721_N0509_R070_T{mgrs}_{date}T231510"),
        "DATATAKE_IDENTIFIER": format!("GS2{unit}_{date}T184721_0394{day:02}_N05.09"),
        "DATASTRIP_ID": format!("S2{unit}_OPER_MSI_L2A_DS_2BPS_{date}T231510_S{date}T184718_N05.09"),
        "GRANULE_ID": format!("L2A_T{mgrs}_A0394{day:02}_{date}T184718"),
        "PROCESSING_BASELINE": "05.09",
        "SPACECRAFT_NAME": format!("Sentinel-2{unit}"),
        "CLOUDY_PIXEL_PERCENTAGE": 33.3,
        "SENSING_ORBIT_NUMBER": 70,
    });
    image.properties.extend(properties.as_object().expect("properties").clone());
    let of = |(which, id): (usize, &&str)| {
        band(id, Samples::U16, move |x, y| if is_seen(day, x) { shown(day, which, x, y) + shift } else { 0.0 })
    };
    image.bands = ["B4", "B3", "B2"].iter().enumerate().map(of).collect();
    image
}

fn score(day: usize) -> Image {
    let mut image = image(day, "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED");
    let properties = json!({"MODEL_VERSION": "1", "PROCESSING_SOFTWARE_VERSION": "v1.0.1", "NO_CONTEXT_FRACTION": 0.0});
    image.properties.extend(properties.as_object().expect("properties").clone());
    let rank = move |x: f64, y: f64| match (is_seen(day, x), is_cloudy(day, x, y)) {
        (false, _) => 0.0,
        (true, true) => 0.3,
        (true, false) => 0.8,
    };
    // The other score is no substitute.
    image.bands = vec![band("cs", Samples::F64, |_, _| 0.1), band("cs_cdf", Samples::F64, rank)];
    image
}
