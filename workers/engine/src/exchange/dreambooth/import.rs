//! A trained model as its difference to the base model.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

use super::{Network, TEXT_FOLDER, UNET_FOLDER, tensors};
use crate::adapter::{UNET, VARIANT, variant_in};
use crate::base_model::BaseModel;
use crate::exchange::draft::{Draft, Facts, Imported, tell_variant};
use crate::exchange::foreign::kept;
use crate::exchange::{Error, Method};

/// The adapter of the model in the folder `trained`, as its difference to the one in `base`: to the variant of its files that
/// `facts` names, or else to the [`variant`] that it was trained on. A text encoder without any difference is left out.
///
/// # Errors
/// One of the models cannot be read, they are not of one shape, or `facts` tells what DreamBooth does not have.
pub fn import(trained: &Path, base: &Path, facts: &Facts) -> crate::Result<Imported> {
    let mut known = facts_of(trained);
    tell_variant(&mut known, facts);
    let base = BaseModel::load(base, variant_in(&known)?, &Device::Cpu)?;
    let model = BaseModel::load(trained, None, &Device::Cpu)?;
    let origin = trained.display().to_string();
    let mut rounding = Rounding::default();
    let mut all = BTreeMap::new();
    for network in [UNET_FOLDER, TEXT_FOLDER] {
        let (base, model) = (tensors(&base, &network), tensors(&model, &network));
        let differences =
            differences(base, model, &network, &mut rounding).map_err(|reason| Error::Content {
                file: format!("{origin}/{}", network.folder),
                reason,
            })?;
        let differs = |tensor: &Tensor| -> candle_core::Result<bool> {
            Ok(tensor
                .flatten_all()?
                .to_vec1::<f32>()?
                .iter()
                .any(|value| *value != 0.0))
        };
        let mut keep = network.prefix == UNET;
        for tensor in differences.values() {
            keep = keep || differs(tensor)?;
        }
        if keep {
            all.extend(differences);
        }
    }
    let draft = Draft {
        method: Method::Dreambooth,
        facts: known,
        origin,
        tensors: all,
        word: None,
        steps: None,
        remarks: rounding.remark(),
    };
    Ok(draft.finish(facts)?)
}

/// Trained − base for every tensor of a network, by adapter name.
fn differences(
    base: &BTreeMap<String, Tensor>,
    trained: &BTreeMap<String, Tensor>,
    network: &Network,
    rounding: &mut Rounding,
) -> Result<BTreeMap<String, Tensor>, String> {
    if let Some(other) = trained.keys().find(|name| !base.contains_key(*name)) {
        return Err(format!("`{other}` is not in the base model"));
    }
    let mut differences = BTreeMap::new();
    for (name, base) in base {
        let trained = trained.get(name).ok_or_else(|| format!("`{name}` is missing"))?;
        if trained.dims() != base.dims() {
            let (trained, base) = (trained.dims(), base.dims());
            return Err(format!(
                "`{name}` has the shape {trained:?}, in the base model it is {base:?}"
            ));
        }
        let difference = rounding
            .difference(trained, base)
            .map_err(|error| error.to_string())?;
        differences.insert(format!("{}{name}", network.prefix), difference);
    }
    Ok(differences)
}

/// How many weights the difference does not lead back to, and by how much it misses them at most.
#[derive(Default)]
struct Rounding {
    values: usize,
    missed: usize,
    most: f32,
}

impl Rounding {
    fn difference(&mut self, trained: &Tensor, base: &Tensor) -> candle_core::Result<Tensor> {
        let values = |tensor: &Tensor| tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
        let pairs = values(trained)?.into_iter().zip(values(base)?);
        let differences: Vec<f32> = pairs
            .map(|(trained, base)| {
                let difference = trained - base;
                let miss = (base + difference - trained).abs();
                self.values += 1;
                self.missed += usize::from(miss > 0.0);
                self.most = self.most.max(miss);
                difference
            })
            .collect();
        Tensor::from_vec(differences, trained.dims(), &Device::Cpu)
    }

    fn remark(&self) -> Vec<String> {
        let Self { values, missed, most } = self;
        match missed {
            0 => Vec::new(),
            _ => vec![format!(
                "of {values} weights {missed} are kept up to rounding: base + difference misses them by {most:e} at most"
            )],
        }
    }
}

/// The variant of the base model's files that the model in this folder was trained on, where it was rebuilt from an adapter that
/// says so.
pub fn variant(trained: &Path) -> Option<String> {
    facts_of(trained).remove(VARIANT)
}

/// What the header of the trained U-Net says of the adapter it was rebuilt from, if it was.
fn facts_of(trained: &Path) -> BTreeMap<String, String> {
    let path = trained.join(UNET_FOLDER.folder).join(UNET_FOLDER.file);
    kept(crate::weights::metadata(&path).unwrap_or_default())
}
