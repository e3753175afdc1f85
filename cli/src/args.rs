//! What the command line says.

use std::net::SocketAddr;
use std::path::PathBuf;

use artifacts::Access;
use bytesize::ByteSize;
use clap::{Parser, Subcommand};
use proto::access::Role;
use proto::job::Priority;
use proto::schedule::{Missed, Overlap};
use tonic::transport::Uri;

use crate::telemetry::LogFormat;

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
    /// How log lines on stderr are written.
    #[arg(long, global = true, value_name = "FORMAT", env = "CLEARMOSAIC_LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
    /// Collector that spans are sent to over OTLP/gRPC [default: OTEL_EXPORTER_OTLP_ENDPOINT; none: no spans].
    #[arg(long, global = true, value_name = "URL")]
    pub otlp: Option<String>,
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
    /// Deals with scores.
    Scores {
        /// What to do with them.
        #[command(subcommand)]
        what: ScoresCommand,
    },
    /// Tells what has changed since the mosaic was published, and what `run` would do about it. Reads no pixel.
    Diff(RequestArgs),
    /// Prints the JSON schema of a request, for editors.
    Schema,
    /// Takes requests, plans them, and hands their tasks out to workers.
    Coordinator(Box<CoordinatorArgs>),
    /// Works for a coordinator until it is told to stop.
    Worker(WorkerArgs),
    /// Tells whether a coordinator serves, as its gRPC health service says: for probes that run a command.
    Health(HealthArgs),
    /// Gives a request to a coordinator. The same request again is the same mosaic.
    ///
    /// An area and catalogues that are files here are sent along.
    Submit(SubmitArgs),
    /// Tells how the mosaics of a coordinator fare, or one of them.
    Status(StatusArgs),
    /// Follows a mosaic to its end.
    Watch(MosaicArgs),
    /// Stops a mosaic: what is done is kept.
    Cancel(MosaicArgs),
    /// Makes what failed of a mosaic again.
    Retry(MosaicArgs),
    /// Keeps requests that a coordinator makes again whenever they are due.
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Lists the versions of a mosaic: every publication is one, and none ever changes.
    Versions(VersionsArgs),
    /// Makes a mosaic's name mean an older version again, at one moment.
    ///
    /// Who reads another version is not disturbed, and nothing is removed. What is published later is meant again.
    Rollback(RollbackArgs),
    /// Reads what is published to its end: whether every file is as it was, and the STAC tells of them.
    ///
    /// A line for each fault, which names the file; then it ends with 3.
    Verify(VerifyArgs),
    /// Makes a token for a coordinator's --tokens, and prints it: keep it in a file that only its owner reads.
    Token(TokenArgs),
    /// Prints completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// What to do with scores.
#[derive(Debug, Subcommand)]
pub enum ScoresCommand {
    /// Copies the scores that a request reads from Earth Engine to a store of one's own, so that later runs need no more
    /// of it.
    ///
    /// One cloud-optimised GeoTIFF an image, named by its system:index; of the whole image, whatever the request's area.
    /// Those that are there are not fetched again: run it again to go on after a stop.
    Fetch(FetchArgs),
}

/// Which scores to copy, and where to.
#[derive(Debug, clap::Args)]
pub struct FetchArgs {
    /// The request: YAML or JSON, with `scores: {earth_engine: ...}`.
    pub request: PathBuf,
    /// Where copies are kept: a directory, or s3://bucket/prefix, gs://, az:// [default: scores, beside the request].
    #[arg(long, value_name = "DIR|URL")]
    pub to: Option<String>,
    /// How to get at Earth Engine and object stores.
    #[command(flatten)]
    pub access: AccessArgs,
    /// Prints JSON for programs instead of lines for people.
    #[arg(long)]
    pub json: bool,
}

/// A request, and how to tell about it.
#[derive(Debug, clap::Args)]
pub struct RequestArgs {
    /// The request: YAML or JSON.
    pub request: PathBuf,
    /// How to get at sources on other machines.
    #[command(flatten)]
    pub access: AccessArgs,
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
    /// How much of --scratch to use.
    #[command(flatten)]
    pub scratch: ScratchArgs,
    /// Directory or object store that keeps what is done, for this request and others: a path, or s3://bucket/prefix,
    /// gs://, az:// [default: .store in the output].
    #[arg(long, value_name = "DIR|URL")]
    pub store: Option<String>,
    /// How to get at object stores.
    #[command(flatten)]
    pub access: AccessArgs,
    /// How much is traced.
    #[command(flatten)]
    pub traced: Traced,
    /// Prints the report as JSON on stdout.
    #[arg(long)]
    pub json: bool,
}

/// How much of a mosaic is traced.
#[derive(Debug, clap::Args)]
pub struct Traced {
    /// About how many tasks of a mosaic have spans; those that fail always do.
    #[arg(long = "trace-tasks", value_name = "N", env = "CLEARMOSAIC_TRACE_TASKS", default_value = "1000")]
    pub tasks: u32,
}

/// How to coordinate.
#[derive(Debug, clap::Args)]
pub struct CoordinatorArgs {
    /// Address and port to listen on; port 0 takes any that is free.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7070")]
    pub listen: SocketAddr,
    /// Members of etcd, which keeps requests and elects the leader of several coordinators [default: this one is alone,
    /// and forgets requests when it ends].
    #[arg(long, value_name = "URL,...", value_delimiter = ',')]
    pub etcd: Vec<String>,
    /// How etcd lets this coordinator in.
    #[command(flatten)]
    pub etcd_access: EtcdArgs,
    /// URL under which workers and clients reach this coordinator [default: http:// or https:// and the address].
    #[arg(long, value_name = "URL")]
    pub advertise: Option<Uri>,
    /// Directory that keeps what is done, and that workers reach under the same name; or an object store:
    /// s3://bucket/prefix, gs://, az://.
    #[arg(long, value_name = "DIR|URL")]
    pub store: String,
    /// How to get at object stores.
    #[command(flatten)]
    pub access: AccessArgs,
    /// Another address, on which gRPC health is answered and nothing else, in plain text: Kubernetes' probes speak no TLS.
    #[arg(long, value_name = "ADDR")]
    pub health: Option<SocketAddr>,
    /// Seconds after which the tasks of a worker that says nothing are given to others.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u16).range(3..=3600))]
    pub lease: u16,
    /// Where its figures are served.
    #[command(flatten)]
    pub metrics: MetricsArgs,
    /// How much is traced.
    #[command(flatten)]
    pub traced: Traced,
    /// Certificate (PEM, with those between it and its authority) under which it is asked over TLS.
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Certificates (PEM) of authorities, one of which must have issued the certificate of whoever asks.
    #[arg(long, value_name = "FILE")]
    pub client_ca: Option<PathBuf>,
    /// Who may do what: a line for each token, as `clearmosaic token` writes it [default: everyone may do everything].
    #[arg(long, value_name = "FILE")]
    pub tokens: Option<PathBuf>,
    /// Prefix of what requests may name, links and redirects resolved: a directory, or https://host/path/, s3://bucket/;
    /// may be given several times [default: everything, on loopback only].
    #[arg(long, value_name = "PREFIX")]
    pub allow: Vec<String>,
    /// Listens to other machines without TLS or tokens: whoever reaches the port may do everything.
    #[arg(long)]
    pub insecure: bool,
    /// Bytes of all files that may be sent along with a request.
    #[arg(long, value_name = "SIZE", default_value = "512MiB")]
    pub attachments: ByteSize,
}

/// Where figures are served.
#[derive(Debug, clap::Args)]
pub struct MetricsArgs {
    /// Address to serve metrics on for Prometheus, at /metrics [default: none].
    #[arg(long = "metrics", id = "metrics_at", value_name = "ADDR")]
    pub at: Option<SocketAddr>,
    /// Serves metrics to other machines, in plain text: whoever reaches the port may read names and figures of mosaics.
    #[arg(long = "metrics-insecure", id = "metrics_insecure", requires = "metrics_at")]
    pub insecure: bool,
}

/// How etcd lets a coordinator in.
#[derive(Debug, clap::Args)]
pub struct EtcdArgs {
    /// User of etcd, where it asks for one.
    #[arg(long, value_name = "NAME", requires = "etcd_password_file")]
    pub etcd_user: Option<String>,
    /// File with the user's password.
    #[arg(long, value_name = "FILE", requires = "etcd_user")]
    pub etcd_password_file: Option<PathBuf>,
    /// Certificates (PEM) of the authorities that may have issued etcd's; its URLs then begin with https://.
    #[arg(long, value_name = "FILE")]
    pub etcd_ca: Option<PathBuf>,
    /// Certificate (PEM) to show to etcd.
    #[arg(long, value_name = "FILE")]
    pub etcd_cert: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE")]
    pub etcd_key: Option<PathBuf>,
}

/// Whose health to ask for.
#[derive(Debug, clap::Args)]
pub struct HealthArgs {
    /// The coordinator's own `--health`, or where it listens without TLS.
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:7070")]
    pub url: Uri,
}

/// How to work.
#[derive(Debug, clap::Args)]
pub struct WorkerArgs {
    /// Whom to work for.
    #[command(flatten)]
    pub at: At,
    /// How to get at object stores.
    #[command(flatten)]
    pub access: AccessArgs,
    /// Tasks at once [default: one per core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub slots: Option<u16>,
    /// Prefix of what may be opened, besides what the coordinator allows; may be given several times [default: all].
    #[arg(long, value_name = "PREFIX")]
    pub allow: Vec<String>,
    /// Memory to use at most, GDAL's cache included, such as 512MiB or 4GiB [default: half of the machine].
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<ByteSize>,
    /// How much of --scratch to use.
    #[command(flatten)]
    pub scratch: ScratchArgs,
    /// Where its figures are served.
    #[command(flatten)]
    pub metrics: MetricsArgs,
}

/// How much room files in the making may take.
#[derive(Debug, clap::Args)]
pub struct ScratchArgs {
    /// Bytes of files in --scratch at most, such as 20GiB: tasks wait for room there [default: what is free].
    #[arg(long = "scratch-size", id = "scratch_size", value_name = "SIZE")]
    pub size: Option<ByteSize>,
}

/// How to get at object stores.
#[derive(Debug, clap::Args)]
pub struct AccessArgs {
    /// Directory of credential profiles for object stores: a file for each, `key: value` a line [default: the
    /// environment says, AWS_..., GOOGLE_..., AZURE_...].
    #[arg(long, value_name = "DIR", env = "CLEARMOSAIC_PROFILES")]
    pub profiles: Option<PathBuf>,
    /// Directory for files in the making, where the store is not one itself [default: the system's temporary one].
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
}

impl AccessArgs {
    /// The same for stores.
    pub fn access(&self) -> Access {
        let scratch = self.scratch.clone().unwrap_or_else(std::env::temp_dir);
        Access { profiles: self.profiles.clone(), scratch }
    }
}

/// Where the coordinator is.
#[derive(Debug, clap::Args)]
pub struct At {
    /// URLs of coordinators; the first that answers is asked.
    #[arg(
        long,
        value_name = "URL,...",
        env = "CLEARMOSAIC_COORDINATOR",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:7070"
    )]
    pub coordinator: Vec<Uri>,
    /// Certificates (PEM) of the authorities that may have issued a coordinator's; URLs then begin with https://.
    #[arg(long, value_name = "FILE", env = "CLEARMOSAIC_CA")]
    pub ca: Option<PathBuf>,
    /// Certificate (PEM) to show to a coordinator that wants one.
    #[arg(long, value_name = "FILE", env = "CLEARMOSAIC_CERT")]
    pub cert: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", env = "CLEARMOSAIC_KEY")]
    pub key: Option<PathBuf>,
    /// File with the token to show to a coordinator that wants one [default: the token in CLEARMOSAIC_TOKEN].
    #[arg(long, value_name = "FILE", env = "CLEARMOSAIC_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
}

/// A mosaic that is published, and where.
#[derive(Debug, clap::Args)]
pub struct Published {
    /// Its name; or the file of its request, which says where it is published.
    #[arg(value_name = "NAME|REQUEST")]
    pub mosaic: String,
    /// Directory or object store that it is published in [default: a coordinator is asked].
    #[arg(long, value_name = "DIR|URL")]
    pub output: Option<String>,
    /// Credential profile that opens --output.
    #[arg(long, value_name = "NAME", requires = "output")]
    pub profile: Option<String>,
    /// How to get at object stores.
    #[command(flatten)]
    pub access: AccessArgs,
    /// Whom to ask.
    #[command(flatten)]
    pub at: At,
}

/// Whose versions.
#[derive(Debug, clap::Args)]
pub struct VersionsArgs {
    /// The mosaic.
    #[command(flatten)]
    pub published: Published,
    /// Prints JSON for programs instead of a table for people: a line for each version.
    #[arg(long)]
    pub json: bool,
}

/// What to go back to.
#[derive(Debug, clap::Args)]
pub struct RollbackArgs {
    /// The mosaic.
    #[command(flatten)]
    pub published: Published,
    /// The version's number, as `versions` lists it.
    #[arg(value_name = "VERSION", value_parser = clap::value_parser!(u64).range(1..))]
    pub version: u64,
}

/// What to verify.
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// The mosaic.
    #[command(flatten)]
    pub published: Published,
    /// Another version than the one that the name means.
    #[arg(long, value_name = "N")]
    pub version: Option<u64>,
    /// Every version that is there.
    #[arg(long, conflicts_with = "version")]
    pub all: bool,
    /// Prints JSON for programs: a line for each version.
    #[arg(long)]
    pub json: bool,
}

/// What a token is for.
#[derive(Debug, clap::Args)]
pub struct TokenArgs {
    /// submit (which includes read), work or read.
    pub role: Role,
    /// Whose it is, one word: it stands in the list of tokens, and in logs.
    pub name: String,
    /// The coordinator's list of tokens, which gets a line for it [default: the line is told on stderr].
    #[arg(long, value_name = "FILE")]
    pub tokens: Option<PathBuf>,
}

/// What to submit.
#[derive(Debug, clap::Args)]
pub struct SubmitArgs {
    /// The request: YAML or JSON.
    pub request: PathBuf,
    /// Whom to give it to.
    #[command(flatten)]
    pub at: At,
    /// How much of the workers it gets beside other mosaics, 1 to 5: each step is twice as much as the one before. Of a
    /// mosaic that is being made it may be changed: submit it again [default: 3, or as it is].
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u32).range(Priority::LEAST as i64..=Priority::GREATEST as i64))]
    pub priority: Option<u32>,
    /// Follows it to its end, and ends as `run` does.
    #[arg(long)]
    pub watch: bool,
    /// Prints the report as JSON on stdout, with --watch.
    #[arg(long, requires = "watch")]
    pub json: bool,
}

/// What to do with schedules.
#[derive(Debug, Subcommand)]
pub enum ScheduleCommand {
    /// Keeps a request, and when it is to be made. The same again changes nothing.
    ///
    /// A period of the request that goes with the day, `{last: P12M}`, is that of the instant at which it is due.
    Create(Box<CreateArgs>),
    /// Tells of all schedules: when they are due next, and what came of the last time.
    List(ListArgs),
    /// Tells of a schedule, and what came of the last twenty times.
    Show(ScheduleArgs),
    /// Has it start nothing until it is resumed.
    Pause(ScheduleArgs),
    /// Has it go on. What was due meanwhile is not made up for.
    Resume(ScheduleArgs),
    /// Makes its request now, whenever it is due.
    Run(ScheduleArgs),
    /// Forgets it. A run of it that goes on is not stopped.
    Delete(ScheduleArgs),
}

/// A new schedule.
#[derive(Debug, clap::Args)]
pub struct CreateArgs {
    /// The request: YAML or JSON. An area and catalogues that are files here are sent along, as they are now.
    pub request: PathBuf,
    /// When: minute, hour, day of the month (L: its last), month, day of the week; `0 6 3 * *` is the third at six.
    #[arg(long, value_name = "CRON")]
    pub cron: String,
    /// The time zone by whose clocks, as Europe/Ljubljana.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub zone: String,
    /// What to call it [default: the mosaic's name].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// What to do when its last run still goes on: skip, queue (wait for its end), or replace (stop it).
    #[arg(long, value_name = "WHAT", default_value_t)]
    pub overlap: Overlap,
    /// What to do with what was due while there was no coordinator: once (one run for all), or none.
    #[arg(long, value_name = "WHAT", default_value_t)]
    pub missed: Missed,
    /// How much of the workers its runs get beside other mosaics, 1 to 5.
    #[arg(long, value_name = "N", default_value_t = 3,
          value_parser = clap::value_parser!(u32).range(Priority::LEAST as i64..=Priority::GREATEST as i64))]
    pub priority: u32,
    /// Where it is posted how a run ended: complete, incomplete, unchanged, failed or refused.
    #[arg(long, value_name = "URL", requires = "webhook_profile")]
    pub webhook: Option<String>,
    /// The coordinator's credential profile that signs it: `secret_file` or `secret`, and `hosts`.
    #[arg(long, value_name = "NAME", requires = "webhook")]
    pub webhook_profile: Option<String>,
    /// Takes the place of another schedule of this name.
    #[arg(long)]
    pub replace: bool,
    /// Whom to give it to.
    #[command(flatten)]
    pub at: At,
    /// Prints JSON for programs.
    #[arg(long)]
    pub json: bool,
}

/// All schedules.
#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// Whom to ask.
    #[command(flatten)]
    pub at: At,
    /// Prints JSON for programs: a line for each.
    #[arg(long)]
    pub json: bool,
}

/// A schedule.
#[derive(Debug, clap::Args)]
pub struct ScheduleArgs {
    /// Its name.
    pub name: String,
    /// Whom to ask.
    #[command(flatten)]
    pub at: At,
    /// Prints JSON for programs.
    #[arg(long)]
    pub json: bool,
}

/// What to tell of.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// A mosaic's name, or one of its runs' [default: all].
    pub name: Option<String>,
    /// Whom to ask.
    #[command(flatten)]
    pub at: At,
    /// Prints JSON for programs instead of a table for people: a line for each run.
    #[arg(long)]
    pub json: bool,
}

/// A mosaic.
#[derive(Debug, clap::Args)]
pub struct MosaicArgs {
    /// Its name, or one of its runs'.
    pub name: String,
    /// Whom to ask.
    #[command(flatten)]
    pub at: At,
    /// Prints the report as JSON on stdout, at the end of a watch.
    #[arg(long)]
    pub json: bool,
}
