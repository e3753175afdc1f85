//! How the command ends.

use std::process::ExitCode;

use clap::error::ErrorKind;
use coordinator::prepare::PrepareError;

/// How a command that did its work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All of it.
    Complete,
    /// All that could be done.
    Incomplete,
}

/// What the user gave, or the machine, is at fault: one line per fault.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct BadInput(pub Vec<String>);

impl BadInput {
    /// One fault.
    pub fn one(fault: impl Into<String>) -> Self {
        Self(vec![fault.into()])
    }
}

impl From<PrepareError> for BadInput {
    fn from(error: PrepareError) -> Self {
        Self(error.faults)
    }
}

/// Tells what is wrong with the command line in one line, or prints what was asked for, as `--help`.
#[allow(clippy::print_stderr)]
pub fn usage(error: &clap::Error) -> ExitCode {
    let text = error.to_string();
    let asked = !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if asked {
        // A reader that has gone away is no error.
        let _ = error.print();
    } else {
        let told = text.split("\n\nUsage:").next().and_then(|text| text.split("\n\nFor more").next());
        let told = told.unwrap_or(&text).split_whitespace().collect::<Vec<_>>().join(" ");
        eprintln!("{}", told.trim_start_matches("error: "));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// More faults than this are only counted: the first ones matter.
const SHOWN: usize = 6;

/// Tells what went wrong, and turns the outcome into the process's exit code.
#[allow(clippy::print_stderr)]
pub fn code(outcome: anyhow::Result<Exit>) -> ExitCode {
    let error = match outcome {
        Ok(Exit::Complete) => return ExitCode::SUCCESS,
        Ok(Exit::Incomplete) => return ExitCode::from(3),
        Err(error) => error,
    };
    let Some(BadInput(faults)) = error.downcast_ref::<BadInput>() else {
        eprintln!("internal error: {error:#}");
        return ExitCode::from(1);
    };
    // The last line that may be shown counts the rest, where there are too many.
    let shown = if faults.len() > SHOWN { SHOWN - 1 } else { faults.len() };
    for fault in &faults[..shown] {
        eprintln!("{fault}");
    }
    if faults.len() > shown {
        eprintln!("and {} more faults like these", faults.len() - shown);
    }
    ExitCode::from(2)
}
