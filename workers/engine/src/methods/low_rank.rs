//! The low-rank additions that an adapter holds.

use std::collections::BTreeMap;

use candle_core::Tensor;

use super::personalised::missing_tensor;
use super::{Error, lora};
use crate::adapter::{Adapter, UNET};
use crate::weights::LowRank;

/// How the names of the first factors end.
const FIRST: &str = ".lora_A.weight";

/// Takes the additions to layers of the base model, which has these `weights`, out of the adapter's `tensors`.
///
/// # Errors
/// A factor is missing, or fits no linear layer of the base model at the adapter's rank.
pub(super) fn take(
    adapter: &Adapter,
    tensors: &mut BTreeMap<String, Tensor>,
    weights: &BTreeMap<String, Tensor>,
) -> crate::Result<BTreeMap<String, LowRank>> {
    let named = tensors.keys().filter_map(|name| name.strip_suffix(FIRST));
    let modules: Vec<String> = named.map(str::to_owned).collect();
    let (rank, alpha) = (number(adapter, lora::RANK)?, number(adapter, lora::ALPHA)?);
    let additions = lora::additions(&modules, tensors, alpha / rank);
    let additions = additions.map_err(|name| missing_tensor(format!("{UNET}{name}")))?;
    for (module, addition) in &additions {
        check(module, addition, weights, rank as usize)?;
        // Nothing but the factors: what else belongs to a layer is not known here, and stays to be refused.
        for part in ["A", "B"] {
            tensors.remove(&lora::name(module, part));
        }
    }
    Ok(additions)
}

fn check(
    module: &str,
    addition: &LowRank,
    weights: &BTreeMap<String, Tensor>,
    rank: usize,
) -> crate::Result<()> {
    let (first, second) = (addition.down.dims(), addition.up.dims());
    let weight = weights.get(&format!("{module}.weight")).map(Tensor::dims);
    if let Some(&[outputs, inputs]) = weight
        && first == [rank, inputs]
        && second == [outputs, rank]
    {
        return Ok(());
    }
    Err(Error::ForeignAdapter {
        tensor: format!("{UNET}{module}{FIRST}"),
        reason: format!("{first:?} and {second:?} fit no layer of this base model at rank {rank}"),
    }
    .into())
}

/// A positive number in the adapter's header.
fn number(adapter: &Adapter, key: &str) -> crate::Result<f64> {
    let text = adapter.metadata().get(key).map_or("", String::as_str);
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err(Error::ForeignAdapter {
            tensor: key.to_owned(),
            reason: format!("the header says `{text}`, expected a positive number"),
        }
        .into()),
    }
}
