//! Where scores lie: a path or URL with the key in it.

use std::collections::BTreeSet;

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use crate::ids::{SystemIndex, TileId};
use crate::scene::IndexParts;

/// `scores/{system_index}.tif`; `{tile}` is the tile in five characters, `{year}` and `{month}` those of part 1 of
/// the key, in four and two digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreTemplate {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    SystemIndex,
    Tile,
    Year,
    Month,
}

/// Why a template is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTemplate {
    /// A placeholder that nothing fills.
    #[error("unknown placeholder {{{0}}}: use {{system_index}}, {{tile}}, {{year}} or {{month}}")]
    UnknownPlaceholder(String),
    /// A brace without its partner.
    #[error("`{0}`: a brace is not closed or not opened")]
    Unbalanced(String),
    /// All scores would have one path.
    #[error("`{0}`: {{system_index}} is missing: every score needs a path of its own")]
    NoIndex(String),
}

impl ScoreTemplate {
    /// Reads a template; resolve it against the request's file first.
    ///
    /// # Errors
    /// [`BadTemplate`] for unknown placeholders, stray braces, or where `{system_index}` is missing.
    pub fn parse(text: &str) -> Result<Self, BadTemplate> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            let close = rest.find('}').filter(|close| *close > open);
            let close = close.ok_or_else(|| BadTemplate::Unbalanced(text.to_owned()))?;
            if open > 0 {
                parts.push(Part::Text(rest[..open].to_owned()));
            }
            parts.push(Part::placeholder(&rest[open + 1..close])?);
            rest = &rest[close + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        if !parts.contains(&Part::SystemIndex) {
            return Err(BadTemplate::NoIndex(text.to_owned()));
        }
        Ok(Self { parts })
    }

    /// Path or URL of the score with this key; `None` for text that is no key.
    #[must_use]
    pub fn href(&self, index: &SystemIndex) -> Option<String> {
        let IndexParts { start, tile, .. } = index.parts()?;
        Some(self.parts.iter().map(|part| part.fill(Some(index), tile, start)).collect())
    }

    /// The directory, with its closing slash, whose entries tell which scores of this tile and start there are;
    /// empty for the current one.
    #[must_use]
    pub fn directory(&self, tile: TileId, start: Timestamp) -> String {
        let index = self.parts.iter().position(|part| *part == Part::SystemIndex).unwrap_or(0);
        let before: String = self.parts[..index].iter().map(|part| part.fill(None, tile, start)).collect();
        up_to_slash(&before).to_owned()
    }

    /// All directories to list for a start that may be off by `tolerance_s` either way: a month may end in between.
    #[must_use]
    pub fn directories(&self, tile: TileId, start: Timestamp, tolerance_s: i64) -> BTreeSet<String> {
        let ends = [-tolerance_s, 0, tolerance_s];
        let starts = ends.into_iter().filter_map(|s| start.checked_add(SignedDuration::from_secs(s)).ok());
        starts.map(|start| self.directory(tile, start)).collect()
    }

    /// The directory that all scores lie under, with its closing slash; empty for the current one.
    #[must_use]
    pub fn root(&self) -> &str {
        match &self.parts[..] {
            [Part::Text(text), ..] => up_to_slash(text),
            _ => "",
        }
    }

    /// The key of the score at this path: the inverse of [`Self::href`].
    #[must_use]
    pub fn parse_listed(&self, path: &str) -> Option<SystemIndex> {
        let index = self.find_index(path)?;
        (self.href(&index)? == path).then_some(index)
    }

    /// The score that an entry of a listed directory stands for: its key and its path. Where the key names a
    /// directory, whether the path exists is still to be asked: the flag says so.
    #[must_use]
    pub fn parse_entry(&self, directory: &str, name: &str) -> Option<(SystemIndex, String, bool)> {
        let entry = format!("{directory}{name}");
        let index = self.find_index(&entry)?;
        let href = self.href(&index)?;
        let rest = href.strip_prefix(&entry)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| (index, href.clone(), !rest.is_empty()))
    }

    /// The first text of a key's length behind the fixed part of the path that parses as one.
    fn find_index(&self, path: &str) -> Option<SystemIndex> {
        const LENGTH: usize = "20230815T095031_20230815T095630_T33TWL".len();
        let candidates = (self.root().len()..path.len()).filter_map(|at| path.get(at..at + LENGTH));
        candidates.map(|text| SystemIndex(text.to_owned())).find(|index| index.parts().is_some())
    }
}

impl Part {
    fn placeholder(name: &str) -> Result<Self, BadTemplate> {
        match name {
            "system_index" => Ok(Self::SystemIndex),
            "tile" => Ok(Self::Tile),
            "year" => Ok(Self::Year),
            "month" => Ok(Self::Month),
            other => Err(BadTemplate::UnknownPlaceholder(other.to_owned())),
        }
    }

    fn fill(&self, index: Option<&SystemIndex>, tile: TileId, start: Timestamp) -> String {
        let date = Offset::UTC.to_datetime(start).date();
        match self {
            Self::Text(text) => text.clone(),
            Self::SystemIndex => index.map(ToString::to_string).unwrap_or_default(),
            Self::Tile => tile.to_string(),
            Self::Year => format!("{:04}", date.year()),
            Self::Month => format!("{:02}", date.month()),
        }
    }
}

fn up_to_slash(path: &str) -> &str {
    path.rfind('/').map_or("", |slash| &path[..=slash])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SystemIndex {
        SystemIndex("20230815T095031_20230815T095630_T01VCG".into())
    }

    #[test]
    fn href_and_parse_are_inverse() {
        for (template, href, directory, root) in [
            ("s/{system_index}.tif", "s/KEY.tif", "s/", "s/"),
            ("{system_index}", "KEY", "", ""),
            ("/d/{tile}/{year}/{month}/{system_index}.tif", "/d/01VCG/2023/08/KEY.tif", "/d/01VCG/2023/08/", "/d/"),
            ("/d/{year}{month}-{tile}_{system_index}_cs.tif", "/d/202308-01VCG_KEY_cs.tif", "/d/", "/d/"),
            ("/d/{system_index}/{system_index}.tif", "/d/KEY/KEY.tif", "/d/", "/d/"),
            ("s3://b/cs-{year}/{system_index}.tif", "s3://b/cs-2023/KEY.tif", "s3://b/cs-2023/", "s3://b/"),
        ] {
            let template = ScoreTemplate::parse(template).unwrap();
            let href = href.replace("KEY", &key().0);
            assert_eq!(template.href(&key()).as_deref(), Some(href.as_str()));
            assert_eq!(template.parse_listed(&href), Some(key()), "{href}");
            let parts = key().parts().unwrap();
            assert_eq!(template.directory(parts.tile, parts.start), directory);
            assert_eq!(template.root(), root);
            let name = href[directory.len()..].split('/').next().unwrap();
            let inside = href.ends_with(&format!("{name}/{}.tif", key()));
            assert_eq!(template.parse_entry(directory, name), Some((key(), href, inside)));
        }
    }

    #[test]
    fn what_does_not_fit_is_no_score() {
        let template = ScoreTemplate::parse("/d/{year}/{system_index}.tif").unwrap();
        for path in ["/d/2022/KEY.tif", "/d/2023/KEY.tiff", "/d/2023/x.tif", "/e/2023/KEY.tif", "/d/2023/xKEY.tif"] {
            assert_eq!(template.parse_listed(&path.replace("KEY", &key().0)), None, "{path}");
        }
        assert_eq!(template.parse_entry("/d/2023/", &format!("{}.tif.aux.xml", key())), None);
        assert_eq!(template.parse_entry("/d/2023/", "ÄÖÜ-20230815T095031_20230815T095630_T01VC"), None);
    }

    #[test]
    fn neighbouring_months_are_listed_within_the_tolerance() {
        let template = ScoreTemplate::parse("/d/{year}/{month}/{system_index}.tif").unwrap();
        let (tile, start) = ("33TWL".parse().unwrap(), "2016-01-01T00:10:00Z".parse().unwrap());
        let directories = template.directories(tile, start, 1800);
        assert_eq!(directories, ["/d/2015/12/".to_owned(), "/d/2016/01/".to_owned()].into());
        assert_eq!(template.directories(tile, start, 0).len(), 1);
    }

    #[test]
    fn bad_templates_say_why() {
        for (template, why) in [
            ("s/{index}.tif", "unknown placeholder {index}"),
            ("s/{system_index.tif", "a brace is not closed"),
            ("s/system_index}.tif", "a brace is not closed"),
            ("s/{tile}.tif", "{system_index} is missing"),
        ] {
            let error = ScoreTemplate::parse(template).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
