use std::fs;
use std::os::unix::fs::symlink;

use super::*;

fn under(prefixes: &[&str]) -> Allow {
    Allow::under(&prefixes.iter().map(|prefix| (*prefix).to_owned()).collect::<Vec<_>>()).unwrap()
}

#[test]
fn urls_lie_under_prefixes_part_by_part() {
    let allow = under(&["https://host/a/b", "http://host:8080/", "s3://bucket/tiles/"]);
    for good in [
        "https://host/a/b",
        "https://host/a/b/c.tif",
        "https://HOST:443/a/b/c.tif?versionId=../x",
        "https://host/a/%62/c%20d.tif",
        "http://host:8080/anything",
        "s3://bucket/tiles/33/T/B04.tif",
    ] {
        assert_eq!(allow.admit(good).as_deref(), Ok(good));
    }
    for bad in [
        "https://host/a/bc/c.tif",
        "https://host/a",
        "http://host/a/b/c.tif",
        "https://host.evil.org/a/b/c.tif",
        "https://host:444/a/b/c.tif",
        "https://host@evil.org/a/b/c.tif",
        "https://evil.org/https://host/a/b/c.tif",
        "https://evil.org\\@host/a/b/c.tif",
        "https://host/a/b/../c.tif",
        "https://host/a/b/%2e%2e/c.tif",
        "https://host/a/b/%2E./c.tif",
        "https://host/a/b/%252e%252e/c.tif",
        "https://host/a/b/..%2fc.tif",
        "https://host/a/b/x%2f..%2f..%2fc.tif",
        "https://host/a/b/..%5cc.tif",
        "https://host/a/b/c\u{0}.tif",
        "https://host/a/b/c .tif",
        "s3://bucket/tilesx/B04.tif",
        "s3://bucket/tiles/../secret.tif",
        "s3://bucket/tiles/x?/../../secret.tif",
        "s3://bucket2/tiles/B04.tif",
        "gs://bucket/tiles/B04.tif",
        "ftp://host/a/b/c.tif",
        "HTTPS://host/a/b/c.tif",
    ] {
        assert!(allow.admit(bad).is_err(), "{bad}");
    }
}

#[test]
fn what_only_gdal_understands_is_not_taken() {
    let allow = under(&["/", "https://host/"]);
    for bad in [
        "/vsicurl/https://host/a.tif",
        "/vsizip//data/a.zip/a.tif",
        "//vsis3/bucket/a.tif",
        "/VSIMEM/x",
        "NETCDF:/data/a.nc:x",
        "GTIFF_DIR:1:/data/a.tif",
        "vrt:///data/a.tif?bands=1",
        "<VRTDataset rasterXSize=\"1\"/>",
        "{\"type\": \"gdal_streamed_alg\"}",
        "data/a.tif",
        "../a.tif",
        "",
        "/data/a\n.tif",
        "https:///a.tif",
        "https://host",
    ] {
        let admitted = allow.admit(bad);
        assert!(admitted.is_err() || bad == "https://host", "{bad}: {admitted:?}");
    }
}

#[test]
fn links_do_not_lead_out() {
    let dir = tempfile::tempdir().unwrap();
    let (inside, outside) = (dir.path().join("in"), dir.path().join("out"));
    fs::create_dir_all(inside.join("deep")).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(inside.join("a.tif"), "").unwrap();
    fs::write(outside.join("b.tif"), "").unwrap();
    symlink(outside.join("b.tif"), inside.join("link.tif")).unwrap();
    symlink(&outside, inside.join("way")).unwrap();
    symlink(outside.join("new"), inside.join("dangling")).unwrap();
    symlink(inside.join("deep"), inside.join("within")).unwrap();
    symlink(&inside, dir.path().join("alias")).unwrap();
    let allow = under(&[&inside.to_string_lossy()]);
    let admit = |name: &str| allow.admit(&dir.path().join(name).to_string_lossy());
    for good in ["in/a.tif", "in", "in/new/deeper", "in/deep/../a.tif", "in/within/x", "alias/a.tif", "in/missing.tif"]
    {
        let admitted = admit(good).unwrap_or_else(|e| panic!("{good}: {e}"));
        assert!(Path::new(&admitted).starts_with(inside.canonicalize().unwrap()), "{good}: {admitted}");
    }
    for bad in [
        "out/b.tif",
        "in/link.tif",
        "in/way/b.tif",
        "in/way/new",
        "in/dangling",
        "in/dangling/x",
        "in/../out/b.tif",
        "in/missing/../../out/b.tif",
        "in/way/../in/a.tif/x",
        "inn/a.tif",
        "in/a.tif/../../out/b.tif",
    ] {
        assert!(admit(bad).is_err(), "{bad}: {:?}", admit(bad));
    }
    let alias = under(&[&dir.path().join("alias").to_string_lossy()]);
    assert!(alias.admit(&inside.join("a.tif").to_string_lossy()).is_ok(), "a prefix may be a link itself");
}

#[test]
fn both_lists_are_asked() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let (wide, narrow) = (under(&[&path("")]), under(&[&path("a"), "https://host/"]));
    let both = wide.and(&narrow);
    assert!(both.admit(&path("a/x")).is_ok() && wide.admit(&path("b/x")).is_ok());
    assert!(both.admit(&path("b/x")).is_err() && both.admit("https://host/x").is_err());
    assert_eq!(narrow.prefixes(), [path("a"), "https://host/".to_owned()]);
    let everything = Allow::everything();
    assert!(everything.is_everything() && everything.and(&wide) == wide && under(&[]) == everything);
    assert_eq!(everything.admit("NETCDF:x").as_deref(), Ok("NETCDF:x"));
}

#[test]
fn bad_prefixes_say_why() {
    for (prefix, why) in
        [("data", "absolute path"), ("/vsis3/b", "GDAL"), ("https://h/../x", "climbs"), ("ftp://h/", "URL")]
    {
        let error = Allow::under(&[prefix.to_owned()]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("--allow {prefix}: ")) && error.contains(why), "{error}");
    }
}

#[test]
fn a_refusal_does_not_tell_the_signature() {
    let error = under(&["https://host/"]).admit("https://evil/x.tif?sig=hunter2").unwrap_err().to_string();
    assert!(!error.contains("hunter2") && error.contains("https://evil/x.tif"), "{error}");
}
