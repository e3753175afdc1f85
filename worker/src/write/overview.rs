//! Overviews: every level has one pixel for two by two of the level before it. Where that is odd a side, what is left at
//! the east and the south edge stands for itself. On even sizes the pixels are those that GDAL makes.

use mosaic::composite::Plane;

/// How two by two pixels become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overviews {
    /// The mean of those that have data, halves up; nodata (0) where none has.
    Average,
    /// The one in the north-west.
    Nearest,
}

impl Overviews {
    /// A plane of so many columns, halved.
    #[must_use]
    pub fn halve(self, plane: &Plane, width: usize) -> Plane {
        match (plane, self) {
            (Plane::U16(values), Self::Average) => Plane::U16(reduce(values, width, mean_u16)),
            (Plane::U16(values), Self::Nearest) => Plane::U16(reduce(values, width, |[first, ..]| first)),
            (Plane::F32(values), Self::Average) => Plane::F32(reduce(values, width, mean_f32)),
            (Plane::F32(values), Self::Nearest) => Plane::F32(reduce(values, width, |[first, ..]| first)),
        }
    }
}

/// Reduces two by two pixels; those beyond the edges have no data.
fn reduce<T: Copy + Default>(values: &[T], width: usize, one: impl Fn([T; 4]) -> T) -> Vec<T> {
    let none = vec![T::default(); width];
    let mut halved = Vec::with_capacity(values.len().div_ceil(4) + width);
    for rows in values.chunks(2 * width) {
        let (upper, lower) = rows.split_at(width);
        let lower = if lower.is_empty() { none.as_slice() } else { lower };
        let (pairs, below) = (upper.chunks_exact(2), lower.chunks_exact(2));
        let last = pairs.remainder().iter().zip(below.remainder());
        let last = last.map(|(a, c)| one([*a, T::default(), *c, T::default()]));
        halved.extend(pairs.zip(below).map(|(a, c)| one([a[0], a[1], c[0], c[1]])).chain(last));
    }
    halved
}

/// For up to four values there is no need to divide by a variable.
fn mean_u16(values: [u16; 4]) -> u16 {
    let sum: u32 = values.iter().map(|value| u32::from(*value)).sum();
    let mean = match values.iter().filter(|value| **value > 0).count() {
        0 | 1 => sum,
        2 => sum.div_ceil(2),
        3 => (sum + 1) / 3,
        _ => (sum + 2) / 4,
    };
    // The mean of numbers of 16 bits is one.
    mean as u16
}

fn mean_f32(values: [f32; 4]) -> f32 {
    let sum: f64 = values.iter().map(|value| f64::from(*value)).sum();
    let data = values.iter().filter(|value| **value != 0.0).count();
    (sum / data.max(1) as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_of_what_has_data() {
        assert_eq!(mean_u16([0; 4]), 0);
        assert_eq!(mean_u16([7, 0, 0, 0]), 7);
        assert_eq!(mean_u16([7, 8, 0, 0]), 8);
        assert_eq!((mean_u16([1, 0, 1, 2]), mean_u16([1, 0, 2, 2])), (1, 2));
        assert_eq!((mean_u16([1, 1, 1, 2]), mean_u16([1, 1, 2, 2])), (1, 2));
        assert_eq!(mean_u16([u16::MAX; 4]), u16::MAX);
        assert_eq!((mean_f32([0.0; 4]), mean_f32([0.0, 7.5, 0.0, 8.0])), (0.0, 7.75));
    }

    #[test]
    fn an_odd_edge_stands_for_itself() {
        let plane = Plane::U16(vec![1, 3, 5, 3, 5, 0, 8, 0, 9]);
        assert_eq!(Overviews::Average.halve(&plane, 3), Plane::U16(vec![3, 5, 8, 9]));
        assert_eq!(Overviews::Nearest.halve(&plane, 3), Plane::U16(vec![1, 5, 8, 9]));
        let column = Plane::F32(vec![1.0, 2.0, 0.5]);
        assert_eq!(Overviews::Average.halve(&column, 1), Plane::F32(vec![1.5, 0.5]));
    }
}
