//! Blocks that lie close to each other are asked for together.

use std::ops::Range;

use crate::read::layout::Block;

/// Bytes that are asked for in one request, at most, unless a single block has more.
const MOST: u64 = 4 << 20;
/// Bytes between two blocks that are read along, at most: more than that takes longer than another request does.
const GAP: u64 = 64 << 10;
/// Of what is read, at most this part is read along for nothing.
const SPARE: u64 = 10;

/// A range of a file that is asked for at once, and the blocks in it that are wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) range: Range<u64>,
    /// Each block with the range of the file that it takes.
    pub(super) blocks: Vec<(Block, Range<u64>)>,
}

impl Span {
    /// Bytes of the blocks themselves.
    fn wanted(&self) -> u64 {
        self.blocks.iter().map(|(_, range)| range.end - range.start).sum()
    }

    /// Whether a range that begins after this one is to be asked for together with it.
    fn takes(&self, range: &Range<u64>) -> bool {
        let gap = range.start.saturating_sub(self.range.end);
        let whole = range.end.saturating_sub(self.range.start);
        let wanted = self.wanted() + (range.end - range.start);
        gap <= GAP && whole <= MOST && whole.saturating_sub(wanted) <= whole / SPARE
    }
}

/// The spans of blocks, each given with its offset and size; those that are not stored are left out.
pub(super) fn spans(blocks: impl IntoIterator<Item = (Block, (u64, u32))>) -> Vec<Span> {
    let stored = blocks.into_iter().filter(|(_, (_, size))| *size > 0);
    let mut ranges: Vec<_> = stored.map(|(block, (at, size))| (block, at..at + u64::from(size))).collect();
    ranges.sort_by_key(|(_, range)| range.start);
    let mut spans: Vec<Span> = Vec::new();
    for (block, range) in ranges {
        match spans.last_mut() {
            Some(span) if span.takes(&range) => {
                span.range.end = span.range.end.max(range.end);
                span.blocks.push((block, range));
            }
            _ => spans.push(Span { range: range.clone(), blocks: vec![(block, range)] }),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(x: usize) -> Block {
        Block { x, y: 0 }
    }

    fn of(places: &[(u64, u32)]) -> Vec<(Range<u64>, Vec<usize>)> {
        let blocks = places.iter().enumerate().map(|(x, place)| (block(x), *place));
        let found = spans(blocks).into_iter();
        found.map(|span| (span.range, span.blocks.iter().map(|(block, _)| block.x).collect())).collect()
    }

    #[test]
    fn neighbours_are_asked_for_together() {
        assert_eq!(of(&[]), []);
        // As a cloud-optimised GeoTIFF has them: with four bytes before and behind each.
        assert_eq!(of(&[(1000, 500), (1508, 600), (2116, 10)]), [(1000..2126, vec![0, 1, 2])]);
        // In whatever order; not stored.
        assert_eq!(of(&[(2000, 500), (0, 0), (1500, 500)]), [(1500..2500, vec![2, 0])]);
    }

    #[test]
    fn what_lies_between_is_read_along_only_where_it_is_little() {
        assert_eq!(of(&[(0, 50_000), (55_000, 50_000)]), [(0..105_000, vec![0, 1])]);
        assert_eq!(of(&[(0, 50_000), (65_000, 50_000)]), [(0..50_000, vec![0]), (65_000..115_000, vec![1])]);
        let large = 3 << 20;
        assert_eq!(of(&[(0, large), (u64::from(large) + 70_000, large)]).len(), 2);
    }

    #[test]
    fn a_request_is_not_too_large_for_others_to_come_beside_it() {
        let places: Vec<(u64, u32)> = (0..10).map(|n| (n << 20, 1 << 20)).collect();
        let sizes: Vec<u64> = of(&places).iter().map(|(range, _)| (range.end - range.start) >> 20).collect();
        assert_eq!(sizes, [4, 4, 2]);
        assert_eq!(of(&[(0, 9 << 20)]), [(0..9 << 20, vec![0])]);
    }
}
