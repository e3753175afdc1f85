//! Periods and slices: spans of UTC time, end exclusive.
//!
//! A slice is calendar-aligned, so that the slices of one request are those of the next: days count from
//! 1970-01-01, months and years from January 1970, and the first and last are clipped to the period.

mod rolling;

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

pub use rolling::{Rolling, When};

/// A span of UTC time, end exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "{start, end}")]
pub struct Period {
    /// First instant inside.
    #[serde(deserialize_with = "instant")]
    pub start: Timestamp,
    /// First instant outside.
    #[serde(deserialize_with = "instant")]
    pub end: Timestamp,
}

impl Period {
    /// Whether an instant lies inside.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }
}

impl fmt::Display for Period {
    /// `2023-08-01..2023-09-01`; the time of day only where it is not midnight.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", Stamp(self.start), Stamp(self.end))
    }
}

struct Stamp(Timestamp);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.0.to_zoned(TimeZone::UTC).datetime();
        if at.time() == jiff::civil::Time::midnight() { write!(f, "{}", at.date()) } else { write!(f, "{}", self.0) }
    }
}

/// Reads a date (midnight UTC) or an RFC 3339 instant.
///
/// # Errors
/// One line that says what was expected.
pub fn parse_instant(text: &str) -> Result<Timestamp, String> {
    if let Ok(day) = text.parse::<Date>()
        && text.len() == 10
    {
        return midnight(day).ok_or_else(|| format!("`{text}` lies outside the calendar"));
    }
    text.parse().map_err(|_| format!("`{text}` is no date: write 2023-08-01 or 2023-08-01T00:00:00Z"))
}

fn instant<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(d)?;
    parse_instant(&text).map_err(serde::de::Error::custom)
}

fn midnight(day: Date) -> Option<Timestamp> {
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// How long a slice is: `PnD`, `PnM` or `PnY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SliceLength {
    /// So many days.
    Days(u16),
    /// So many calendar months.
    Months(u16),
    /// So many calendar years.
    Years(u16),
}

impl FromStr for SliceLength {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("`{text}` is no length: write P7D, P1M or P1Y");
        let body = text.strip_prefix('P').ok_or_else(bad)?;
        let unit = body.chars().last().ok_or_else(bad)?;
        let n: u16 = body[..body.len() - unit.len_utf8()].parse().map_err(|_| bad())?;
        match (n, unit) {
            (1..=3660, 'D') => Ok(Self::Days(n)),
            (1..=1200, 'M') => Ok(Self::Months(n)),
            (1..=100, 'Y') => Ok(Self::Years(n)),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for SliceLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(n) => write!(f, "P{n}D"),
            Self::Months(n) => write!(f, "P{n}M"),
            Self::Years(n) => write!(f, "P{n}Y"),
        }
    }
}

impl Serialize for SliceLength {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SliceLength {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl SliceLength {
    /// The slice that holds an instant, unclipped.
    #[must_use]
    pub fn slice_at(self, at: Timestamp) -> Option<Period> {
        let day = at.to_zoned(TimeZone::UTC).date();
        let (first, next) = match self {
            Self::Days(n) => {
                let n = i64::from(n);
                let epoch = date(1970, 1, 1);
                let since = i64::from(epoch.until(day).ok()?.get_days());
                let first = epoch.checked_add(since.div_euclid(n).checked_mul(n)?.days()).ok()?;
                (first, first.checked_add(n.days()).ok()?)
            }
            Self::Months(n) => months_at(day, i32::from(n))?,
            Self::Years(n) => months_at(day, i32::from(n) * 12)?,
        };
        Some(Period { start: midnight(first)?, end: midnight(next)? })
    }

    /// The slices of a period in order, the first and last clipped to it.
    #[must_use]
    pub fn slices(self, period: &Period) -> Vec<Period> {
        let mut slices = Vec::new();
        let mut at = period.start;
        while at < period.end {
            let Some(slice) = self.slice_at(at) else { break };
            slices.push(Period { start: at, end: slice.end.min(period.end) });
            at = slice.end;
        }
        slices
    }
}

/// The block of `n` months, counted from January 1970, that holds a day: its first day and the next block's.
fn months_at(day: Date, n: i32) -> Option<(Date, Date)> {
    let since = (i32::from(day.year()) - 1970) * 12 + i32::from(day.month()) - 1;
    let first = since.div_euclid(n) * n;
    let month = |m: i32| {
        let year = i16::try_from(1970 + m.div_euclid(12)).ok()?;
        Date::new(year, i8::try_from(m.rem_euclid(12) + 1).ok()?, 1).ok()
    };
    Some((month(first)?, month(first + n)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(start: &str, end: &str) -> Period {
        Period { start: parse_instant(start).unwrap(), end: parse_instant(end).unwrap() }
    }

    fn shown(length: &str, start: &str, end: &str) -> Vec<String> {
        let length: SliceLength = length.parse().unwrap();
        length.slices(&period(start, end)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn months_are_calendar_months_clipped_to_the_period() {
        assert_eq!(
            shown("P1M", "2023-08-15", "2023-10-02"),
            ["2023-08-15..2023-09-01", "2023-09-01..2023-10-01", "2023-10-01..2023-10-02"]
        );
        assert_eq!(shown("P3M", "2023-08-15", "2023-10-02"), ["2023-08-15..2023-10-01", "2023-10-01..2023-10-02"]);
    }

    #[test]
    fn days_count_from_1970_whatever_the_period() {
        // 1970-01-01 + 19565 days is 2023-07-27, a multiple of 7.
        assert_eq!(
            shown("P7D", "2023-08-01", "2023-08-12"),
            ["2023-08-01..2023-08-03", "2023-08-03..2023-08-10", "2023-08-10..2023-08-12"]
        );
        assert_eq!(shown("P1D", "1969-12-31", "1970-01-02").len(), 2);
    }

    #[test]
    fn years_and_leap_days() {
        assert_eq!(shown("P1Y", "2023-08-01", "2025-01-01"), ["2023-08-01..2024-01-01", "2024-01-01..2025-01-01"]);
        assert_eq!(shown("P2Y", "2023-08-01", "2025-01-01"), ["2023-08-01..2024-01-01", "2024-01-01..2025-01-01"]);
        assert_eq!(shown("P1M", "2024-02-29", "2024-03-01"), ["2024-02-29..2024-03-01"]);
    }

    #[test]
    fn slices_tile_the_period() {
        for length in ["P1D", "P7D", "P13D", "P1M", "P5M", "P1Y", "P3Y"] {
            let whole = period("2015-06-27T10:00:00Z", "2024-03-01");
            let slices = length.parse::<SliceLength>().unwrap().slices(&whole);
            assert_eq!(slices[0].start, whole.start);
            assert_eq!(slices[slices.len() - 1].end, whole.end);
            assert!(slices.windows(2).all(|w| w[0].end == w[1].start && w[0].start < w[0].end));
        }
    }

    #[test]
    fn lengths_that_make_no_sense_are_refused() {
        for bad in ["", "P", "1M", "P0M", "P-1M", "P1W", "P1.5M", "PM", "P99999D"] {
            assert!(bad.parse::<SliceLength>().is_err(), "{bad}");
        }
    }
}
