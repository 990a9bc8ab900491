//! The two factors of every addition, and what all additions of an adapter have in common: rank and α.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::Tensor;

use crate::adapter::{Adapter, UNET};
use crate::exchange::{Error, Method};
use crate::methods::lora::ALPHA;

/// The two factors of an addition: here and in peft, in the diffusers of 2023, in sd-scripts.
pub(super) const DOWN: [&str; 3] = [".lora_A.weight", ".lora.down.weight", ".lora_down.weight"];
pub(super) const UP: [&str; 3] = [".lora_B.weight", ".lora.up.weight", ".lora_up.weight"];

/// An adapter's additions.
pub(super) struct Layers {
    /// (rank, in) and (out, rank) by the layer's diffusers name.
    pub(super) factors: BTreeMap<String, (Tensor, Tensor)>,
    pub(super) rank: usize,
    pub(super) alpha: f64,
}

impl Layers {
    pub(super) fn of(adapter: &Adapter) -> Result<Self, Error> {
        let wrong = |reason| Error::Adapter {
            method: Method::Lora,
            reason,
        };
        let mut tensors = BTreeMap::new();
        for (name, tensor) in adapter.tensors() {
            let inner = name
                .strip_prefix(UNET)
                .ok_or_else(|| wrong(format!("`{name}` is no part of the U-Net")))?;
            tensors.insert(inner.to_owned(), tensor.clone());
        }
        let (factors, rank) = paired(tensors).map_err(wrong)?;
        let text = adapter.metadata().get(ALPHA).map_or("", String::as_str);
        let alpha = text.parse::<f64>().ok().filter(|alpha| alpha.is_finite());
        let alpha = alpha.ok_or_else(|| {
            wrong(format!(
                "its header says `{ALPHA}` is `{text}`, expected a number"
            ))
        })?;
        Ok(Self { factors, rank, alpha })
    }
}

/// Both factors of every layer, and the rank that all have.
pub(super) type Paired = (BTreeMap<String, (Tensor, Tensor)>, usize);

pub(super) fn paired(tensors: BTreeMap<String, Tensor>) -> Result<Paired, String> {
    let (mut downs, mut ups) = (BTreeMap::new(), BTreeMap::new());
    for (name, tensor) in tensors {
        let layer = |ends: [&str; 3]| {
            ends.iter()
                .find_map(|end| name.strip_suffix(end))
                .map(str::to_owned)
        };
        match (layer(DOWN), layer(UP)) {
            (Some(layer), _) => downs.insert(layer, tensor),
            (None, Some(layer)) => ups.insert(layer, tensor),
            (None, None) => return Err(format!("`{name}` is no factor of an addition")),
        };
    }
    let (mut factors, mut ranks) = (BTreeMap::new(), Vec::new());
    for (layer, down) in downs {
        let up = ups
            .remove(&layer)
            .ok_or_else(|| format!("`{layer}` has only one of two factors"))?;
        match (down.dims(), up.dims()) {
            ([rank, _], [_, same]) if rank == same => ranks.push(*rank),
            (down, up) => {
                return Err(format!(
                    "the factors of `{layer}` have the shapes {down:?} and {up:?}"
                ));
            }
        }
        factors.insert(layer, (down, up));
    }
    if let Some(layer) = ups.keys().next() {
        return Err(format!("`{layer}` has only one of two factors"));
    }
    ranks.dedup();
    match ranks.as_slice() {
        [rank] if *rank > 0 => Ok((factors, *rank)),
        [] => Err("it has no additions".to_owned()),
        several => Err(format!(
            "its additions have the ranks {several:?}; an adapter has one"
        )),
    }
}

/// The α that every layer says, or none of them.
pub(super) fn common_alpha(alphas: &[f32], layers: usize) -> Result<Option<f64>, String> {
    let bits: BTreeSet<u32> = alphas.iter().map(|alpha| alpha.to_bits()).collect();
    match (alphas.first(), bits.len()) {
        (None, _) => Ok(None),
        (Some(alpha), 1) if alphas.len() == layers => Ok(Some(f64::from(*alpha))),
        _ => Err("its α differs from layer to layer; an adapter has one".to_owned()),
    }
}
