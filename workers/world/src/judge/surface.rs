//! The marks on a thing, compared with those of every pattern.

use crate::colour::Colour;
use crate::pattern::{MARK_SHADE, Pattern};
use crate::picture::{Mask, Picture};
use crate::plane::{Point, at};
use crate::scene::Pose;

use super::shades::shade;

/// A surface whose darkness varies less has no marks: standard deviation, where a mark is 1.
const EVEN: f32 = 0.16;
/// Marks that go along less with every pattern's are none of them.
const CLOSE: f32 = 0.35;
/// Inside an outline, what is further from every shade of the colour is the background seen through a handle.
const HOLE: f32 = 45.0;
/// Patterns are tried moved by up to this in both directions: a model may start them elsewhere.
const MOVES: [f32; 9] = [-0.28, -0.21, -0.14, -0.07, 0.0, 0.07, 0.14, 0.21, 0.28];

/// The surface of what lies inside an outline.
pub(super) fn pattern(picture: &Picture, outline: &Mask, colour: Colour, poses: &[Pose]) -> Option<Pattern> {
    let seen: Vec<(Point, f32)> = interior(outline)
        .filter_map(|(x, y)| {
            let (brightness, distance) = shade(colour, picture.at(x, y).into());
            let dark = (1.0 - brightness) / (1.0 - MARK_SHADE);
            (distance < HOLE).then_some((at(x as f32 + 0.5, y as f32 + 0.5), dark))
        })
        .collect();
    let darkness: Vec<f32> = seen.iter().map(|(_, dark)| *dark).collect();
    if deviation(&darkness) < EVEN {
        return Some(Pattern::Plain);
    }
    let marked = Pattern::ALL
        .into_iter()
        .filter(|pattern| *pattern != Pattern::Plain);
    let likeness = marked.map(|pattern| (pattern, best_likeness(pattern, poses, &seen)));
    let (pattern, best) = likeness.max_by(|a, b| a.1.total_cmp(&b.1))?;
    (best > CLOSE).then_some(pattern)
}

/// Pixels whose four neighbours also belong: edges are mixed with the background.
fn interior(outline: &Mask) -> impl Iterator<Item = (usize, usize)> {
    let belongs = |x: Option<usize>, y: Option<usize>| {
        let inside = x
            .zip(y)
            .filter(|(x, y)| *x < crate::background::SIDE && *y < crate::background::SIDE);
        inside.is_some_and(|(x, y)| outline.at(x, y))
    };
    outline.pixels().filter(move |&(x, y)| {
        belongs(x.checked_sub(1), Some(y))
            && belongs(Some(x + 1), Some(y))
            && belongs(Some(x), y.checked_sub(1))
            && belongs(Some(x), Some(y + 1))
    })
}

/// Over poses and moves; pixels with their darkness, which is 0 in the colour itself and 1 in a mark.
fn best_likeness(pattern: Pattern, poses: &[Pose], seen: &[(Point, f32)]) -> f32 {
    let mut best = f32::NEG_INFINITY;
    for pose in poses {
        let on_thing: Vec<(Point, f32)> = seen.iter().map(|(p, dark)| (pose.inverse(*p), *dark)).collect();
        for by in MOVES.into_iter().flat_map(|x| MOVES.map(|y| at(x, y))) {
            best = best.max(likeness(pattern, by, &on_thing));
        }
    }
    best
}

/// Correlation of the darkness with the marks of a pattern that was moved.
fn likeness(pattern: Pattern, by: Point, seen: &[(Point, f32)]) -> f32 {
    let expected = seen
        .iter()
        .map(|(p, _)| f32::from(u8::from(pattern.marks(at(p.x + by.x, p.y + by.y)))));
    let expected: Vec<f32> = expected.collect();
    let observed: Vec<f32> = seen.iter().map(|(_, dark)| *dark).collect();
    let (a, b) = (mean(&expected), mean(&observed));
    let together: f32 = expected
        .iter()
        .zip(&observed)
        .map(|(x, y)| (x - a) * (y - b))
        .sum();
    let scale = deviation(&expected) * deviation(&observed) * seen.len() as f32;
    if scale > 0.0 { together / scale } else { 0.0 }
}

fn mean(of: &[f32]) -> f32 {
    of.iter().sum::<f32>() / of.len().max(1) as f32
}

fn deviation(of: &[f32]) -> f32 {
    let middle = mean(of);
    let squares: f32 = of.iter().map(|x| (x - middle) * (x - middle)).sum();
    (squares / of.len().max(1) as f32).sqrt()
}
