//! Linking, versions and selection.

// Helpers of tests are tests too; clippy knows only the functions marked so.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use mosaic::band::Band;
use mosaic::href::Base;
use mosaic::ids::SystemIndex;
use mosaic::link::{LinkOptions, Linkage, ScoreRef, ScoreTable, WhyUnlinked, link};
use mosaic::scene::{Scene, collapse, unique};
use mosaic::select::Selection;
use proptest::prelude::*;
use serde_json::{Value, json};

const START: &str = "20230815T095031";
const STRIP: &str = "20230815T095630";
const KEY: &str = "20230815T095031_20230815T095630_T33TWL";
const OTHER: &str = "20230815T095031_20230815T095700_T33TWL";

/// An item of 33TWL; its version is `baseline` and `made`, part 2 of its key may be unknown.
fn scene(id: &str, start: &str, strip: Option<&str>, baseline: &str, made: &str) -> Scene {
    let mut properties = json!({
        "platform": "Sentinel-2A", "grid:code": "MGRS-33TWL", "s2:datatake_id": format!("GS2A_{start}_0_N"),
        "s2:processing_baseline": baseline, "s2:generation_time": made, "eo:cloud_cover": 20, "sat:relative_orbit": 79,
    });
    if let Some(strip) = strip {
        properties["s2:datastrip_id"] = json!(format!("S2A_OPER_MSI_L2A_DS_2APS_20230815T155057_S{strip}_N05.09"));
    }
    let assets = json!({"B04": {"href": "B04.tif", "type": "image/tiff"}});
    let item = json!({"type": "Feature", "id": id, "properties": properties, "assets": assets});
    Scene::from_item(&item, &Base::of_file("/d/items.json")).unwrap()
}

fn exact(id: &str, baseline: &str) -> Scene {
    scene(id, START, Some(STRIP), baseline, "2023-08-15T15:50:57Z")
}

fn table(keys: &[&str]) -> ScoreTable {
    let mut table = ScoreTable::default();
    for key in keys {
        assert!(table.insert(SystemIndex((*key).into()), ScoreRef::at(format!("/s/{key}.tif"))).is_none());
    }
    table
}

fn run(scenes: Vec<Scene>, keys: &[&str]) -> Linkage {
    link(scenes, &table(keys), &LinkOptions { bands: vec![Band::B04], max_no_context_fraction: None })
}

/// Linked, unlinked, superseded, unusable.
fn counts(linkage: &Linkage) -> [usize; 4] {
    [linkage.scenes.len(), linkage.unlinked.len(), linkage.superseded.len(), linkage.unusable.len()]
}

#[test]
fn an_exact_key_takes_no_other_score() {
    let linkage = run(vec![exact("a", "05.09")], &[OTHER]);
    assert_eq!(counts(&linkage), [0, 1, 0, 0]);
    assert_eq!((linkage.unlinked[0].name(), linkage.unlinked[0].why), (KEY, WhyUnlinked::NoScore));
    let linkage = run(vec![exact("a", "05.09")], &[OTHER, KEY]);
    assert_eq!((linkage.scenes[0].score.href.clone(), linkage.scenes[0].exact), (format!("/s/{KEY}.tif"), true));
}

#[test]
fn the_fallback_takes_the_one_score_that_fits() {
    let sure = || vec![scene("v0", START, None, "05.09", "")];
    let neighbours = ["20230815T095032_20230815T095700_T33TWL", "20230815T095031_20230815T095630_T33TWM"];
    let linkage = run(sure(), &[KEY, neighbours[0], neighbours[1]]);
    assert_eq!((linkage.scenes[0].system_index.0.as_str(), linkage.scenes[0].exact), (KEY, false));
    let linkage = run(sure(), &[KEY, OTHER]);
    assert_eq!((linkage.unlinked[0].why, linkage.unlinked[0].name()), (WhyUnlinked::Ambiguous(2), "v0"));
    assert_eq!(counts(&run(sure(), &neighbours)), [0, 1, 0, 0]);
}

#[test]
fn an_unsure_start_is_good_for_half_an_hour_either_way() {
    let old = || vec![scene("old", "20160101T000500", Some("20160101T000600"), "02.04", "")];
    for (key, linked) in [
        ("20151231T233500_20160601T000000_T33TWL", true),
        ("20151231T233459_20160601T000000_T33TWL", false),
        ("20160101T003500_20160601T000000_T33TWL", true),
        ("20160101T003501_20160601T000000_T33TWL", false),
    ] {
        let linkage = run(old(), &[key]);
        assert_eq!(linkage.scenes.first().map(|scene| scene.exact), linked.then_some(false), "{key}");
    }
}

#[test]
fn versions_collapse_before_anything_is_counted() {
    let chunk = scene("chunk", START, Some("20230815T095700"), "05.09", "");
    let scenes = vec![exact("a", "05.10"), exact("b", "05.09"), chunk, exact("a", "05.10")];
    let linkage = run(scenes.clone(), &[KEY, OTHER]);
    assert_eq!((counts(&linkage), linkage.found()), ([2, 0, 1, 0], 3));
    assert_eq!((linkage.superseded[0].scene.id.as_str(), linkage.superseded[0].superseded_by.as_str()), ("b", "a"));
    // Without any score the older version is superseded all the same.
    assert_eq!(counts(&run(scenes, &[])), [0, 2, 1, 0]);
}

#[test]
fn a_scene_that_lacks_a_band_is_unusable() {
    let options = LinkOptions { bands: vec![Band::B04, Band::B08], max_no_context_fraction: None };
    let linkage = link(vec![exact("a", "05.09")], &table(&[KEY]), &options);
    assert_eq!((counts(&linkage), linkage.unusable[0].missing.clone()), ([0, 0, 0, 1], vec![Band::B08]));
}

#[test]
fn a_score_with_too_little_context_is_none() {
    let mut table = ScoreTable::default();
    let mut score = ScoreRef::at("/s.tif".into());
    score.properties.insert("NO_CONTEXT_FRACTION".into(), Value::from(0.4));
    table.insert(SystemIndex(KEY.into()), score);
    for (max, linked) in [(None, 1), (Some(0.4), 1), (Some(0.3), 0)] {
        let options = LinkOptions { bands: vec![], max_no_context_fraction: max };
        let linkage = link(vec![exact("a", "05.09")], &table, &options);
        assert_eq!(counts(&linkage), [linked, 1 - linked, 0, 0]);
    }
}

#[test]
fn what_a_score_file_tells_later_counts_too() {
    let mut linkage = run(vec![exact("a", "05.09")], &[KEY]);
    linkage.scenes[0].score.properties.insert("NO_CONTEXT_FRACTION".into(), "0.4".into());
    linkage.leave_out_little_context(0.4);
    assert_eq!(counts(&linkage), [1, 0, 0, 0]);
    linkage.leave_out_little_context(0.3);
    assert_eq!((counts(&linkage), linkage.unlinked[0].why), ([0, 1, 0, 0], WhyUnlinked::LittleContext(0.4)));
    assert_eq!(linkage.unlinked[0].name(), KEY);
}

#[test]
fn a_score_of_another_acquisition_is_told() {
    let told = |product: &str| {
        let mut score = ScoreRef::at("/s.tif".into());
        score.properties.insert("SOURCE_PRODUCT_ID".into(), product.into());
        score.foreign_product("sentinel-2a", &SystemIndex(KEY.into())).map(str::to_owned)
    };
    for (product, is_foreign) in [
        ("S2A_MSIL1C_20230815T095031_N0509_R079_T33TWL_20230815T115212", false),
        ("S2A_OPER_PRD_MSIL1C_PDMC_20160607T155246_R062_V20150627T102531_20150627T102531", false),
        ("what this is nobody knows", false),
        ("S2A_MSIL1C_20230815T095031_N0509_R079_T33TWM_20230815T115212", true),
        ("S2A_MSIL1C_20230816T095031_N0509_R079_T33TWL_20230815T115212", true),
        ("S2B_MSIL1C_20230815T095031_N0509_R079_T33TWL_20230815T115212", true),
    ] {
        assert_eq!(told(product), is_foreign.then(|| product.to_owned()));
    }
}

#[test]
fn an_item_listed_twice_counts_once() {
    let mut moved = exact("a", "05.09");
    moved.self_href = Some("/elsewhere.json".into());
    let kept = unique(vec![exact("a", "05.09"), moved.clone(), exact("a", "05.09")]);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept, unique(vec![moved, exact("a", "05.09")]));
    let mut other = exact("a", "05.09");
    other.collection = Some("another".into());
    assert_eq!(unique(vec![exact("a", "05.09"), other]).len(), 2);
}

#[test]
fn the_order_of_decision_is_baseline_then_time_then_id() {
    let version = |id: &str, baseline: &str, made: &str| scene(id, START, Some(STRIP), baseline, made);
    for (winner, loser) in [
        (version("a", "05.10", "2020-01-01T00:00:00Z"), version("b", "05.09", "2024-01-01T00:00:00Z")),
        (version("a", "05.09", "2024-01-01T00:00:00Z"), version("b", "05.09", "2023-01-01T00:00:00Z")),
        (version("b", "05.09", "2024-01-01T00:00:00Z"), version("a", "05.09", "2024-01-01T00:00:00Z")),
        (version("a", "05.09", "2024-01-01T00:00:00Z"), version("b", "05.09", "")),
    ] {
        let key = SystemIndex(KEY.into());
        let (kept, superseded) = collapse(vec![(winner.clone(), key.clone()), (loser.clone(), key)]);
        assert_eq!((&kept[0].0, &superseded[0].scene), (&winner, &loser));
    }
}

#[test]
fn the_name_of_the_product_dates_a_version_before_its_properties() {
    let mut item = json!({
        "type": "Feature", "id": "x",
        "properties": {"platform": "sentinel-2a", "s2:generation_time": "2030-01-01T00:00:00Z",
            "s2:product_uri": "S2A_MSIL2A_20230815T095031_N0509_R079_T33TWL_20230815T155057.SAFE"},
        "assets": {},
    });
    let made = |item: &Value| Scene::from_item(item, &Base::of_file("/x")).unwrap().version.made.unwrap().to_string();
    assert_eq!(made(&item), "2023-08-15T15:50:57Z");
    item["properties"] = json!({"platform": "sentinel-2a", "grid:code": "MGRS-33TWL", "processing:version": "05.00",
        "datetime": "2023-08-15T09:50:31Z", "processing:datetime": "2023-06-12T21:42:23.5Z"});
    assert_eq!(made(&item), "2023-06-12T21:42:23.5Z");
}

#[test]
fn a_selection_goes_by_the_datatakes_start() {
    let scene = exact("a", "05.09");
    let all = Selection {
        start: "2023-08-15T09:50:31Z".parse().unwrap(),
        end: "2023-08-15T09:50:32Z".parse().unwrap(),
        months: None,
        cloud_cover_max: None,
        platforms: None,
        orbits: None,
        tiles: BTreeSet::from(["33TWL".parse().unwrap()]),
    };
    let admits = |change: &dyn Fn(&mut Selection)| {
        let mut selection = all.clone();
        change(&mut selection);
        selection.admits(&scene)
    };
    assert!(admits(&|_| {}));
    assert!(!admits(&|s| s.end = s.start));
    assert!(!admits(&|s| s.start = s.end));
    assert!(admits(&|s| s.months = Some(vec![6, 8])) && !admits(&|s| s.months = Some(vec![7])));
    assert!(admits(&|s| s.cloud_cover_max = Some(20.0)) && !admits(&|s| s.cloud_cover_max = Some(19.9)));
    assert!(admits(&|s| s.platforms = Some(vec!["Sentinel-2A".into()])));
    assert!(!admits(&|s| s.platforms = Some(vec!["sentinel-2b".into()])));
    assert!(admits(&|s| s.orbits = Some(vec![22, 79])) && !admits(&|s| s.orbits = Some(vec![22])));
    assert!(!admits(&|s| s.tiles.clear()));
}

fn versions() -> impl Strategy<Value = Vec<Scene>> {
    let one = (0_u8..3, 0_u8..3, 0_u8..3, 0_u8..2).prop_map(|(baseline, made, id, strip)| {
        let id = format!("id{id}-{baseline}{made}");
        let made = format!("2024-01-0{}T00:00:00Z", made + 1);
        scene(&id, START, Some(&format!("20230815T09563{strip}")), &format!("05.{:02}", 8 + baseline), &made)
    });
    prop::collection::vec(one, 0..12)
}

proptest! {
    #[test]
    fn the_outcome_never_depends_on_the_order_of_listing(scenes in versions(), turn in 0_usize..12) {
        let mut turned = scenes.clone();
        turned.rotate_left(turn.min(scenes.len()));
        turned.reverse();
        prop_assert_eq!(run(scenes, &[KEY]), run(turned, &[KEY]));
    }

    #[test]
    fn the_greatest_version_of_each_key_stays(scenes in versions()) {
        let scenes = unique(scenes);
        let key = |scene: &Scene| scene.index.exact().unwrap().clone();
        let (kept, superseded) = collapse(scenes.iter().map(|s| (s.clone(), key(s))).collect());
        prop_assert_eq!(kept.len() + superseded.len(), scenes.len());
        for (best, index) in &kept {
            let greatest = scenes.iter().filter(|s| key(s) == *index).map(|s| &s.version).max();
            prop_assert_eq!(Some(&best.version), greatest);
        }
        for replaced in &superseded {
            prop_assert!(kept.iter().any(|(s, i)| s.id == replaced.superseded_by && *i == replaced.system_index));
        }
    }
}
