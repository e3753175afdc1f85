//! Finds out under which names GDAL and PROJ are loaded when they are first called (see `late`).

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for (variable, library, version) in [("GDAL_SONAME", "gdal", "3.6"), ("PROJ_SONAME", "proj", "8.0")] {
        let soname = soname(library, version).unwrap_or_else(|| {
            println!("cargo:warning=lib{library}.so was not found: is its -dev package installed?");
            format!("lib{library}.so")
        });
        println!("cargo:rustc-env={variable}={soname}");
    }
}

/// The name that programs load a library by: `libgdal.so` leads to `libgdal.so.32.3.6.2`, of which the first number
/// tells the interface.
fn soname(library: &str, version: &str) -> Option<String> {
    let found = pkg_config::Config::new().atleast_version(version).cargo_metadata(false).probe(library);
    let name = format!("lib{library}.so");
    let in_paths = found.into_iter().flat_map(|found| found.link_paths).map(|dir| dir.join(&name));
    let path = in_paths.chain(by_compiler(&name)).find(|path| path.is_file())?;
    let whole = std::fs::canonicalize(path).ok()?;
    let (_, numbers) = whole.file_name()?.to_str()?.split_once(".so.")?;
    Some(format!("{name}.{}", numbers.split('.').next()?))
}

/// Where the compiler that links would find a library.
fn by_compiler(name: &str) -> Option<PathBuf> {
    let told = Command::new("cc").arg(format!("-print-file-name={name}")).output().ok()?;
    Some(Path::new(String::from_utf8(told.stdout).ok()?.trim()).to_owned())
}
