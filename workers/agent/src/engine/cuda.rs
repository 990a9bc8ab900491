//! What CUDA says of the GPU that the engine computes on.

/// By what the driver knows the GPU that CUDA counts first; `None` where this build has no CUDA.
///
/// # Errors
/// The driver does not answer, or leaves this process no GPU.
pub fn first_gpu() -> anyhow::Result<Option<[u8; 16]>> {
    #[cfg(feature = "cuda")]
    let uuid = Some(uuid_of(0)?);
    #[cfg(not(feature = "cuda"))]
    let uuid = None;
    Ok(uuid)
}

#[cfg(feature = "cuda")]
fn uuid_of(number: i32) -> anyhow::Result<[u8; 16]> {
    use candle_core::cuda::cudarc::driver::result::{self, device};
    result::init()?;
    let uuid = device::get_uuid(device::get(number)?)?;
    // C's characters have a sign on some machines.
    Ok(uuid.bytes.map(|byte| byte.to_ne_bytes()[0]))
}
