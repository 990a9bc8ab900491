//! What good manifests mean.

use super::super::{ConceptKind, Images};
use super::{SMALL, good, with};
use crate::spec::MethodSpec;

#[test]
fn every_default_can_be_shown() {
    insta::assert_snapshot!(good(SMALL).show_defaults());
}

/// The values of the official configuration and of its published samples.
#[test]
fn defaults_are_the_papers() {
    let manifest = good(SMALL);
    let settings = &manifest.points()[0].settings;
    let [MethodSpec::Vico(vico)] = settings.methods.values().collect::<Vec<_>>()[..] else {
        panic!("one method")
    };
    assert_eq!((vico.steps, vico.batch), (400, 4));
    assert_eq!((vico.lr_embedding, vico.lr_image_attention), (0.02, 1e-5));
    assert_eq!(
        (vico.weight_decay, vico.reg_weight, vico.mask),
        (0.01, 5e-4, true)
    );
    let sampling = &settings.sampling;
    assert_eq!((sampling.steps, sampling.guidance, sampling.eta), (50, 7.5, 0.0));
    assert_eq!((sampling.size, sampling.images_per_prompt), (512, 8));
    let protocols = settings.metrics.as_ref().map(|metrics| metrics.protocols.clone());
    assert_eq!(
        protocols,
        Some(vec!["bench-v1".to_owned(), "vico-2023".to_owned()])
    );
}

/// Every method as it is with nothing but its name.
const FIVE: &str = "
  textual_inversion: {method: textual_inversion}
  dreambooth: {method: dreambooth}
  custom_diffusion: {method: custom_diffusion}
  lora: {method: lora}
  frozen: {method: dreambooth, text_encoder: false, prior: {weight: 0, class_images: 7}}
  vico: {method: vico}";

fn five() -> String {
    with("\n  vico: {method: vico}", FIVE)
}

#[test]
fn every_default_of_every_method_can_be_shown() {
    let shown = good(&five()).show_defaults();
    let methods = shown.split("\nmethods:").nth(1).unwrap_or_default();
    let methods = methods.split("\ntrain_seed:").next().unwrap_or_default();
    insta::assert_snapshot!(methods);
}

#[test]
fn a_prior_of_no_weight_is_none() {
    let manifest = good(&five());
    let priors: Vec<_> = manifest.points()[0]
        .settings
        .methods
        .iter()
        .map(|(id, method)| (id.to_string(), method.prior().map(|prior| prior.weight)))
        .collect();
    let expected = [
        ("custom_diffusion", Some(1.0)),
        ("dreambooth", Some(1.0)),
        ("frozen", None),
        ("lora", None),
        ("textual_inversion", None),
        ("vico", None),
    ];
    assert_eq!(priors, expected.map(|(id, weight)| (id.to_owned(), weight)));
}

/// What is written stays written, also where the weight turns it off: an axis turns it on again.
#[test]
fn an_axis_can_turn_the_prior_on() {
    let manifest = good(&format!(
        "{}matrix: {{methods.frozen.prior.weight: [0, 1]}}\n",
        five()
    ));
    let again = good(&manifest.show_defaults());
    for manifest in [&manifest, &again] {
        let images: Vec<_> = manifest
            .points()
            .iter()
            .map(|point| {
                let frozen = point
                    .settings
                    .methods
                    .iter()
                    .find(|(id, _)| id.as_str() == "frozen");
                frozen.and_then(|(_, method)| method.prior().map(|prior| prior.class_images))
            })
            .collect();
        assert_eq!(images, [None, Some(7)]);
    }
}

#[test]
fn shown_defaults_mean_the_same() {
    let matrix = "matrix: {concept_defaults.placeholder: [\"*\", \"sks\"], train_seed: [0, 1]}\n";
    for text in [SMALL.to_owned(), five(), format!("{SMALL}{matrix}")] {
        let manifest = good(&text);
        let again = good(&manifest.show_defaults());
        let settings = |manifest: &super::Manifest| {
            let points = manifest.points().iter();
            points
                .map(|point| (point.assignments.clone(), point.settings.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(settings(&manifest), settings(&again));
        assert_eq!(again.show_defaults(), manifest.show_defaults());
    }
}

#[test]
fn concepts_inherit() {
    let text = with(
        "concepts:\n",
        "storage: {inputs: s3://bench/in/}\nconcept_defaults: {class: teddy bear, kind: live, placeholder: sks}\nconcepts:\n  bear: {images: [a.png, /abs/b.jpg]}\n",
    );
    let manifest = good(&text);
    let concepts = &manifest.points()[0].settings.concepts;
    let bear = concepts
        .iter()
        .find(|(id, _)| id.as_str() == "bear")
        .map(|(_, concept)| concept.clone());
    let Some(bear) = bear else { panic!("no bear") };
    assert_eq!(
        bear.images,
        Images::Files(vec!["s3://bench/in/a.png".to_owned(), "/abs/b.jpg".to_owned()])
    );
    assert_eq!(
        (bear.words.class.as_str(), bear.words.initializer.as_str()),
        ("teddy bear", "bear")
    );
    assert_eq!(
        (bear.words.placeholder.as_str(), bear.words.kind),
        ("sks", Some(ConceptKind::Live))
    );
    let duck = concepts
        .iter()
        .find(|(id, _)| id.as_str() == "duck")
        .map(|(_, concept)| concept.words.clone());
    assert_eq!(
        duck.map(|words| (words.class, words.initializer)),
        Some(("rubber duck".into(), "duck".into()))
    );
}

#[test]
fn an_alias_may_stand_for_a_value() {
    let text = with(
        "[\"a {} in the snow\", \"a {} on the beach\"]",
        "&list [\"a {}\"]\n  q: {prompts: *list, for: {kind: live}}",
    );
    assert_eq!(good(&text).points()[0].settings.prompt_sets.len(), 2);
}

#[test]
fn numbers_may_be_written_in_any_way() {
    let text = with(
        "{method: vico}",
        "{method: vico, lr: {embedding: 5e-3, image_attention: 1.0E-5}, reg_weight: 0}",
    );
    let manifest = good(&text);
    let methods = manifest.points()[0].settings.methods.values();
    let rates: Vec<_> = methods
        .filter_map(|method| match method {
            MethodSpec::Vico(vico) => Some((vico.lr_embedding, vico.reg_weight)),
            _ => None,
        })
        .collect();
    assert_eq!(rates, [(0.005, 0.0)]);
}

#[test]
fn axes_multiply() {
    let axes = "matrix:\n  sampling.guidance: [3, 7.5]\n  methods.vico.steps: [100, 200]\n  train_seed: [0, 1, 2]\n  sampling.negative_prompt: [\"\", \"blurry, dark\"]\n";
    let manifest = good(&format!("{SMALL}{axes}"));
    assert_eq!(manifest.points().len(), 24);
    let labels: Vec<_> = manifest.points()[23]
        .assignments
        .iter()
        .map(|axis| axis.label.as_str())
        .collect();
    assert_eq!(labels, ["steps=200", "guidance=7.5", "negative_prompt=v2"]);
    let settings = &manifest.points()[23].settings;
    assert_eq!((settings.sampling.guidance, settings.train_seed), (7.5, 2));
}

#[test]
fn ids_with_dots_can_be_axes() {
    let text = with("  vico:", "  v1.5:") + "matrix: {methods.v1.5.lr.embedding: [0.005, 0.02]}\n";
    assert_eq!(good(&text).points().len(), 2);
}

#[test]
fn measuring_nothing_needs_no_models() {
    let text = with("{clip: /models/clip, dino: /models/dino}", "{protocols: []}");
    assert_eq!(good(&text).points()[0].settings.metrics, None);
}

#[test]
fn the_manifests_that_come_along_are_good() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests");
    for name in [
        "quickstart.yaml",
        "world.yaml",
        "five-methods.yaml",
        "photos.yaml",
        "vico-paper.yaml",
        "dreambench.yaml",
        "ablation.yaml",
    ] {
        let text = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        good(&text);
    }
}
