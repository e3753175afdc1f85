//! The same on Azure Blob and on Google Cloud Storage: who gets in, the bits, what is kept, which version a name means.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tests::{Emulator, Run, World, assert_same, command, rasters, run_command};

use crate::{files, tasks};

/// A world with its mosaic in the directory `whole`, and a bucket for it.
struct Cloud {
    world: World,
    emulator: Emulator,
}

impl Cloud {
    fn new(emulator: Emulator) -> Self {
        let world = World::new("year");
        let _ = world.run("whole", &json!({"slice": "P1M"}), &[]).complete();
        let profiles = world.path("profiles");
        fs::create_dir(&profiles).unwrap();
        fs::write(profiles.join("tests"), emulator.profile()).unwrap();
        Self { world, emulator }
    }

    fn request(&self, profile: Option<&str>) -> PathBuf {
        let mut fields = json!({"slice": "P1M", "output": self.emulator.url("out")});
        if let Some(profile) = profile {
            fields["profile"] = profile.into();
        }
        self.world.write("remote.json", &fields)
    }

    /// Runs it as the environment lets in.
    fn run(&self, args: &[&str]) -> Run {
        let mut run = run_command(&self.request(None), args);
        command(run.envs(self.emulator.environment().iter().cloned()))
    }

    /// Runs it as a profile lets in.
    fn run_by_profile(&self) -> Run {
        let (profiles, store) = (self.world.path("profiles"), self.emulator.url("out/.store?profile=tests"));
        let args = ["--profiles", &*profiles.to_string_lossy(), "--store", &store];
        command(&mut run_command(&self.request(Some("tests")), &args))
    }

    /// What lies in the bucket below a name, brought here.
    fn brought(&self, name: &str, here: &str) -> PathBuf {
        let here = self.world.path(here);
        self.emulator.download(name, &here);
        here
    }

    fn name(&self) -> String {
        self.world.request(&json!({}))["name"].as_str().unwrap().to_owned()
    }

    /// The mosaic's name means its first version, which is the mosaic that was made in a directory: whatever was made
    /// again of it was the same.
    fn is_published(&self, after: &str) {
        let mosaic = self.brought(&format!("out/{}/", self.name()), after);
        let latest: Value = serde_json::from_slice(&fs::read(mosaic.join("latest.json")).unwrap()).unwrap();
        assert_eq!(latest, json!({"version": 1, "path": "1/"}));
        assert!(!mosaic.join("2").exists(), "nothing has changed");
        assert_same("in a bucket", &rasters(&mosaic.join("1")), &self.whole());
    }

    fn whole(&self) -> BTreeMap<String, Vec<u8>> {
        rasters(&self.world.mosaic("whole"))
    }

    /// What GDAL computes of a virtual raster.
    fn checksums(&self, path: &str) -> Vec<String> {
        let mut gdalinfo = Command::new("gdalinfo");
        gdalinfo.args(["-checksum", "-nomd", path]).envs(self.emulator.gdal().iter().cloned());
        let output = gdalinfo.output().unwrap();
        assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().filter(|line| line.contains("Checksum=")).map(str::to_owned).collect()
    }
}

fn a_mosaic_is_published_kept_and_made_again(emulator: Emulator) {
    let cloud = Cloud::new(emulator);
    let scratch = cloud.world.path("scratch");
    let first = cloud.run(&["--scratch", &scratch.to_string_lossy()]).complete();
    let [total, reused, failed] = tasks(&first);
    assert_eq!((reused, failed), (0, 0));
    cloud.is_published("until-first");
    assert_eq!(fs::read_dir(&scratch).unwrap().count(), 0, "nothing is left of what was in the making");
    let local = cloud.checksums(&cloud.world.mosaic("whole").join("mosaic.vrt").to_string_lossy());
    let vrt = format!("out/{}/1/mosaic.vrt", cloud.name());
    assert_eq!((cloud.checksums(&cloud.emulator.vsi(&vrt)), local.len()), (local, 3));

    // Another's credentials, the same store.
    let again = cloud.run_by_profile().complete();
    assert_eq!((tasks(&again), &again["bytes_read"]), ([0, total, 0], &json!(0)));
    cloud.is_published("until-again");

    // Two partials are lost, and all that was made of them.
    let names = |kind: &str| cloud.emulator.names(&format!("out/.store/{kind}/"));
    let downstream: Vec<String> = ["core", "composite", "mosaic", "quicklook"].into_iter().flat_map(names).collect();
    let lost = names("partial").into_iter().take(2);
    let made_of_them = total - names("partial").len() as u64;
    cloud.emulator.remove(&lost.chain(downstream).collect::<Vec<_>>());
    let report = cloud.run(&[]).complete();
    assert_eq!(tasks(&report)[0], 2 + made_of_them, "{report}");
    cloud.is_published("until-lost");

    let [before, after] = ["until-first", "until-lost"].map(|until| files(&cloud.world.path(until).join("1")));
    assert!(before.values().eq(after.values()), "a version never changes");
    let secret = cloud.emulator.secret().as_bytes();
    let holds_secret = |bytes: &Vec<u8>| bytes.windows(secret.len()).any(|window| window == secret);
    assert!(!files(&cloud.brought("", "everything")).values().any(holds_secret), "a secret is stored");
}

#[test]
fn a_mosaic_on_azure_is_the_one_in_a_directory() {
    if let Some(azure) = Emulator::azure() {
        a_mosaic_is_published_kept_and_made_again(azure);
    }
}

#[test]
fn a_mosaic_on_google_cloud_is_the_one_in_a_directory() {
    a_mosaic_is_published_kept_and_made_again(Emulator::google());
}
