//! `baselines/`: one loss and its gradients each of Textual Inversion, DreamBooth, Custom Diffusion and LoRA.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use candle_core::backprop::GradStore;
use candle_core::{Tensor, Var};
use vico_engine::base_model::BaseModel;
use vico_engine::methods::denoising::{Batch, Pass};
use vico_engine::methods::learner::PriorLoss;
use vico_engine::methods::words::LearnedWord;
use vico_engine::methods::{custom_diffusion, lora};
use vico_engine::models::clip_text::Injection;

use super::golden::{self, Golden};
use super::ledger::Tolerance::{Abs, Rel};
use super::statistics::{slices, statistics};
use super::{Ledger, model};

/// Checks of one method.
type Method = fn(&BaseModel, &Path, &mut Part<'_>) -> Result<()>;

/// One method's file, and where its lines go.
struct Part<'a> {
    name: &'static str,
    golden: &'a Golden,
    ledger: &'a mut Ledger,
}

impl Part<'_> {
    fn tensor(&mut self, key: &str, got: &Tensor, tolerance: super::ledger::Tolerance) -> Result<()> {
        let name = format!("baselines.{}.{key}", self.name);
        self.ledger.tensors(&name, got, self.golden.get(key)?, tolerance);
        Ok(())
    }

    fn scalar(&mut self, key: &str, got: &Tensor) -> Result<()> {
        self.tensor(key, &got.reshape(1)?, Abs(2e-6))
    }

    /// `<prefix>_grad_slices` and `<prefix>_grad_stats` of gradients in the set's order.
    fn gradients(&mut self, prefix: &str, gradients: &[Tensor]) -> Result<()> {
        let key = format!("{prefix}_grad_slices");
        let width = self.golden.get(&key)?.dim(1)?;
        self.tensor(&key, &slices(gradients, width)?, Rel(5e-5))?;
        self.tensor(
            &format!("{prefix}_grad_stats"),
            &statistics(gradients)?,
            Rel(5e-5),
        )
    }

    fn same_ids(&mut self, got: &[Vec<u32>]) -> Result<()> {
        let want = self.golden.ids("input_ids")?;
        self.ledger.equal(
            &format!("baselines.{}.input_ids", self.name),
            &got,
            &want.as_slice(),
        );
        Ok(())
    }

    fn batch(&self) -> Result<Batch> {
        Ok(Batch {
            clean: self.golden.get("z0")?.clone(),
            noise: self.golden.get("eps")?.clone(),
            timesteps: self.golden.indices("timesteps")?,
            ids: self.golden.ids("input_ids")?,
            mask: None,
        })
    }

    /// Noise, losses and, if there is a second half, its weight.
    fn losses(&mut self, pass: &Pass, instances: usize, weight: f64) -> Result<Tensor> {
        self.tensor("noise_pred", &pass.predicted, Abs(2e-5))?;
        let loss = PriorLoss::of(pass, instances)?;
        let total = loss.total(weight)?;
        self.scalar("loss", &total)?;
        if let Some(prior) = &loss.prior {
            self.scalar("loss_instance", &loss.instance)?;
            self.scalar("loss_prior", prior)?;
        }
        Ok(total)
    }
}

pub(crate) fn check(dir: &Path, ledger: &mut Ledger) -> Result<()> {
    let base = model::load(dir)?;
    let dir = dir.join("baselines");
    let methods: [(&'static str, Method); 4] = [
        ("textual_inversion", textual_inversion),
        ("dreambooth", dreambooth),
        ("custom_diffusion", custom_diffusion),
        ("lora", lora),
    ];
    for (name, method) in methods {
        let golden = Golden::open(&dir.join(format!("{name}.safetensors")))?;
        let mut part = Part {
            name,
            golden: &golden,
            ledger,
        };
        method(&base, &dir, &mut part).with_context(|| format!("baselines/{name}"))?;
        golden.finish(&format!("baselines.{name}"), ledger);
    }
    Ok(())
}

fn textual_inversion(base: &BaseModel, _dir: &Path, part: &mut Part<'_>) -> Result<()> {
    let vector = Var::from_tensor(part.golden.get("s_star")?)?;
    let word = LearnedWord::of_table(base, "*", vector.as_tensor())?;
    let ids = |caption: &String| anyhow::Ok(word.expand(caption, &base.tokenizer.encode(caption)?)?);
    let captions = part.golden.list("captions")?;
    part.same_ids(&captions.iter().map(ids).collect::<Result<Vec<_>>>()?)?;
    let batch = part.batch()?;
    let context = word.context(&base.text, &batch.ids)?;
    let pass = batch.run(base, &base.unet, &context)?;
    let store = part.losses(&pass, batch.timesteps.len(), 0.0)?.backward()?;
    part.tensor("grad_s_star", &gradient(&store, "s_star", &vector)?, Rel(2e-5))
}

fn dreambooth(base: &BaseModel, dir: &Path, part: &mut Part<'_>) -> Result<()> {
    let (unet, text) = (variables(base.unet_tensors())?, variables(base.text_tensors())?);
    let network = base.unet_with(tensors(&unet), BTreeMap::new())?;
    let encoder = base.text_with(tensors(&text))?;
    let ids = |prompt: &String| Ok(base.tokenizer.encode(prompt)?.ids);
    let prompts = part.golden.list("prompts")?;
    part.same_ids(&prompts.iter().map(ids).collect::<Result<Vec<_>>>()?)?;
    let batch = part.batch()?;
    let pass = batch.run(base, &network, &encoder.forward(&batch.ids, &[])?)?;
    let weight = part.golden.number("prior_loss_weight")?;
    let store = part.losses(&pass, 1, weight)?.backward()?;
    let unet = ordered(dir, "dreambooth", "unet", &unet, &store)?;
    let rows = token_rows(&text, &store, &batch.ids[0])?;
    let text = ordered(dir, "dreambooth", "text", &text, &store)?;
    part.gradients("unet", &unet)?;
    part.gradients("text", &text)?;
    part.tensor("text_grad_token_rows", &rows, Rel(5e-5))?;
    part.tensor("unet_grad_norm", &norm(&unet)?, Rel(5e-5))?;
    part.tensor("text_grad_norm", &norm(&text)?, Rel(5e-5))?;
    part.tensor(
        "unet_and_text_grad_norm",
        &norm(&[unet, text].concat())?,
        Rel(5e-5),
    )
}

fn custom_diffusion(base: &BaseModel, dir: &Path, part: &mut Part<'_>) -> Result<()> {
    let vector = Var::from_tensor(part.golden.get("new_token")?)?;
    let names = custom_diffusion::trained_names(base.unet.config());
    let trained = names
        .iter()
        .map(|name| (name.clone(), base.unet_tensors()[name].clone()));
    let trained = variables(&trained.collect())?;
    let mut network = base.unet_with(tensors(&trained), BTreeMap::new())?;
    network.set_detach_first_token(true);
    let batch = Batch {
        mask: Some(part.golden.get("mask")?.clone()),
        ..part.batch()?
    };
    let token = base.text.vocabulary();
    let prompts = part.golden.list("prompts")?;
    part.same_ids(&[
        with_new_token(base, &prompts[0], token)?,
        base.tokenizer.encode(&prompts[1])?.ids,
    ])?;
    let vector_of = Injection {
        token,
        vector: vector.as_tensor(),
    };
    let start: u32 = part.golden.text("new_token_init_id")?.parse()?;
    part.tensor("new_token", &base.text.embedding(start)?.unsqueeze(0)?, Abs(0.0))?;
    let pass = batch.run(base, &network, &base.text.forward(&batch.ids, &[vector_of])?)?;
    let store = part.losses(&pass, 1, 1.0)?.backward()?;
    part.gradients("kv", &ordered(dir, "custom_diffusion", "kv", &trained, &store)?)?;
    part.tensor(
        "grad_new_token",
        &gradient(&store, "new_token", &vector)?,
        Rel(2e-5),
    )
}

fn lora(base: &BaseModel, dir: &Path, part: &mut Part<'_>) -> Result<()> {
    let weights = Golden::open(&dir.join("lora_weights.safetensors"))?;
    let named = weights.names().map(|name| {
        let local = name.strip_prefix("unet.").context("a tensor outside the U-Net")?;
        Ok((local.to_owned(), weights.get(name)?.clone()))
    });
    let trained = variables(&named.collect::<Result<BTreeMap<_, _>>>()?)?;
    let targets = lora::TARGETS.map(str::to_owned);
    let modules = lora::modules(base.unet.config(), &targets)?;
    let scale = weights.number("alpha")? / weights.number("rank")?;
    let additions = lora::additions(&modules, &tensors(&trained), scale).map_err(anyhow::Error::msg)?;
    let network = base.unet_with(BTreeMap::new(), additions)?;
    let batch = part.batch()?;
    part.same_ids(&[base.tokenizer.encode(part.golden.text("prompt")?)?.ids])?;
    let context = base.text.forward(&batch.ids, &[])?;
    let plain = batch.run(base, &base.unet, &context)?;
    part.tensor("noise_pred_without_lora", &plain.predicted, Abs(2e-5))?;
    let pass = batch.run(base, &network, &context)?;
    let store = part.losses(&pass, 1, 0.0)?.backward()?;
    let gradients = ordered(dir, "lora", "lora", &trained, &store)?;
    part.gradients("lora", &gradients)?;
    part.tensor("grad_norm", &norm(&gradients)?, Rel(5e-5))
}

/// The ids of a prompt in which `<new1>` stands for a token of its own.
fn with_new_token(base: &BaseModel, prompt: &str, token: u32) -> Result<Vec<u32>> {
    let star = base
        .tokenizer
        .single_token("*")?
        .context("`*` is not one token")?;
    let ids = base.tokenizer.encode(&prompt.replace("<new1>", "*"))?.ids;
    Ok(ids
        .into_iter()
        .map(|id| if id == star { token } else { id })
        .collect())
}

/// The token table's gradient at the six tokens after the begin of text, (6, width).
fn token_rows(text: &BTreeMap<String, Var>, store: &GradStore, ids: &[u32]) -> Result<Tensor> {
    let name = text.keys().find(|name| name.ends_with("token_embedding.weight"));
    let name = name.context("no token table")?;
    let rows = Tensor::new(&ids[1..7], text[name].device())?;
    Ok(gradient(store, name, &text[name])?.index_select(&rows, 0)?)
}

fn variables(start: &BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Var>> {
    let variable = |(name, tensor): (&String, &Tensor)| Ok((name.clone(), Var::from_tensor(tensor)?));
    start.iter().map(variable).collect()
}

fn tensors(variables: &BTreeMap<String, Var>) -> BTreeMap<String, Tensor> {
    let tensor = |(name, value): (&String, &Var)| (name.clone(), value.as_tensor().clone());
    variables.iter().map(tensor).collect()
}

fn gradient(store: &GradStore, name: &str, variable: &Var) -> Result<Tensor> {
    let gradient = store.get(variable.as_tensor());
    Ok(gradient
        .with_context(|| format!("no gradient for {name}"))?
        .clone())
}

/// The gradients in the order of `<file>.order.json`; every variable must be in it.
fn ordered(
    dir: &Path,
    file: &str,
    key: &str,
    variables: &BTreeMap<String, Var>,
    store: &GradStore,
) -> Result<Vec<Tensor>> {
    let order = golden::json(&dir.join(format!("{file}.order.json")))?;
    let order = order[key]
        .as_array()
        .with_context(|| format!("no order of {key}"))?;
    anyhow::ensure!(
        order.len() == variables.len(),
        "{} tensors trained, {} in the set",
        variables.len(),
        order.len()
    );
    order
        .iter()
        .map(|name| {
            let name = name.as_str().context("a name that is no text")?;
            let variable = variables.get(name).with_context(|| format!("no tensor {name}"))?;
            gradient(store, name, variable)
        })
        .collect()
}

/// The L2 norm over all of them, (1).
fn norm(tensors: &[Tensor]) -> Result<Tensor> {
    let mut squares = 0.0;
    for tensor in tensors {
        for value in tensor.flatten_all()?.to_vec1::<f32>()? {
            squares += f64::from(value).powi(2);
        }
    }
    Ok(Tensor::new(&[squares.sqrt() as f32], &candle_core::Device::Cpu)?)
}
