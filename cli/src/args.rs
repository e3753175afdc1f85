//! What the command line says.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::{Parser, Subcommand};

/// Exact, cloud-free median mosaics of Sentinel-2.
///
/// Links Sentinel-2 scenes with their Cloud Score+ rasters, keeps the pixels that are clear, and takes the exact median
/// over time, for whole countries.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub struct Args {
    /// Says more of what happens, on stderr; twice says everything. RUST_LOG goes before it.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes the mosaic of a request on this machine, with no server to start.
    ///
    /// What is done is kept in the store: run it again to go on after a stop, or to make only what has changed.
    Run(RunArgs),
    /// Tells what `run` would do: tiles, slices, scenes, tasks, bytes. Reads no pixel.
    Plan(RequestArgs),
    /// Tells for every scene which score it is linked with.
    Link(RequestArgs),
    /// Prints the JSON schema of a request, for editors.
    Schema,
}

/// A request, and how to tell about it.
#[derive(Debug, clap::Args)]
pub struct RequestArgs {
    /// The request: YAML or JSON.
    pub request: PathBuf,
    /// Prints JSON for programs instead of a table for people.
    #[arg(long)]
    pub json: bool,
}

/// How to run.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The request: YAML or JSON.
    pub request: PathBuf,
    /// Tasks at once [default: one per core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub workers: Option<u16>,
    /// Memory to use at most, GDAL's cache included, such as 512MiB or 4GiB [default: half of the machine].
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<ByteSize>,
    /// Directory that keeps what is done, for this request and others [default: .store in the output].
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Prints the report as JSON on stdout.
    #[arg(long)]
    pub json: bool,
}
