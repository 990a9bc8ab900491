//! Numbers that look random: functions of a seed and of what they are for, whatever was drawn before.

use vico::digest::Digest;

#[derive(Debug, Clone, Copy)]
pub(super) struct Chance(pub(super) u64);

impl Chance {
    /// Uniform in (0, 1).
    pub(super) fn uniform(self, purpose: &str, number: u64) -> f64 {
        let digest = Digest::of(format!("{} {purpose} {number}", self.0).as_bytes());
        let [a, b, c, d, ..] = *digest.as_bytes();
        (f64::from(u32::from_le_bytes([a, b, c, d])) + 0.5) / (f64::from(u32::MAX) + 1.0)
    }

    /// Standard normal.
    pub(super) fn normal(self, purpose: &str, number: u64) -> f64 {
        let (radius, angle) = (
            self.uniform(purpose, 2 * number),
            self.uniform(purpose, 2 * number + 1),
        );
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }

    /// Exponential with this mean.
    pub(super) fn exponential(self, mean: f64, purpose: &str, number: u64) -> f64 {
        -mean * self.uniform(purpose, number).ln()
    }
}
