//! An area as a plan keeps it: its polygons to the last bit, neither cut nor turned, which GeoJSON does not allow.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Aoi;
use super::polygon::{Polygon, Ring};

impl Serialize for Aoi {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.polygons.iter().map(|polygon| &polygon.rings))
    }
}

impl<'de> Deserialize<'de> for Aoi {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let polygons: Vec<Vec<Ring>> = Vec::deserialize(d)?;
        if polygons.iter().any(|rings| rings.is_empty() || rings.iter().any(Vec::is_empty)) {
            return Err(D::Error::custom("a polygon without a ring"));
        }
        let polygons = polygons.into_iter().map(|rings| Polygon { rings }).collect();
        Self::from_polygons(polygons).map_err(D::Error::custom)
    }
}

impl PartialEq for Aoi {
    /// Equal where the polygons are; what is derived from them is then equal too.
    fn eq(&self, other: &Self) -> bool {
        self.polygons == other.polygons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_across_the_antimeridian_comes_back_to_the_last_bit() {
        let aoi = Aoi::from_point(179.95, -17.3, 33_333.3).unwrap();
        let text = serde_json::to_string(&aoi).unwrap();
        let back: Aoi = serde_json::from_str(&text).unwrap();
        assert_eq!(back, aoi);
        assert_eq!(serde_json::to_string(&back).unwrap(), text);
        assert!(back.contains(-179.9, -17.3) && back.contains(180.1, -17.3));
    }
}
