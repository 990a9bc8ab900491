//! The maths of diffusion, knowing nothing of networks: the noise schedule, the DDIM sampler and the one source of
//! randomness.

pub mod ddim;
pub mod noise;
pub mod schedule;

pub use ddim::Ddim;
pub use noise::{NoiseKey, NoiseStream, Purpose};
pub use schedule::NoiseSchedule;
