//! Jobs as they are watched.

use serde::{Deserialize, Serialize};

use crate::{WireError, wire};

/// How much of the workers a mosaic gets beside others: each step is twice as much as the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Priority(u32);

impl Priority {
    /// The least.
    pub const LEAST: u32 = 1;
    /// The greatest.
    pub const GREATEST: u32 = 5;

    /// What it gets, beside 1 of the least.
    #[must_use]
    pub const fn weight(self) -> u32 {
        1 << (self.0 - Self::LEAST)
    }
}

impl Default for Priority {
    /// The middle.
    fn default() -> Self {
        Self(3)
    }
}

impl std::fmt::Display for Priority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<u32> for Priority {
    type Error = WireError;

    fn try_from(priority: u32) -> Result<Self, WireError> {
        if (Self::LEAST..=Self::GREATEST).contains(&priority) {
            return Ok(Self(priority));
        }
        let problem = format!("{priority}: expected {} to {}", Self::LEAST, Self::GREATEST);
        Err(WireError::new("`priority`", problem))
    }
}

impl From<Priority> for u32 {
    fn from(priority: Priority) -> Self {
        priority.0
    }
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// Tasks are waiting or running.
    Running,
    /// Every task has ended; the version is being written.
    Publishing,
    /// Published.
    Published {
        /// Whether nothing failed.
        complete: bool,
        /// Where: the directory under the mosaic's name.
        at: String,
        /// Whether it was published already, and nothing of it had changed: there is no new version.
        unchanged: bool,
    },
    /// Nothing was published.
    Failed {
        /// Why, one line.
        error: String,
        /// Whether the fault is the program's own, and not of the request or the machine.
        internal: bool,
    },
    /// Stopped on request.
    Cancelled,
}

impl JobState {
    /// Nothing was published, and why: in a few lines, whatever there is to say.
    #[must_use]
    pub fn failed(error: &dyn std::error::Error, internal: bool) -> Self {
        Self::Failed { error: in_brief(&error.to_string()), internal }
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Running | Self::Publishing)
    }
}

/// Lines that are told of what is wrong, and characters of each: a status travels in a header.
const LINES: usize = 6;
const CHARACTERS: usize = 800;

/// The first faults of many, a line each; the last line counts the rest.
#[must_use]
pub fn in_brief(faults: &str) -> String {
    let lines: Vec<&str> = faults.lines().collect();
    let shown = if lines.len() > LINES { LINES - 1 } else { lines.len() };
    let short = |line: &&str| match line.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => (*line).to_owned(),
    };
    let mut brief: Vec<String> = lines[..shown].iter().map(short).collect();
    if lines.len() > shown {
        brief.push(format!("and {} more faults like these", lines.len() - shown));
    }
    brief.join("\n")
}

/// How a job fares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobProgress {
    /// The run.
    pub job: String,
    /// The mosaic's name.
    pub name: String,
    /// Where it stands.
    pub state: JobState,
    /// How much of the workers it gets beside others.
    pub priority: Priority,
    /// Counts of tasks by kind, in order of the data flow.
    pub tasks: Vec<TaskCounts>,
    /// Bytes read from sources so far.
    pub bytes_read: u64,
}

/// Counts of the tasks of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskCounts {
    /// `partial`, `composite`, `mosaic` or `quicklook`.
    pub kind: String,
    /// All.
    pub total: u32,
    /// Done in this run.
    pub done: u32,
    /// Found in the store.
    pub reused: u32,
    /// Set aside.
    pub failed: u32,
    /// Leased now.
    pub running: u32,
}

alike! { TaskCounts, wire::TaskCounts: kind, total, done, reused, failed, running }

impl From<JobProgress> for wire::JobProgress {
    fn from(p: JobProgress) -> Self {
        use wire::JobState as S;
        let mut message = Self {
            job_id: p.job,
            name: p.name,
            tasks: p.tasks.into_iter().map(Into::into).collect(),
            bytes_read: p.bytes_read,
            priority: p.priority.into(),
            ..Self::default()
        };
        let state = match p.state {
            JobState::Running => S::Running,
            JobState::Publishing => S::Publishing,
            JobState::Published { complete, at, unchanged } => {
                (message.published, message.unchanged) = (at, unchanged);
                if complete { S::Complete } else { S::Incomplete }
            }
            JobState::Failed { error, internal } => {
                (message.error, message.internal_error) = (error, internal);
                S::Failed
            }
            JobState::Cancelled => S::Cancelled,
        };
        message.set_state(state);
        message
    }
}

impl TryFrom<wire::JobProgress> for JobProgress {
    type Error = WireError;

    fn try_from(p: wire::JobProgress) -> Result<Self, WireError> {
        use wire::JobState as S;
        let state = match p.state() {
            S::Running => JobState::Running,
            S::Publishing => JobState::Publishing,
            S::Complete => JobState::Published { complete: true, at: p.published, unchanged: p.unchanged },
            S::Incomplete => JobState::Published { complete: false, at: p.published, unchanged: p.unchanged },
            S::Failed => JobState::Failed { error: p.error, internal: p.internal_error },
            S::Cancelled => JobState::Cancelled,
            S::Unspecified => return Err(WireError::new("JobProgress", "no `state` that this version knows")),
        };
        let tasks = p.tasks.into_iter().map(Into::into).collect();
        // A coordinator of another version may not tell.
        let priority = Priority::try_from(p.priority).unwrap_or_default();
        Ok(Self { job: p.job_id, name: p.name, state, priority, tasks, bytes_read: p.bytes_read })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_faults_the_first_are_told_and_the_rest_counted() {
        assert_eq!(in_brief("a\nb"), "a\nb");
        let many: Vec<String> = (0..1000).map(|n| format!("{n}{}", "ö".repeat(5_000))).collect();
        let brief = in_brief(&many.join("\n"));
        assert!(brief.lines().count() == 6 && brief.ends_with("and 995 more faults like these"), "{brief}");
        assert!(brief.len() < 10_000);
    }

    #[test]
    fn priorities_are_few() {
        assert_eq!((1..=5).map(|p| Priority::try_from(p).unwrap().weight()).collect::<Vec<_>>(), [1, 2, 4, 8, 16]);
        assert_eq!(Priority::default().weight(), 4);
        assert!(Priority::try_from(0).is_err() && Priority::try_from(6).is_err());
    }
}
