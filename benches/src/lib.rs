//! Made-up observations that look like the real ones, for the benchmarks: neighbouring pixels correlate, clouds are
//! smooth, about half of all values are clear, and a few of those are bright all the same.

use mosaic::bits::Bits;
use mosaic::kernel::Layer;

/// Columns and rows of a sub-tile.
pub const SIDE: usize = 1024;
/// Rows that the kernel is handed at a time.
pub const ROWS: usize = 16;
/// Pixels that the kernel is handed at a time.
pub const PIXELS: usize = SIDE * ROWS;

/// Mean, amplitude of the landscape and noise of each band: B02, B03, B04, B08.
const BANDS: [(f32, f32, f32); 4] =
    [(600.0, 150.0, 37.0), (900.0, 220.0, 44.0), (1000.0, 350.0, 47.0), (2800.0, 700.0, 92.0)];

/// How the clear pixels lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Masks {
    /// In clouds and clearings of all sizes; a fifth of the dates are almost wholly cloudy.
    Clouds,
    /// Each pixel by the toss of a coin: as bad as masks can be.
    Random,
}

/// A sub-tile's observations, a plane of 2 MiB for each band of each.
pub struct Stack {
    /// Where each observation is clear.
    pub clear: Vec<Bits>,
    /// The values by band, then by observation.
    pub bands: Vec<Vec<Vec<u16>>>,
}

impl Stack {
    /// `depth` observations of so many bands, the same in each run.
    #[must_use]
    pub fn new(depth: usize, bands: usize, masks: Masks) -> Self {
        let mut random = Random(depth as u64);
        let clear = (0..depth).map(|_| mask(&mut random, masks)).collect();
        let noise: Vec<f32> = (0..SIDE * SIDE + PIXELS).map(|_| random.noise()).collect();
        let band = |&(mean, amplitude, sigma): &(f32, f32, f32)| {
            let land = land(&mut random, mean, amplitude);
            let mut plane = |date| {
                let season = 1.0 + 0.18 * (std::f32::consts::TAU * date as f32 / depth as f32).sin();
                let noise = &noise[random.next() as usize % PIXELS..];
                let value = |(land, noise): (&f32, &f32)| (land * season + sigma * noise).max(1.0) as u16;
                land.iter().zip(noise).map(value).collect()
            };
            (0..depth).map(&mut plane).collect()
        };
        Self { clear, bands: BANDS[..bands].iter().map(band).collect() }
    }

    /// How many such groups of rows there are.
    #[must_use]
    pub const fn strips() -> usize {
        SIDE / ROWS
    }

    /// A band's layers of one group of rows, as the kernel takes them.
    #[must_use]
    pub fn strip(&self, band: usize, strip: usize) -> Vec<Layer<'_>> {
        let start = strip * PIXELS;
        let planes = self.bands[band].iter().zip(&self.clear);
        planes
            .map(|(values, clear)| Layer { values: &values[start..][..PIXELS], clear: clear.view(start, PIXELS) })
            .collect()
    }

    /// The layers of every band of one group of rows.
    #[must_use]
    pub fn strip_of_bands(&self, strip: usize) -> Vec<Vec<Layer<'_>>> {
        (0..self.bands.len()).map(|band| self.strip(band, strip)).collect()
    }
}

/// Repeatable noise.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 8
    }

    /// From 0 to 1.
    fn share(&mut self) -> f32 {
        (self.next() & 0xFFFF) as f32 / 65536.0
    }

    /// About zero: nearly Gaussian, and one in a hundred as bright as a cloud.
    fn noise(&mut self) -> f32 {
        let bits = self.next();
        let sum: u64 = (0..4).map(|byte| (bits >> (8 * byte)) & 0xFF).sum();
        let gauss = (sum as f32 - 510.0) / 148.0;
        if (bits >> 32).is_multiple_of(100) { gauss + 40.0 } else { gauss }
    }
}

/// Smooth noise: a lattice of random heights, straight lines in between.
struct Heights {
    cell: f32,
    seed: u64,
}

impl Heights {
    fn at(&self, x: usize, y: usize) -> f32 {
        let (x, y) = (x as f32 / self.cell, y as f32 / self.cell);
        let (column, row) = (x as u64, y as u64);
        let (dx, dy) = (x - column as f32, y - row as f32);
        let corner = |i: u64, j: u64| {
            let mut random = Random(self.seed ^ ((column + i) << 40) ^ ((row + j) << 20));
            random.share() + random.share() + random.share() - 1.5
        };
        let line = |j| corner(0, j) * (1.0 - dx) + corner(1, j) * dx;
        line(0) * (1.0 - dy) + line(1) * dy
    }
}

/// A sum of smooth noises: cell size in pixels, weight.
fn field(random: &mut Random, parts: &[(f32, f32)]) -> impl Fn(usize, usize) -> f32 + use<> {
    let parts: Vec<_> = parts.iter().map(|&(cell, weight)| (Heights { cell, seed: random.next() }, weight)).collect();
    move |x, y| parts.iter().map(|(heights, weight)| weight * heights.at(x, y)).sum()
}

fn plane<T>(mut each: impl FnMut(usize, usize) -> T) -> Vec<T> {
    (0..SIDE * SIDE).map(|pixel| each(pixel % SIDE, pixel / SIDE)).collect()
}

fn land(random: &mut Random, mean: f32, amplitude: f32) -> Vec<f32> {
    let shape = field(random, &[(1024.0, 0.5), (256.0, 0.6), (64.0, 0.5), (16.0, 0.35), (4.0, 0.28)]);
    plane(|x, y| mean + 2.0 * amplitude * shape(x, y))
}

fn mask(random: &mut Random, masks: Masks) -> Bits {
    if masks == Masks::Random {
        return Bits::from_pixels(&plane(|_, _| random.next() & 1 == 1), |clear| clear);
    }
    let cloud = field(random, &[(1365.0, 0.9), (170.0, 0.4), (43.0, 0.2)]);
    let clear = if random.share() < 0.2 { 0.04 } else { random.share().powf(0.61) };
    // The share that is clear is the whole scene's, which is four sub-tiles wide.
    let mut sample: Vec<f32> = (0..4096).map(|i| cloud(i % 64 * 64, i / 64 * 64)).collect();
    sample.sort_unstable_by(f32::total_cmp);
    let limit = sample[((clear * 4095.0) as usize).min(4095)];
    let coarse: Vec<bool> =
        (0..SIDE * SIDE / 16).map(|i| cloud(i % 256 * 4 + SIDE, i / 256 * 4 + SIDE) <= limit).collect();
    Bits::from_pixels(&plane(|x, y| coarse[y / 4 * 256 + x / 4]), |clear| clear)
}
