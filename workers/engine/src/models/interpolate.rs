//! PyTorch's `interpolate(mode="bicubic", align_corners=False)` without antialiasing.

/// PyTorch's cubic coefficient (Pillow's is -0.5).
const A: f32 = -0.75;

/// Resizes each (h, w) plane of `planes` to `to`; source coordinates advance by `step` per output row and column.
///
/// Coordinates and weights are f32 in PyTorch's order of operations, so that results agree to the last bits.
pub(crate) fn bicubic(
    planes: &[f32],
    from: (usize, usize),
    to: (usize, usize),
    step: (f32, f32),
) -> Vec<f32> {
    let (rows, columns) = (taps(from.0, to.0, step.0), taps(from.1, to.1, step.1));
    let planes = planes.chunks_exact(from.0 * from.1);
    let mut out = Vec::with_capacity(planes.len() * to.0 * to.1);
    for plane in planes {
        for row in &rows {
            for column in &columns {
                out.push(row.sum(|y| column.sum(|x| plane[y * from.1 + x])));
            }
        }
    }
    out
}

/// The four source positions of an output position, clamped to the border, with their weights.
struct Taps {
    positions: [usize; 4],
    weights: [f32; 4],
}

impl Taps {
    fn sum(&self, value: impl Fn(usize) -> f32) -> f32 {
        self.positions
            .iter()
            .zip(&self.weights)
            .map(|(position, weight)| value(*position) * weight)
            .sum()
    }
}

fn taps(from: usize, to: usize, step: f32) -> Vec<Taps> {
    let last = from as isize - 1;
    let at = |i: usize| {
        let source = step * (i as f32 + 0.5) - 0.5;
        let first = source.floor() as isize - 1;
        let t = source - source.floor();
        Taps {
            positions: [0, 1, 2, 3].map(|k| (first + k).clamp(0, last) as usize),
            weights: [outer(t + 1.0), inner(t), inner(1.0 - t), outer(2.0 - t)],
        }
    };
    (0..to).map(at).collect()
}

/// The kernel for distances up to 1.
fn inner(x: f32) -> f32 {
    ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
}

/// The kernel for distances from 1 to 2.
fn outer(x: f32) -> f32 {
    ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
}
