//! The stages on the real engine with tiny models.

use std::sync::Arc;

use vico::clock::Timestamp;
use vico::ids::{Attempt, JobKey, LeaseId};
use vico::job::{DeviceFacts, Receipt, Stage, output_names};
use vico::score::ScoreTable;
use vico::spec::{
    ClassImagesInputs, EvaluatorInputs, JobInputs, MethodSpec, PromptSpec, SampleInputs, SamplingSpec,
    ScoreInputs, Sources, algorithm,
};
use vico_worker::device::ComputeDevice;
use vico_worker::engine::candle::CandleEngine;
use vico_worker::engine::thread::MakeEngine;
use vico_worker::picture::{Caption, VICO};

use crate::support::bench::{Bench, concept, settings};
use crate::support::tiny;

/// Side of all images: the smallest the tiny networks take.
pub const SIZE: u32 = 64;

pub fn real_engine() -> MakeEngine {
    Arc::new(|| Ok(Box::new(CandleEngine::new(&ComputeDevice::cpu())?)))
}

/// A train job on the tiny base model.
pub async fn train_job(bench: &Bench, steps: u32) -> JobKey {
    let concept = concept(tiny::photos(bench).await);
    bench
        .put_train_job(tiny::base(), concept, settings(steps, 2), SIZE, 0)
        .await
}

fn prompts() -> Arc<[PromptSpec]> {
    ["a {} in the snow", "a red {}"]
        .map(|text| PromptSpec(text.to_owned()))
        .into()
}

async fn sample_job(bench: &Bench, train: JobKey) -> JobKey {
    let (base, source) = tiny::base();
    let sources = Sources {
        models: [(base.identity, source)].into(),
    };
    let inputs = SampleInputs {
        algorithm: algorithm::SAMPLE,
        base,
        train: Some(train),
        concept: concept(tiny::photos(bench).await),
        method: MethodSpec::Vico(settings(3, 2)),
        prompts: prompts(),
        sampling: SamplingSpec {
            steps: 2,
            eta: 0.0,
            guidance: 7.5,
            size: SIZE,
            images_per_prompt: 3,
            prior_images: 2,
            negative_prompt: String::new(),
            seed: 11,
        },
    };
    bench.put_job(JobInputs::Sample(inputs), sources, 0).await
}

async fn score_job(bench: &Bench, sample: JobKey) -> JobKey {
    let ((clip, clip_source), (dino, dino_source)) = (tiny::clip(bench), tiny::dino());
    let (lpips, lpips_source) = tiny::lpips(bench);
    let sources = [clip_source, dino_source, lpips_source];
    let evaluators = EvaluatorInputs {
        clip,
        dino,
        lpips: Some(lpips),
    };
    let identities = evaluators.models().map(|model| model.identity);
    let models = identities.zip(sources).collect();
    let inputs = ScoreInputs {
        algorithm: algorithm::SCORE,
        sample,
        concept: concept(tiny::photos(bench).await),
        prompts: prompts(),
        images_per_prompt: 3,
        prior_images: 2,
        evaluators,
        protocols: vec!["bench-v1".to_owned(), "vico-2023".to_owned()],
    };
    bench
        .put_job(JobInputs::Score(inputs), Sources { models }, 0)
        .await
}

pub async fn class_images_job(bench: &Bench, seed: u64) -> JobKey {
    let (base, source) = tiny::base();
    let sources = Sources {
        models: [(base.identity, source)].into(),
    };
    let inputs = ClassImagesInputs {
        algorithm: algorithm::CLASS_IMAGES,
        base,
        prompt: "a photo of a barn".to_owned(),
        count: 3,
        steps: 2,
        guidance: 7.5,
        eta: 0.5,
        size: SIZE,
        seed,
    };
    bench.put_job(JobInputs::ClassImages(inputs), sources, 0).await
}

/// Has a job done and commits its receipt, as a coordinator would.
pub async fn done(bench: &Bench, job: JobKey, stage: Stage) -> Receipt {
    bench.coordinator.grant(job, stage);
    let ended = bench
        .coordinator
        .wait_until(|h| h.outputs(job).is_some() || h.failure(job).is_some())
        .await;
    let outputs = ended
        .outputs(job)
        .unwrap_or_else(|| panic!("{:?}", ended.failure(job)))
        .clone();
    let receipt = Receipt {
        job,
        stage,
        outputs,
        upstream: Vec::new(),
        worker: "w1".parse().unwrap(),
        device: DeviceFacts::default(),
        lease: LeaseId(1),
        attempt: Attempt(1),
        started: Timestamp(0),
        finished: Timestamp(0),
    };
    bench.store.commit_receipt(&receipt).await.unwrap();
    receipt
}

pub async fn read(bench: &Bench, receipt: &Receipt, name: &str) -> Vec<u8> {
    bench.store.blob(&receipt.outputs[name]).await.unwrap().into()
}

pub fn caption(png: &[u8]) -> Caption {
    let reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let texts = &reader.info().uncompressed_latin1_text;
    let json = &texts.iter().find(|chunk| chunk.keyword == VICO).unwrap().text;
    serde_json::from_str(json).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn photos_become_an_adapter_images_and_scores() {
    let bench = Bench::new().await;
    let worker = bench.start("w1", &real_engine());
    let train = train_job(&bench, 3).await;
    let trained = done(&bench, train, Stage::Train).await;
    let sample = sample_job(&bench, train).await;
    let sampled = done(&bench, sample, Stage::Sample).await;
    let scored = done(&bench, score_job(&bench, sample).await, Stage::Score).await;
    worker.stop().await;

    let of_prompts = sampled
        .outputs
        .keys()
        .filter(|name| name.starts_with('p') && !name.starts_with("prior/"));
    assert_eq!((of_prompts.count(), sampled.outputs.len()), (6, 8));
    let of_class = self::caption(&read(&bench, &sampled, &output_names::prior_image(1)).await);
    assert_eq!(
        (of_class.prompt.as_str(), of_class.prompt_index),
        ("a photo of a barn", None)
    );
    let caption = caption(&read(&bench, &sampled, &output_names::image(1, 2)).await);
    assert_eq!(
        (caption.job, caption.prompt.as_str(), caption.sample),
        (sample, "a red *", 2)
    );
    assert_eq!(
        caption.adapter,
        Some(trained.outputs[output_names::ADAPTER].digest)
    );

    let table: ScoreTable =
        serde_json::from_slice(&read(&bench, &scored, output_names::SCORES).await).unwrap();
    let places: Vec<_> = table.rows.iter().map(|row| (row.prompt, row.sample)).collect();
    assert_eq!(places, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
    let columns: Vec<_> = table.signatures.keys().map(String::as_str).collect();
    let of_images = ["clip_i", "clip_t", "dino_i"];
    let of = |protocol| {
        let oracles = ["oracle_clip_i", "oracle_dino_i"];
        let all = of_images.into_iter().chain(oracles);
        all.map(move |metric| format!("{protocol}/{metric}"))
    };
    let health = [
        "above_oracle",
        "copy_score",
        "diversity_dino",
        "diversity_lpips",
        "duplicates",
        "prior_preservation",
        "r_precision",
    ];
    let health = health.map(|name| format!("health/{name}"));
    let wanted: Vec<String> = of("bench-v1").chain(health).chain(of("vico-2023")).collect();
    assert_eq!(columns, wanted);
    for row in &table.rows {
        let of_images = table
            .signatures
            .keys()
            .filter(|name| !table.totals.contains_key(*name));
        assert!(row.values.keys().eq(of_images), "{row:?}");
        assert!(
            row.values.values().all(|score| (-1.0..=1.0).contains(score)),
            "{row:?}"
        );
    }
    assert!(
        table.totals["health/diversity_dino"] > 0.0,
        "samples of one prompt differ"
    );
    assert_eq!(table.totals["health/duplicates"].to_bits(), 0.0_f64.to_bits());
    assert!((-1.0..=1.0).contains(&table.totals["health/prior_preservation"]));
    assert!(table.totals["health/diversity_lpips"] > 0.0);
    assert_eq!(table.totals.len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn class_images_do_not_depend_on_the_worker() {
    let mut digests = Vec::new();
    for _ in 0..2 {
        let bench = Bench::new().await;
        let worker = bench.start("w1", &real_engine());
        let job = class_images_job(&bench, 5).await;
        let drawn = done(&bench, job, Stage::ClassImages).await;
        worker.stop().await;
        let names: Vec<String> = drawn.outputs.keys().cloned().collect();
        assert_eq!(names, (0..3).map(output_names::class_image).collect::<Vec<_>>());
        digests.push(
            drawn
                .outputs
                .into_values()
                .map(|blob| blob.digest)
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(digests[0], digests[1]);
    let different: std::collections::BTreeSet<_> = digests[0].iter().collect();
    assert_eq!(different.len(), 3, "images are alike");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_worker_makes_the_same_images() {
    let mut digests = Vec::new();
    for _ in 0..2 {
        let bench = Bench::new().await;
        let worker = bench.start("w1", &real_engine());
        let train = train_job(&bench, 2).await;
        done(&bench, train, Stage::Train).await;
        let sampled = done(&bench, sample_job(&bench, train).await, Stage::Sample).await;
        worker.stop().await;
        digests.push(sampled.outputs);
    }
    assert_eq!(digests[0], digests[1]);
}
