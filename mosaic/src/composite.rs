//! Composites: finished sub-tiles on their tile's own grid.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::band::Band;
use crate::dark::Doubt;
use crate::ids::SystemIndex;
use crate::kernel::{self, BadPack, Layer, Pile, Reduced, Reducer, finish, finish_f32};
use crate::partial::Middles;
use crate::product::{Product, is_median_alone, median_alone};
use crate::request::Dtype;

/// One product of one band, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Plane {
    /// Rounded half up; 0 is nodata.
    U16(Vec<u16>),
    /// Medians as they are, others to the nearest number; 0 is nodata.
    F32(Vec<f32>),
}

impl Plane {
    /// A plane of nodata.
    #[must_use]
    pub fn nodata(dtype: Dtype, pixels: usize) -> Self {
        match dtype {
            Dtype::Uint16 => Self::U16(vec![0; pixels]),
            Dtype::Float32 => Self::F32(vec![0.0; pixels]),
        }
    }

    /// How many pixels it has.
    #[must_use]
    pub const fn pixels(&self) -> usize {
        match self {
            Self::U16(values) => values.len(),
            Self::F32(values) => values.len(),
        }
    }

    /// A pixel's value.
    #[must_use]
    #[inline]
    pub fn get(&self, pixel: usize) -> f32 {
        match self {
            Self::U16(values) => f32::from(values[pixel]),
            Self::F32(values) => values[pixel],
        }
    }

    /// Copies `length` pixels of another plane of the same type, from `at` there to `to` here.
    ///
    /// # Panics
    /// Where the types differ, or there are no such pixels.
    pub fn copy(&mut self, to: usize, from: &Self, at: usize, length: usize) {
        match (self, from) {
            (Self::U16(a), Self::U16(b)) => a[to..to + length].copy_from_slice(&b[at..at + length]),
            (Self::F32(a), Self::F32(b)) => a[to..to + length].copy_from_slice(&b[at..at + length]),
            _ => panic!("planes of different types"),
        }
    }

    /// Appends another plane of the same type.
    ///
    /// # Panics
    /// Where the types differ.
    pub fn append(&mut self, other: Self) {
        match (self, other) {
            (Self::U16(a), Self::U16(mut b)) => a.append(&mut b),
            (Self::F32(a), Self::F32(mut b)) => a.append(&mut b),
            _ => panic!("planes of different types"),
        }
    }
}

/// What a composite says of itself, ahead of its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompositeHeader {
    /// Columns of the sub-tile, in working pixels.
    pub width: usize,
    /// Rows of the sub-tile, in working pixels.
    pub height: usize,
    /// Rows of each frame; the last one may have fewer.
    pub rows_per_chunk: usize,
    /// The bands, in the order of [`Composite::bands`].
    pub bands: Vec<Band>,
    /// The products, in the order of [`Composite::bands`].
    #[serde(default = "median_alone", skip_serializing_if = "is_median_alone")]
    pub products: Vec<Product>,
    /// Type of the bands' values.
    pub dtype: Dtype,
    /// How many clear pixels each scene gave, 0 included.
    pub scenes: BTreeMap<SystemIndex, u64>,
    /// Scenes whose pixels contradict their offset.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub doubts: BTreeMap<SystemIndex, Doubt>,
}

impl CompositeHeader {
    /// How many planes there are of the bands.
    #[must_use]
    pub fn planes(&self) -> usize {
        self.bands.len() * Product::of_bands(&self.products).count()
    }
}

/// How the observations of pixels are finished.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// What is told of them, ascending.
    pub products: Vec<Product>,
    /// Type of the bands' values.
    pub dtype: Dtype,
    /// Fewer clear observations than this: nodata.
    pub min_observations: u16,
}

impl Finish {
    /// Whether the middle values of the bands are enough to know.
    #[must_use]
    pub fn needs_middles_alone(&self) -> bool {
        Product::of_bands(&self.products).eq([Product::Median])
    }

    fn reducers(&self) -> Vec<Reducer> {
        self.products.iter().filter_map(|product| product.reducer()).collect()
    }
}

/// Some whole rows of a composite, or all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Composite {
    /// Clear observations per pixel.
    pub counts: Vec<u16>,
    /// The first product of each band, then the next one.
    pub bands: Vec<Plane>,
}

impl Composite {
    /// Finishes the medians: nodata where there are fewer clear observations than `min_observations`.
    #[must_use]
    pub fn finish(middles: &Middles, how: &Finish) -> Self {
        let Middles { counts, lower, upper } = middles;
        let Finish { dtype, min_observations, .. } = *how;
        let plane = |(lower, upper): (&Vec<u16>, &Vec<u16>)| {
            let mut plane = Plane::nodata(dtype, counts.len());
            match &mut plane {
                Plane::U16(out) => finish(lower, upper, counts, min_observations, out),
                Plane::F32(out) => finish_f32(lower, upper, counts, min_observations, out),
            }
            plane
        };
        Self { counts: counts.clone(), bands: lower.iter().zip(upper).map(plane).collect() }
    }

    /// All products of piles and layers together, `layers` being those of each band, perhaps none.
    ///
    /// # Errors
    /// Where a pile is not as it was packed.
    ///
    /// # Panics
    /// Where the layers are not all of `pixels` pixels.
    pub fn reduce(
        pixels: usize,
        layers: &[Vec<Layer<'_>>],
        piles: &mut [Pile<'_>],
        how: &Finish,
    ) -> Result<Self, BadPack> {
        let reducers = how.reducers();
        let bands = vec![Plane::nodata(how.dtype, pixels); layers.len() * reducers.len()];
        let mut rows = Self { counts: vec![0; pixels], bands };
        let into = Reduced {
            reducers: &reducers,
            min_observations: how.min_observations,
            counts: &mut rows.counts,
            planes: &mut rows.bands,
        };
        kernel::reduce(layers, piles, into)?;
        Ok(rows)
    }

    /// Appends the rows below.
    pub fn append(&mut self, mut below: Self) {
        self.counts.append(&mut below.counts);
        for (band, more) in self.bands.iter_mut().zip(below.bands) {
            band.append(more);
        }
    }

    /// Bytes of heap that it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let plane = |plane: &Plane| match plane {
            Plane::U16(values) => values.len() * 2,
            Plane::F32(values) => values.len() * 4,
        };
        self.counts.len() * 2 + self.bands.iter().map(plane).sum::<usize>()
    }
}
