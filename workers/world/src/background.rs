//! Where an object can be, and how captions say it.

mod ground;
mod view;

use serde::{Deserialize, Serialize};

use crate::chance::Chance;
use crate::colour::Rgb;
use crate::plane::Point;

/// Side of every picture, in pixels.
pub const SIDE: usize = 64;

/// A place. All are painted in muted colours, none of which an object has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the phrase says it")]
pub enum Background {
    Beach,
    Snow,
    Jungle,
    Night,
    WoodenFloor,
    BrickWall,
    Cobblestone,
    Mountain,
    City,
    Water,
}

/// What differs between two pictures of one place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Seeds the cells of textures.
    pub seed: u32,
    /// How far horizons are moved down, in pixels, from -[`HORIZON_MOVE`] to it.
    pub horizon: f32,
    /// Where textures start, in pixels.
    pub shift: (f32, f32),
    /// Brightness, 1 or very close to it.
    pub light: f32,
}

/// The most that a horizon moves, in pixels.
pub const HORIZON_MOVE: f32 = 3.0;
/// The most that brightness differs from 1.
const LIGHT_CHANGE: f32 = 0.03;
/// Larger than every period of a texture.
const SHIFT: f32 = 32.0;

impl Look {
    /// The look of a scene.
    pub fn draw(chance: &mut Chance) -> Self {
        Self {
            seed: chance.bits(),
            horizon: chance.between(-HORIZON_MOVE, HORIZON_MOVE),
            shift: (
                chance.between(0.0, SHIFT).floor(),
                chance.between(0.0, SHIFT).floor(),
            ),
            light: chance.between(1.0 - LIGHT_CHANGE, 1.0 + LIGHT_CHANGE),
        }
    }
}

impl Background {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Beach,
        Self::Snow,
        Self::Jungle,
        Self::Night,
        Self::WoodenFloor,
        Self::BrickWall,
        Self::Cobblestone,
        Self::Mountain,
        Self::City,
        Self::Water,
    ];

    /// How captions say it, in the words of the field's prompt lists where they have it.
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Beach => "on the beach",
            Self::Snow => "in the snow",
            Self::Jungle => "in the jungle",
            Self::Night => "at night",
            Self::WoodenFloor => "on top of a wooden floor",
            Self::BrickWall => "in front of a brick wall",
            Self::Cobblestone => "on a cobblestone street",
            Self::Mountain => "with a mountain in the background",
            Self::City => "with a city in the background",
            Self::Water => "floating on top of water",
        }
    }

    /// The colour at a point, in pixels from the top left corner.
    pub fn colour(self, p: Point, look: &Look) -> Rgb {
        let colour = match self {
            Self::Beach => view::beach(p, look),
            Self::Snow => view::snow(p, look),
            Self::Night => view::night(p, look),
            Self::Mountain => view::mountain(p, look),
            Self::City => view::city(p, look),
            Self::Jungle => ground::jungle(p, look),
            Self::WoodenFloor => ground::wooden_floor(p, look),
            Self::BrickWall => ground::brick_wall(p, look),
            Self::Cobblestone => ground::cobblestone(p, look),
            Self::Water => ground::water(p, look),
        };
        colour.scaled(look.light)
    }
}
