//! What must hold of the whole world, or numbers measured in it mean nothing.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::HashSet;

use vico_world::background::Background;
use vico_world::caption::{Caption, Noun};
use vico_world::chance::Chance;
use vico_world::concepts::{self, CONCEPTS, REFERENCES};
use vico_world::dataset::{self, Recipe};
use vico_world::pairs;
use vico_world::picture::BYTES;
use vico_world::scene::Scene;
use vico_world::shape::Shape;
use vico_world::thing::{Object, Thing};

const RECIPE: Recipe = Recipe {
    things: 300,
    views: 1,
    toys: 0.25,
    seed: 7,
};

/// FNV-1a, 64 bits: small, and enough to notice a change.
fn digest(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, step)
}

/// Trained models are only as good as the world they come from is the same: give a changed world new models.
#[test]
fn the_same_seed_draws_the_same_pictures_for_ever() {
    let mut bytes = Vec::new();
    for group in 0..40 {
        for (scene, caption) in RECIPE.group(group) {
            bytes.extend_from_slice(scene.picture().bytes());
            bytes.extend_from_slice(caption.as_bytes());
        }
    }
    for (index, concept) in CONCEPTS.iter().enumerate() {
        bytes.extend_from_slice(concept.scene(index, 0).picture().bytes());
    }
    assert_eq!(digest(&bytes), 0xb080_86e6_f82c_126b);
}

#[test]
fn every_caption_reads_back_as_what_is_shown() {
    for group in 0..2000 {
        for (scene, text) in RECIPE.group(group) {
            let caption = Caption::parse(&text).unwrap();
            assert!(
                caption.background.is_none_or(|place| place == scene.background),
                "{text}"
            );
            match (scene.thing, caption.noun) {
                (Thing::Object(object), Noun::Shape(shape)) => {
                    assert_eq!(object.shape, shape, "{text}");
                    assert!(
                        caption.colour.is_none_or(|colour| colour == object.colour),
                        "{text}"
                    );
                    assert!(
                        caption.pattern.is_none_or(|pattern| pattern == object.pattern),
                        "{text}"
                    );
                }
                (Thing::Toy(_), Noun::Toy | Noun::Robot | Noun::Monster) => {}
                (thing, noun) => panic!("{text}: {thing:?} is called {noun:?}"),
            }
        }
    }
}

#[test]
fn any_opening_and_article_reads_back_as_the_same_caption() {
    for (i, (caption, _)) in pairs::captions(200, 3).into_iter().enumerate() {
        let text = caption.write(&mut Chance::new(11, i as u64));
        assert_eq!(Caption::parse(&text), Ok(caption), "{text}");
        assert_eq!(Caption::parse(&caption.plain()), Ok(caption));
    }
}

#[test]
fn words_of_another_world_are_refused_by_name() {
    let error = Caption::parse("a photo of a red mug on the moon").unwrap_err();
    assert_eq!(error.rest, "on the moon");
    assert!(Caption::parse("a photo of a sks toy").is_err());
    assert!(Caption::parse("").is_err());
}

#[test]
fn training_shows_no_held_out_pair_and_no_held_out_toy() {
    let held_out: HashSet<(Shape, Background)> = pairs::held_out().into_iter().collect();
    assert_eq!(held_out.len(), 2 * Shape::ALL.len());
    let recipe = Recipe { views: 3, ..RECIPE };
    for (scene, _) in (0..3000).flat_map(|group| recipe.group(group)) {
        match scene.thing {
            Thing::Object(object) => assert!(!held_out.contains(&(object.shape, scene.background))),
            Thing::Toy(toy) => assert!(!concepts::is_held_out(&toy), "{toy:?}"),
        }
    }
}

#[test]
fn captions_of_pairs_are_all_held_out_and_cover_every_pair() {
    let captions = pairs::captions(2 * pairs::held_out().len(), 0);
    let shown: HashSet<(Shape, Background)> = captions
        .iter()
        .filter_map(|(caption, thing)| match thing {
            Thing::Object(object) => Some((object.shape, caption.background?)),
            Thing::Toy(_) => None,
        })
        .collect();
    assert_eq!(shown, pairs::held_out().into_iter().collect());
}

#[test]
fn views_of_a_thing_differ_in_place() {
    let recipe = Recipe { views: 4, ..RECIPE };
    for group in 0..200 {
        let views = recipe.group(group);
        let places: HashSet<Background> = views.iter().map(|(scene, _)| scene.background).collect();
        assert_eq!(places.len(), 4);
        assert!(views.iter().all(|(scene, _)| scene.thing == views[0].0.thing));
    }
}

#[test]
fn concepts_are_different_toys_on_different_backgrounds() {
    for (i, concept) in CONCEPTS.iter().enumerate() {
        assert!(
            CONCEPTS[..i]
                .iter()
                .all(|other| !other.toy.same_parts(&concept.toy))
        );
        let places: HashSet<Background> = (0..REFERENCES).map(|n| concept.scene(i, n).background).collect();
        assert_eq!(places.len(), REFERENCES);
    }
}

#[test]
fn a_data_set_is_raw_bytes_and_lines() {
    let out = std::env::temp_dir().join(format!("vico-world-{}", std::process::id()));
    let recipe = Recipe {
        things: 3,
        views: 2,
        ..RECIPE
    };
    recipe.write(&out).unwrap();
    let pictures = std::fs::read(out.join(dataset::PICTURES)).unwrap();
    let captions = std::fs::read_to_string(out.join(dataset::CAPTIONS)).unwrap();
    std::fs::remove_dir_all(&out).unwrap();
    assert_eq!((pictures.len(), captions.lines().count()), (6 * BYTES, 6));
    let (scene, text) = &recipe.group(1)[0];
    assert_eq!(pictures[2 * BYTES..3 * BYTES], *scene.picture().bytes());
    let line: serde_json::Value = serde_json::from_str(captions.lines().nth(2).unwrap()).unwrap();
    assert_eq!(
        (&line["caption"], &line["group"]),
        (&text.as_str().into(), &1.into())
    );
}

#[test]
fn a_mask_covers_the_thing_and_nothing_else() {
    let (mut chance, mut draw) = (Chance::new(1, 2), Chance::new(1, 4));
    for _ in 0..20 {
        let thing = Thing::Object(Object::draw(&mut draw));
        let scene = Scene::draw(thing, Background::Snow, &mut chance);
        let elsewhere = Scene {
            background: Background::Night,
            ..scene
        };
        let (a, b, mask) = (scene.picture(), elsewhere.picture(), scene.mask());
        // What changes with the background is not covered by the mask, and the other way round, but for the edge.
        let wrong = |i: usize| (a.at(i % 64, i / 64) == b.at(i % 64, i / 64)) != mask.at(i % 64, i / 64);
        let wrong = (0..64 * 64).filter(|i| wrong(*i)).count();
        assert!(wrong < mask.pixels().count() / 4, "{wrong}");
    }
}
