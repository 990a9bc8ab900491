//! What the `vico*` parts of a set share: the base model, the trained tensors as variables, and `vico/`'s batch.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use candle_core::{Tensor, Var};
use vico_engine::base_model::BaseModel;
use vico_engine::methods::vico::branches::Columns;
use vico_engine::methods::vico::ica::ImageAttention;
use vico_engine::methods::vico::learned::Learned;
use vico_engine::methods::vico::parameters::ParameterSpec;
use vico_engine::methods::vico::pass::Batch;

use super::golden::Golden;
use super::model;

/// λ of the loss, as in the set's README.
pub(crate) const REGULARISER_WEIGHT: f64 = 5e-4;

/// The set's base model, trained tensors and inputs.
pub(crate) struct Setting {
    pub(crate) base: BaseModel,
    pub(crate) learned: Learned,
    /// S* and the tensors of the image cross-attention, by name.
    pub(crate) variables: BTreeMap<String, Var>,
    /// Official order of the image cross-attention's tensors.
    pub(crate) order: Vec<String>,
}

impl Setting {
    /// `embedding` is S*'s value; all trained tensors are variables.
    pub(crate) fn open(dir: &Path, embedding: &Tensor) -> Result<Self> {
        let base = model::load(dir)?;
        let weights = Golden::open(&dir.join("vico/ica.safetensors"))?;
        let order = std::fs::read_to_string(dir.join("vico/ica_order.json"))?;
        let order: Vec<String> = serde_json::from_str(&order)?;
        let mut variables = BTreeMap::new();
        let variable = |spec: &ParameterSpec| {
            let golden = weights.get(&spec.name).map_err(candle_core::Error::wrap)?;
            let variable = Var::from_tensor(&golden.reshape(spec.shape.as_slice())?)?;
            variables.insert(spec.name.clone(), variable.clone());
            Ok(variable.into_inner())
        };
        let image_attention = ImageAttention::new(&base.unet.config().sites(), variable)?;
        ensure!(
            variables.len() == weights.names().count(),
            "the set has tensors for other sites"
        );
        let embedding = Var::from_tensor(embedding)?;
        let placeholder = base
            .tokenizer
            .single_token("*")?
            .context("`*` is not one token")?;
        let learned = Learned {
            placeholder,
            embedding: embedding.as_tensor().clone(),
            image_attention,
            use_mask: true,
        };
        variables.insert("s_star".to_owned(), embedding);
        Ok(Self {
            base,
            learned,
            variables,
            order,
        })
    }

    /// The image cross-attention's tensors of some map, in the official order.
    pub(crate) fn ordered(&self, value: impl Fn(&str, &Var) -> Result<Tensor>) -> Result<Vec<Tensor>> {
        let one = |name: &String| {
            value(
                name,
                self.variables
                    .get(name)
                    .with_context(|| format!("no tensor `{name}` in the engine"))?,
            )
        };
        self.order.iter().map(one).collect()
    }
}

/// Rows `rows` of the inputs as a training batch.
pub(crate) fn batch(inputs: &Golden, rows: std::ops::Range<usize>) -> Result<Batch> {
    let part = |name| Ok::<_, anyhow::Error>(inputs.get(name)?.narrow(0, rows.start, rows.len())?);
    let placeholder = inputs.indices("placeholder_pos")?;
    let end_of_text = inputs.indices("eot_pos")?;
    let columns = rows.clone().map(|i| Columns {
        placeholder: placeholder[i],
        end_of_text: end_of_text[i],
    });
    Ok(Batch {
        clean: part("z0")?,
        noise: part("eps")?,
        reference: part("z_ref")?,
        timesteps: inputs.indices("timesteps")?[rows.clone()].to_vec(),
        ids: inputs.ids("input_ids")?[rows.clone()].to_vec(),
        columns: columns.collect(),
    })
}
