//! Discs on the WGS 84 ellipsoid.

use super::AoiError;
use super::polygon::{NORTHERN_LIMIT, Polygon, Position, Ring, SOUTHERN_LIMIT, check_position};
use crate::grid::utm::{FLATTENING, SEMI_MAJOR};

/// Half a degree apart, the straight edges stay within 1e-5 of the radius.
const VERTICES: u32 = 720;

/// The disc of a radius in metres around a point in degrees.
pub(super) fn disc(lon: f64, lat: f64, radius: f64) -> Result<Polygon, AoiError> {
    let at = || format!("the disc of {radius} m around {lon}, {lat}");
    if !(radius > 0.0 && radius.is_finite()) {
        return Err(AoiError::Radius(radius));
    }
    check_position(&at(), [lon, lat])?;
    // As many degrees as the radius can be at most; over a pole the vertices alone would not tell.
    let reach = (radius / (SEMI_MAJOR * (1.0 - FLATTENING) * (1.0 - FLATTENING))).to_degrees();
    if lat.abs() + reach >= 90.0 {
        return Err(AoiError::Pole { at: at(), lat: 90f64.copysign(lat) });
    }
    let mut ring = Ring::with_capacity(VERTICES as usize);
    for step in 0..VERTICES {
        // Counter-clockwise from the north.
        let azimuth = -f64::from(step) * 360.0 / f64::from(VERTICES);
        let [x, y] = destination([lon, lat], azimuth, radius);
        if !(SOUTHERN_LIMIT..=NORTHERN_LIMIT).contains(&y) {
            return Err(AoiError::Pole { at: at(), lat: y });
        }
        ring.push([x, y]);
    }
    Ok(Polygon::unwrapped(vec![ring]))
}

/// Where a geodesic of a length in metres ends that starts from a point at an azimuth in degrees from the north; the
/// longitude runs on past 180 rather than jump.
///
/// T. Vincenty, "Direct and inverse solutions of geodesics on the ellipsoid", Survey Review 23 (1975), eqs. 1 to 11;
/// good to a tenth of a millimetre.
fn destination([lon, lat]: Position, azimuth: f64, length: f64) -> Position {
    let minor = SEMI_MAJOR * (1.0 - FLATTENING);
    let (sin_azimuth, cos_azimuth) = azimuth.to_radians().sin_cos();
    let reduced = ((1.0 - FLATTENING) * lat.to_radians().tan()).atan();
    let (sin_u, cos_u) = reduced.sin_cos();
    let sigma_1 = sin_u.atan2(cos_u * cos_azimuth);
    let sin_alpha = cos_u * sin_azimuth;
    let cos2_alpha = 1.0 - sin_alpha * sin_alpha;
    let u2 = cos2_alpha * (SEMI_MAJOR * SEMI_MAJOR - minor * minor) / (minor * minor);
    let a = 1.0 + u2 / 16384.0 * (4096.0 + u2 * (-768.0 + u2 * (320.0 - 175.0 * u2)));
    let b = u2 / 1024.0 * (256.0 + u2 * (-128.0 + u2 * (74.0 - 47.0 * u2)));

    let mut sigma = length / (minor * a);
    for _ in 0..20 {
        let (sin, cos, middle) = (sigma.sin(), sigma.cos(), (2.0 * sigma_1 + sigma).cos());
        let inner = cos * (2.0 * middle * middle - 1.0)
            - b / 6.0 * middle * (4.0 * sin * sin - 3.0) * (4.0 * middle * middle - 3.0);
        let next = length / (minor * a) + b * sin * (middle + b / 4.0 * inner);
        let settled = (next - sigma).abs() < 1e-15;
        sigma = next;
        if settled {
            break;
        }
    }

    let (sin, cos, middle) = (sigma.sin(), sigma.cos(), (2.0 * sigma_1 + sigma).cos());
    let across = sin_u * sin - cos_u * cos * cos_azimuth;
    let phi = (sin_u * cos + cos_u * sin * cos_azimuth).atan2((1.0 - FLATTENING) * sin_alpha.hypot(across));
    let lambda = (sin * sin_azimuth).atan2(cos_u * cos - sin_u * sin * cos_azimuth);
    let c = FLATTENING / 16.0 * cos2_alpha * (4.0 + FLATTENING * (4.0 - 3.0 * cos2_alpha));
    let turn = sigma + c * sin * (middle + c * cos * (2.0 * middle * middle - 1.0));
    [lon + (lambda - (1.0 - c) * FLATTENING * sin_alpha * turn).to_degrees(), phi.to_degrees()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_agree_with_proj() {
        // PROJ 9.1.1, `geod +ellps=WGS84`.
        for (lon, lat, azimuth, length, x, y) in PROJ {
            let [lon, lat] = destination([lon, lat], azimuth, length);
            assert!((lon - x).abs() < 1e-8 && (lat - y).abs() < 1e-8, "{lon} {lat} against {x} {y}");
        }
    }

    const PROJ: [(f64, f64, f64, f64, f64, f64); 4] = [
        (15.5, 46.1, 30.0, 25000.0, 15.662229866409, 46.294663633881),
        (179.9, -17.5, 90.0, 40000.0, 180.276649354013, -17.499642779355),
        (-70.0, -55.0, 200.0, 1500000.0, -81.853483589123, -67.238563902314),
        (0.0, 0.0, -45.0, 3000000.0, -19.778516444859, 18.807788742483),
    ];
}
