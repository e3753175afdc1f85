//! What processes have said of themselves, against what etcd remembers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::History;

/// Whether each term was led by one coordinator, the one that etcd had elected for it, and each grant of a task was
/// carried out by one worker, and once.
///
/// # Errors
/// What was not as it must be.
pub fn check(logs: &Path, history: &History) -> Result<(), String> {
    let (mut led, mut done) = (BTreeMap::new(), BTreeMap::new());
    for entry in fs::read_dir(logs).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(log) = fs::read_to_string(entry.path()).ok().filter(|_| name.ends_with(".log")) else { continue };
        for line in log.lines() {
            if let Some(term) = field(line, "term").filter(|_| line.contains(": leads ")) {
                let led: &mut Vec<(String, String)> = led.entry(term.to_owned()).or_default();
                led.push((name.clone(), field(line, "advertise").unwrap_or_default().to_owned()));
            }
            if line.contains("a task is done") {
                let grant = ["job", "task", "epoch"].map(|what| field(line, what).unwrap_or_default().to_owned());
                *done.entry(grant).or_insert(0) += 1;
            }
        }
    }
    for (term, url) in &history.terms {
        let told = led.get(&term.to_string()).map_or(&[][..], Vec::as_slice);
        if !matches!(told, [(_, told)] if told == url) {
            return Err(format!("{url} was elected for term {term}, and led it: {told:?}"));
        }
    }
    match done.iter().find(|(_, times)| **times > 1) {
        Some((grant, times)) => Err(format!("{grant:?} is done {times} times under one grant")),
        None if done.is_empty() => Err("no worker tells of a task that is done".to_owned()),
        None => Ok(()),
    }
}

/// The value of a field in a line of a log, `name=value` or `name="value"`.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let at = [" ", "{"].iter().find_map(|before| line.find(&format!("{before}{name}=")))?;
    let value = &line[at + 1 + name.len() + 1..];
    match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split([' ', '}']).next(),
    }
}
