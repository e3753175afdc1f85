mod bounds;
mod mask;
mod reading;
mod tiles;

use std::path::Path;

use super::Aoi;
use crate::ids::TileId;

fn tile(id: &str) -> TileId {
    id.parse().unwrap()
}

fn polygon(rings: &[&[[f64; 2]]]) -> Aoi {
    Aoi::from_geojson(&serde_json::json!({ "type": "Polygon", "coordinates": rings }).to_string()).unwrap()
}

/// An outline of the shared data; none, loudly, where there is no shared data.
fn outline(name: &str) -> Option<Aoi> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/aoi")).join(name);
    if !path.exists() {
        eprintln!("SKIPPED: no {}", path.display());
        return None;
    }
    Some(Aoi::from_geojson(&std::fs::read_to_string(path).unwrap()).unwrap())
}
