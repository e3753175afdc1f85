//! Which scenes a request asks for.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::Offset;

use crate::ids::TileId;
use crate::scene::Scene;

/// What a request wants of its scenes; by the datatake's start throughout, so that no datatake is ever split.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// First instant of the period.
    pub start: Timestamp,
    /// First instant after the period.
    pub end: Timestamp,
    /// Months of the year, 1 to 12, UTC; all where absent.
    pub months: Option<Vec<u8>>,
    /// Most cloud that a product may state, percent.
    pub cloud_cover_max: Option<f64>,
    /// Satellites, `sentinel-2a`; all where absent.
    pub platforms: Option<Vec<String>>,
    /// Relative orbits; all where absent.
    pub orbits: Option<Vec<u16>>,
    /// The tiles of the area.
    pub tiles: BTreeSet<TileId>,
}

impl Selection {
    /// Whether the scene is asked for. A scene that does not tell what a filter asks about is not, as in a search of
    /// a STAC API.
    #[must_use]
    pub fn admits(&self, scene: &Scene) -> bool {
        let when = scene.sensing_start;
        (self.start..self.end).contains(&when)
            && self.tiles.contains(&scene.tile)
            && self.months.as_ref().is_none_or(|months| months.contains(&month(when)))
            && self.cloud_cover_max.is_none_or(|max| scene.cloud_cover.is_some_and(|cover| cover <= max))
            && admitted(self.platforms.as_deref(), |name| name.eq_ignore_ascii_case(&scene.platform))
            && admitted(self.orbits.as_deref(), |orbit| Some(*orbit) == scene.relative_orbit)
    }
}

fn admitted<T>(wanted: Option<&[T]>, is_it: impl Fn(&T) -> bool) -> bool {
    wanted.is_none_or(|wanted| wanted.iter().any(is_it))
}

fn month(time: Timestamp) -> u8 {
    Offset::UTC.to_datetime(time).month().unsigned_abs()
}
