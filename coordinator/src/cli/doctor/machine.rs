//! What this machine computes on.

use vico_worker::device::sensors::{Reading, Sensors};

use super::finding::Finding;

const GIB: u64 = 1 << 30;

/// The GPUs that the driver shows.
pub(super) fn look() -> Vec<Finding> {
    let gpus = Sensors::open(None).read();
    if gpus.is_empty() {
        let detail = "no GPU driver answers; jobs started here run on the CPU";
        return vec![Finding::odd(
            "gpu",
            detail,
            "nothing, unless this machine should have one",
        )];
    }
    gpus.iter().map(finding).collect()
}

fn finding(gpu: &Reading) -> Finding {
    let check = format!("gpu {}", gpu.index);
    let memory = gpu.memory_total.map(|total| {
        let free = total.saturating_sub(gpu.memory_used.unwrap_or(0));
        format!(", {} of {} GiB free", free / GIB, total / GIB)
    });
    let heat = gpu.temperature.map(|degrees| format!(", {degrees} °C"));
    let detail = [Some(gpu.name.clone()), memory, heat]
        .into_iter()
        .flatten()
        .collect::<String>();
    if cfg!(feature = "cuda") {
        return Finding::works(&check, detail);
    }
    let fix = "build with `--features cuda` to use it from here; workers have builds of their own";
    Finding::odd(&check, format!("{detail}; this build cannot use it"), fix)
}
