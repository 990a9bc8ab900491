//! Pictures from anywhere, scored by the networks of a score job.

use std::path::Path;

use vico_worker::engine::candle::{EvaluatorDirs, FileFormat, FolderScorer, Subject};

use crate::support::bench::Bench;
use crate::support::tiny;

#[tokio::test]
async fn pictures_of_different_sizes_get_all_numbers_but_their_distance() {
    let bench = Bench::new().await;
    let ((_, clip), (_, dino), (_, lpips)) = (tiny::clip(&bench), tiny::dino(), tiny::lpips(&bench));
    let dirs = EvaluatorDirs {
        clip: Path::new(&clip.url),
        tokenizer: Path::new(&clip.url),
        dino: Path::new(&dino.url),
        lpips: Some(Path::new(&lpips.url)),
    };
    let scorer = FolderScorer::open(&dirs, &["bench-v1".to_owned()]).unwrap();
    let photos = tiny::photo_files();
    let subject = Subject {
        class: "barn",
        prompts: &["a {}".to_owned()],
        references: &photos,
        prior: &[],
        files: FileFormat::Png,
    };
    let scored = scorer.score(subject, |_| Ok(photos.clone())).unwrap();
    assert_eq!(scored.table.rows.len(), 3);
    let has = |name: &str| scored.table.signatures.contains_key(name);
    assert!(has("bench-v1/clip_i") && has("health/diversity_dino"));
    assert!(!has("health/diversity_lpips"));
    assert_eq!(
        scored.remarks,
        [
            "health/diversity_lpips leaves out 3 pairs of pictures of different sizes, which LPIPS cannot compare"
        ]
    );
}
