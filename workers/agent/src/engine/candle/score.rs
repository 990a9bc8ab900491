//! A score job on the engine: images in, one table of every metric of every protocol out.

use vico::job::{Failure, FailureClass, output_names};
use vico_engine::metrics::{Evaluators, FileFormat, Protocol, UnknownProtocol};

use super::scoring::{Scored, Scoring};
use super::{failure, photos, pictures};
use crate::engine::{Ended, ScoreWork, Watch};

pub(super) fn score(evaluators: &Evaluators, work: &ScoreWork, watch: &mut Watch) -> Result<Ended, Failure> {
    let protocols = protocols(&work.inputs.protocols)?;
    let references = photos(&work.references, watch)?;
    let prompts = work.inputs.prompts.iter().map(|prompt| prompt.0.clone());
    let mut scoring = Scoring::new(
        evaluators,
        protocols,
        &references,
        (&work.inputs.concept.class, &prompts.collect::<Vec<_>>()),
        FileFormat::Png,
    )
    .map_err(|error| failure("measuring the reference images and prompts", error))?;
    let per_prompt = work.inputs.images_per_prompt as usize;
    let of = work.images.len() as u64;
    for (prompt, files) in work.images.chunks(per_prompt.max(1)).enumerate() {
        if watch.interrupt().is_some() {
            return Ok(Ended::Stopped);
        }
        let scored = scoring
            .prompt(prompt, &pictures(files)?)
            .map_err(|error| failure(&format!("scoring prompt {prompt}"), error))?;
        watch.progress(scored as u64, of, format!("prompt {} scored", prompt + 1));
    }
    scoring
        .prior(&pictures(&work.prior_images)?)
        .map_err(|error| failure("scoring the images of the class word", error))?;
    let Scored { table, remarks } = scoring.finish();
    for remark in remarks {
        watch.log(remark);
    }
    let bytes = serde_json::to_vec(&table).map_err(|error| Failure {
        class: FailureClass::Internal,
        message: format!("writing the scores: {error}"),
    })?;
    watch.output(output_names::SCORES.to_owned(), bytes);
    Ok(Ended::Finished)
}

pub(super) fn protocols(names: &[String]) -> Result<Vec<Protocol>, Failure> {
    let parse = |name: &String| {
        name.parse().map_err(|unknown: UnknownProtocol| Failure {
            class: FailureClass::VersionMismatch,
            message: unknown.to_string(),
        })
    };
    names.iter().map(parse).collect()
}
