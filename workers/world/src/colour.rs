//! Colours: arithmetic on them, and the names that captions use.

use serde::{Deserialize, Serialize};

/// Red, green and blue, each from 0 to 255.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rgb(pub [f32; 3]);

impl Rgb {
    /// From the numbers of a colour picker.
    pub const fn new(r: u8, g: u8, b: u8) -> Self {
        Self([r as f32, g as f32, b as f32])
    }

    /// Lighter (above 1) or darker (below 1).
    #[must_use]
    pub fn scaled(self, by: f32) -> Self {
        Self(self.0.map(|c| (c * by).clamp(0.0, 255.0)))
    }

    /// Euclidean distance, in units of a channel: black and white are 442 apart.
    pub fn distance(self, other: Self) -> f32 {
        let squared: f32 = self.0.iter().zip(other.0).map(|(a, b)| (a - b) * (a - b)).sum();
        squared.sqrt()
    }

    /// Rounded to bytes.
    pub fn bytes(self) -> [u8; 3] {
        self.0.map(|c| (c + 0.5).clamp(0.0, 255.0) as u8)
    }
}

impl From<[u8; 3]> for Rgb {
    fn from([r, g, b]: [u8; 3]) -> Self {
        Self::new(r, g, b)
    }
}

/// What an object can be coloured with. All are saturated, and backgrounds are not: that is how the two are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// Red.
    Red,
    /// Orange.
    Orange,
    /// Yellow.
    Yellow,
    /// Green.
    Green,
    /// Blue.
    Blue,
    /// Purple.
    Purple,
    /// Pink.
    Pink,
}

impl Colour {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Red,
        Self::Orange,
        Self::Yellow,
        Self::Green,
        Self::Blue,
        Self::Purple,
        Self::Pink,
    ];

    /// The word in captions.
    pub fn word(self) -> &'static str {
        match self {
            Self::Red => "red",
            Self::Orange => "orange",
            Self::Yellow => "yellow",
            Self::Green => "green",
            Self::Blue => "blue",
            Self::Purple => "purple",
            Self::Pink => "pink",
        }
    }

    /// How it is painted.
    pub fn paint(self) -> Rgb {
        match self {
            Self::Red => Rgb::new(218, 30, 38),
            Self::Orange => Rgb::new(248, 132, 16),
            Self::Yellow => Rgb::new(252, 228, 36),
            Self::Green => Rgb::new(40, 196, 60),
            Self::Blue => Rgb::new(34, 74, 230),
            Self::Purple => Rgb::new(142, 46, 196),
            Self::Pink => Rgb::new(255, 96, 184),
        }
    }
}
