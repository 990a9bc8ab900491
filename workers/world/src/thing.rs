//! What stands in front of a background.

use serde::{Deserialize, Serialize};

use crate::chance::Chance;
use crate::colour::{Colour, Rgb};
use crate::pattern::{MARK_SHADE, Pattern};
use crate::plane::Point;
use crate::shape::Shape;
use crate::toy::Toy;

/// An object that captions can describe fully.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Object {
    /// What it is.
    pub shape: Shape,
    /// Its colour.
    pub colour: Colour,
    /// Its surface.
    pub pattern: Pattern,
}

/// An object or a toy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thing {
    /// Captions can say everything about it.
    Object(Object),
    /// Captions can only say that it is a toy.
    Toy(Toy),
}

/// The lower edge of a thing is this much darker than the upper one.
const SHADING: f32 = 0.1;

impl Object {
    /// Any object.
    pub fn draw(chance: &mut Chance) -> Self {
        Self {
            shape: chance.pick(&Shape::ALL),
            colour: chance.pick(&Colour::ALL),
            pattern: chance.pick(&Pattern::ALL),
        }
    }
}

impl Thing {
    /// The colour at a point of the square from -1 to 1; `None` beside the thing.
    pub fn colour(&self, p: Point) -> Option<Rgb> {
        let flat = match self {
            Self::Object(object) => object.shape.covers(p).then(|| {
                let shade = if object.pattern.marks(p) { MARK_SHADE } else { 1.0 };
                object.colour.paint().scaled(shade)
            }),
            Self::Toy(toy) => toy.colour(p).map(Colour::paint),
        };
        flat.map(|colour| colour.scaled(1.0 - SHADING * (p.y + 1.0) / 2.0))
    }
}
