//! ESA's processing baseline.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A processing baseline, ordered as the number that it is: 05.10 comes after 05.09.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Baseline {
    major: u8,
    minor: u8,
}

/// Text that is no processing baseline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no processing baseline: write it as 05.09")]
pub struct BadBaseline(pub String);

impl Baseline {
    /// 04.00: from here on ESA's pixels carry 1000 more.
    pub const SHIFTED: Self = Self { major: 4, minor: 0 };

    /// Reads the part of a product name, `N0509`.
    #[must_use]
    pub fn from_product_part(part: &str) -> Option<Self> {
        let digits = part.strip_prefix('N').filter(|d| d.len() == 4 && d.bytes().all(|b| b.is_ascii_digit()))?;
        Some(Self { major: digits[..2].parse().ok()?, minor: digits[2..].parse().ok()? })
    }
}

impl FromStr for Baseline {
    type Err = BadBaseline;

    /// Reads `05.09`, `5.09`, and `5.1` as the number does: 05.10.
    fn from_str(text: &str) -> Result<Self, BadBaseline> {
        let bad = || BadBaseline(text.to_owned());
        let (major, minor) = text.trim().split_once('.').unwrap_or((text.trim(), "00"));
        let digits = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(major) || !digits(minor) {
            return Err(bad());
        }
        let tenths = if minor.len() == 1 { 10 } else { 1 };
        let minor: u8 = minor.parse().map_err(|_| bad())?;
        Ok(Self { major: major.parse().map_err(|_| bad())?, minor: minor * tenths })
    }
}

impl fmt::Display for Baseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}.{:02}", self.major, self.minor)
    }
}

impl Serialize for Baseline {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Baseline {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_as_a_number() {
        let order = ["00.01", "02.14", "03.01", "04.00", "05.00", "05.09", "5.1", "05.11", "99.99"];
        let parsed: Vec<Baseline> = order.iter().map(|t| t.parse().unwrap()).collect();
        assert!(parsed.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(parsed[6].to_string(), "05.10");
        assert_eq!(Baseline::from_product_part("N0509"), Some(parsed[5]));
    }

    #[test]
    fn refuses_what_is_none() {
        for text in ["", "abc", "5.", ".5", "05.099", "-1.0", "500"] {
            assert!(text.parse::<Baseline>().is_err(), "{text}");
        }
        assert_eq!(Baseline::from_product_part("N05.09"), None);
    }
}
