//! Which of this machine's GPUs CUDA computes on. NVML counts all of them as they are plugged in, CUDA only those that
//! `CUDA_VISIBLE_DEVICES` leaves, in the order that `CUDA_DEVICE_ORDER` asks for. Names are what both know.

use anyhow::Context as _;
use nvml_wrapper::{Device, Nvml};

use crate::engine::cuda;

/// NVML's mode of a GPU that is divided into parts.
const DIVIDED: u32 = 1;

/// The GPU, or the part of one, that CUDA counts first. A build without CUDA uses none; for it this is NVML's first.
pub(super) fn first(nvml: &Nvml) -> anyhow::Result<Device<'_>> {
    let Some(uuid) = cuda::first_gpu()? else {
        return Ok(nvml.device_by_index(0)?);
    };
    let visible = std::env::var("CUDA_VISIBLE_DEVICES").unwrap_or_default();
    let names = names(uuid, &visible);
    let known = names
        .iter()
        .find_map(|name| nvml.device_by_uuid(name.as_str()).ok());
    let gpu = known.with_context(|| format!("NVML knows no {}", names.join(" and no ")))?;
    Ok(first_part(gpu))
}

/// NVML's name of a GPU, or of the whole that it is a part of.
pub(super) fn of_whole(gpu: &Device<'_>) -> Option<String> {
    match gpu.mig_parent_device() {
        Ok(whole) => whole.uuid().ok(),
        Err(_) => gpu.uuid().ok(),
    }
}

/// What NVML may call CUDA's first device. Until CUDA 13 a part of a GPU had the `uuid` of the whole; its own name is known
/// if it was asked for by that.
fn names(uuid: [u8; 16], visible: &str) -> Vec<String> {
    let first = visible.split(',').next().unwrap_or_default().trim();
    let part = first.starts_with("MIG-").then(|| first.to_owned());
    let uuid = text(uuid);
    let names = ["GPU", "MIG"].map(|kind| format!("{kind}-{uuid}"));
    part.into_iter().chain(names).collect()
}

/// As NVIDIA's programs write it.
fn text(uuid: [u8; 16]) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(uuid));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// Of a divided GPU a process has one part: where none was asked for by name, the first.
fn first_part(gpu: Device<'_>) -> Device<'_> {
    let is_divided = gpu.mig_mode().is_ok_and(|mode| mode.current == DIVIDED);
    let parts = if is_divided {
        gpu.mig_device_count().unwrap_or(0)
    } else {
        0
    };
    let first = (0..parts).find_map(|number| gpu.mig_device_by_index(number).ok());
    first.unwrap_or(gpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: [u8; 16] = [
        0x89, 0x32, 0xf9, 0x37, 0xd7, 0x2c, 0x41, 0x06, 0xc1, 0x2f, 0x20, 0xbd, 0x9f, 0xae, 0xd9, 0xf6,
    ];
    const WHOLE: &str = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6";
    const PART: &str = "MIG-8932f937-d72c-4106-c12f-20bd9faed9f6";

    /// Numbers and names that are cut short mean what CUDA makes of them: it is CUDA that is asked.
    #[test]
    fn a_gpu_is_found_by_what_cuda_calls_it_however_it_was_asked_for() {
        for visible in ["", "1,0", "GPU-8932f937", "GPU-8932f937,MIG-4c3b"] {
            assert_eq!(names(UUID, visible), [WHOLE, PART], "{visible:?}");
        }
    }

    #[test]
    fn a_part_that_was_asked_for_comes_first() {
        for (visible, part) in [
            ("MIG-4c3b9d0c-1", "MIG-4c3b9d0c-1"),
            (" MIG-GPU-8932f937/1/0 , 0", "MIG-GPU-8932f937/1/0"),
        ] {
            assert_eq!(names(UUID, visible), [part, WHOLE, PART]);
        }
    }

    #[test]
    fn leading_zeros_are_part_of_a_name() {
        let mut uuid = [0; 16];
        uuid[15] = 1;
        assert_eq!(text(uuid), "00000000-0000-0000-0000-000000000001");
    }
}
