//! Adapters in and out of other programs' files, on a user's behalf: bytes in, bytes out. DreamBooth's, which is a whole model, is a
//! folder.

use std::path::Path;

use candle_core::Device;
use vico::digest::Digest;
use vico::job::Failure;
use vico_engine::adapter::{Adapter, BASE};
use vico_engine::base_model::BaseModel;
use vico_engine::exchange::{self, File};
use vico_engine::methods::Personalised;
use vico_engine::methods::vico::learned::Learned;
use vico_engine::tokenizer::ClipTokenizer;

use super::failure;
use crate::engine::NamedBytes;
use crate::failure::invalid;

pub use vico_engine::exchange::{Facts, Format, Method};

/// A base model's folder on this machine.
#[derive(Clone, Copy, Debug)]
pub struct Base<'a> {
    /// The folder.
    pub path: &'a Path,
    /// Which model it is.
    pub identity: Digest,
}

/// An adapter as a file, and what was assumed about it.
#[derive(Debug)]
pub struct Brought {
    /// The adapter file's bytes.
    pub bytes: Vec<u8>,
    /// The method that made it.
    pub method: Method,
    /// A sentence for each assumption.
    pub remarks: Vec<String>,
}

/// An adapter that goes out.
#[derive(Debug)]
pub struct Departing {
    adapter: Adapter,
    method: Method,
}

impl Departing {
    /// Reads an adapter file.
    ///
    /// # Errors
    /// It is none.
    pub fn read(file: &NamedBytes) -> Result<Self, Failure> {
        let doing = format!("reading `{}`", file.name);
        let adapter =
            Adapter::from_bytes(&file.bytes, &Device::Cpu).map_err(|error| failure(&doing, error.into()))?;
        let method = Method::of(&adapter).map_err(|error| failure(&doing, error.into()))?;
        Ok(Self { adapter, method })
    }

    /// The method that made it.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The variant of the base model's files that it was trained on; `None` for the plain ones.
    pub fn variant(&self) -> Option<&str> {
        self.adapter.variant()
    }

    /// The same adapter under another word.
    ///
    /// # Errors
    /// Its method has no word.
    pub fn renamed(self, placeholder: &str) -> Result<Self, Failure> {
        let renamed = exchange::renamed(&self.adapter, placeholder);
        let adapter = renamed.map_err(|error| failure("renaming the word", error.into()))?;
        Ok(Self { adapter, ..self })
    }

    /// Checks that it belongs to `base`, whose identity is of the [`Self::variant`] of its files, and fits it. A remark where it says
    /// that it was trained on another model, which fits.
    ///
    /// # Errors
    /// Its tensors do not fit, or it is the difference to another model.
    pub fn check(&self, base: Base<'_>) -> Result<Option<String>, Failure> {
        let trained_on = self.adapter.metadata().get(BASE);
        let here = base.identity.to_string();
        let foreign = trained_on
            .filter(|trained_on| **trained_on != here)
            .map(|trained_on| {
                let path = base.path.display();
                format!("the adapter was trained on the base model {trained_on}, {path} is {here}")
            });
        if self.method != Method::Dreambooth {
            fits(&self.adapter, base.path)?;
            return Ok(foreign);
        }
        match foreign {
            Some(foreign) => Err(invalid(format!(
                "{foreign}: a DreamBooth adapter is the difference to its base model and means nothing on another"
            ))),
            None => Ok(None),
        }
    }

    /// The files of the other program. `base` is the base model's folder, for what only that knows.
    ///
    /// # Errors
    /// There is no such format for the method, or it needs the base model.
    pub fn files(&self, format: Format, base: Option<&Path>) -> Result<Vec<NamedBytes>, Failure> {
        let tokenizer = base
            .map(|base| ClipTokenizer::from_dir(&base.join("tokenizer")))
            .transpose();
        let tokenizer = tokenizer.map_err(|error| failure("reading the tokenizer", error.into()))?;
        let files = exchange::export(&self.adapter, format, tokenizer.as_ref());
        let files = files.map_err(|error| failure("exporting", error.into()))?;
        Ok(files
            .into_iter()
            .map(|File { name, bytes }| NamedBytes { name, bytes })
            .collect())
    }

    /// Writes the whole trained model of a DreamBooth adapter to the folder `out`, which must not exist.
    ///
    /// # Errors
    /// The adapter does not fit the base model, or a folder cannot be read or written.
    pub fn folder(&self, base: &Path, out: &Path) -> Result<(), Failure> {
        let written = exchange::dreambooth::export(&self.adapter, base, out);
        written.map_err(|error| failure("rebuilding the model", error))
    }
}

/// An adapter that comes in.
#[derive(Debug)]
pub struct Arriving(exchange::Imported);

impl Arriving {
    /// Reads the adapter in another program's files.
    ///
    /// # Errors
    /// The files are not what the format says, or do not say enough.
    pub fn read(format: Format, files: Vec<NamedBytes>, facts: &Facts) -> Result<Self, Failure> {
        let files: Vec<File> = files
            .into_iter()
            .map(|NamedBytes { name, bytes }| File { name, bytes })
            .collect();
        let imported = exchange::import(format, &files, facts);
        imported
            .map(Self)
            .map_err(|error| failure("importing", error.into()))
    }

    /// The variant of the base model's files that it was trained on; `None` for the plain ones.
    pub fn variant(&self) -> Option<&str> {
        self.0.adapter.variant()
    }

    /// The adapter as a file. With `base`, whose identity is of the [`Self::variant`] of its files, it is checked to fit that model
    /// and named as trained on it, unless it says what it was trained on.
    ///
    /// # Errors
    /// It does not fit the base model.
    pub fn brought(self, base: Option<Base<'_>>) -> Result<Brought, Failure> {
        if let Some(base) = base {
            fits(&self.0.adapter, base.path)?;
        }
        let exchange::Imported { mut adapter, remarks } = self.0;
        if let (Some(base), None) = (base, adapter.metadata().get(BASE)) {
            adapter = adapter.with(BASE, &base.identity.to_string());
        }
        written(&adapter, remarks)
    }
}

/// The adapter of a whole trained model: its difference to the base model.
///
/// # Errors
/// One of the folders is no such model, or they do not have the same shapes.
pub fn import_folder(trained: &Path, facts: &Facts, base: Base<'_>) -> Result<Brought, Failure> {
    let imported = exchange::dreambooth::import(trained, base.path, facts);
    let exchange::Imported { adapter, remarks } = imported.map_err(|error| failure("importing", error))?;
    // Whatever it was trained on, the difference is to this one.
    let adapter = adapter.with(BASE, &base.identity.to_string());
    written(&adapter, remarks)
}

/// The variant of the base model's files that the whole trained model in a folder says it was trained on.
pub fn variant_of_model(trained: &Path) -> Option<String> {
    exchange::dreambooth::variant(trained)
}

fn written(adapter: &Adapter, remarks: Vec<String>) -> Result<Brought, Failure> {
    let wrong = |error: exchange::Error| failure("writing the adapter", error.into());
    Ok(Brought {
        method: Method::of(adapter).map_err(wrong)?,
        bytes: adapter.to_bytes().map_err(|error| wrong(error.into()))?,
        remarks,
    })
}

/// Checks that an adapter's tensors are those that its method needs on the base model at `base`.
fn fits(adapter: &Adapter, base: &Path) -> Result<(), Failure> {
    let wrong = |error| failure(&format!("checking the adapter against {}", base.display()), error);
    let base = BaseModel::load(base, adapter.variant(), &Device::Cpu).map_err(wrong)?;
    let opened = match adapter.method() {
        vico_engine::methods::vico::METHOD => Learned::from_adapter(&base, adapter).map(drop),
        _ => Personalised::open(&base, adapter).map(drop),
    };
    opened.map_err(wrong)
}
