//! How many jobs this machine can do at a time.
//!
//! A network that is small keeps no two cores busy: threads that wait for each other after every operation of it take longer
//! than they save. Two jobs beside each other, a core each, take half the time.

use std::sync::Arc;
use std::thread::available_parallelism;

use vico::spec::ModelSource;

/// A training's memory for each byte of the model's files: weights that are stored with 16 bits take twice as much, and a
/// method that trains all of them keeps gradients and two moments.
const OF_MODEL: u64 = 8;
/// And for what does not grow with the model.
const OF_JOB: u64 = 512 << 20;

/// As many jobs at a time as there are cores, if there is memory for them; one where a GPU computes or where nobody says how
/// much memory there is.
pub(super) fn slots(models: &[Arc<ModelSource>]) -> u32 {
    if vico_worker::device::probe().gpu.is_some() {
        return 1;
    }
    let cores = available_parallelism().map_or(1, |cores| cores.get() as u32);
    let memory = std::fs::read_to_string("/proc/meminfo").ok();
    let memory = memory.as_deref().and_then(available);
    memory.map_or(1, |memory| fitting(largest(models), memory, cores))
}

/// Bytes of the files of the largest model.
fn largest(models: &[Arc<ModelSource>]) -> u64 {
    let bytes = models
        .iter()
        .map(|model| model.files.iter().map(|file| file.size).sum());
    bytes.max().unwrap_or(0)
}

fn fitting(model: u64, memory: u64, cores: u32) -> u32 {
    let each = model.saturating_mul(OF_MODEL).saturating_add(OF_JOB);
    let fit = u32::try_from(memory / each).unwrap_or(u32::MAX);
    fit.clamp(1, cores)
}

/// `MemAvailable` of Linux, in bytes.
fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn small_models_get_a_core_each_and_large_ones_the_machine() {
        let (small, stable_diffusion) = (25 << 20, 4 * GIB);
        assert_eq!(fitting(small, 16 * GIB, 2), 2);
        assert_eq!(fitting(small, 16 * GIB, 64), 23);
        assert_eq!(fitting(small, GIB / 4, 8), 1, "it is tried all the same");
        assert_eq!(fitting(stable_diffusion, 24 * GIB, 8), 1);
        assert_eq!(fitting(stable_diffusion, 128 * GIB, 32), 3);
        assert_eq!(fitting(u64::MAX, GIB, 8), 1);
    }

    #[test]
    fn linux_says_what_is_free() {
        let text = "MemTotal:       24000000 kB\nMemFree:  1 kB\nMemAvailable:   23143204 kB\n";
        assert_eq!(available(text), Some(23143204 << 10));
        assert_eq!(available("MemTotal: 1 kB\n"), None);
    }
}
