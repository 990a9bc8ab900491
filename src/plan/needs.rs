//! What must be known of the world before a manifest can be planned.

use std::collections::BTreeSet;

use super::{ModelRole, Need};
use crate::manifest::{Images, Manifest, Origin, Prompts, Settings};

/// Everything to list, read or digest, sorted, each once. Relative locations start at `origin`.
pub fn needs(manifest: &Manifest, origin: &Origin) -> Vec<Need> {
    let mut needs = BTreeSet::new();
    for point in manifest.points() {
        collect(&point.settings, origin, &mut needs);
    }
    needs.into_iter().collect()
}

fn collect(settings: &Settings, origin: &Origin, needs: &mut BTreeSet<Need>) {
    for concept in settings.concepts.values() {
        needs.extend(of_images(&concept.images, origin));
    }
    if let Some(from) = &settings.concepts_from {
        needs.insert(Need::ConceptFolders(origin.url(&from.photos())));
        let prompts = from.prompt_folder();
        needs.extend(prompts.map(|folder| Need::PromptFolder(origin.url(&folder))));
        needs.extend(from.class_list().map(|list| Need::PromptFile(origin.url(&list))));
    }
    for set in settings.prompt_sets.values() {
        if let Prompts::File(file) = &set.prompts {
            needs.insert(Need::PromptFile(origin.url(file)));
        }
    }
    needs.extend(of_models(settings, origin).all());
}

/// The needs of some reference images, in their order.
pub(super) fn of_images(images: &Images, origin: &Origin) -> Vec<Need> {
    match images {
        Images::Folder(folder) => vec![Need::ImageFolder(origin.url(folder))],
        Images::Files(files) => files
            .iter()
            .map(|file| Need::ImageFile(origin.url(file)))
            .collect(),
    }
}

/// The models of some settings.
pub(super) struct ModelNeeds {
    pub base: Need,
    pub evaluators: Option<EvaluatorNeeds>,
}

/// The networks that measure.
pub(super) struct EvaluatorNeeds {
    pub clip: Need,
    pub dino: Need,
    pub lpips: Option<Need>,
}

impl ModelNeeds {
    fn all(self) -> impl Iterator<Item = Need> {
        let evaluators = self
            .evaluators
            .into_iter()
            .flat_map(|needs| [needs.clip, needs.dino].into_iter().chain(needs.lpips));
        std::iter::once(self.base).chain(evaluators)
    }
}

pub(super) fn of_models(settings: &Settings, origin: &Origin) -> ModelNeeds {
    let evaluator = |location: &str, role| Need::Model {
        url: origin.url(location),
        role,
        variant: None,
    };
    let base = &settings.base;
    ModelNeeds {
        base: Need::Model {
            url: origin.url(&base.model),
            role: ModelRole::Base,
            variant: base.variant.clone(),
        },
        evaluators: settings.metrics.as_ref().map(|metrics| EvaluatorNeeds {
            clip: evaluator(&metrics.clip, ModelRole::Clip),
            dino: evaluator(&metrics.dino, ModelRole::Dino),
            lpips: metrics
                .lpips
                .as_ref()
                .map(|lpips| evaluator(lpips, ModelRole::Lpips)),
        }),
    }
}
