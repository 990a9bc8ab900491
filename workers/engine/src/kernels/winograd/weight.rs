//! The weights of a 3x3 convolution: from the order of the file to their transform.

use pulp::{Arch, Simd, WithSimd};

use super::super::product::ROWS;
use super::super::transpose::transpose;
use super::panel::REACH;
use super::{APART, points};

/// Taps of the kernel.
const TAPS: usize = 9;

/// Weights (outputs, inputs, 3, 3) as the file has them, and which convolution they are used for.
#[derive(Debug, Clone, Copy)]
pub(in crate::kernels) struct Weight<'a, T> {
    values: &'a [T],
    /// Channels of what comes out and goes in.
    pub(super) outputs: usize,
    pub(super) inputs: usize,
    /// Whether it is the convolution that gives the gradient of the input: channels exchanged, kernel turned.
    turned: bool,
}

impl<'a, T: Copy + Into<f32>> Weight<'a, T> {
    /// The convolution itself or, `turned`, that of the gradient. `outputs` and `inputs` are those of the file.
    pub(in crate::kernels) fn new(values: &'a [T], outputs: usize, inputs: usize, turned: bool) -> Self {
        let (outputs, inputs) = if turned {
            (inputs, outputs)
        } else {
            (outputs, inputs)
        };
        Self {
            values,
            outputs,
            inputs,
            turned,
        }
    }

    /// Groups of 8 outputs, the last perhaps filled up with zeros.
    pub(super) fn groups(&self) -> usize {
        self.outputs.div_ceil(ROWS)
    }

    /// Transforms a group's weights for the inputs `first..first + count` into `out`: at every point (input, output in the
    /// group), the points `stride` elements apart. `taps` is room for (tap, input, output in the group).
    pub(super) fn transform(
        &self,
        group: usize,
        (first, count): (usize, usize),
        taps: &mut Vec<f32>,
        (out, stride): (&mut [f32], usize),
    ) {
        taps.resize(TAPS * (count * ROWS + APART), 0.0);
        self.gather(group, (first, count), taps);
        let parts = taps.chunks_exact(count * ROWS + APART);
        let mut parts = parts.map(|part| &part[..count * ROWS]);
        Arch::new().dispatch(AtPoints {
            taps: std::array::from_fn(|_| parts.next().unwrap_or_default()),
            out,
            stride,
        });
    }

    fn gather(&self, group: usize, (first, count): (usize, usize), taps: &mut [f32]) {
        let first_output = group * ROWS;
        if self.outputs - first_output < ROWS {
            return self.gather_rest(first_output, (first, count), taps);
        }
        let mut put = |tap: usize, input: usize, values: [f32; ROWS]| {
            taps[tap * (count * ROWS + APART) + input * ROWS..][..ROWS].copy_from_slice(&values);
        };
        if self.turned {
            for input in 0..count {
                let from = &self.values[((first + input) * self.outputs + first_output) * TAPS..];
                transpose(from, TAPS, TAPS, |tap, values| put(TAPS - 1 - tap, input, values));
            }
        } else {
            let stride = self.inputs * TAPS;
            let from = &self.values[first_output * stride + first * TAPS..];
            transpose(from, stride, count * TAPS, |column, values| {
                put(column % TAPS, column / TAPS, values);
            });
        }
    }

    /// The same for a group of fewer than 8, number by number.
    fn gather_rest(&self, first_output: usize, (first, count): (usize, usize), taps: &mut [f32]) {
        taps.fill(0.0);
        for (tap, values) in taps.chunks_mut(count * ROWS + APART).enumerate() {
            for (input, values) in values.chunks_mut(ROWS).take(count).enumerate() {
                for (row, value) in values[..self.outputs - first_output].iter_mut().enumerate() {
                    let (output, input) = (first_output + row, first + input);
                    let at = if self.turned {
                        (input * self.outputs + output) * TAPS + TAPS - 1 - tap
                    } else {
                        (output * self.inputs + input) * TAPS + tap
                    };
                    *value = self.values[at].into();
                }
            }
        }
    }
}

/// Evaluates kernels of nine taps at all points.
struct AtPoints<'a> {
    taps: [&'a [f32]; TAPS],
    out: &'a mut [f32],
    stride: usize,
}

impl WithSimd for AtPoints<'_> {
    type Output = ();

    #[expect(clippy::inline_always, reason = "as in `points`")]
    #[inline(always)]
    fn with_simd<S: Simd>(self, s: S) {
        let length = self.taps[0].len();
        let whole = length / S::F32_LANES * S::F32_LANES;
        for at in (0..whole).step_by(S::F32_LANES) {
            let mut taps = [s.splat_f32s(0.0); TAPS];
            for (to, tap) in taps.iter_mut().zip(self.taps) {
                *to = points::load::<S>(tap, at);
            }
            at_points(s, taps, |point, value| {
                points::store::<S>(self.out, point * self.stride + at, value);
            });
        }
        if whole < length {
            let mut taps = [s.splat_f32s(0.0); TAPS];
            for (to, tap) in taps.iter_mut().zip(self.taps) {
                *to = s.partial_load_f32s(&tap[whole..]);
            }
            at_points(s, taps, |point, value| {
                let at = point * self.stride;
                s.partial_store_f32s(&mut self.out[at + whole..at + length], value);
            });
        }
    }
}

#[expect(clippy::inline_always, reason = "as in `points`")]
#[inline(always)]
fn at_points<S: Simd>(s: S, taps: [S::f32s; TAPS], mut each: impl FnMut(usize, S::f32s)) {
    let [t0, t1, t2, t3, t4, t5, t6, t7, t8] = taps;
    let columns = [
        points::weight(s, [t0, t3, t6]),
        points::weight(s, [t1, t4, t7]),
        points::weight(s, [t2, t5, t8]),
    ];
    let [left, middle, right] = columns;
    for (y, ((left, middle), right)) in left.into_iter().zip(middle).zip(right).enumerate() {
        for (x, value) in points::weight(s, [left, middle, right]).into_iter().enumerate() {
            each(y * REACH + x, value);
        }
    }
}
