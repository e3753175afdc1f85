//! The levels of a raster, from its own pixels to those of the smallest overview, and the blocks that they are cut into.

use mosaic::grid::Window;

/// Side of a block.
pub const BLOCK: usize = 512;

/// One level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Level {
    /// The levels of a raster: each has half of the pixels of the one before it a side, rounded up, down to one block.
    #[must_use]
    pub fn all(width: usize, height: usize) -> Vec<Self> {
        let halved = |level: &Self| {
            let more = level.width > BLOCK || level.height > BLOCK;
            more.then(|| Self { width: level.width.div_ceil(2), height: level.height.div_ceil(2) })
        };
        std::iter::successors(Some(Self { width, height }), halved).collect()
    }

    /// Blocks side by side.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.width.div_ceil(BLOCK)
    }

    /// Blocks one below the other.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.height.div_ceil(BLOCK)
    }

    /// The pixels of a block: fewer at the east and the south edge; none where there is no such block.
    #[must_use]
    pub fn window(&self, (column, row): (usize, usize)) -> Option<Window> {
        let (x0, y0) = (column * BLOCK, row * BLOCK);
        let size = |from: usize, to: usize| to.checked_sub(from).filter(|left| *left > 0).map(|left| left.min(BLOCK));
        Some(Window { x0, y0, width: size(x0, self.width)?, height: size(y0, self.height)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_halve_down_to_one_block() {
        let sizes = |width, height| Level::all(width, height).iter().map(|l| (l.width, l.height)).collect::<Vec<_>>();
        assert_eq!(sizes(512, 1), [(512, 1)]);
        assert_eq!(sizes(513, 1), [(513, 1), (257, 1)]);
        assert_eq!(sizes(1, 1300), [(1, 1300), (1, 650), (1, 325)]);
        assert_eq!(sizes(2745, 600), [(2745, 600), (1373, 300), (687, 150), (344, 75)]);
    }

    #[test]
    fn a_block_covers_the_four_that_it_is_made_of() {
        for pair in Level::all(10_980, 3073).windows(2) {
            assert_eq!(
                (pair[1].columns(), pair[1].rows()),
                (pair[0].columns().div_ceil(2), pair[0].rows().div_ceil(2))
            );
        }
        let level = Level { width: 700, height: 512 };
        assert_eq!(level.window((1, 0)), Some(Window { x0: 512, y0: 0, width: 188, height: 512 }));
        assert_eq!((level.window((2, 0)), level.window((0, 1))), (None, None));
    }
}
