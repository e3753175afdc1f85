//! Tables for people.

use std::fmt::Write;

use anyhow::Context;
use bytesize::ByteSize;
use coordinator::prepare::{LinkLine, PlanSummary};
use coordinator::publish::verify::Verified;
use mosaic::link::Linkage;
use mosaic::request::Request;
use proto::job::{JobProgress, JobState};
use proto::schedule::Told as Schedule;
use proto::version::MosaicVersion;
use serde_json::Value;

/// Columns padded to their widest cell; the first column to the left, the others to the right.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cell = |(column, cell): (usize, &String)| {
            let width = widths[column];
            if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        };
        let line = row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn cells(cells: &[&dyn ToString]) -> Vec<String> {
    cells.iter().map(|cell| cell.to_string()).collect()
}

/// What `plan` tells.
pub fn plan(request: &Request, plan: &PlanSummary) -> String {
    let mut rows = vec![cells(&[&"tile", &"epsg", &"ulx", &"uly", &"scenes", &"sub-tiles"])];
    let (with, without): (Vec<_>, Vec<_>) = plan.tiles.iter().partition(|tile| tile.scenes > 0);
    rows.extend(with.iter().map(|t| cells(&[&t.tile, &t.epsg, &t.ulx, &t.uly, &t.scenes, &t.subtiles])));
    let mut text = format!("{} {}\n\n", request.name, request.period);
    text += &table(&rows);
    if !without.is_empty() {
        let names: Vec<String> = without.iter().take(12).map(|tile| tile.tile.to_string()).collect();
        let more = if without.len() > names.len() { " …" } else { "" };
        let _ = writeln!(text, "\n{} tiles without a linked scene: {}{more}", without.len(), names.join(" "));
    }
    let linked = plan.tiles.iter().map(|tile| tile.scenes).sum::<usize>();
    let _ = writeln!(
        text,
        "\n{} scenes: {linked} linked, {} unlinked, {} superseded, {} unusable",
        plan.scenes,
        plan.unlinked.len(),
        plan.superseded.len(),
        plan.unusable.len()
    );
    for scene in &plan.unlinked {
        let _ = writeln!(text, "  unlinked: {scene}");
    }
    let _ = writeln!(
        text,
        "{} slices, {} tasks, {} output tiles; at most {} to read, about {} to store",
        plan.slices.len(),
        plan.tasks,
        plan.outputs.len(),
        ByteSize(plan.bytes_to_read),
        ByteSize(plan.bytes_to_store)
    );
    text
}

/// What `link` tells.
pub fn link(lines: &[LinkLine], linkage: &Linkage) -> String {
    let mut rows = vec![cells(&[&"item", &"tile", &"system:index", &"offset", &"link"])];
    rows.extend(lines.iter().map(|line| {
        let index = line.system_index.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let link = match (&line.superseded_by, &line.score, line.exact) {
            (Some(by), ..) => format!("superseded by {by}"),
            (None, None, _) => "unlinked".to_owned(),
            (None, Some(_), true) => "linked".to_owned(),
            (None, Some(_), false) => "linked by tile and time".to_owned(),
        };
        cells(&[&line.id, &line.tile, &index, &line.offset, &link])
    }));
    let mut text = table(&rows);
    let _ = writeln!(
        text,
        "\n{} scenes: {} linked, {} unlinked, {} superseded, {} unusable",
        linkage.found(),
        linkage.scenes.len(),
        linkage.unlinked.len(),
        linkage.superseded.len(),
        linkage.unusable.len()
    );
    text
}

/// What `status` tells: a line for each job.
pub fn status(jobs: &[JobProgress]) -> String {
    if jobs.is_empty() {
        return "no mosaic has been submitted\n".to_owned();
    }
    let mut rows =
        vec![cells(&[&"mosaic", &"state", &"priority", &"done", &"reused", &"failed", &"running", &"of", &"read"])];
    for job in jobs {
        let sum = |count: fn(&proto::job::TaskCounts) -> u32| job.tasks.iter().map(count).sum::<u32>();
        rows.push(cells(&[
            &job.name,
            &crate::jobs::called(&job.state),
            &job.priority,
            &sum(|c| c.done),
            &sum(|c| c.reused),
            &sum(|c| c.failed),
            &sum(|c| c.running),
            &sum(|c| c.total),
            &ByteSize(job.bytes_read),
        ]));
    }
    let mut text = table(&rows);
    for job in jobs {
        match &job.state {
            JobState::Published { at, .. } => drop(writeln!(text, "{}: {at}", job.name)),
            JobState::Failed { error, .. } => drop(writeln!(text, "{}: {error}", job.name)),
            _ => {}
        }
    }
    text
}

/// What `schedule list` tells: a line for each.
pub fn schedules(all: &[Schedule]) -> String {
    if all.is_empty() {
        return "there is no schedule\n".to_owned();
    }
    let mut rows = vec![cells(&[&"schedule", &"mosaic", &"cron", &"zone", &"next", &"last"])];
    rows.extend(all.iter().map(|schedule| {
        let next = match (&schedule.next, schedule.paused) {
            (_, true) => "paused",
            (Some(next), _) => next,
            (None, _) => "never",
        };
        let last = schedule.firings.first().map_or("-", |firing| firing.came.as_str());
        cells(&[&schedule.name, &schedule.mosaic, &schedule.rule.cron, &schedule.rule.zone, &next, &last])
    }));
    table(&rows)
}

/// What `schedule show` tells: its rule, and what came of it.
pub fn schedule_firings(all: &[Schedule]) -> String {
    let mut text = schedules(all);
    for schedule in all {
        let rule = &schedule.rule;
        let _ = writeln!(text, "\noverlap {}, missed {}, priority {}", rule.overlap, rule.missed, rule.priority);
        if let Some(hook) = &rule.hook {
            let _ = writeln!(text, "webhook {}, signed by profile {}", hook.url, hook.profile);
        }
        if let Some(fault) = &schedule.fault {
            let _ = writeln!(text, "{fault}");
        }
        if let Some(due) = &schedule.queued {
            let _ = writeln!(text, "waits for the last run to end: {due}");
        }
        let mut rows = vec![cells(&[&"due", &"missed", &"came to", &"webhook", &"job"])];
        rows.extend(schedule.firings.iter().map(|firing| {
            let came = if firing.by_hand { format!("{} (by hand)", firing.came) } else { firing.came.clone() };
            cells(&[&firing.due, &firing.missed, &came, &firing.hook, &firing.job_id])
        }));
        let _ = write!(text, "\n{}", table(&rows));
        for firing in schedule.firings.iter().filter(|firing| !firing.said.is_empty()) {
            let _ = writeln!(text, "{}: {}", firing.due, firing.said);
        }
    }
    text
}

/// What has changed since a version, in a line: of a report, or of `diff`.
pub fn since(since: &Value) -> String {
    let Some(version) = since["version"].as_u64() else { return String::new() };
    let count = |list: &Value| list.as_array().map_or(0, Vec::len);
    let scenes = SCENES.iter().map(|kind| (count(&since[*kind]), format!("scenes {kind}")));
    let fields = std::iter::once((count(&since["request"]), "fields of the request".to_owned()));
    let told: Vec<String> =
        scenes.chain(fields).filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
    let touched = count(&since["outputs"]["touched"]);
    if told.is_empty() && touched == 0 {
        return format!("nothing has changed since version {version}\n");
    }
    let of = touched as u64 + since["outputs"]["carried"].as_u64().unwrap_or(0);
    format!("since version {version}: {}; {touched} of {of} output tiles touched\n", told.join(", "))
}

/// What `diff` tells: each scene that has changed, and what that touches.
pub fn diff(told: &Value) -> String {
    let number = |field: &str| told[field].as_u64().unwrap_or(0);
    let cost = format!("{} tasks, at most {} to read", number("tasks"), ByteSize(number("bytes_to_read")));
    if told["version"].is_null() {
        return format!("nothing is published that tells what it came from: all is to be made: {cost}\n");
    }
    let list = |list: &Value| list.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let what =
        |change: &Value| format!("{} {} -> {}", text(&change["field"]), text(&change["was"]), text(&change["is"]));
    let mut rows = Vec::new();
    for kind in SCENES {
        rows.extend(list(&told[kind]).iter().map(|scene| {
            let changes = list(&scene["what"]).iter().map(what).collect::<Vec<_>>().join(", ");
            cells(&[&text(&scene["scene"]), &kind, &text(&scene["slice"]), &changes])
        }));
    }
    rows.extend(list(&told["request"]).iter().map(|change| cells(&[&what(change), &"request"])));
    rows.extend(list(&told["owners"]).iter().map(|change| {
        let tiles = |field: &str| list(&change[field]).iter().map(text).collect::<Vec<_>>().join(" ");
        let (gained, lost) = (tiles("gained"), tiles("lost"));
        cells(&[&text(&change["output"]), &"owners", &format!("gained {gained}"), &format!("lost {lost}")])
    }));
    let mut said = table(&rows);
    if !rows.is_empty() {
        said.push('\n');
    }
    for tile in list(&told["tiles"]) {
        let slices = list(&tile["slices"]).iter().map(text).collect::<Vec<_>>().join(", ");
        let _ = writeln!(said, "{}: {} sub-tiles; slices {slices}", text(&tile["tile"]), tile["subtiles"]);
    }
    said += &since(told);
    if told["unchanged"] == false {
        let _ = writeln!(said, "{cost}");
    }
    said
}

/// What may have become of a scene.
const SCENES: [&str; 9] =
    ["added", "scored", "superseded", "rescored", "changed", "withdrawn", "unscored", "unreadable", "left"];

/// What `versions` tells: a line for each.
pub fn versions(versions: &[MosaicVersion]) -> String {
    let mut rows = vec![cells(&[&"version", &"state", &"published", &"scenes", &"after", &""])];
    for version in versions {
        let published = if version.published.is_empty() { "-" } else { &version.published };
        let after = if version.predecessor > 0 { version.predecessor.to_string() } else { "-".to_owned() };
        let latest = if version.latest { "latest" } else { "" };
        rows.push(cells(&[&version.version, &state(version), &published, &version.scenes, &after, &latest]));
    }
    table(&rows)
}

/// What `verify` tells of a version: a line for each fault, or that there is none.
pub fn verified(name: &str, verified: &Verified) -> String {
    let Verified { version, files, bytes, faults } = verified;
    if !faults.is_empty() {
        return faults.iter().map(|fault| format!("{fault}\n")).collect();
    }
    format!("{name}, version {version}: {files} files, {}: all as they were published\n", ByteSize(*bytes))
}

/// What a version's state is called.
pub fn state(version: &MosaicVersion) -> &'static str {
    if version.complete { "complete" } else { "incomplete" }
}

/// What `run` tells when it has published: numbers first, the place last.
pub fn published(at: &str, report: &str) -> anyhow::Result<String> {
    let report: Value = serde_json::from_str(report).context("report.json")?;
    let number = |path: &str| report.pointer(path).and_then(Value::as_u64).unwrap_or(0);
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}: {} of {} scenes used, {} tasks done, {} reused, {} failed; {} read in {:.1} s",
        report["state"].as_str().unwrap_or_default(),
        number("/scenes/linked"),
        number("/scenes/found"),
        number("/tasks/done"),
        number("/tasks/reused"),
        number("/tasks/failed"),
        ByteSize(number("/bytes_read")),
        report["seconds"].as_f64().unwrap_or_default()
    );
    text += &since(&report["since"]);
    for scene in report["unlinked"].as_array().into_iter().flatten().filter_map(Value::as_str).take(6) {
        let _ = writeln!(text, "  unlinked: {scene}");
    }
    for failed in report["failed"].as_array().into_iter().flatten().take(6) {
        let said = |field: &str| failed[field].as_str().unwrap_or_default();
        let scene = failed["scene"].as_str().map(|scene| format!("scene {scene}: ")).unwrap_or_default();
        let _ = writeln!(text, "  failed: {}: {scene}{}", said("task"), said("reason"));
    }
    let _ = writeln!(text, "{at}");
    Ok(text)
}
