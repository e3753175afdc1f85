//! Polygons whose rings run on across the antimeridian.

use super::AoiError;

/// A position, [longitude, latitude] in degrees.
pub(super) type Position = [f64; 2];
/// Positions of a ring, the first not repeated at the end.
pub(super) type Ring = Vec<Position>;

/// Northernmost latitude with tiles, degrees.
pub(super) const NORTHERN_LIMIT: f64 = 84.0;
/// Southernmost latitude with tiles, degrees.
pub(super) const SOUTHERN_LIMIT: f64 = -80.0;

/// An outer ring and its holes. Rings are continuous: where they cross the antimeridian, longitudes run on past 180.
/// The outer ring's west end lies in [-180, 180), and the holes lie within its range of longitudes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Polygon {
    pub(super) rings: Vec<Ring>,
}

impl Polygon {
    /// From rings that are continuous already, the outer one first.
    pub(super) fn unwrapped(mut rings: Vec<Ring>) -> Self {
        let (west, _) = longitudes(&rings[0]);
        let shift = -360.0 * ((west + 180.0) / 360.0).floor();
        rings.iter_mut().for_each(|ring| move_by(ring, shift));
        let (west, _) = longitudes(&rings[0]);
        for hole in &mut rings[1..] {
            let turns = ((west - longitudes(hole).0) / 360.0 - 1e-9).ceil();
            move_by(hole, 360.0 * turns);
        }
        Self { rings }
    }

    /// From closed rings as GeoJSON has them, edges of more than 180 degrees going the short way round.
    pub(super) fn read(at: &str, rings: Vec<Ring>) -> Result<Self, AoiError> {
        let rings = rings.into_iter().map(|ring| read_ring(at, ring)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::unwrapped(rings))
    }

    /// Westernmost and easternmost longitude.
    pub(super) fn longitudes(&self) -> (f64, f64) {
        longitudes(&self.rings[0])
    }

    /// The same polygon, `degrees` further east.
    pub(super) fn moved(&self, degrees: f64) -> Self {
        let mut copy = self.clone();
        copy.rings.iter_mut().for_each(|ring| move_by(ring, degrees));
        copy
    }
}

/// Whether a position is one on Earth that tiles can cover. Longitudes may run on to 360, as some programs write them.
pub(super) fn check_position(at: &str, [lon, lat]: Position) -> Result<(), AoiError> {
    let at = || at.to_owned();
    if !((-360.0..=360.0).contains(&lon) && (-90.0..=90.0).contains(&lat)) {
        return Err(AoiError::Position { at: at(), lon, lat });
    }
    if (SOUTHERN_LIMIT..=NORTHERN_LIMIT).contains(&lat) { Ok(()) } else { Err(AoiError::Pole { at: at(), lat }) }
}

fn read_ring(at: &str, ring: Ring) -> Result<Ring, AoiError> {
    ring.iter().try_for_each(|&position| check_position(at, position))?;
    if ring.first() != ring.last() {
        return Err(AoiError::OpenRing { at: at.to_owned() });
    }
    if ring.len() < 4 {
        return Err(AoiError::ShortRing { at: at.to_owned(), positions: ring.len() });
    }
    let mut unwrapped = unwrap(&ring);
    let (west, east) = longitudes(&unwrapped);
    let closes = unwrapped.first() == unwrapped.last();
    if !closes || west == east {
        // A box around the whole Earth, its corners at -180 and 180, or a ring around a pole.
        let jumps = |edge: &[Position]| (180.0 + 1e-9..360.0).contains(&(edge[1][0] - edge[0][0]).abs());
        if !closes && ring.windows(2).any(jumps) {
            return Err(AoiError::AroundPole { at: at.to_owned() });
        }
        unwrapped = ring;
    }
    unwrapped.pop();
    Ok(unwrapped)
}

/// Longitudes moved by full turns, so that no edge is longer than 180 degrees.
fn unwrap(ring: &[Position]) -> Ring {
    let mut turns = 0.0;
    let mut previous = None;
    let mut unwrapped = Ring::with_capacity(ring.len());
    for &[lon, lat] in ring {
        if let Some(before) = previous {
            let step: f64 = lon - before;
            if step.abs() > 180.0 {
                turns -= (step / 360.0).round();
            }
        }
        previous = Some(lon);
        unwrapped.push([lon + 360.0 * turns, lat]);
    }
    unwrapped
}

fn longitudes(ring: &[Position]) -> (f64, f64) {
    ring.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(west, east), p| (west.min(p[0]), east.max(p[0])))
}

fn move_by(ring: &mut Ring, degrees: f64) {
    if degrees != 0.0 {
        ring.iter_mut().for_each(|position| position[0] += degrees);
    }
}
