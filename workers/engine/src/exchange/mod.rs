//! Adapters in and out: the files that other programs keep the same tensors in.
//!
//! [`export`] and [`import`] turn an adapter into such files and back, in memory; DreamBooth's, which is a whole model, has
//! [`dreambooth`]. Which formats there are for which method is said by [`Method::formats`]. Tensors are renamed and reshaped, never
//! computed with, so that what goes out comes back with the same bits. A safetensors file also carries the adapter's header; of a
//! pickled one, which has no place for it, [`Facts`] says what is known from elsewhere.

pub mod dreambooth;

mod custom_diffusion;
mod draft;
mod error;
mod foreign;
mod lora;
mod table;
mod textual_inversion;
mod vico_official;

pub use draft::{Facts, Imported};
pub use error::Error;
pub use table::{Format, Method};

use draft::Draft;
use foreign::Foreign;

use crate::adapter::Adapter;
use crate::methods::words::embedding_name;
use crate::tokenizer::ClipTokenizer;

/// A file in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// Its name without folders.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "File({}, {} bytes)", self.name, self.bytes.len())
    }
}

/// The files of `adapter` in another program's format, with the names that program gives them. `tokenizer` is the base model's;
/// the original code keeps a token's id, which nothing else knows.
///
/// # Errors
/// There is no such format for the method, the adapter's tensors are not the method's, or the format needs the tokenizer.
pub fn export(
    adapter: &Adapter,
    format: Format,
    tokenizer: Option<&ClipTokenizer>,
) -> Result<Vec<File>, Error> {
    let method = Method::of(adapter)?;
    match (method, format) {
        (Method::TextualInversion, Format::Diffusers) => textual_inversion::to_diffusers(adapter),
        (Method::TextualInversion, Format::A1111) => textual_inversion::to_a1111(adapter),
        (Method::TextualInversion, Format::Compvis) => textual_inversion::to_compvis(adapter, tokenizer),
        (Method::Vico, Format::Compvis | Format::VicoOfficial) => vico_official::export(adapter, tokenizer),
        (Method::CustomDiffusion, Format::Diffusers) => custom_diffusion::to_diffusers(adapter),
        (Method::CustomDiffusion, Format::AdobeDelta) => custom_diffusion::to_adobe_delta(adapter),
        (Method::CustomDiffusion, Format::Compvis) => custom_diffusion::to_compvis(adapter),
        (Method::Lora, Format::Diffusers) => lora::to_diffusers(adapter),
        (Method::Lora, Format::Kohya) => lora::to_kohya(adapter),
        (Method::Dreambooth, Format::Diffusers) => Err(Error::NeedsBase(
            "a DreamBooth adapter is the difference to the base model, its export is a whole model"
                .to_owned(),
        )),
        _ => Err(Error::NotOffered { method, format }),
    }
}

/// The adapter that another program's files hold, with what `facts` adds to it. The method is told by the tensors' names.
///
/// # Errors
/// A file is no such file, holds something else, or does not say what an adapter must say.
pub fn import(format: Format, files: &[File], facts: &Facts) -> Result<Imported, Error> {
    let files = files.iter().map(Foreign::open).collect::<Result<Vec<_>, _>>()?;
    let draft = match format {
        Format::Diffusers => from_diffusers(&files)?,
        Format::A1111 => textual_inversion::from_a1111(&files)?,
        Format::Compvis => from_compvis(&files)?,
        Format::Kohya => lora::from_kohya(&files)?,
        Format::AdobeDelta => custom_diffusion::from_adobe_delta(&files)?,
        Format::VicoOfficial => vico_official::import(&files)?,
    };
    draft.finish(facts)
}

fn from_diffusers(files: &[Foreign]) -> Result<Draft, Error> {
    let any = |word: &str| files.iter().flat_map(Foreign::keys).any(|key| key.contains(word));
    if any("custom_diffusion") {
        custom_diffusion::from_diffusers(files)
    } else if any("lora") {
        lora::from_diffusers(files)
    } else {
        textual_inversion::from_diffusers(files)
    }
}

fn from_compvis(files: &[Foreign]) -> Result<Draft, Error> {
    let has = |key: &str| files.iter().any(|file| file.keys().contains(&key));
    if has("state_dict") {
        custom_diffusion::from_compvis(files)
    } else if files.len() > 1 {
        vico_official::import(files)
    } else {
        textual_inversion::from_compvis(files)
    }
}

/// The same adapter under another word, for a program that does not take the word it was trained with: diffusers refuses one that
/// its tokenizer knows already, such as `*`.
///
/// # Errors
/// The method has no word, or the adapter has no vectors for it.
pub fn renamed(adapter: &Adapter, placeholder: &str) -> Result<Adapter, Error> {
    let method = Method::of(adapter)?;
    if !method.has_word() {
        let fact = "placeholder";
        return Err(Error::NoSuchFact { fact, method });
    }
    let table = textual_inversion::word(adapter, method)?;
    let mut tensors = adapter.tensors().clone();
    tensors.remove(&embedding_name(adapter.placeholder()));
    tensors.insert(embedding_name(placeholder), table);
    Ok(adapter.clone().renamed(placeholder, tensors))
}
