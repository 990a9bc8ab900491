//! `export`: an adapter as another program keeps it.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use vico_worker::engine::NamedBytes;
use vico_worker::engine::candle::exchange::{Departing, Format, Method};

use crate::cli::adapter_files::{self, BaseFolder};
use crate::cli::exit::{Error, Result};
use crate::cli::output::{self, Output};

/// DreamBooth's adapter of Stable Diffusion v1 has 3.9 GB.
const MAX_ADAPTER: u64 = 8 << 30;
const HINT: &str = "`--base DIR` names the folder of the base model; nothing was written";

/// Writes an adapter in another program's format.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The adapter, `results/SWEEP/adapters/METHOD/CONCEPT.safetensors` for instance
    adapter: PathBuf,
    /// The other program's format
    #[arg(long, value_parser = adapter_files::format(), value_name = "FORMAT")]
    to: Format,
    /// Where to write: a folder, or the file itself where the format is a single one
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Folder of the base model. The adapter is checked to fit it; DreamBooth is rebuilt from it
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
    /// The word for the concept in the other program, where it cannot be the adapter's: `<teapot>`
    #[arg(long, value_name = "WORD")]
    placeholder: Option<String>,
}

/// What was written.
#[derive(Debug, Serialize)]
struct Exported {
    method: &'static str,
    format: &'static str,
    files: Vec<PathBuf>,
}

impl Export {
    pub(super) async fn execute(self, out: Output) -> Result {
        adapter_files::must_be_new(&self.out)
            .or_else(|error| if self.out.is_dir() { Ok(()) } else { Err(error) })?;
        let file = adapter_files::read(&self.adapter, MAX_ADAPTER)?;
        let mut adapter = Departing::read(&file).map_err(Error::refused("nothing was written"))?;
        drop(file);
        if let Some(placeholder) = &self.placeholder {
            let renamed = adapter.renamed(placeholder);
            adapter = renamed.map_err(Error::refused("leave `--placeholder` away"))?;
        }
        let files = self.write(&adapter).await?;
        let exported = Exported {
            method: adapter.method().name(),
            format: self.to.name(),
            files,
        };
        if out.is_json() {
            return output::json(&exported);
        }
        let lines = exported.files.iter().map(|path| path.display().to_string());
        output::line(lines.collect::<Vec<_>>().join("\n"))
    }

    async fn write(&self, adapter: &Departing) -> Result<Vec<PathBuf>> {
        let whole_model = adapter.method() == Method::Dreambooth && self.to == Format::Diffusers;
        if let Some(base) = &self.base {
            self.check(adapter, base).await?;
            if whole_model {
                adapter_files::must_be_new(&self.out)?;
                let written = adapter.folder(base, &self.out);
                written.map_err(Error::refused(HINT))?;
                return Ok(vec![self.out.clone()]);
            }
        }
        let files = adapter.files(self.to, self.base.as_deref());
        self.place(&files.map_err(Error::refused(HINT))?)
    }

    /// That the adapter fits the base model. A renamed word need not be a token of it: the other program adds it.
    async fn check(&self, adapter: &Departing, base: &Path) -> Result {
        let folder = BaseFolder::open(base, adapter.variant()).await?;
        if self.placeholder.is_none() {
            let hint = "name the base model it was trained on; nothing was written";
            let remark = adapter.check(folder.of_engine()).map_err(Error::refused(hint))?;
            remark.iter().for_each(output::note);
        }
        Ok(())
    }

    /// Writes the files under the other program's names into `--out`, or the only one as `--out`.
    fn place(&self, files: &[NamedBytes]) -> Result<Vec<PathBuf>> {
        let as_file = adapter_files::is_file_name(&self.out) && !self.out.is_dir();
        if as_file && files.len() > 1 {
            let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
            let what = format!("this format is {} files, {}", names.len(), names.join(" and "));
            return Err(Error::usage(what, "name a folder as `--out`"));
        }
        let place = |file: &NamedBytes| {
            if as_file {
                self.out.clone()
            } else {
                self.out.join(&file.name)
            }
        };
        let paths: Vec<PathBuf> = files.iter().map(place).collect();
        paths
            .iter()
            .try_for_each(|path: &PathBuf| adapter_files::must_be_new(Path::new(path)))?;
        for (file, path) in files.iter().zip(&paths) {
            adapter_files::write(path, &file.bytes)?;
        }
        Ok(paths)
    }
}
