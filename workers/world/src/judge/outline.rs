//! From scattered pixels to one outline.

use crate::background::SIDE;
use crate::picture::Mask;

/// The largest connected part of a mask, with its holes filled.
pub(super) fn largest_filled(mask: &Mask) -> Mask {
    let mut seen = vec![false; SIDE * SIDE];
    let mut largest = Vec::new();
    for (x, y) in mask.pixels() {
        let part = flood((x, y), &mut seen, |x, y| mask.at(x, y));
        if part.len() > largest.len() {
            largest = part;
        }
    }
    let mut belongs = vec![false; SIDE * SIDE];
    for (x, y) in largest {
        belongs[y * SIDE + x] = true;
    }
    let mut outside = vec![false; SIDE * SIDE];
    for i in 0..SIDE {
        for start in [(i, 0), (i, SIDE - 1), (0, i), (SIDE - 1, i)] {
            flood(start, &mut outside, |x, y| !belongs[y * SIDE + x]);
        }
    }
    Mask::from_fn(|x, y| !outside[y * SIDE + x])
}

/// All pixels reached from `start` over edges between pixels that are `open`; they are marked as `seen`.
fn flood(
    start: (usize, usize),
    seen: &mut [bool],
    open: impl Fn(usize, usize) -> bool,
) -> Vec<(usize, usize)> {
    let (mut found, mut waiting) = (Vec::new(), vec![start]);
    while let Some((x, y)) = waiting.pop() {
        if seen[y * SIDE + x] || !open(x, y) {
            continue;
        }
        seen[y * SIDE + x] = true;
        found.push((x, y));
        let left = x.checked_sub(1).map(|x| (x, y));
        let up = y.checked_sub(1).map(|y| (x, y));
        let right = (x + 1 < SIDE).then_some((x + 1, y));
        let down = (y + 1 < SIDE).then_some((x, y + 1));
        waiting.extend([left, up, right, down].into_iter().flatten());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_filled_and_a_speck_is_dropped() {
        let ring = Mask::from_fn(|x, y| {
            let edge = (10..=20).contains(&x) && (10..=20).contains(&y);
            let hole = (12..=18).contains(&x) && (12..=18).contains(&y);
            (edge && !hole) || (x, y) == (40, 40)
        });
        let filled = largest_filled(&ring);
        assert_eq!(filled.pixels().count(), 121);
        assert!(filled.at(15, 15) && !filled.at(40, 40));
    }
}
