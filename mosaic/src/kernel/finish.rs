//! From the two middle values to the median that is written.

/// The median as `uint16`: `(a + b + 1) / 2` of the two middle values (half up), and nodata 0 where fewer than
/// `min_observations` (at least 1) are clear. All slices have one value per pixel; harmonised values are at least 1,
/// so that 0 means nodata and nothing else.
///
/// # Panics
/// Where the slices differ in length.
pub fn finish(lower: &[u16], upper: &[u16], counts: &[u16], min_observations: u16, out: &mut [u16]) {
    let half_up = |a: u16, b: u16| (u32::from(a) + u32::from(b)).div_ceil(2) as u16;
    each(lower, upper, counts, min_observations, out, half_up);
}

/// The median as `float32`, exact: `(a + b) / 2` keeps the half, and nodata is 0. Otherwise as [`finish`].
///
/// # Panics
/// Where the slices differ in length.
pub fn finish_f32(lower: &[u16], upper: &[u16], counts: &[u16], min_observations: u16, out: &mut [f32]) {
    each(lower, upper, counts, min_observations, out, |a, b| (f32::from(a) + f32::from(b)) / 2.0);
}

#[inline(always)]
fn each<T: Default>(
    lower: &[u16],
    upper: &[u16],
    counts: &[u16],
    min_observations: u16,
    out: &mut [T],
    median: impl Fn(u16, u16) -> T,
) {
    let pixels = out.len();
    assert!([lower, upper, counts].iter().all(|s| s.len() == pixels), "inputs that are not of {pixels} pixels");
    let enough = min_observations.max(1);
    for (((out, &a), &b), &count) in out.iter_mut().zip(lower).zip(upper).zip(counts) {
        *out = if count >= enough { median(a, b) } else { T::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_up_over_the_whole_range() {
        let (lower, upper, counts) = ([0, 1, 1, 65534, 65535], [0, 1, 2, 65535, 65535], [2; 5]);
        let mut out = [9; 5];
        finish(&lower, &upper, &counts, 1, &mut out);
        assert_eq!(out, [0, 1, 2, 65535, 65535]);
        let mut exact = [9.0; 5];
        finish_f32(&lower, &upper, &counts, 1, &mut exact);
        assert_eq!(exact, [0.0, 1.0, 1.5, 65534.5, 65535.0]);
    }

    #[test]
    fn too_few_observations_are_nodata() {
        let mut out = [9; 4];
        finish(&[5; 4], &[6; 4], &[0, 1, 2, 3], 2, &mut out);
        assert_eq!(out, [0, 0, 6, 6]);
        finish(&[5; 4], &[6; 4], &[0, 1, 2, 3], 0, &mut out);
        assert_eq!(out, [0, 6, 6, 6], "no observation is never a value");
    }
}
