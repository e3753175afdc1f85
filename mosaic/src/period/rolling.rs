//! Periods that go with the day: the last twelve months, whenever they are asked for.
//!
//! ```text
//! lattice of slices   |   |   |   |   |   |   |   now
//! {last: P4M}                 └───────────────┘    |     whole slices: the same period until the next slice is over
//! {last: P4M, whole: false}     └──────────────────┴─┘   up to the end of today (UTC), slices cut at both ends
//! ```
//!
//! A whole period begins and ends where slices do, so that two of them cut what they share into the same slices, whose
//! partials are made once.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, ToSpan};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Period, SliceLength, instant, midnight};

/// The last so-and-so-much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rolling {
    /// How much.
    pub last: SliceLength,
    /// Whether it begins and ends where slices do; else it ends with the day.
    pub whole: bool,
}

/// A period as the author of a request writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// From one instant to another.
    Fixed(Period),
    /// Which one it is depends on the day.
    Last(Rolling),
}

impl When {
    /// The period that is meant at an instant, by a request with these slices.
    ///
    /// # Errors
    /// One line, where no slice is whole.
    pub fn at(&self, now: Timestamp, slice: Option<SliceLength>) -> Result<Period, String> {
        match self {
            Self::Fixed(period) => Ok(*period),
            Self::Last(rolling) => rolling.at(now, slice),
        }
    }
}

impl Rolling {
    /// The period that is meant at an instant. Without slices it begins and ends with a day, month or year: that of
    /// which `last` counts so many.
    fn at(self, now: Timestamp, slice: Option<SliceLength>) -> Result<Period, String> {
        let outside = || "it lies outside the calendar".to_owned();
        if !self.whole {
            let today = now.to_zoned(TimeZone::UTC).date();
            let tomorrow = today.checked_add(1.day()).map_err(|_| outside())?;
            let start = self.before(tomorrow).and_then(midnight).ok_or_else(outside)?;
            return Ok(Period { start, end: midnight(tomorrow).ok_or_else(outside)? });
        }
        let slice = slice.unwrap_or(self.last.one());
        let end = slice.slice_at(now).ok_or_else(outside)?.start;
        let start = self.before(end.to_zoned(TimeZone::UTC).date()).and_then(midnight).ok_or_else(outside)?;
        let first = slice.slice_at(start).ok_or_else(outside)?;
        let start = if first.start == start { start } else { first.end };
        if start < end {
            return Ok(Period { start, end });
        }
        Err(format!("the last {} hold no whole slice of {slice}: write more, or `whole: false`", self.last))
    }

    /// The day so much before another.
    fn before(self, day: Date) -> Option<Date> {
        day.checked_sub(Span::from(self.last)).ok()
    }
}

impl SliceLength {
    /// One day, month or year: what it counts.
    const fn one(self) -> Self {
        match self {
            Self::Days(_) => Self::Days(1),
            Self::Months(_) => Self::Months(1),
            Self::Years(_) => Self::Years(1),
        }
    }
}

impl From<SliceLength> for Span {
    fn from(length: SliceLength) -> Self {
        match length {
            SliceLength::Days(n) => i64::from(n).days(),
            SliceLength::Months(n) => i64::from(n).months(),
            SliceLength::Years(n) => i64::from(n).years(),
        }
    }
}

impl From<Period> for When {
    fn from(period: Period) -> Self {
        Self::Fixed(period)
    }
}

impl fmt::Display for When {
    /// `2023-08-01..2023-09-01`, or `the last P12M`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(period) => period.fmt(f),
            Self::Last(Rolling { last, whole: true }) => write!(f, "the last {last}"),
            Self::Last(Rolling { last, whole: false }) => write!(f, "the last {last}, to the day"),
        }
    }
}

/// The fields of either form.
#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields, expecting = "{start, end} or {last}")]
struct Fields {
    #[serde(default, deserialize_with = "some_instant", skip_serializing_if = "Option::is_none")]
    start: Option<Timestamp>,
    #[serde(default, deserialize_with = "some_instant", skip_serializing_if = "Option::is_none")]
    end: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<SliceLength>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    whole: Option<bool>,
}

fn some_instant<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Timestamp>, D::Error> {
    instant(d).map(Some)
}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fixed(period) => period.serialize(s),
            Self::Last(Rolling { last, whole }) => {
                Fields { last: Some(*last), whole: (!whole).then_some(false), ..Fields::default() }.serialize(s)
            }
        }
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match Fields::deserialize(d)? {
            Fields { start: Some(start), end: Some(end), last: None, whole: None } => {
                Ok(Self::Fixed(Period { start, end }))
            }
            Fields { start: None, end: None, last: Some(last), whole } => {
                Ok(Self::Last(Rolling { last, whole: whole.unwrap_or(true) }))
            }
            Fields { last: None, whole: None, start: None, .. } => Err(D::Error::missing_field("start")),
            Fields { last: None, whole: None, .. } => Err(D::Error::missing_field("end")),
            Fields { last: None, .. } => Err(D::Error::custom("`whole` goes with `last`")),
            _ => Err(D::Error::custom("give `start` and `end`, or `last`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::parse_instant;
    use super::*;

    fn length(text: &str) -> SliceLength {
        text.parse().unwrap()
    }

    fn shown(last: &str, whole: bool, slice: Option<&str>, now: &str) -> String {
        let when = When::Last(Rolling { last: length(last), whole });
        when.at(parse_instant(now).unwrap(), slice.map(length)).map_or_else(|e| e, |period| period.to_string())
    }

    #[test]
    fn the_last_months_are_whole_ones() {
        let monthly = |now| shown("P12M", true, Some("P1M"), now);
        assert_eq!(monthly("2024-03-31"), "2023-03-01..2024-03-01");
        assert_eq!(monthly("2024-03-31T23:59:59Z"), "2023-03-01..2024-03-01");
        assert_eq!(monthly("2024-04-01"), "2023-04-01..2024-04-01");
        assert_eq!(shown("P1Y", true, Some("P1M"), "2024-02-29"), "2023-02-01..2024-02-01");
        assert_eq!(shown("P12M", true, None, "2024-02-29"), "2023-02-01..2024-02-01", "as many months");
        assert_eq!(shown("P1Y", true, None, "2024-02-29"), "2023-01-01..2024-01-01", "a year of the calendar");
        assert_eq!(shown("P30D", true, None, "2024-03-01T12:00:00Z"), "2024-01-31..2024-03-01");
        // The slices of seven days around it begin on 2024-02-22 and 2023-02-23.
        assert_eq!(shown("P1Y", true, Some("P7D"), "2024-02-28"), "2023-02-23..2024-02-22");
    }

    #[test]
    fn whoever_says_so_gets_what_there_is_today() {
        assert_eq!(shown("P12M", false, Some("P1M"), "2024-03-31T23:59:59Z"), "2023-04-01..2024-04-01");
        assert_eq!(shown("P1M", false, Some("P1M"), "2024-03-30"), "2024-02-29..2024-03-31");
        assert_eq!(
            shown("P6M", true, Some("P1Y"), "2024-03-31"),
            "the last P6M hold no whole slice of P1Y: write more, or `whole: false`"
        );
    }

    #[test]
    fn both_forms_are_written_as_they_are_read() {
        for text in [
            r#"{"start":"2023-08-01T00:00:00Z","end":"2023-09-01T00:00:00Z"}"#,
            r#"{"last":"P12M"}"#,
            r#"{"last":"P7D","whole":false}"#,
        ] {
            let when: When = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&when).unwrap(), text);
        }
        for (bad, why) in [
            (r#"{"last":"P12M","end":"2023-09-01"}"#, "give `start` and `end`, or `last`"),
            (r#"{"start":"2023-09-01"}"#, "missing field `end`"),
            (r#"{}"#, "missing field `start`"),
            (r#"{"start":"2023-08-01","end":"2023-09-01","whole":true}"#, "`whole` goes with `last`"),
            (r#"{"last":"P1W"}"#, "`P1W` is no"),
        ] {
            let told = serde_json::from_str::<When>(bad).unwrap_err().to_string();
            assert!(told.starts_with(why), "{told}");
        }
    }

    proptest! {
        /// Whenever it is asked for: whole slices, as many as there are, the newest of them, and the same as at any other time.
        #[test]
        fn what_two_of_them_share_they_cut_alike(
            last in prop::sample::select(vec!["P200D", "P6M", "P12M", "P2Y"]),
            slice in prop::sample::select(vec!["P1D", "P7D", "P1M", "P3M"]),
            now in 0_i64..2_000_000_000,
            later in 0_i64..200_000_000,
        ) {
            let (rolling, slice) = (When::Last(Rolling { last: length(last), whole: true }), length(slice));
            let at = |seconds| {
                let now = Timestamp::from_second(seconds).unwrap();
                let period = rolling.at(now, Some(slice)).unwrap();
                let slices = slice.slices(&period);
                assert!(slices.iter().all(|one| slice.slice_at(one.start) == Some(*one)), "{period} is not whole");
                assert!(period.end <= now && now < slice.slice_at(period.end).unwrap().end, "{period} is not the newest");
                let first = slice.slice_at(period.start - jiff::SignedDuration::from_secs(1)).unwrap();
                let earliest = period.end.to_zoned(TimeZone::UTC).checked_sub(Span::from(length(last))).unwrap();
                assert!(first.start < earliest.timestamp(), "{period} could be longer");
                (period, slices)
            };
            let ((one, slices), (other, others)) = (at(now), at(now + later));
            prop_assert!(one.start <= other.start && one.end <= other.end);
            let shared: Vec<_> = slices.iter().filter(|slice| slice.start >= other.start).collect();
            prop_assert_eq!(shared, others.iter().filter(|slice| slice.end <= one.end).collect::<Vec<_>>());
        }
    }
}
