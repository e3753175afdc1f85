//! Transverse Mercator on WGS 84 by the Krüger series, sixth order in the third flattening.
//!
//! ```text
//! lon, lat ─► conformal latitude ─► spherical transverse Mercator ─► Krüger series ─► easting, northing
//! ```
//!
//! Formulae: Krüger 1912 as given by Karney, "Transverse Mercator with an accuracy of a few nanometers",
//! J. Geodesy 85 (2011), eqs. 35 and 36; the latitude series as given by Engsager and Poder, "A highly accurate world
//! wide algorithm for the transverse Mercator mapping" (2007). Agrees with PROJ to less than a micrometre.
//!
//! Northings count from the equator and are negative in the south, so that EPSG:326zz and EPSG:327zz are one plane.

use super::lonlat::normalise_longitude;

/// Semi-major axis of the WGS 84 ellipsoid, metres.
pub const SEMI_MAJOR: f64 = 6_378_137.0;
/// Flattening of the WGS 84 ellipsoid.
pub const FLATTENING: f64 = 1.0 / 298.257_223_563;
/// Easting of the central meridian, metres.
pub const FALSE_EASTING: f64 = 500_000.0;
/// Northing that the southern EPSG codes (327zz) give the equator, metres.
pub const FALSE_NORTHING_SOUTH: f64 = 10_000_000.0;

const SCALE_AT_CENTRAL_MERIDIAN: f64 = 0.9996;
/// Beyond this the series no longer holds (the limit that PROJ sets): such points are infinite.
const LARGEST_ETA: f64 = 2.623_395_162_778;

const N: f64 = FLATTENING / (2.0 - FLATTENING);
const N2: f64 = N * N;
const N3: f64 = N2 * N;
const N4: f64 = N3 * N;
const N5: f64 = N4 * N;
const N6: f64 = N5 * N;

/// Metres of the plane for one radian on the rectifying sphere.
const RADIUS: f64 = SCALE_AT_CENTRAL_MERIDIAN * SEMI_MAJOR / (1.0 + N) * (1.0 + N2 / 4.0 + N4 / 64.0 + N6 / 256.0);

/// Spherical to ellipsoidal transverse Mercator (Karney 2011, eq. 35).
const ALPHA: [f64; 6] = [
    N / 2.0 - N2 * (2.0 / 3.0) + N3 * (5.0 / 16.0) + N4 * (41.0 / 180.0) - N5 * (127.0 / 288.0)
        + N6 * (7891.0 / 37800.0),
    N2 * (13.0 / 48.0) - N3 * (3.0 / 5.0) + N4 * (557.0 / 1440.0) + N5 * (281.0 / 630.0)
        - N6 * (1_983_433.0 / 1_935_360.0),
    N3 * (61.0 / 240.0) - N4 * (103.0 / 140.0) + N5 * (15061.0 / 26880.0) + N6 * (167_603.0 / 181_440.0),
    N4 * (49561.0 / 161_280.0) - N5 * (179.0 / 168.0) + N6 * (6_601_661.0 / 7_257_600.0),
    N5 * (34729.0 / 80640.0) - N6 * (3_418_889.0 / 1_995_840.0),
    N6 * (212_378_941.0 / 319_334_400.0),
];

/// Ellipsoidal to spherical transverse Mercator (Karney 2011, eq. 36), signs turned so that the sum is added.
const BETA: [f64; 6] = [
    -(N / 2.0 - N2 * (2.0 / 3.0) + N3 * (37.0 / 96.0) - N4 * (1.0 / 360.0) - N5 * (81.0 / 512.0)
        + N6 * (96199.0 / 604_800.0)),
    -(N2 * (1.0 / 48.0) + N3 * (1.0 / 15.0) - N4 * (437.0 / 1440.0) + N5 * (46.0 / 105.0)
        - N6 * (1_118_711.0 / 3_870_720.0)),
    -(N3 * (17.0 / 480.0) - N4 * (37.0 / 840.0) - N5 * (209.0 / 4480.0) + N6 * (5569.0 / 90720.0)),
    -(N4 * (4397.0 / 161_280.0) - N5 * (11.0 / 504.0) - N6 * (830_251.0 / 7_257_600.0)),
    -(N5 * (4583.0 / 161_280.0) - N6 * (108_847.0 / 3_991_680.0)),
    -(N6 * (20_648_693.0 / 638_668_800.0)),
];

/// Geographic to conformal latitude.
const CONFORMAL: [f64; 6] = [
    -N * 2.0 + N2 * (2.0 / 3.0) + N3 * (4.0 / 3.0) - N4 * (82.0 / 45.0) + N5 * (32.0 / 45.0) + N6 * (4642.0 / 4725.0),
    N2 * (5.0 / 3.0) - N3 * (16.0 / 15.0) - N4 * (13.0 / 9.0) + N5 * (904.0 / 315.0) - N6 * (1522.0 / 945.0),
    -N3 * (26.0 / 15.0) + N4 * (34.0 / 21.0) + N5 * (8.0 / 5.0) - N6 * (12686.0 / 2835.0),
    N4 * (1237.0 / 630.0) - N5 * (12.0 / 5.0) - N6 * (24832.0 / 14175.0),
    -N5 * (734.0 / 315.0) + N6 * (109_598.0 / 31185.0),
    N6 * (444_337.0 / 155_925.0),
];

/// Conformal to geographic latitude.
const GEOGRAPHIC: [f64; 6] = [
    N * 2.0 - N2 * (2.0 / 3.0) - N3 * 2.0 + N4 * (116.0 / 45.0) + N5 * (26.0 / 45.0) - N6 * (2854.0 / 675.0),
    N2 * (7.0 / 3.0) - N3 * (8.0 / 5.0) - N4 * (227.0 / 45.0) + N5 * (2704.0 / 315.0) + N6 * (2323.0 / 945.0),
    N3 * (56.0 / 15.0) - N4 * (136.0 / 35.0) - N5 * (1262.0 / 105.0) + N6 * (73814.0 / 2835.0),
    N4 * (4279.0 / 630.0) - N5 * (332.0 / 35.0) - N6 * (399_572.0 / 14175.0),
    N5 * (4174.0 / 315.0) - N6 * (144_838.0 / 6237.0),
    N6 * (601_676.0 / 22275.0),
];

/// Longitude of a UTM zone's central meridian, degrees.
#[must_use]
pub fn central_meridian(zone: u8) -> f64 {
    f64::from(zone) * 6.0 - 183.0
}

/// Easting and equator-relative northing in a UTM zone's plane, metres, of a longitude and latitude in degrees.
///
/// Any longitude will do; points too far from the zone (some 80 degrees at the equator) are infinite.
#[must_use]
pub fn forward(zone: u8, lon: f64, lat: f64) -> (f64, f64) {
    let phi = lat.to_radians();
    let (sin_phi, cos_phi) = phi.sin_cos();
    let chi = phi + sine_series(&CONFORMAL, 2.0 * sin_phi * cos_phi, 1.0 - 2.0 * sin_phi * sin_phi);
    let (sin_chi, cos_chi) = chi.sin_cos();
    let (sin_lambda, cos_lambda) = (lon - central_meridian(zone)).to_radians().sin_cos();

    // Spherical transverse Mercator; the double angles follow algebraically, as square + y² = 1.
    let (x, y) = (cos_chi * cos_lambda, cos_chi * sin_lambda);
    let square = sin_chi * sin_chi + x * x;
    let xi = sin_chi.atan2(x);
    // The inverse hyperbolic tangent of y.
    let eta = 0.5 * (2.0 * y / (1.0 - y)).ln_1p();
    let sums = complex_sine_series(
        &ALPHA,
        (2.0 * sin_chi * x / square, (x * x - sin_chi * sin_chi) / square),
        (2.0 * y / square, (1.0 + y * y) / square),
    );
    let (xi, eta) = (xi + sums.0, eta + sums.1);
    if eta.abs() <= LARGEST_ETA { (FALSE_EASTING + RADIUS * eta, RADIUS * xi) } else { (f64::INFINITY, f64::INFINITY) }
}

/// Longitude in [-180, 180) and latitude, degrees, of an easting and an equator-relative northing in metres.
/// Points beyond the plane's limits are infinite.
#[must_use]
pub fn inverse(zone: u8, easting: f64, northing: f64) -> (f64, f64) {
    let (xi, eta) = (northing / RADIUS, (easting - FALSE_EASTING) / RADIUS);
    if eta.is_nan() || xi.is_nan() || eta.abs() > LARGEST_ETA {
        return (f64::INFINITY, f64::INFINITY);
    }
    let grow = (2.0 * eta).exp();
    let sums = complex_sine_series(&BETA, (2.0 * xi).sin_cos(), (0.5 * (grow - 1.0 / grow), 0.5 * (grow + 1.0 / grow)));
    let (xi, eta) = (xi + sums.0, eta + sums.1);

    let (sin_xi, cos_xi) = xi.sin_cos();
    let grow = eta.exp();
    let sinh_eta = 0.5 * (grow - 1.0 / grow);
    let across = (sinh_eta * sinh_eta + cos_xi * cos_xi).sqrt();
    let lambda = sinh_eta.atan2(cos_xi);
    let chi = sin_xi.atan2(across);
    // On the unit sphere of the conformal latitude: radius² = sin²ξ + across² = cosh²η.
    let square = sin_xi * sin_xi + across * across;
    let (sin_2chi, cos_2chi) = (2.0 * sin_xi * across / square, (across * across - sin_xi * sin_xi) / square);
    let phi = chi + sine_series(&GEOGRAPHIC, sin_2chi, cos_2chi);
    (normalise_longitude(lambda.to_degrees() + central_meridian(zone)), phi.to_degrees())
}

/// Σ c[k-1]·sin(kθ) for k = 1..6 by Clenshaw's recurrence, from sin θ and cos θ.
#[inline]
fn sine_series(c: &[f64; 6], sin: f64, cos: f64) -> f64 {
    let double = 2.0 * cos;
    let (mut b1, mut b2) = (0.0, 0.0);
    for &term in c.iter().rev() {
        (b1, b2) = (double * b1 - b2 + term, b1);
    }
    b1 * sin
}

/// Σ c[k-1]·sin(k(ξ + iη)) for k = 1..6, real and imaginary part, from (sin ξ, cos ξ) and (sinh η, cosh η).
#[inline]
fn complex_sine_series(c: &[f64; 6], (sin, cos): (f64, f64), (sinh, cosh): (f64, f64)) -> (f64, f64) {
    // 2·cos(ξ + iη)
    let (re, im) = (2.0 * cos * cosh, -2.0 * sin * sinh);
    let (mut re1, mut im1, mut re2, mut im2) = (0.0, 0.0, 0.0, 0.0);
    for &term in c.iter().rev() {
        let next = (re * re1 - im * im1 - re2 + term, re * im1 + im * re1 - im2);
        (re2, im2) = (re1, im1);
        (re1, im1) = next;
    }
    // times sin(ξ + iη)
    let (re, im) = (sin * cosh, cos * sinh);
    (re * re1 - im * im1, re * im1 + im * re1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Zone, longitude, latitude, easting, equator-relative northing, by PROJ 9.1.1 (`+proj=utm +ellps=WGS84`).
    const PROJ: [(u8, f64, f64, f64, f64); 25] = [
        (33, 12.2, 46.5, 285155.091356021, 5153412.808913314),
        (33, 15.0, 46.0, 500000.0, 5094047.49208137),
        (33, 18.0, 0.0, 833978.556919462, 0.000000000),
        (31, 0.0, 0.0, 166021.443080541, 0.000000000),
        (32, 3.0, 60.5, 170707.567882709, 6722124.015373263),
        (33, 9.0, 78.0, 360973.603634536, 8665496.99577653),
        (33, 21.0, 83.999, 569907.083226841, 9331625.864642987),
        (1, -179.99, -17.5, 182471.839917451, -1937361.910572083),
        (60, 179.99, -17.5, 817528.160082551, -1937361.910572083),
        (60, -179.5, -18.25, 870179.893166852, -2021388.849305757),
        (1, 179.2, 65.9, 326940.601141833, 7314005.031891773),
        (22, -51.0, -80.0, 500000.000000000, -8881585.815988095),
        (22, -54.0, -79.9999, 441867.209545076, -8883073.808796408),
        (19, -67.3, -33.4, 658095.670607201, -3696923.732400939),
        (55, 150.0, -10.7, 828199.053507570, -1184404.992868963),
        (56, 150.0, -10.7, 171800.946492436, -1184404.992868963),
        (36, 33.0, 1e-07, 500000.0, 0.011053005),
        (36, 33.0, -1e-07, 500000.0, -0.011053005),
        (48, 60.0, 45.0, -3008157.278479029, 6068745.452277374),
        (35, 70.0, -60.0, 2770464.800182743, -7444459.911419686),
        (10, -119.9087, 37.4159, 773581.431027804, 4145497.868757973),
        (37, 42.0, 84.0, 534994.655061136, 9329005.182447437),
        (53, 141.0, 72.0, 706636.495889588, 7999233.637229598),
        (33, -25.0, -35.0, -3236618.554412088, -4701513.582560779),
        (31, 60.0, 20.0, 7306262.434901586, 3751163.971245039),
    ];

    #[test]
    fn forward_agrees_with_proj_to_a_micrometre() {
        for (zone, lon, lat, easting, northing) in PROJ {
            let (e, n) = forward(zone, lon, lat);
            assert!((e - easting).abs() < 1e-6 && (n - northing).abs() < 1e-6, "{zone} {lon} {lat}: {e} {n}");
        }
    }

    #[test]
    fn inverse_agrees_with_proj() {
        for (zone, lon, lat, easting, northing) in PROJ {
            let (x, y) = inverse(zone, easting, northing);
            let dlon = (x - lon) * lat.to_radians().cos();
            assert!(dlon.abs() < 1e-11 && (y - lat).abs() < 1e-11, "{zone} {lon} {lat}: {x} {y}");
        }
    }

    #[test]
    fn far_points_are_infinite_and_never_plausible() {
        assert!(forward(31, 93.0, 0.0).0.is_infinite());
        assert!(inverse(31, 1e9, 0.0).0.is_infinite());
        assert!(!inverse(31, f64::NAN, 0.0).0.is_finite());
        assert!(!forward(31, f64::NAN, 0.0).0.is_finite());
    }

    proptest! {
        #[test]
        fn inverse_undoes_forward(zone in 1u8..=60, dlon in -40.0..40.0f64, lat in -80.0..84.0f64) {
            let lon = normalise_longitude(central_meridian(zone) + dlon);
            let (e, n) = forward(zone, lon, lat);
            let (x, y) = inverse(zone, e, n);
            let wrapped = normalise_longitude(x - lon);
            prop_assert!(wrapped.abs() < 1e-11 / lat.to_radians().cos(), "{} {}", x, lon);
            prop_assert!((y - lat).abs() < 1e-11);
        }

        #[test]
        fn the_hemispheres_mirror_each_other(zone in 1u8..=60, lon in -180.0..180.0f64, lat in 0.0..84.0f64) {
            let (north, south) = (forward(zone, lon, lat), forward(zone, lon, -lat));
            prop_assume!(north.0.is_finite());
            prop_assert!((north.0 - south.0).abs() < 1e-6 && (north.1 + south.1).abs() < 1e-6);
        }
    }
}
