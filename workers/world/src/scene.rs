//! A scene, and how it is drawn.

use crate::background::{Background, Look, SIDE};
use crate::chance::Chance;
use crate::colour::Rgb;
use crate::picture::{Mask, Picture};
use crate::plane::{Point, Turn, at};
use crate::thing::Thing;

/// Samples per pixel along each axis.
const SAMPLES: usize = 3;
/// The largest tangent of half the angle by which things are turned: 6 degrees either way.
pub const LEAN: f32 = 0.0525;
/// Half the size of a thing, in pixels.
const HALF_SIZE: (f32, f32) = (17.0, 20.0);
/// How far a thing's middle is from the picture's, in pixels.
const AWAY: f32 = 3.0;

/// Where a thing is, how large and how turned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pose {
    /// Its middle, in pixels.
    pub middle: Point,
    /// Half its size, in pixels.
    pub half: f32,
    /// How it is turned.
    pub turn: Turn,
}

/// One thing on one background.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scene {
    /// What is shown.
    pub thing: Thing,
    /// Where.
    pub background: Background,
    /// How the thing stands.
    pub pose: Pose,
    /// How the background looks.
    pub look: Look,
}

impl Pose {
    /// Any pose.
    pub fn draw(chance: &mut Chance) -> Self {
        let middle = SIDE as f32 / 2.0;
        Self {
            middle: at(
                middle + chance.between(-AWAY, AWAY),
                middle + chance.between(-AWAY, AWAY),
            ),
            half: chance.between(HALF_SIZE.0, HALF_SIZE.1),
            turn: Turn::from_half_tangent(chance.between(-LEAN, LEAN)),
        }
    }

    /// A point of the picture in the thing's square from -1 to 1.
    pub fn inverse(&self, p: Point) -> Point {
        let moved = at(
            (p.x - self.middle.x) / self.half,
            (p.y - self.middle.y) / self.half,
        );
        self.turn.undo(moved)
    }
}

impl Scene {
    /// A thing on a background, the rest by chance.
    pub fn draw(thing: Thing, background: Background, chance: &mut Chance) -> Self {
        Self {
            thing,
            background,
            pose: Pose::draw(chance),
            look: Look::draw(chance),
        }
    }

    /// The picture.
    pub fn picture(&self) -> Picture {
        Picture::from_fn(|x, y| {
            let mut sum = [0.0; 3];
            for p in samples(x, y) {
                let colour = self.thing.colour(self.pose.inverse(p));
                let Rgb(colour) = colour.unwrap_or_else(|| self.background.colour(p, &self.look));
                for (total, c) in sum.iter_mut().zip(colour) {
                    *total += c;
                }
            }
            Rgb(sum.map(|c| c / (SAMPLES * SAMPLES) as f32)).bytes()
        })
    }

    /// The pixels that the thing covers by more than half.
    pub fn mask(&self) -> Mask {
        Mask::from_fn(|x, y| {
            let covered = samples(x, y).filter(|p| self.thing.colour(self.pose.inverse(*p)).is_some());
            2 * covered.count() > SAMPLES * SAMPLES
        })
    }
}

/// The points in which a pixel is looked at.
fn samples(x: usize, y: usize) -> impl Iterator<Item = Point> {
    let part = |pixel: usize, sample: usize| pixel as f32 + (sample as f32 + 0.5) / SAMPLES as f32;
    (0..SAMPLES * SAMPLES).map(move |i| at(part(x, i % SAMPLES), part(y, i / SAMPLES)))
}
