//! `import`: an adapter that another program made.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use vico::manifest::is_variant;
use vico::store;
use vico_worker::engine::candle::exchange::{self, Arriving, Brought, Facts, Format};

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
    /// The files of the base model that it was trained on, `fp16` for those named `*.fp16.safetensors`: where the file does not
    /// say it
    #[arg(long, value_name = "VARIANT")]
    variant: Option<String>,
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
        let brought = match self.files.iter().find(|path| path.is_dir()) {
            Some(folder) => self.read_model(folder).await?,
            None => self.read_files().await?,
        };
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

    fn facts(&self) -> Facts {
        Facts {
            placeholder: self.placeholder.clone(),
            initializer: self.initializer.clone(),
            steps: self.steps,
            use_mask: self.no_mask.then_some(false),
            variant: self.variant.clone(),
        }
    }

    async fn read_files(&self) -> Result<Brought> {
        let mut files = Vec::with_capacity(self.files.len());
        for path in &self.files {
            files.push(adapter_files::read(path, MAX_FILE)?);
        }
        let arriving = Arriving::read(self.from, files, &self.facts()).map_err(Error::refused(HINT))?;
        let base = match &self.base {
            Some(path) => Some(open_base(path, arriving.variant()).await?),
            None => None,
        };
        let brought = arriving.brought(base.as_ref().map(BaseFolder::of_engine));
        brought.map_err(Error::refused(HINT))
    }

    /// A whole model: DreamBooth in diffusers' layout.
    async fn read_model(&self, folder: &Path) -> Result<Brought> {
        let shown = folder.display();
        if self.from != Format::Diffusers || self.files.len() > 1 || !folder.join("unet").is_dir() {
            let what = format!("{shown} is a folder, and no model in diffusers' layout");
            return Err(Error::usage(what, "name the files in it"));
        }
        let base = self.base.as_ref().ok_or_else(|| {
            let what = format!("{shown} is a whole model, and an adapter is its difference to another");
            Error::usage(what, "name the model it was trained from: `--base DIR`")
        })?;
        let facts = self.facts();
        let told = facts.variant.clone();
        let variant = told.or_else(|| exchange::variant_of_model(folder));
        let base = open_base(base, variant.as_deref()).await?;
        let brought = exchange::import_folder(folder, &facts, base.of_engine());
        brought.map_err(Error::refused("nothing was written"))
    }
}

/// The base model's folder. Where it has no plain weights and nobody named others, it may have those of a variant.
async fn open_base(path: &Path, variant: Option<&str>) -> Result<BaseFolder> {
    if let Some(variant) = variant.filter(|variant| !is_variant(variant)) {
        let what = format!("`{variant}` cannot be a variant of a model's files");
        return Err(Error::usage(
            what,
            "letters, digits, `.`, `_` and `-` can: `fp16`",
        ));
    }
    let opened = BaseFolder::open(path, variant).await;
    opened.map_err(|error| match error {
        Error::Storage(missing) if variant.is_none() && is_of_weights(&missing) => Error::usage(
            missing.to_string(),
            "`--variant` says which files are meant: `fp16` for those named `*.fp16.safetensors`",
        ),
        other => other,
    })
}

/// Whether nothing but weights is missing: what all variants share is there.
fn is_of_weights(missing: &store::Error) -> bool {
    match missing {
        store::Error::BadInputs { problems } => problems
            .iter()
            .all(|problem| problem.name.ends_with(".safetensors")),
        _ => false,
    }
}
