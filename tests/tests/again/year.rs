//! A year in monthly slices: months arrive one by one, scores come late and change, scenes are reprocessed and withdrawn.
//! After each step the mosaic is the one that is made from nothing, and no more was read or made for it than has changed.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tests::{World, assert_same, clearmosaic, rasters};

/// A year that goes by.
struct Year {
    world: World,
    /// Every item that there will ever be.
    items: Vec<Value>,
    /// Bytes that were read when the mosaic was last made from nothing.
    whole: u64,
    steps: usize,
}

/// What a step is expected to find.
struct Expected<'a> {
    /// Lists of `since`, and the scenes in them, as `tile month`.
    scenes: &'a [(&'a str, &'a [&'a str])],
    /// Output tiles that are made anew.
    outputs: &'a [&'a str],
}

fn id(item: &Value) -> &str {
    item["id"].as_str().unwrap()
}

/// `33TWM 2023-07`, of an item or of the key of a scene.
fn tile_and_month(name: &str) -> String {
    let at = name.find("2023").unwrap();
    let tile = name.find("_T33T").unwrap() + 2;
    format!("{} {}-{}", &name[tile..tile + 5], &name[at..at + 4], &name[at + 4..at + 6])
}

fn reads(report: &Value) -> u64 {
    report["bytes_read"].as_u64().unwrap()
}

impl Year {
    fn begin() -> Self {
        let world = World::new("again");
        let items = world.items();
        Self { world, items, whole: 0, steps: 0 }
    }

    /// Today's catalogue: the items for which `is_there` holds.
    fn catalogue(&self, name: &str, is_there: impl Fn(&Value) -> bool) -> Value {
        let items: Vec<Value> = self.items.iter().filter(|item| is_there(item)).cloned().collect();
        self.world.write_items(name, &items);
        json!({"scenes": {"items": name}})
    }

    fn score(&self, name: &str) -> PathBuf {
        let scores = fs::read_dir(self.world.path("scores")).unwrap().map(|entry| entry.unwrap().path());
        scores.into_iter().find(|path| tile_and_month(&path.file_name().unwrap().to_string_lossy()) == name).unwrap()
    }

    /// Asks what has changed, follows it, and compares with a mosaic made from nothing: how many bytes were read.
    fn step(&mut self, is_there: impl Fn(&Value) -> bool, expected: &Expected<'_>) -> u64 {
        let fields = self.catalogue("today.json", is_there);
        let request = self.world.write("year.request.json", &merged(&fields, "year"));
        let told = clearmosaic(&["diff", &request.to_string_lossy(), "--json"]);
        let diff: Value = serde_json::from_slice(&told.stdout).unwrap_or_else(|e| panic!("{e}: {told:?}"));
        let report = self.world.run("year", &fields, &[]).complete();
        self.steps += 1;
        let version = self.steps as u64;
        let what = format!("step {version}");
        assert_eq!((&diff["tasks"], &report["version"]), (&report["tasks"]["done"], &json!(version)), "{what}: {diff}");

        let nothing = format!("nothing-{version}");
        let anew = self.world.run(&nothing, &fields, &[]).complete();
        assert_same(&what, &rasters(&self.world.mosaic("year")), &rasters(&self.world.mosaic(&nothing)));
        fs::remove_dir_all(self.world.path(&nothing)).unwrap();
        if version == 1 {
            assert!(report.get("since").is_none() && diff["version"].is_null(), "{report}");
        } else {
            let since = &report["since"];
            assert_eq!(since["version"], version - 1);
            for (field, value) in since.as_object().unwrap() {
                assert_eq!(*value, diff[field], "{what}: {field}");
            }
            is_told(&what, since, expected);
        }
        self.whole = reads(&anew);
        reads(&report)
    }

    /// Bytes that it takes to make these months of these tiles from nothing.
    fn alone(&self, is_there: impl Fn(&Value) -> bool) -> u64 {
        let fields = self.catalogue("alone.json", is_there);
        let report = self.world.run("alone", &fields, &[]).complete();
        fs::remove_dir_all(self.world.path("alone")).unwrap();
        reads(&report)
    }
}

fn merged(fields: &Value, output: &str) -> Value {
    let mut fields = fields.clone();
    fields["output"] = output.into();
    fields
}

/// The lists of scenes hold these and no others, and these output tiles are touched.
fn is_told(what: &str, since: &Value, expected: &Expected<'_>) {
    for kind in ["added", "scored", "superseded", "rescored", "changed", "withdrawn", "unscored", "unreadable", "left"]
    {
        let told = since[kind].as_array().unwrap().iter();
        let mut told: Vec<String> = told.map(|scene| tile_and_month(scene["scene"].as_str().unwrap())).collect();
        told.sort_unstable();
        let wanted = expected.scenes.iter().find(|(name, _)| *name == kind).map_or(&[][..], |(_, scenes)| *scenes);
        assert_eq!(told, wanted, "{what}: {kind}");
    }
    assert_eq!(since["outputs"]["touched"], json!(expected.outputs), "{what}: {since}");
    assert_eq!(since["request"], json!([]), "{what}");
}

#[test]
fn a_year_goes_by_and_only_what_has_changed_is_made() {
    let mut year = Year::begin();
    let first = |item: &Value| !id(item).contains("N0511");
    let until =
        |month: usize| move |item: &Value| first(item) && tile_and_month(id(item))[6..] <= *format!("2023-{month:02}");
    // The scores of May are late for one tile.
    let (late, aside) = (year.score("33TWN 2023-05"), year.world.path("late.tif"));
    fs::rename(&late, &aside).unwrap();
    for month in 1..=12 {
        let name = |tile: &str| format!("{tile} 2023-{month:02}");
        let [west, middle, far] = ["33TWL", "33TWM", "33TWN"].map(name);
        let mut added = vec![&*middle];
        if month > 3 {
            added.insert(0, &west);
        }
        // What lies apart is carried over where it has nothing new.
        let mut outputs = if month > 3 { vec!["33TWL", "33TWM"] } else { vec!["33TWM"] };
        if month != 5 {
            added.push(&far);
            outputs.push("33TWN");
        }
        let before = year.whole;
        let expected = Expected { scenes: &[("added", &added)], outputs: &outputs };
        let read = year.step(until(month), &expected);
        assert_eq!(read, year.whole - before, "month {month}: its slice is read, and nothing else");
    }
    owners_are_told(&year);

    fs::rename(&aside, &late).unwrap();
    let before = year.whole;
    let arrived = Expected { scenes: &[("scored", &["33TWN 2023-05"])], outputs: &["33TWN"] };
    let read = year.step(until(12), &arrived);
    assert_eq!(read, year.whole - before, "the scores of May: that slice of that tile");

    // Another score in the place of the first: what another month's was.
    let other = fs::read(year.score("33TWN 2023-06")).unwrap();
    fs::write(year.score("33TWN 2023-02"), other).unwrap();
    let read = year.step(until(12), &Expected { scenes: &[("rescored", &["33TWN 2023-02"])], outputs: &["33TWN"] });
    let of = |name: &'static str| move |item: &Value| first(item) && tile_and_month(id(item)) == name;
    assert_eq!(read, year.alone(of("33TWN 2023-02")));

    // A newer product, which names both: one tile's in the middle of the year.
    let both = |item: &Value| first(item) || tile_and_month(id(item)) == "33TWM 2023-07";
    let outputs = &["33TWL", "33TWM"];
    let read = year.step(both, &Expected { scenes: &[("superseded", &["33TWM 2023-07"])], outputs });
    let product = read_json(&year, "report.json")["since"]["superseded"][0]["what"].clone();
    let fields: Vec<&str> =
        product.as_array().unwrap().iter().map(|change| change["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["item", "baseline"]);
    assert_eq!((&product[1]["was"], &product[1]["is"]), (&json!("05.09"), &json!("05.11")));
    assert!(read > 0 && read * 12 < year.whole, "{read} of {}", year.whole);

    // Withdrawn: nothing is read, as the other slices are kept.
    let without = |item: &Value| both(item) && tile_and_month(id(item)) != "33TWN 2023-03";
    let gone = Expected { scenes: &[("withdrawn", &["33TWN 2023-03"])], outputs: &["33TWN"] };
    assert_eq!(year.step(without, &gone), 0);
    nothing_has_changed(&year);
}

fn read_json(year: &Year, name: &str) -> Value {
    tests::json(&year.world.mosaic("year").join(name))
}

/// In April a tile has its first scene: it owns from then on what its neighbour had owned.
fn owners_are_told(year: &Year) {
    let report =
        |version: usize| tests::json(&year.world.path(&format!("year/.versions/synthetic/{version}/report.json")));
    assert_eq!(report(4)["since"]["owners"], json!([{"output": "33TWM", "gained": ["33TWL"], "lost": []}]));
    for version in [3, 5] {
        assert_eq!(report(version)["since"]["owners"], json!([]));
    }
}

/// A run that changes nothing says so, and publishes nothing.
fn nothing_has_changed(year: &Year) {
    let request = year.world.path("year.request.json").to_string_lossy().into_owned();
    let version = fs::read_link(year.world.mosaic("year")).unwrap();
    let diff: Value = serde_json::from_slice(&clearmosaic(&["diff", &request, "--json"]).stdout).unwrap();
    assert_eq!((&diff["unchanged"], &diff["tasks"], &diff["bytes_to_read"]), (&json!(true), &json!(0), &json!(0)));
    let run = String::from_utf8(clearmosaic(&["run", &request]).stdout).unwrap();
    assert!(run.contains("nothing has changed since version 16"), "{run}");
    assert_eq!(fs::read_link(year.world.mosaic("year")).unwrap(), version);
    let verified = clearmosaic(&["verify", &request, "--all"]);
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stdout));
    assert_eq!(verified.stdout.iter().filter(|byte| **byte == b'\n').count(), 16);
}
