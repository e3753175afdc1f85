//! Longitudes, and the MGRS zones that they lie in.

/// The same meridian in [-180, 180), degrees. Not finite stays not finite.
#[must_use]
#[inline]
pub fn normalise_longitude(lon: f64) -> f64 {
    if (-180.0..180.0).contains(&lon) {
        return lon;
    }
    let turned = lon - 360.0 * ((lon + 180.0) / 360.0).floor();
    if turned >= 180.0 { turned - 360.0 } else { turned }
}

/// The MGRS zone, 1 to 60, of a longitude and latitude in degrees: six degrees wide, but for 32V, which reaches west
/// to 3 degrees east, and for Svalbard, where 31X, 33X, 35X and 37X leave no 32X, 34X and 36X (NGA.STND.0037, 2014).
///
/// Band X holds latitude 84 itself; beyond it, where MGRS has no UTM zones, the zones of X are carried on.
#[must_use]
#[inline]
pub fn zone_of(lon: f64, lat: f64) -> u8 {
    let lon = normalise_longitude(lon);
    if (56.0..64.0).contains(&lat) && (3.0..6.0).contains(&lon) {
        return 32;
    }
    if lat >= 72.0 && (0.0..42.0).contains(&lon) {
        return match lon {
            lon if lon < 9.0 => 31,
            lon if lon < 21.0 => 33,
            lon if lon < 33.0 => 35,
            _ => 37,
        };
    }
    // In [-30, 30) by the normalisation; not finite becomes 0.
    ((lon / 6.0).floor() as i32 + 31).clamp(1, 60) as u8
}

/// The part of the globe that an MGRS zone claims: boxes of [west, south, east, north] in degrees, latitudes -80 to 84.
#[must_use]
pub fn zone_region(zone: u8) -> Vec<[f64; 4]> {
    let west = f64::from(zone) * 6.0 - 186.0;
    let plain = |south, north| [west, south, west + 6.0, north];
    match zone {
        31 => vec![plain(-80.0, 56.0), [0.0, 56.0, 3.0, 64.0], plain(64.0, 72.0), [0.0, 72.0, 9.0, 84.0]],
        32 => vec![plain(-80.0, 56.0), [3.0, 56.0, 12.0, 64.0], plain(64.0, 72.0)],
        33 => vec![plain(-80.0, 72.0), [9.0, 72.0, 21.0, 84.0]],
        34 | 36 => vec![plain(-80.0, 72.0)],
        35 => vec![plain(-80.0, 72.0), [21.0, 72.0, 33.0, 84.0]],
        37 => vec![plain(-80.0, 72.0), [33.0, 72.0, 42.0, 84.0]],
        _ => vec![plain(-80.0, 84.0)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zones_know_their_exceptions() {
        for (lon, lat, zone) in [
            (2.999, 60.0, 31),
            (3.0, 60.0, 32),
            (3.0, 55.999, 31),
            (5.9, 56.0, 32),
            (5.9, 64.0, 31),
            (8.999, 72.0, 31),
            (9.0, 72.0, 33),
            (9.0, 71.999, 32),
            (20.999, 84.0, 33),
            (21.0, 78.0, 35),
            (33.0, 78.0, 37),
            (41.999, 78.0, 37),
            (42.0, 78.0, 38),
            (-0.001, 78.0, 30),
            (180.0, 0.0, 1),
            (-180.0, 0.0, 1),
            (179.999, 0.0, 60),
            (539.9, 0.0, 60),
            (-180.001, 0.0, 60),
            (12.2, 46.5, 33),
            (-1e-300, 0.0, 30),
            (126f64.next_down(), 0.0, 51),
        ] {
            assert_eq!(zone_of(lon, lat), zone, "{lon} {lat}");
        }
    }

    proptest! {
        #[test]
        fn a_point_lies_in_the_region_of_its_zone_alone(lon in -180.0..180.0f64, lat in -80.0..84.0f64) {
            let holding: Vec<u8> = (1..=60)
                .filter(|&zone| {
                    zone_region(zone).iter().any(|b| (b[0]..b[2]).contains(&lon) && (b[1]..b[3]).contains(&lat))
                })
                .collect();
            prop_assert_eq!(holding, vec![zone_of(lon, lat)]);
        }
    }
}
