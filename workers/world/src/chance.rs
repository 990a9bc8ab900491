//! Where chance comes from: one stream of numbers per scene, so that any scene can be drawn on its own.

use rand_philox::{Philox, u32_to_unit_f64};

/// The numbers of one scene.
#[derive(Debug, Clone)]
pub struct Chance(Philox);

impl Chance {
    /// The stream number `index` of a world's seed.
    pub fn new(seed: u64, index: u64) -> Self {
        Self(Philox::from_u64_seed_stream(seed, index))
    }

    /// From `low` to `high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * u32_to_unit_f64(self.0.next_u32()) as f32
    }

    /// True in `share` of all cases.
    pub fn happens(&mut self, share: f32) -> bool {
        self.between(0.0, 1.0) < share
    }

    /// Some 32 bits.
    pub fn bits(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// One of several, all equally likely.
    ///
    /// # Panics
    /// There is nothing to pick from.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.0.bounded(from.len() as u32) as usize]
    }
}

/// A fixed number from 0 to 1 for a cell of a texture.
pub fn cell_noise(seed: u32, column: i32, row: i32) -> f32 {
    let mut hash = seed ^ (column as u32).wrapping_mul(0x9E37_79B1) ^ (row as u32).wrapping_mul(0x85EB_CA77);
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x7FEB_352D);
    hash = (hash ^ (hash >> 15)).wrapping_mul(0x846C_A68B);
    ((hash ^ (hash >> 16)) >> 8) as f32 / 16_777_216.0
}
