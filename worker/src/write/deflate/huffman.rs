//! Huffman's codes, as DEFLATE has them.

/// Symbols of a code: bytes, the end of a piece, lengths of matches.
pub const SYMBOLS: usize = 286;
/// Bits of the longest code, so that four codes and what is left of a byte fit into 64 bits.
const LONGEST: usize = 14;

/// The bits of each symbol's code, by Huffman; 0 for a symbol that does not occur. At least two occur.
pub fn code_lengths(frequencies: &[u32; SYMBOLS]) -> [u8; SYMBOLS] {
    let mut symbols: Vec<usize> = (0..SYMBOLS).filter(|symbol| frequencies[*symbol] > 0).collect();
    symbols.sort_by_key(|symbol| frequencies[*symbol]);
    let leaves = symbols.len();
    // Leaves in ascending order, then the nodes above them, which come in ascending order too.
    let mut weights: Vec<u32> = symbols.iter().map(|symbol| frequencies[*symbol]).collect();
    let mut parents = vec![0; 2 * leaves - 1];
    let (mut leaf, mut node) = (0, leaves);
    for parent in leaves..2 * leaves - 1 {
        let mut weight = 0;
        for _ in 0..2 {
            let next = if leaf < leaves && (node >= weights.len() || weights[leaf] <= weights[node]) {
                &mut leaf
            } else {
                &mut node
            };
            weight += weights[*next];
            parents[*next] = parent;
            *next += 1;
        }
        weights.push(weight);
    }
    let mut depths = vec![0usize; 2 * leaves - 1];
    for at in (0..2 * leaves - 2).rev() {
        depths[at] = depths[parents[at]] + 1;
    }
    let mut of_length = [0usize; LONGEST + 1];
    depths[..leaves].iter().for_each(|depth| of_length[(*depth).min(LONGEST)] += 1);
    shorten(&mut of_length);
    let mut lengths = [0; SYMBOLS];
    let mut rarest_first = symbols.iter();
    for length in (1..=LONGEST).rev() {
        for symbol in rarest_first.by_ref().take(of_length[length]) {
            lengths[*symbol] = length as u8;
        }
    }
    lengths
}

/// Makes room for codes that were cut to the greatest length: others become longer, until all can be told apart.
fn shorten(of_length: &mut [usize; LONGEST + 1]) {
    let mut taken: usize =
        of_length.iter().enumerate().skip(1).map(|(length, codes)| codes << (LONGEST - length)).sum();
    while taken > 1 << LONGEST {
        let Some(length) = (1..LONGEST).rev().find(|length| of_length[*length] > 0) else { return };
        of_length[length] -= 1;
        of_length[length + 1] += 2;
        of_length[LONGEST] -= 1;
        taken -= 1;
    }
}

/// The codes of these lengths, as DEFLATE orders them, each with its length in the bits above.
pub fn codes(lengths: &[u8; SYMBOLS]) -> [u32; SYMBOLS] {
    let (mut codes, mut next) = ([0; SYMBOLS], 0u32);
    for length in 1..=LONGEST as u32 {
        next <<= 1;
        for symbol in (0..SYMBOLS).filter(|symbol| u32::from(lengths[*symbol]) == length) {
            // Codes are written from their first bit on, all else from its last.
            codes[symbol] = (next.reverse_bits() >> (32 - length)) | length << 16;
            next += 1;
        }
    }
    codes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_no_longer_than_they_may_be() {
        // Frequencies of Fibonacci's numbers make the longest codes.
        let mut frequencies = [0; SYMBOLS];
        let (mut a, mut b) = (1, 1);
        for frequency in &mut frequencies[..24] {
            *frequency = a;
            (a, b) = (b, a + b);
        }
        let lengths = code_lengths(&frequencies);
        let taken: usize =
            lengths.iter().filter(|length| **length > 0).map(|length| 1 << (LONGEST - usize::from(*length))).sum();
        assert_eq!((usize::from(lengths[0]), taken), (LONGEST, 1 << LONGEST), "complete, and no longer");
    }
}
