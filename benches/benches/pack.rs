//! What slices cost: packing their values, and merging a year of packs to the middle.
#![allow(missing_docs, clippy::expect_used, clippy::print_stdout)]

use benches::{Masks, PIXELS, Stack};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use mosaic::kernel::{Layer, Middles, Pile, add, merge, merge_to_core, pile};

const BANDS: usize = 4;
/// Dates of a year, twelve slices.
const YEARS: [usize; 3] = [36, 73, 146];

fn main() {
    divan::main();
}

fn packed(strips: &[Vec<Layer<'_>>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    pile(PIXELS, strips, &mut [], &mut bytes).expect("nothing is unpacked");
    bytes
}

/// The packs of each group of rows, and how many clear values they hold.
fn year(stack: &Stack, slices: usize) -> (Vec<Vec<Vec<u8>>>, u64) {
    let dates = stack.clear.len().div_ceil(slices);
    let of_strip = |strip| {
        let bands = stack.strip_of_bands(strip);
        let slice = |from: usize| -> Vec<Vec<Layer<'_>>> {
            bands.iter().map(|layers| layers[from..layers.len().min(from + dates)].to_vec()).collect()
        };
        (0..stack.clear.len()).step_by(dates).map(|from| packed(&slice(from))).collect()
    };
    let clear: u64 = stack.clear.iter().map(|clear| clear.count_ones()).sum();
    ((0..Stack::strips()).map(of_strip).collect(), clear * BANDS as u64)
}

/// One item is an observation of one band, clear or not; the bytes are those that are packed.
#[divan::bench(args = [6, 12, 36], sample_count = 256, sample_size = 1)]
fn pack_a_slice(bencher: Bencher<'_, '_>, depth: usize) {
    let stack = Stack::new(depth, BANDS, Masks::Clouds);
    let (packs, _) = year(&stack, 1);
    let strips: Vec<_> = (0..Stack::strips()).map(|strip| stack.strip_of_bands(strip)).collect();
    let bytes: usize = packs.iter().flatten().map(Vec::len).sum();
    let mut strips = strips.iter().cycle();
    let mut out = Vec::new();
    bencher
        .counter(ItemsCount::new(depth * PIXELS * BANDS))
        .counter(BytesCount::new(bytes / Stack::strips()))
        .bench_local(|| {
            out.clear();
            strips.next().map(|bands| pile(PIXELS, black_box(bands), &mut [], &mut out))
        });
}

/// The same items: what the slices hold, clear or not.
#[divan::bench(args = YEARS, sample_count = 256, sample_size = 1)]
fn merge_twelve(bencher: Bencher<'_, '_>, depth: usize) {
    let (packs, clear) = year(&Stack::new(depth, BANDS, Masks::Clouds), 12);
    let bytes: usize = packs.iter().flatten().map(Vec::len).sum();
    println!("{depth} dates: {:.2} bits for each clear value", 8.0 * bytes as f64 / clear as f64);
    let mut strips = packs.iter().cycle();
    let none = vec![Vec::new(); BANDS];
    let mut out = Out::new();
    bencher
        .counter(ItemsCount::new(depth * PIXELS * BANDS))
        .counter(BytesCount::new(bytes / Stack::strips()))
        .bench_local(|| {
            strips.next().map(|packs| {
                merge(&none, &mut piles(packs), out.middles()).expect("piles are as they were packed");
            })
        });
}

fn piles(packs: &[Vec<u8>]) -> Vec<Pile<'_>> {
    packs.iter().map(|bytes| Pile::new(bytes, u16::MAX)).collect()
}

/// Middles of some rows.
struct Out {
    counts: Vec<u16>,
    lower: Vec<Vec<u16>>,
    upper: Vec<Vec<u16>>,
}

impl Out {
    fn new() -> Self {
        let planes = || vec![vec![0; PIXELS]; BANDS];
        Self { counts: vec![0; PIXELS], lower: planes(), upper: planes() }
    }

    fn middles(&mut self) -> Middles<'_> {
        let Self { counts, lower, upper } = self;
        Middles { counts, lower, upper }
    }

    fn core_of(&mut self, packs: &[Vec<u8>]) -> Vec<u8> {
        let mut core = Vec::new();
        merge_to_core(&mut piles(packs), self.middles(), &mut core).expect("piles are as they were packed");
        core
    }

    fn add(&mut self, core: &[u8], packs: &[Vec<u8>]) -> bool {
        add(core, &mut piles(packs), self.middles()).expect("core and piles are as they were packed")
    }
}

/// What a core costs beside the merge of a year: to be compared with `merge_twelve`.
#[divan::bench(args = YEARS, sample_count = 256, sample_size = 1)]
fn merge_twelve_with_core(bencher: Bencher<'_, '_>, depth: usize) {
    let (packs, _) = year(&Stack::new(depth, BANDS, Masks::Clouds), 12);
    let (mut strips, mut out) = (packs.iter().cycle(), Out::new());
    bencher
        .counter(ItemsCount::new(depth * PIXELS * BANDS))
        .bench_local(|| strips.next().map(|packs| out.core_of(packs)));
}

/// The twelfth slice is added to the core of eleven; one item is a pixel of one band.
#[divan::bench(args = YEARS, sample_count = 256, sample_size = 1)]
fn add_to_core(bencher: Bencher<'_, '_>, depth: usize) {
    let (packs, _) = year(&Stack::new(depth, BANDS, Masks::Clouds), 12);
    let mut out = Out::new();
    let eleven = |packs: &Vec<Vec<u8>>| {
        let (last, others) = packs.split_last().expect("there are twelve");
        (out.core_of(others), vec![last.clone()])
    };
    let strips: Vec<_> = packs.iter().map(eleven).collect();
    let bytes: usize = strips.iter().map(|(core, _)| core.len()).sum();
    let missed = strips.iter().filter(|(core, new)| !out.add(core, new)).count();
    let bits = 8.0 * bytes as f64 / (PIXELS * BANDS * strips.len()) as f64;
    println!("{depth} dates: {bits:.1} bits a pixel and band, {missed} of {} cores do not reach", strips.len());
    let mut strips = strips.iter().cycle();
    bencher
        .counter(ItemsCount::new(PIXELS * BANDS))
        .bench_local(|| strips.next().map(|(core, new)| out.add(core, new)));
}
