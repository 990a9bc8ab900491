//! The colour of a thing: in light, in shade and in its marks it keeps its hue.

use crate::colour::{Colour, Rgb};
use crate::picture::{Mask, Picture};

/// The brightnesses that a painted colour can have, marks and shading included, with some room.
const DARKEST: f32 = 0.42;
const BRIGHTEST: f32 = 1.06;
/// No pixel costs more than this.
const MOST: f32 = 90.0;
/// A thing further than this from every colour, on average, has none of them.
const CLOSE: f32 = 45.0;

/// The brightness at which a colour comes closest, and the distance that remains.
pub(super) fn shade(of: Colour, seen: Rgb) -> (f32, f32) {
    let paint = of.paint();
    let product = |a: Rgb, b: Rgb| -> f32 { a.0.iter().zip(b.0).map(|(a, b)| a * b).sum() };
    let brightness = (product(paint, seen) / product(paint, paint)).clamp(DARKEST, BRIGHTEST);
    (brightness, Rgb(paint.0.map(|c| c * brightness)).distance(seen))
}

/// The colour that comes closest, and its distance.
pub(super) fn nearest(seen: Rgb) -> (Colour, f32) {
    let all = Colour::ALL.map(|colour| (colour, shade(colour, seen).1));
    all.into_iter()
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .expect("there are colours")
}

/// The colour of what lies inside an outline.
pub(super) fn colour(picture: &Picture, outline: &Mask) -> Option<Colour> {
    let inside: Vec<Rgb> = outline.pixels().map(|(x, y)| picture.at(x, y).into()).collect();
    let cost = |colour| -> f32 { inside.iter().map(|seen| shade(colour, *seen).1.min(MOST)).sum() };
    let costs = Colour::ALL.map(|colour| (colour, cost(colour) / inside.len().max(1) as f32));
    let (colour, cost) = costs.into_iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    (cost < CLOSE).then_some(colour)
}
