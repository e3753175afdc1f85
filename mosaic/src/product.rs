//! Products: what is told of a pixel's clear observations. `docs/products.md` says each to the last rounding.
//!
//! ```text
//! of each band:   median, p10, p25, p75, p90, mean, min, max, mad      <BAND>.tif, <BAND>_<product>.tif
//! of the pixel:   count                                                <product>.tif
//! ```

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kernel::Reducer;
use crate::plan::SCALE;

/// One product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Product {
    /// The median.
    Median,
    /// The 10th percentile, linear between the two nearest ranks.
    P10,
    /// The 25th percentile.
    P25,
    /// The 75th percentile.
    P75,
    /// The 90th percentile.
    P90,
    /// The median absolute deviation from the exact median.
    Mad,
    /// The arithmetic mean.
    Mean,
    /// The least value.
    Min,
    /// The greatest value.
    Max,
    /// How many observations are clear: always written.
    Count,
}

impl Product {
    /// The products of a request that names none.
    pub const DEFAULT: [Self; 2] = [Self::Median, Self::Count];

    /// Its name in a request, in file names and in STAC.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Median => "median",
            Self::P10 => "p10",
            Self::P25 => "p25",
            Self::P75 => "p75",
            Self::P90 => "p90",
            Self::Mad => "mad",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::Count => "count",
        }
    }

    /// How a band's values become one; none for what is told of the pixel, and not of each of its bands.
    #[must_use]
    pub const fn reducer(self) -> Option<Reducer> {
        match self {
            Self::Median => Some(Reducer::Percentile(50)),
            Self::P10 => Some(Reducer::Percentile(10)),
            Self::P25 => Some(Reducer::Percentile(25)),
            Self::P75 => Some(Reducer::Percentile(75)),
            Self::P90 => Some(Reducer::Percentile(90)),
            Self::Mad => Some(Reducer::Mad),
            Self::Mean => Some(Reducer::Mean),
            Self::Min => Some(Reducer::Percentile(0)),
            Self::Max => Some(Reducer::Percentile(100)),
            Self::Count => None,
        }
    }
}

impl Product {
    /// The products of a band's values.
    pub fn of_bands(products: &[Self]) -> impl Iterator<Item = Self> {
        products.iter().copied().filter(|product| product.reducer().is_some())
    }

    /// Reflectance of one stored unit, and of a stored 0, which is nodata all the same; none for plain numbers.
    #[must_use]
    pub const fn scaling(self) -> Option<(f64, f64)> {
        match self {
            Self::Count => None,
            // One more than the deviation is stored.
            Self::Mad => Some((SCALE, -SCALE)),
            _ => Some((SCALE, 0.0)),
        }
    }

    /// What it is, for people: `median`, `10th percentile`.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Median => "median",
            Self::P10 => "10th percentile",
            Self::P25 => "25th percentile",
            Self::P75 => "75th percentile",
            Self::P90 => "90th percentile",
            Self::Mad => "median absolute deviation",
            Self::Mean => "mean",
            Self::Min => "least value",
            Self::Max => "greatest value",
            Self::Count => "clear observations",
        }
    }
}

/// Whether products are those of a request that names none, as composites have them.
#[must_use]
pub fn is_median_alone(products: &[Product]) -> bool {
    *products == [Product::Median]
}

/// The products of composites that were made when there was one.
#[must_use]
pub fn median_alone() -> Vec<Product> {
    vec![Product::Median]
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_requests() {
        for product in [Product::Median, Product::P10, Product::Mad, Product::Count] {
            assert_eq!(serde_json::to_value(product).unwrap(), product.name());
        }
    }
}
