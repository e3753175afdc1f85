//! Why an area of interest is refused.

/// An area that cannot be used, said so that its author can mend it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AoiError {
    /// Not GeoJSON.
    #[error("not readable as GeoJSON: {0}")]
    Json(String),
    /// A CRS other than the one that GeoJSON prescribes.
    #[error("coordinates in `{0}`: GeoJSON is in longitude and latitude on WGS 84")]
    Crs(String),
    /// A geometry without an area.
    #[error("{at} is a {kind}: an area needs Polygon or MultiPolygon")]
    NotPolygonal {
        /// Which feature, counted from 1.
        at: String,
        /// The geometry's type.
        kind: &'static str,
    },
    /// No polygon at all.
    #[error("no polygon in it")]
    Empty,
    /// A position that is none on Earth.
    #[error("{at}: position {lon}, {lat} is out of range, in degrees longitude first")]
    Position {
        /// What holds it.
        at: String,
        /// Degrees.
        lon: f64,
        /// Degrees.
        lat: f64,
    },
    /// A ring whose last position is not its first.
    #[error("{at}: a ring is not closed: its last position must repeat its first")]
    OpenRing {
        /// Which feature.
        at: String,
    },
    /// A ring that is no polygon's.
    #[error("{at}: a ring of {positions} positions: a closed ring has at least four")]
    ShortRing {
        /// Which feature.
        at: String,
        /// How many it has.
        positions: usize,
    },
    /// Ground that no tile covers.
    #[error("{at} reaches latitude {lat}: beyond 84 north and 80 south are the poles, where MGRS has no tiles in UTM")]
    Pole {
        /// What reaches there.
        at: String,
        /// Degrees.
        lat: f64,
    },
    /// A ring right around the Earth.
    #[error("{at}: a ring runs around a pole: beyond 84 north and 80 south MGRS has no tiles in UTM")]
    AroundPole {
        /// Which feature.
        at: String,
    },
    /// A bbox upside down.
    #[error("south ({south}) must lie below north ({north})")]
    SouthNotBelowNorth {
        /// Degrees.
        south: f64,
        /// Degrees.
        north: f64,
    },
    /// A bbox of no width, or wider than the Earth.
    #[error("no area between west {west} and east {east}")]
    Width {
        /// Degrees.
        west: f64,
        /// Degrees.
        east: f64,
    },
    /// A disc of no size.
    #[error("a radius of {0} m: it must be positive")]
    Radius(f64),
}
