//! Generates the services and messages from `clearmosaic/v1/*.proto`, and their description for reflection.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let files = ["clearmosaic/v1/job.proto", "clearmosaic/v1/schedule.proto", "clearmosaic/v1/work.proto"];
    let out: PathBuf = std::env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    tonic_prost_build::configure().file_descriptor_set_path(out.join("clearmosaic.bin")).compile_protos(&files, &["."])
}
