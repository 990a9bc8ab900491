//! The base model and the networks that measure.

use std::sync::Arc;

use super::{Lookup, Models};
use crate::manifest::{Finding, Kind, Path, Settings};
use crate::plan::Need;
use crate::plan::needs::{EvaluatorNeeds, of_models};
use crate::spec::{EvaluatorInputs, ModelInputs, ModelSource};

impl Lookup<'_> {
    /// The models, if all of them were found.
    pub(in crate::plan) fn models(&mut self, settings: &Settings) -> Option<Models> {
        let needs = of_models(settings, self.origin);
        let (base, base_source) =
            self.model(&needs.base, settings.base.variant.as_ref(), &["base", "model"])?;
        let evaluators = match needs.evaluators {
            None => None,
            Some(needs) => Some(self.evaluators(&needs)?),
        };
        Some(Models {
            base: ModelInputs {
                precision: settings.base.precision,
                ..base
            },
            base_source,
            evaluators,
        })
    }

    fn evaluators(&mut self, needs: &EvaluatorNeeds) -> Option<(EvaluatorInputs, Vec<Arc<ModelSource>>)> {
        let (clip, clip_source) = self.model(&needs.clip, None, &["metrics", "clip"])?;
        let (dino, dino_source) = self.model(&needs.dino, None, &["metrics", "dino"])?;
        let mut sources = vec![clip_source, dino_source];
        let lpips = match &needs.lpips {
            None => None,
            Some(need) => {
                let (lpips, source) = self.model(need, None, &["metrics", "lpips"])?;
                sources.push(source);
                Some(lpips)
            }
        };
        Some((EvaluatorInputs { clip, dino, lpips }, sources))
    }

    fn model(
        &mut self,
        need: &Need,
        variant: Option<&String>,
        keys: &[&str],
    ) -> Option<(ModelInputs, Arc<ModelSource>)> {
        let path = Path::of(keys);
        let Some(source) = self.resolved.models.get(need) else {
            self.unresolved(need.url(), &path);
            return None;
        };
        if source.files.is_empty() {
            self.report(Finding::new(
                &path,
                Kind::BadInput,
                format!("{} has no files of a model", source.url),
            ));
            return None;
        }
        self.sizes
            .extend(source.files.iter().map(|file| (file.digest, file.size)));
        let identity = source
            .identity()
            .expect("a map of text and digests has a JSON form");
        Some((
            ModelInputs {
                identity,
                variant: variant.cloned(),
                precision: None,
            },
            Arc::clone(source),
        ))
    }
}
