//! Links PROJ, which GDAL is built on, for the coordinate operations that `project` chooses.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if let Err(error) = pkg_config::Config::new().atleast_version("8.0").probe("proj") {
        println!("cargo:warning=PROJ was not found by pkg-config ({error}): trying -lproj");
        println!("cargo:rustc-link-lib=proj");
    }
}
