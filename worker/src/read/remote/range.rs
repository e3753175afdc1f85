//! Ranges of bytes over HTTP (RFC 9110, section 14): what is asked for, and whether an answer is that.

use std::ops::Range;

use web::Answer;

use super::{Piece, Version};

/// A file of so few bytes may be sent whole by a server that knows no ranges.
pub(super) const SMALL: usize = 4 << 20;

/// A range as it is asked for. It holds a byte.
pub(super) fn header(range: &Range<u64>) -> String {
    format!("bytes={}-{}", range.start, range.end - 1)
}

/// The range that an answer holds, and the size of all, from `Content-Range`.
fn told(answer: &Answer) -> Option<(Range<u64>, u64)> {
    let text = answer.headers.get("content-range")?.to_str().ok()?;
    let (range, size) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?..last.parse::<u64>().ok()?.checked_add(1)?, size.parse().ok()?))
}

/// What an answer holds of what was asked for; an answer of anything else is none.
///
/// # Errors
/// What does not hold.
pub(super) fn piece(answer: Answer, asked: &Range<u64>) -> Result<Piece, String> {
    let tag = answer.headers.get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
    if answer.status.as_u16() != 206 {
        // Who sends everything must say how much that is: it may have been cut short.
        let size = answer.headers.get("content-length").and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if size != Some(answer.body.len() as u64) {
            return Err("all came where a part was asked for, and it does not say how much that is".to_owned());
        }
        let size = answer.body.len() as u64;
        let (start, end) = (asked.start.min(size) as usize, asked.end.min(size) as usize);
        let mut bytes = answer.body;
        bytes.truncate(end);
        return Ok(Piece { bytes: bytes.split_off(start), version: Version { size, tag } });
    }
    let (_, size) = whole(&answer, asked)?;
    Ok(Piece { bytes: answer.body, version: Version { size, tag } })
}

/// The range that an answer holds, all of it, and the size of the file.
///
/// # Errors
/// Where it is not what was asked for, or not all of it.
pub(super) fn whole(answer: &Answer, asked: &Range<u64>) -> Result<(Range<u64>, u64), String> {
    let (range, size) = told(answer).ok_or("it does not say which part of the file it is")?;
    if range.start != asked.start || range.end != asked.end.min(size) {
        return Err(format!("bytes {range:?} came, not {asked:?}"));
    }
    if answer.body.len() as u64 != range.end - range.start {
        return Err(format!("{} bytes came of {}", answer.body.len(), range.end - range.start));
    }
    Ok((range, size))
}
