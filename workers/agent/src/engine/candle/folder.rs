//! Scores for pictures that lie in a folder: the same table, by the same code, as a score job makes of a run.

use candle_core::Device;
use vico::job::Failure;
use vico_engine::image::Rgb8;
use vico_engine::metrics::{EvaluatorDirs, Evaluators, FileFormat, Protocol};

use super::scoring::{Scored, Scoring};
use super::{failure, pictures, score};
use crate::engine::NamedBytes;

/// The networks and the protocols to measure by.
pub struct FolderScorer {
    evaluators: Evaluators,
    protocols: Vec<Protocol>,
}

/// What a run's pictures are compared with.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The class word.
    pub class: &'a str,
    /// Prompts with `{}` in the concept's place, or with the concept in words.
    pub prompts: &'a [String],
    /// The concept's photos as files, in the order of their names.
    pub references: &'a [NamedBytes],
    /// Pictures of the bare class word as files; usually none.
    pub prior: &'a [NamedBytes],
    /// What the pictures that are scored are kept in.
    pub files: FileFormat,
}

impl FolderScorer {
    /// Loads the networks from their folders, on the CPU.
    ///
    /// # Errors
    /// A protocol is not known, or a folder is not what it should be.
    pub fn open(dirs: &EvaluatorDirs<'_>, protocols: &[String]) -> Result<Self, Failure> {
        let protocols = score::protocols(protocols)?;
        let evaluators = Evaluators::load(dirs, &Device::Cpu);
        Ok(Self {
            evaluators: evaluators.map_err(|error| failure("loading the evaluators", error))?,
            protocols,
        })
    }

    /// The table of one run, and what to know about it; `images` gives the files of a prompt, so that only these are in memory.
    ///
    /// # Errors
    /// A protocol refuses the length of a text, a file is no picture, or `images` fails.
    pub fn score(
        &self,
        subject: Subject<'_>,
        mut images: impl FnMut(usize) -> Result<Vec<NamedBytes>, Failure>,
    ) -> Result<Scored, Failure> {
        let references: Vec<Rgb8> = pictures(subject.references)?;
        let about = (subject.class, subject.prompts);
        let protocols = self.protocols.clone();
        let scoring = Scoring::new(&self.evaluators, protocols, &references, about, subject.files);
        let mut scoring =
            scoring.map_err(|error| failure("measuring the reference images and prompts", error))?;
        for prompt in 0..subject.prompts.len() {
            let drawn = pictures(&images(prompt)?)?;
            let scored = scoring.prompt(prompt, &drawn);
            scored.map_err(|error| failure(&format!("scoring prompt {prompt}"), error))?;
        }
        let scored = scoring.prior(&pictures(subject.prior)?);
        scored.map_err(|error| failure("scoring the pictures of the class word", error))?;
        Ok(scoring.finish())
    }
}
