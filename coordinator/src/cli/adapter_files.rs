//! What `export` and `import` share: formats by name, files with limits on their size, the base model's folder, new files.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use vico::digest::Digest;
use vico::plan::ModelRole;
use vico::store::Folder;
use vico_worker::engine::NamedBytes;
use vico_worker::engine::candle::exchange::{Base, Format};

use crate::cli::exit::{Error, Result};

/// What names of adapter files end with.
const EXTENSIONS: [&str; 5] = ["safetensors", "pt", "bin", "ckpt", "pth"];

/// Reads a format by its name; the help has a line about each.
pub(super) fn format() -> impl TypedValueParser<Value = Format> {
    let names = Format::ALL.map(|format| PossibleValue::new(format.name()).help(format.about()));
    let named = |name: String| Format::ALL.into_iter().find(|format| format.name() == name);
    PossibleValuesParser::new(names).map(move |name| named(name).expect("it is one of the names above"))
}

/// The base model's folder and which model it is, as plans call it.
#[derive(Debug)]
pub(super) struct BaseFolder {
    path: PathBuf,
    identity: Digest,
}

impl BaseFolder {
    /// Reads every file of the model once: of this variant of them, which is another model than the plain ones.
    pub(super) async fn open(path: &Path, variant: Option<&str>) -> Result<Self> {
        let folder = Folder::open(&path.to_string_lossy()).await?;
        let source = folder.model(ModelRole::Base, variant).await?;
        let identity = source
            .identity()
            .map_err(|error| Error::Unexpected(error.into()))?;
        let path = path.to_owned();
        Ok(Self { path, identity })
    }

    pub(super) fn of_engine(&self) -> Base<'_> {
        Base {
            path: &self.path,
            identity: self.identity,
        }
    }
}

/// Reads a file of at most `limit` bytes.
pub(super) fn read(path: &Path, limit: u64) -> Result<NamedBytes> {
    let shown = path.display();
    let wrong = |error: io::Error| {
        let what = format!("{shown} cannot be read: {error}");
        Error::usage(what, "name the file of an adapter")
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(wrong)?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(wrong)?;
    if bytes.len() as u64 > limit {
        let gib = limit >> 30;
        let what = format!("{shown} is larger than {gib} GiB, which no adapter is");
        return Err(Error::usage(what, "name the file of an adapter, not of a model"));
    }
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let name = name.into_owned();
    Ok(NamedBytes { name, bytes })
}

/// Whether a path is meant as a file, not as a folder.
pub(super) fn is_file_name(path: &Path) -> bool {
    let extension = path
        .extension()
        .map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()))
}

/// Refuses a path at which something lies.
pub(super) fn must_be_new(path: &Path) -> Result {
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let what = format!("{} exists already and is not replaced", path.display());
    Err(Error::usage(what, "choose another `--out`, or remove it first"))
}

/// Writes a new file and the folders above it.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result {
    must_be_new(path)?;
    let written = write_beside(path, bytes);
    written.map_err(|error| Error::Unexpected(anyhow!("{} cannot be written: {error}", path.display())))
}

/// Under another name first: a file of the right name is a whole one.
fn write_beside(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    let written = File::create(&partial).and_then(|mut file| file.write_all(bytes));
    let written = written.and_then(|()| std::fs::rename(&partial, path));
    if written.is_err() {
        drop(std::fs::remove_file(&partial));
    }
    written
}
