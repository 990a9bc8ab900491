//! The short forms of large tensors: statistics and strided slices, one row per tensor.

use anyhow::Result;
use candle_core::{Device, Tensor};

/// `[n, 3]`: sum, sum of absolute values and L2 norm of each tensor, computed in f64.
pub(crate) fn statistics(tensors: &[Tensor]) -> Result<Tensor> {
    let mut rows = Vec::new();
    for tensor in tensors {
        let values: Vec<f64> = tensor
            .flatten_all()?
            .to_vec1::<f32>()?
            .into_iter()
            .map(f64::from)
            .collect();
        let norm = values.iter().map(|value| value * value).sum::<f64>().sqrt();
        let row: [f64; 3] = [
            values.iter().sum(),
            values.iter().map(|value| value.abs()).sum(),
            norm,
        ];
        rows.extend(row.map(|value| value as f32));
    }
    Ok(Tensor::from_vec(rows, (tensors.len(), 3), &Device::Cpu)?)
}

/// `[n, width]`: values at 0, stride, 2·stride, … with stride = elements div width; shorter tensors are zero-padded.
pub(crate) fn slices(tensors: &[Tensor], width: usize) -> Result<Tensor> {
    let mut rows = Vec::new();
    for tensor in tensors {
        let values = tensor.flatten_all()?.to_vec1::<f32>()?;
        let stride = (values.len() / width).max(1);
        let row = (0..width).map(|i| values.get(i * stride).copied().unwrap_or(0.0));
        rows.extend(row);
    }
    Ok(Tensor::from_vec(rows, (tensors.len(), width), &Device::Cpu)?)
}
