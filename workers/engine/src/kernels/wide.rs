//! Element-wise loops in the widest vector instructions the processor has.
//!
//! The build targets any x86-64, so loops would compile to 4 lanes. [`wide`] compiles them again for AVX2 and AVX-512
//! and picks one at run time. No fused multiply-add is written here, so every variant rounds alike.
#![expect(
    clippy::inline_always,
    reason = "a body that is not inlined keeps its own, narrow instructions"
)]

/// Runs `work`, whose closure must be marked `#[inline(always)]`, in wide instructions.
#[inline(always)]
pub(super) fn wide<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
            #[expect(unsafe_code, reason = "calls code for a processor feature")]
            // SAFETY: the features were detected just above.
            return unsafe { x86::avx512(work) };
        }
        if is_x86_feature_detected!("avx2") {
            #[expect(unsafe_code, reason = "calls code for a processor feature")]
            // SAFETY: the feature was detected just above.
            return unsafe { x86::avx2(work) };
        }
    }
    work()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(super) fn avx512<R>(work: impl FnOnce() -> R) -> R {
        work()
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn avx2<R>(work: impl FnOnce() -> R) -> R {
        work()
    }
}

/// `e^x` to about 1 unit in the last place, 0 below -87; `x` must not exceed 88.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Cephes `expf`: x = n·ln 2 + r with |r| <= ln 2 / 2, then a polynomial in r.
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2^23: adding it rounds to an integer
    let clamped = x.clamp(-87.0, 88.0);
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = clamped - n * (355.0 / 512.0) + n * 2.121_944_4e-4; // ln 2 in two parts
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p * r + c;
    }
    let power = p * r * r + r + 1.0;
    // The low bits of `shifted` hold n; moved into the exponent they make 2^n.
    let scale = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    if x < -87.0 { 0.0 } else { power * scale }
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let small = e / (1.0 + e);
    if x < 0.0 { small } else { 1.0 - small }
}

/// The error function to about 2 units in the last place (N. Juffa's minimax polynomials).
#[inline(always)]
pub(super) fn erf(x: f32) -> f32 {
    let t = x.abs().min(6.0); // 1 from 3.92 on
    let s = t * t;
    let near = horner(
        s,
        [
            -5.967_617e-4,
            4.991_194e-3,
            -2.676_813_5e-2,
            1.128_199_25e-1,
            -3.761_253_4e-1,
            1.283_791_7e-1,
        ],
    );
    let near = near * x + x;
    let high = -1.728_534_7e-5 * t + 3.831_972e-4;
    let low = -3.883_964_4e-3 * t + 2.425_462_2e-2;
    let far = horner(
        t,
        [high * s + low, -1.067_778_8e-1, -6.348_467e-1, -1.287_175_1e-1],
    );
    let far = (1.0 - exp(far * t - t)).copysign(x);
    if t > 0.927_734_4 { far } else { near }
}

#[inline(always)]
fn horner<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[0];
    for c in &coefficients[1..] {
        sum = sum * x + c;
    }
    sum
}

/// The sum of `f` over the elements of slices of one length, taken side by side: in 16 interleaved partial sums, a fixed
/// order for any processor.
#[inline(always)]
pub(super) fn sum<const N: usize>(of: [&[f32]; N], f: impl Fn([f32; N]) -> f32) -> f32 {
    // Whole blocks, so that no index is checked inside one and the 16 lanes become one vector.
    let blocks = of.map(|slice| slice.as_chunks::<16>().0);
    let mut lanes = [0f32; 16];
    for block in 0..blocks[0].len() {
        let block = blocks.map(|blocks| &blocks[block]);
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += f(block.map(|block| block[lane]));
        }
    }
    let mut total = 0.0;
    for sum in lanes {
        total += sum;
    }
    for i in 16 * blocks[0].len()..of[0].len() {
        total += f(of.map(|slice| slice[i]));
    }
    total
}

/// The largest element; `-inf` of nothing. A NaN is passed over.
#[inline(always)]
pub(super) fn max(x: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut lanes = [f32::NEG_INFINITY; 16];
    let chunks = x.chunks_exact(16);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, v) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, *v);
        }
    }
    lanes
        .into_iter()
        .chain(rest.iter().copied())
        .fold(f32::NEG_INFINITY, larger)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_and_erf_are_exact_to_rounding() {
        for i in -90_000..80_000 {
            let x = i as f32 * 1e-3;
            let wanted = f64::from(x).exp();
            if x > -87.0 {
                assert!((f64::from(exp(x)) / wanted - 1.0).abs() < 3e-7, "exp({x})");
            } else {
                assert!(exp(x) <= 1.1e-37, "exp({x})");
            }
        }
        for i in -6_000..6_000 {
            let x = i as f32 * 1e-3;
            let wanted = candle_core::cpu::erf::erf_f64(f64::from(x));
            assert!(
                (f64::from(erf(x)) - wanted).abs() <= 3e-7 * wanted.abs(),
                "erf({x})"
            );
        }
    }

    #[test]
    fn extremes_stay_finite() {
        assert!(exp(f32::NEG_INFINITY) < f32::MIN_POSITIVE);
        assert_eq!((sigmoid(-1e30), sigmoid(1e30)), (0.0, 1.0));
        assert_eq!((erf(-1e10), erf(1e10)), (-1.0, 1.0));
    }
}
