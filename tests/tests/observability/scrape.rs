//! What Prometheus sees: a scrape over HTTP, and the text format.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// A port that nobody listened on a moment ago.
pub fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Series by their names and labels, as they stand in the text.
#[derive(Debug)]
pub struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    /// Scrapes what listens there.
    pub fn of(address: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.to_lowercase().contains("content-type: text/plain; version=0.0.4"), "{head}");
        Self::parse(body)
    }

    /// Each series has a value, and a name that was said to mean something, and to be of a type.
    fn parse(body: &str) -> Self {
        let said = |what: &str| -> Vec<&str> {
            let lines = body.lines().filter_map(|line| line.strip_prefix(what)?.split(' ').next());
            lines.collect()
        };
        let (helped, typed) = (said("# HELP "), said("# TYPE "));
        let mut series = BTreeMap::new();
        for line in body.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let family = name.split('{').next().unwrap();
            let ends = ["", "_bucket", "_sum", "_count"];
            let is_known = |known: &[&str]| ends.iter().any(|end| known.iter().any(|n| format!("{n}{end}") == family));
            assert!(is_known(&helped) && is_known(&typed), "{family}: {body}");
            let value = value.parse().unwrap_or_else(|e| panic!("{line}: {e}"));
            assert!(series.insert(name.to_owned(), value).is_none(), "{name} twice");
        }
        Self(series)
    }

    /// The one series of this name that has no labels.
    pub fn one(&self, name: &str) -> f64 {
        *self.0.get(name).unwrap_or_else(|| panic!("{name}: {self:?}"))
    }

    /// The sum of the series of this name whose labels hold all of these.
    pub fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        let is_meant = |series: &str| {
            let rest = series.strip_prefix(name).filter(|rest| rest.is_empty() || rest.starts_with('{'));
            rest.is_some_and(|rest| labels.iter().all(|label| rest.contains(label)))
        };
        self.0.iter().filter(|(series, _)| is_meant(series)).map(|(_, value)| value).sum()
    }
}
