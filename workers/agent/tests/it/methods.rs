//! Every method on the real engine: class images, an adapter, an image.

use vico::ids::JobKey;
use vico::job::{Stage, output_names};
use vico::spec::{
    BaseModelSettings, CustomDiffusionSettings, DreamboothSettings, JobInputs, LoraSettings, MethodSpec,
    ModelInputs, Precision, PriorSettings, PromptSpec, SampleInputs, SamplingSpec, Sources,
    TextualInversionSettings, TrainInputs, algorithm,
};

use crate::pipeline::{SIZE, caption, class_images_job, done, read, real_engine};
use crate::support::bench::{Bench, concept, settings};
use crate::support::coordinator::Heard;
use crate::support::tiny;

/// Every method for a moment, with rates that move the tiny model, and what it makes of `a {} in the snow`.
fn methods() -> Vec<(MethodSpec, &'static str)> {
    let prior = Some(PriorSettings {
        class_images: 3,
        ..PriorSettings::default()
    });
    let dreambooth = DreamboothSettings {
        steps: 2,
        lr_unet: 1e-3,
        prior: prior.clone(),
        ..DreamboothSettings::default()
    };
    let custom_diffusion = CustomDiffusionSettings {
        steps: 2,
        lr_cross_attention: 1e-3,
        prior: prior.clone(),
        ..CustomDiffusionSettings::default()
    };
    let textual_inversion = TextualInversionSettings {
        steps: 2,
        vectors: 2,
        ..TextualInversionSettings::default()
    };
    let lora = LoraSettings {
        steps: 2,
        ..LoraSettings::default()
    };
    vec![
        (MethodSpec::Vico(settings(2, 2)), "a * in the snow"),
        (MethodSpec::TextualInversion(textual_inversion), "a * in the snow"),
        (MethodSpec::Dreambooth(dreambooth), "a sks barn in the snow"),
        (
            MethodSpec::CustomDiffusion(custom_diffusion),
            "a * barn in the snow",
        ),
        (MethodSpec::Lora(lora), "a sks barn in the snow"),
    ]
}

fn sources() -> Sources {
    let (base, source) = tiny::base();
    Sources {
        models: [(base.identity, source)].into(),
    }
}

async fn train_job(bench: &Bench, method: &MethodSpec, class_images: JobKey) -> JobKey {
    train_job_on(tiny::base().0, bench, method, class_images).await
}

async fn train_job_on(base: ModelInputs, bench: &Bench, method: &MethodSpec, class_images: JobKey) -> JobKey {
    let inputs = TrainInputs {
        algorithm: algorithm::train(method.method()),
        base,
        concept: concept(tiny::photos(bench).await),
        method: method.clone(),
        class_images: method.prior().map(|_| class_images),
        size: SIZE,
        seed: 7,
    };
    bench.put_job(JobInputs::Train(inputs), sources(), 0).await
}

async fn sample_job(bench: &Bench, method: &MethodSpec, train: Option<JobKey>) -> JobKey {
    let inputs = SampleInputs {
        algorithm: algorithm::SAMPLE,
        base: tiny::base().0,
        train,
        concept: concept(tiny::photos(bench).await),
        method: method.clone(),
        prompts: [PromptSpec("a {} in the snow".to_owned())].into(),
        sampling: SamplingSpec {
            steps: 2,
            eta: 0.0,
            guidance: 7.5,
            size: SIZE,
            images_per_prompt: 1,
            prior_images: 0,
            negative_prompt: String::new(),
            seed: 11,
        },
    };
    bench.put_job(JobInputs::Sample(inputs), sources(), 0).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_method_learns_from_photos_and_draws_with_what_it_learned() {
    let bench = Bench::new().await;
    let worker = bench.start("w1", &real_engine());
    let class_images = class_images_job(&bench, 5).await;
    done(&bench, class_images, Stage::ClassImages).await;
    for (method, prompt) in methods() {
        let train = train_job(&bench, &method, class_images).await;
        let trained = done(&bench, train, Stage::Train).await;
        let sampled = done(
            &bench,
            sample_job(&bench, &method, Some(train)).await,
            Stage::Sample,
        )
        .await;
        let caption = caption(&read(&bench, &sampled, &output_names::image(0, 0)).await);
        assert_eq!(
            (caption.method.as_str(), caption.prompt.as_str()),
            (method.name(), prompt)
        );
        assert_eq!(
            caption.adapter,
            Some(trained.outputs[output_names::ADAPTER].digest)
        );
    }
    worker.stop().await;
}

/// The row that all others are compared with: no training, the class word in the prompt, and no adapter in the caption.
#[tokio::test(flavor = "multi_thread")]
async fn the_base_model_draws_without_an_adapter() {
    let bench = Bench::new().await;
    let worker = bench.start("w1", &real_engine());
    let method = MethodSpec::BaseModel(BaseModelSettings::default());
    let sampled = done(&bench, sample_job(&bench, &method, None).await, Stage::Sample).await;
    let caption = caption(&read(&bench, &sampled, &output_names::image(0, 0)).await);
    assert_eq!(
        (caption.prompt.as_str(), caption.adapter),
        ("a barn in the snow", None)
    );
    worker.stop().await;
}

/// Other class images, another adapter: they are looked at, and not only part of the job's key.
#[tokio::test(flavor = "multi_thread")]
async fn a_training_sees_its_class_images() {
    let mut adapters = Vec::new();
    let method = MethodSpec::Lora(LoraSettings {
        steps: 2,
        prior: Some(PriorSettings::default()),
        ..LoraSettings::default()
    });
    for seed in [5, 6] {
        let bench = Bench::new().await;
        let worker = bench.start("w1", &real_engine());
        let class_images = class_images_job(&bench, seed).await;
        done(&bench, class_images, Stage::ClassImages).await;
        let train = train_job(&bench, &method, class_images).await;
        let trained = done(&bench, train, Stage::Train).await;
        adapters.push(trained.outputs[output_names::ADAPTER].digest);
        worker.stop().await;
    }
    assert_ne!(adapters[0], adapters[1]);
}

/// One worker and one engine, which loads the base model anew for the other precision, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_training_computes_in_the_precision_asked_for() {
    let bench = Bench::new().await;
    let worker = bench.start("w1", &real_engine());
    let class_images = class_images_job(&bench, 5).await;
    let method = MethodSpec::Vico(settings(2, 2));
    let mut adapters = Vec::new();
    for precision in [None, Some(Precision::F32), Some(Precision::Bf16)] {
        let base = ModelInputs {
            precision,
            ..tiny::base().0
        };
        let loaded = base.loaded();
        let train = train_job_on(base, &bench, &method, class_images).await;
        let trained = done(&bench, train, Stage::Train).await;
        adapters.push(trained.outputs[output_names::ADAPTER].digest);
        let told = |heard: &Heard| {
            let last = heard.at_hand.last();
            last.is_some_and(|at_hand| at_hand.starts_with(&loaded))
        };
        bench.coordinator.wait_until(told).await;
    }
    assert_eq!(adapters[0], adapters[1]);
    assert_ne!(adapters[0], adapters[2]);
    worker.stop().await;
}
