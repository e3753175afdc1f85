//! Schedules: when a request is made again, and what came of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::job::Priority;
use crate::{WireError, wire};

/// What to do when the last run still goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// Nothing: the next one is due soon enough.
    #[default]
    Skip,
    /// Wait until it has ended. One waits at most: a newer one takes its place.
    Queue,
    /// Stop it. What it has done is kept, and used.
    Replace,
}

/// What to do when there was no coordinator while it was due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// One run for all that were missed.
    #[default]
    Once,
    /// Nothing.
    None,
}

/// When and how a request is made again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// A cron expression.
    pub cron: String,
    /// The IANA name of the zone whose clocks it goes by.
    pub zone: String,
    /// What to do when the last run still goes on.
    #[serde(default)]
    pub overlap: Overlap,
    /// What to do with what was missed.
    #[serde(default)]
    pub missed: Missed,
    /// How much of the workers its runs get beside others.
    #[serde(default)]
    pub priority: Priority,
    /// Who is told how runs end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<Hook>,
}

/// Who is told how runs end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// Where it is posted.
    pub url: String,
    /// The credential profile with the secret that it is signed with.
    pub profile: String,
}

/// A word that is none of those that were expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}`: write {expected}")]
pub struct BadWord {
    found: String,
    expected: &'static str,
}

impl Overlap {
    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Queue => "queue",
            Self::Replace => "replace",
        }
    }
}

impl FromStr for Overlap {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        let found = [Self::Skip, Self::Queue, Self::Replace].into_iter().find(|overlap| overlap.name() == text);
        found.ok_or_else(|| BadWord { found: text.to_owned(), expected: "skip, queue or replace" })
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Missed {
    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::None => "none",
        }
    }
}

impl FromStr for Missed {
    type Err = BadWord;

    fn from_str(text: &str) -> Result<Self, BadWord> {
        let found = [Self::Once, Self::None].into_iter().find(|missed| missed.name() == text);
        found.ok_or_else(|| BadWord { found: text.to_owned(), expected: "once or none" })
    }
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Rule> for wire::ScheduleRule {
    fn from(rule: Rule) -> Self {
        let overlap = match rule.overlap {
            Overlap::Skip => wire::ScheduleOverlap::Skip,
            Overlap::Queue => wire::ScheduleOverlap::Queue,
            Overlap::Replace => wire::ScheduleOverlap::Replace,
        };
        let missed = match rule.missed {
            Missed::Once => wire::ScheduleMissed::Once,
            Missed::None => wire::ScheduleMissed::None,
        };
        let (hook_url, hook_profile) = rule.hook.map(|hook| (hook.url, hook.profile)).unwrap_or_default();
        Self {
            cron: rule.cron,
            zone: rule.zone,
            overlap: overlap.into(),
            missed: missed.into(),
            priority: rule.priority.into(),
            hook_url,
            hook_profile,
        }
    }
}

impl TryFrom<wire::ScheduleRule> for Rule {
    type Error = WireError;

    fn try_from(rule: wire::ScheduleRule) -> Result<Self, WireError> {
        let overlap = match rule.overlap() {
            wire::ScheduleOverlap::Unspecified | wire::ScheduleOverlap::Skip => Overlap::Skip,
            wire::ScheduleOverlap::Queue => Overlap::Queue,
            wire::ScheduleOverlap::Replace => Overlap::Replace,
        };
        let missed = match rule.missed() {
            wire::ScheduleMissed::Unspecified | wire::ScheduleMissed::Once => Missed::Once,
            wire::ScheduleMissed::None => Missed::None,
        };
        let priority = if rule.priority == 0 { Priority::default() } else { Priority::try_from(rule.priority)? };
        let hook = (!rule.hook_url.is_empty()).then_some(Hook { url: rule.hook_url, profile: rule.hook_profile });
        Ok(Self { cron: rule.cron, zone: rule.zone, overlap, missed, priority, hook })
    }
}

/// A schedule as it is told: instants are RFC 3339, in its zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// What it is called.
    pub name: String,
    /// The mosaic that it makes.
    pub mosaic: String,
    /// When and how.
    #[serde(flatten)]
    pub rule: Rule,
    /// Whether it starts nothing.
    pub paused: bool,
    /// When it is due next, where it is.
    pub next: Option<String>,
    /// Since when what waits for the last run to end is due.
    pub queued: Option<String>,
    /// Why it can never be due any more.
    pub fault: Option<String>,
    /// What came of those that were due, the newest first.
    pub firings: Vec<Firing>,
}

/// What came of something that was due.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Firing {
    /// When it was due.
    pub due: String,
    /// How many that were due before it stands for.
    pub missed: u32,
    /// Whether somebody asked for it by hand.
    pub by_hand: bool,
    /// `running`, `complete`, `incomplete`, `unchanged`, `failed`, `cancelled`, `refused`, `skipped` or `missed`.
    pub came: String,
    /// The job: its own, or the one that went on.
    pub job_id: String,
    /// Where it was published, or why not.
    pub said: String,
    /// How telling it went: `due`, `delivered`, or why it failed; empty where nobody is told.
    pub hook: String,
}

alike! { Firing, wire::ScheduleFiring: due, missed, by_hand, came, job_id, said, hook }

impl From<Told> for wire::Schedule {
    fn from(told: Told) -> Self {
        Self {
            name: told.name,
            mosaic: told.mosaic,
            rule: Some(told.rule.into()),
            paused: told.paused,
            next: told.next.unwrap_or_default(),
            queued: told.queued.unwrap_or_default(),
            fault: told.fault.unwrap_or_default(),
            firings: told.firings.into_iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<wire::Schedule> for Told {
    type Error = WireError;

    fn try_from(told: wire::Schedule) -> Result<Self, WireError> {
        let some = |text: String| (!text.is_empty()).then_some(text);
        let rule = told.rule.ok_or_else(|| WireError::new("Schedule", "no `rule`"))?;
        Ok(Self {
            name: told.name,
            mosaic: told.mosaic,
            rule: rule.try_into()?,
            paused: told.paused,
            next: some(told.next),
            queued: some(told.queued),
            fault: some(told.fault),
            firings: told.firings.into_iter().map(Into::into).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_what_it_was_on_the_other_side() {
        let hook = Hook { url: "https://h/".into(), profile: "p".into() };
        let rule = Rule {
            cron: "0 6 3 * *".into(),
            zone: "UTC".into(),
            overlap: "queue".parse().unwrap(),
            missed: "none".parse().unwrap(),
            priority: Priority::try_from(5).unwrap(),
            hook: Some(hook),
        };
        assert_eq!(Rule::try_from(wire::ScheduleRule::from(rule.clone())).unwrap(), rule);
        let least = wire::ScheduleRule { cron: "@daily".into(), zone: "UTC".into(), ..Default::default() };
        let least = Rule::try_from(least).unwrap();
        assert_eq!((least.overlap, least.missed, least.hook), (Overlap::Skip, Missed::Once, None));
        assert_eq!("x".parse::<Overlap>().unwrap_err().to_string(), "`x`: write skip, queue or replace");
    }
}
