//! The judge must be right about what the renderer drew, or its word on a model is worth nothing.
#![expect(clippy::unwrap_used, reason = "tests")]

use vico_world::background::Background;
use vico_world::caption::{Caption, Noun};
use vico_world::chance::Chance;
use vico_world::colour::Colour;
use vico_world::judge::{Judge, Report, judge_folder};
use vico_world::pattern::Pattern;
use vico_world::picture::Picture;
use vico_world::scene::Scene;
use vico_world::shape::Shape;
use vico_world::thing::{Object, Thing};

fn caption(object: Object, background: Background) -> Caption {
    Caption {
        noun: Noun::Shape(object.shape),
        colour: Some(object.colour),
        pattern: Some(object.pattern).filter(|pattern| *pattern != Pattern::Plain),
        background: Some(background),
    }
}

/// One scene per shape, place and pattern; colours by chance.
fn scenes() -> Vec<(Scene, Object)> {
    let mut chance = Chance::new(2024, 0);
    let mut scenes = Vec::new();
    for shape in Shape::ALL {
        for background in Background::ALL {
            for pattern in Pattern::ALL {
                let object = Object {
                    shape,
                    colour: chance.pick(&Colour::ALL),
                    pattern,
                };
                scenes.push((
                    Scene::draw(Thing::Object(object), background, &mut chance),
                    object,
                ));
            }
        }
    }
    scenes
}

/// Noise of up to `most` on every channel.
fn disturbed(picture: &Picture, most: f32, chance: &mut Chance) -> Picture {
    let bytes: Vec<u8> = picture
        .bytes()
        .iter()
        .map(|byte| (f32::from(*byte) + chance.between(-most, most)).clamp(0.0, 255.0) as u8)
        .collect();
    Picture::from_bytes(&bytes).unwrap()
}

fn judged(disturb: impl Fn(&Picture) -> Picture) -> Report {
    let (judge, mut report) = (Judge::default(), Report::default());
    for (scene, object) in scenes() {
        let text = caption(object, scene.background).plain();
        report.count(&judge.compare(&disturb(&scene.picture()), &text));
    }
    report
}

#[test]
fn at_least_97_of_100_true_pictures_are_judged_right() {
    let report = judged(Clone::clone);
    for rate in [
        report.background,
        report.shape,
        report.colour,
        report.pattern,
        report.object,
    ] {
        assert!(rate.share() >= 0.97, "{report}");
    }
    assert!(report.all.share() >= 0.97, "{report}");
}

/// What a model draws is never as clean as what the renderer draws.
#[test]
fn noise_hardly_changes_the_judgement() {
    let report =
        judged(|picture| disturbed(picture, 16.0, &mut Chance::new(9, u64::from(picture.bytes()[0]))));
    assert!(report.all.share() >= 0.9, "{report}");
}

/// Each picture is shown with the caption of another one that differs in exactly one thing.
#[test]
fn a_wrong_word_is_noticed() {
    let judge = Judge::default();
    let (mut found, mut planted) = ([0; 4], 0);
    for (scene, object) in scenes().into_iter().step_by(7) {
        let picture = scene.picture();
        let next = |index: usize, count: usize| (index + 1) % count;
        let shape = Shape::ALL[next(object.shape as usize, Shape::ALL.len())];
        let colour = Colour::ALL[next(object.colour as usize, Colour::ALL.len())];
        let pattern = Pattern::ALL[next(object.pattern as usize, Pattern::ALL.len())];
        let place = Background::ALL[next(scene.background as usize, Background::ALL.len())];
        let captions = [
            caption(Object { shape, ..object }, scene.background),
            caption(Object { colour, ..object }, scene.background),
            caption(Object { pattern, ..object }, scene.background),
            caption(object, place),
        ];
        planted += 1;
        for (count, caption) in found.iter_mut().zip(captions) {
            *count += usize::from(judge.compare(&picture, &caption.plain()).all() == Some(false));
        }
    }
    assert!(
        found.iter().all(|count| 100 * count >= 97 * planted),
        "{found:?} of {planted}"
    );
}

#[test]
fn an_empty_place_holds_no_object() {
    let judge = Judge::default();
    for (scene, _) in scenes().into_iter().step_by(41) {
        let empty = Picture::from_fn(|x, y| {
            let p = vico_world::plane::at(x as f32 + 0.5, y as f32 + 0.5);
            scene.background.colour(p, &scene.look).bytes()
        });
        let seen = judge.look(&empty);
        assert_eq!((seen.background, seen.shape), (Some(scene.background), None));
    }
}

#[test]
fn noise_and_greyness_are_no_place() {
    let judge = Judge::default();
    let grey = Picture::from_fn(|_, _| [128; 3]);
    let noise = disturbed(&grey, 128.0, &mut Chance::new(0, 0));
    assert_eq!(judge.look(&noise).background, None);
    assert_eq!(judge.look(&noise).shape, None);
    assert_eq!(
        judge.look(&Picture::from_fn(|_, _| [255, 0, 255])).background,
        None
    );
}

#[test]
fn of_a_toy_only_the_place_is_judged() {
    let verdict = Judge::default().compare(
        &Picture::from_fn(|_, _| [0; 3]),
        "a photo of sks toy on the beach",
    );
    assert_eq!(
        (verdict.background, verdict.object(), verdict.all()),
        (Some(false), None, None)
    );
}

#[test]
fn a_folder_without_captions_is_told_what_is_missing() {
    let error = judge_folder(std::path::Path::new("/nowhere")).unwrap_err();
    assert!(error.to_string().contains("captions.jsonl"), "{error}");
}
