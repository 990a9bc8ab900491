//! `import`: an adapter that another program made.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use vico_worker::engine::candle::exchange::{self, Brought, Facts, Format};

use crate::cli::adapter_files::{self, BaseFolder};
use crate::cli::exit::{Error, Result};
use crate::cli::output::{self, Output};

/// What a zip archive, as PyTorch makes them, holds without extensions.
const MAX_FILE: u64 = 4 << 30;
const HINT: &str = "`--placeholder`, `--initializer` and `--steps` say what a file does not; `--from` says what made it; nothing was written";

/// Makes an adapter of another program's files.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// The other program's file, or files where it is several; a folder for a whole model
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What made them
    #[arg(long, value_parser = adapter_files::format(), value_name = "FORMAT")]
    from: Format,
    /// The adapter to write
    #[arg(long, value_name = "ADAPTER.safetensors")]
    out: PathBuf,
    /// The word that stands for the concept, one token of the base model: where the file does not say it, or to rename it
    #[arg(long, value_name = "WORD")]
    placeholder: Option<String>,
    /// The word that it started as; left open where nobody says it
    #[arg(long, value_name = "WORD")]
    initializer: Option<String>,
    /// Train steps it took; 0 where nobody says it
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// ViCo was trained without the automatic mask, which is on in the official code
    #[arg(long)]
    no_mask: bool,
    /// Folder of the base model. The adapter is checked to fit it and named as trained on it
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
}

/// What was read.
#[derive(Debug, Serialize)]
struct Imported<'a> {
    method: &'static str,
    adapter: &'a Path,
    remarks: Vec<String>,
}

impl Import {
    pub(super) async fn execute(self, out: Output) -> Result {
        adapter_files::must_be_new(&self.out)?;
        let model = self.files.iter().find(|path| path.is_dir());
        let variant = model.and_then(|folder| exchange::variant_of_model(folder));
        let base = match &self.base {
            Some(path) => Some(BaseFolder::open(path, variant.as_deref()).await?),
            None => None,
        };
        let brought = self.read(base.as_ref())?;
        adapter_files::write(&self.out, &brought.bytes)?;
        let imported = Imported {
            method: brought.method.name(),
            adapter: &self.out,
            remarks: brought.remarks,
        };
        if out.is_json() {
            return output::json(&imported);
        }
        for remark in &imported.remarks {
            output::note(format_args!("note: {remark}"));
        }
        output::line(self.out.display())
    }

    fn read(&self, base: Option<&BaseFolder>) -> Result<Brought> {
        let facts = Facts {
            placeholder: self.placeholder.clone(),
            initializer: self.initializer.clone(),
            steps: self.steps,
            use_mask: self.no_mask.then_some(false),
        };
        if let Some(folder) = self.files.iter().find(|path| path.is_dir()) {
            return self.read_model(folder, &facts, base);
        }
        let mut files = Vec::with_capacity(self.files.len());
        for path in &self.files {
            files.push(adapter_files::read(path, MAX_FILE)?);
        }
        let base = base.map(BaseFolder::of_engine);
        let brought = exchange::import(self.from, files, &facts, base);
        brought.map_err(Error::refused(HINT))
    }

    /// A whole model: DreamBooth in diffusers' layout.
    fn read_model(&self, folder: &Path, facts: &Facts, base: Option<&BaseFolder>) -> Result<Brought> {
        let shown = folder.display();
        if self.from != Format::Diffusers || self.files.len() > 1 || !folder.join("unet").is_dir() {
            let what = format!("{shown} is a folder, and no model in diffusers' layout");
            return Err(Error::usage(what, "name the files in it"));
        }
        let base = base.ok_or_else(|| {
            let what = format!("{shown} is a whole model, and an adapter is its difference to another");
            Error::usage(what, "name the model it was trained from: `--base DIR`")
        })?;
        let brought = exchange::import_folder(folder, facts, base.of_engine());
        brought.map_err(Error::refused("nothing was written"))
    }
}
