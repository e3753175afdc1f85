//! Generates the services and messages from `clearmosaic/v1/*.proto`.

fn main() -> std::io::Result<()> {
    let files = ["clearmosaic/v1/job.proto", "clearmosaic/v1/work.proto"];
    tonic_prost_build::configure().compile_protos(&files, &["."])
}
