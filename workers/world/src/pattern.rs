//! What an object's surface looks like.

use serde::{Deserialize, Serialize};

use crate::plane::{Point, at, circle};

/// A surface: one colour, or marks in a darker shade of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// One colour; captions do not mention it.
    Plain,
    /// Horizontal bands.
    Striped,
    /// Round dots on a staggered grid.
    Dotted,
    /// A chessboard.
    Checkered,
}

/// How much darker marks are. Dark and not light: light marks would look like snow.
pub const MARK_SHADE: f32 = 0.5;

const BAND: f32 = 0.31;
const CHECK: f32 = 0.42;
const DOT_STEP: f32 = 0.56;
const DOT_RADIUS: f32 = 0.17;

impl Pattern {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Striped, Self::Dotted, Self::Checkered];

    /// The word in captions, if there is one.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Striped => Some("striped"),
            Self::Dotted => Some("dotted"),
            Self::Checkered => Some("checkered"),
        }
    }

    /// Whether a point of the square from -1 to 1 is part of a mark.
    pub fn marks(self, p: Point) -> bool {
        match self {
            Self::Plain => false,
            Self::Striped => is_odd(p.y / BAND + 0.5),
            Self::Checkered => is_odd(p.x / CHECK) != is_odd(p.y / CHECK),
            Self::Dotted => dotted(p),
        }
    }
}

fn is_odd(cells: f32) -> bool {
    (cells.floor() as i32).rem_euclid(2) == 1
}

fn dotted(p: Point) -> bool {
    let row = (p.y / DOT_STEP + 0.5).floor();
    let shift = if (row as i32).rem_euclid(2) == 1 {
        DOT_STEP / 2.0
    } else {
        0.0
    };
    let column = ((p.x - shift) / DOT_STEP + 0.5).floor();
    circle(p, at(column * DOT_STEP + shift, row * DOT_STEP), DOT_RADIUS)
}
