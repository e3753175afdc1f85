//! The median kernel on stacks that come from memory: sixteen rows of a sub-tile at a time, planes of 2 MiB.
#![allow(missing_docs)]

use benches::{Masks, PIXELS, Stack};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use mosaic::kernel;

const DEPTHS: [usize; 4] = [24, 36, 73, 146];
const BANDS: usize = 4;

fn main() {
    divan::main();
}

/// Masking, sorting as far as needed, picking: one item is one observation of one band, clear or not.
fn middle(bencher: Bencher<'_, '_>, depth: usize, masks: Masks) {
    let stack = Stack::new(depth, BANDS, masks);
    let strips: Vec<_> = (0..BANDS * Stack::strips()).map(|i| stack.strip(i % BANDS, i / BANDS)).collect();
    let (mut lower, mut upper) = (vec![0; PIXELS], vec![0; PIXELS]);
    let mut strips = strips.iter().cycle();
    bencher.counter(ItemsCount::new(depth * PIXELS)).bench_local(|| {
        if let Some(layers) = strips.next() {
            kernel::middle(black_box(layers), &mut lower, &mut upper);
        }
    });
}

#[divan::bench(args = DEPTHS, sample_count = 512, sample_size = 1)]
fn middle_in_clouds(bencher: Bencher<'_, '_>, depth: usize) {
    middle(bencher, depth, Masks::Clouds);
}

#[divan::bench(args = DEPTHS, sample_count = 512, sample_size = 1)]
fn middle_at_random(bencher: Bencher<'_, '_>, depth: usize) {
    middle(bencher, depth, Masks::Random);
}
