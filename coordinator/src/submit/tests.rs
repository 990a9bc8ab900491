//! Whose fault it is that a manifest is not taken in, and what of a plan placement goes by.

use vico::spec::{ClassImagesInputs, JobInputs, ModelInputs, Precision, algorithm};

use super::*;

fn refused(key: &str) -> store::Error {
    store::Error::Refused {
        key: key.to_owned(),
        source: "403 Forbidden".into(),
    }
}

#[test]
fn the_manifest_is_blamed_for_what_it_names_and_for_nothing_else() {
    let photos = Refusal::from(Error::from(InputError::Place(refused("s3://photos/duck"))));
    assert_eq!(photos.kind, RefusalKind::Invalid);
    assert!(
        photos.message.starts_with(
            "the storage refused access to s3://photos/duck: 403 Forbidden (check the credentials"
        ),
        "{photos}"
    );
    let silent = Refusal::from(Error::from(InputError::Place(store::Error::Unavailable {
        key: "s3://photos/duck".to_owned(),
        source: "503 Slow Down".into(),
    })));
    assert_eq!(silent.kind, RefusalKind::Unavailable, "it may answer later");
    let copied = Refusal::from(Error::from(InputError::Bucket(refused("s3://ours/blobs"))));
    let written = Refusal::from(Error::from(refused("s3://ours/sweeps")));
    assert_eq!(
        [copied.kind, written.kind],
        [RefusalKind::Unavailable, RefusalKind::Unavailable]
    );
    let what = "s3://ours/jobs/ab/receipt.json".to_owned();
    let gone = Refusal::from(Error::from(store::Error::NotFound { what }));
    assert_eq!(gone.kind, RefusalKind::Internal);
}

fn drawing_with(base: ModelInputs) -> JobInputs {
    JobInputs::ClassImages(ClassImagesInputs {
        algorithm: algorithm::CLASS_IMAGES,
        base,
        prompt: "a photo of a toy".to_owned(),
        count: 1,
        steps: 1,
        guidance: 7.5,
        eta: 0.0,
        size: 64,
        seed: 0,
    })
}

#[test]
fn only_the_network_in_the_jobs_precision_is_all_that_it_loads() {
    let base = |precision| ModelInputs {
        identity: Digest::of(b"base"),
        variant: None,
        precision,
    };
    let bases = [None, Some(Precision::F32), Some(Precision::Bf16)].map(base);
    for asked in &bases {
        let models = Loaded::default().models(&drawing_with(asked.clone()));
        assert!(models.contains(&asked.identity), "its files count");
        for kept in &bases {
            let has_all = models.iter().all(|model| kept.loaded().contains(model));
            assert_eq!(has_all, asked == kept, "{asked:?} on a worker with {kept:?}");
        }
    }
}
