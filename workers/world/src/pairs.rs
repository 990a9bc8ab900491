//! Which objects are never shown on which backgrounds in training: what a model does there it cannot have seen.

use crate::background::Background;
use crate::caption::{Caption, Noun};
use crate::chance::Chance;
use crate::pattern::Pattern;
use crate::shape::Shape;
use crate::thing::{Object, Thing};

/// Whether training never shows this shape there: two of the ten places for each shape.
pub fn is_held_out(shape: Shape, background: Background) -> bool {
    let first = 3 * (shape as usize);
    let places = Background::ALL.len();
    background as usize == first % places || background as usize == (first + 5) % places
}

/// All pairs that training never shows.
pub fn held_out() -> Vec<(Shape, Background)> {
    let all = Shape::ALL
        .into_iter()
        .flat_map(|shape| Background::ALL.map(|place| (shape, place)));
    all.filter(|(shape, place)| is_held_out(*shape, *place)).collect()
}

/// Captions of held-out pairs, round and round, with colours and surfaces by chance; each with what it describes.
pub fn captions(count: usize, seed: u64) -> Vec<(Caption, Thing)> {
    let pairs = held_out();
    let mut chance = Chance::new(seed, 0);
    let mut one = |i: usize| {
        let (shape, background) = pairs[i % pairs.len()];
        let object = Object {
            shape,
            ..Object::draw(&mut chance)
        };
        let caption = Caption {
            noun: Noun::Shape(shape),
            colour: Some(object.colour),
            pattern: Some(object.pattern).filter(|pattern| *pattern != Pattern::Plain),
            background: Some(background),
        };
        (caption, Thing::Object(object))
    };
    (0..count).map(&mut one).collect()
}
