//! The low-rank additions that an adapter holds.

use std::collections::BTreeMap;
use std::str::FromStr;

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
    let (rank, alpha) = (rank(adapter)?, alpha(adapter)?);
    let additions = lora::additions(&modules, tensors, alpha / rank as f64);
    let additions = additions.map_err(|name| missing_tensor(format!("{UNET}{name}")))?;
    for (module, addition) in &additions {
        check(module, addition, weights, rank)?;
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

fn rank(adapter: &Adapter) -> crate::Result<usize> {
    let fits = |rank: &usize| *rank > 0;
    number(adapter, lora::RANK, "a whole number from 1 on", fits)
}

fn alpha(adapter: &Adapter) -> crate::Result<f64> {
    let fits = |alpha: &f64| alpha.is_finite() && *alpha > 0.0;
    number(adapter, lora::ALPHA, "a positive number", fits)
}

/// A number in the adapter's header.
fn number<T: FromStr>(
    adapter: &Adapter,
    key: &str,
    expected: &str,
    fits: impl Fn(&T) -> bool,
) -> crate::Result<T> {
    let text = adapter.metadata().get(key).map_or("", String::as_str);
    text.parse::<T>().ok().filter(fits).ok_or_else(|| {
        Error::ForeignAdapter {
            tensor: key.to_owned(),
            reason: format!("the header says `{text}`, expected {expected}"),
        }
        .into()
    })
}
