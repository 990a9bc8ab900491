//! Toys: a body, something on top and an emblem, in three colours. Captions only say "toy" or the family's word, so
//! which toy it is can be shown but not said. Concepts are toys whose composition no training scene has.

use serde::{Deserialize, Serialize};

use crate::chance::Chance;
use crate::colour::Colour;
use crate::plane::{Point, at, circle, ellipse, polygon, rectangle};

/// The trunk of a toy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the word says it")]
pub enum Body {
    Round,
    Egg,
    Square,
    Bell,
}

/// What a toy wears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the word says it")]
pub enum Topper {
    Ears,
    Horns,
    Antenna,
    Cone,
    Crest,
}

/// The sign on a toy's front.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the word says it")]
pub enum Emblem {
    Ring,
    Cross,
    Triangle,
    Diamond,
    Bars,
    Crescent,
    Hook,
    Bolt,
}

/// A toy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Toy {
    /// Its trunk.
    pub body: Body,
    /// What it wears.
    pub topper: Topper,
    /// The sign on it.
    pub emblem: Emblem,
    /// Colours of body, topper and emblem.
    pub colours: [Colour; 3],
}

impl Body {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Round, Self::Egg, Self::Square, Self::Bell];

    /// Where it ends above.
    fn top(self) -> f32 {
        match self {
            Self::Round => -0.34,
            Self::Egg => -0.48,
            Self::Square => -0.3,
            Self::Bell => -0.36,
        }
    }

    fn covers(self, p: Point) -> bool {
        match self {
            Self::Round => circle(p, at(0.0, 0.3), 0.64),
            Self::Egg => ellipse(p, at(0.0, 0.22), at(0.5, 0.74)),
            Self::Square => rectangle(p, [-0.58, -0.34, 0.58, 0.88]),
            Self::Bell => polygon(p, &[(-0.34, -0.42), (0.34, -0.42), (0.78, 0.9), (-0.78, 0.9)]),
        }
    }
}

impl Topper {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Ears, Self::Horns, Self::Antenna, Self::Cone, Self::Crest];

    /// Relative to the top of the body; the body hides what lies behind it.
    fn covers(self, p: Point) -> bool {
        let mirrored = at(p.x.abs(), p.y);
        match self {
            Self::Ears => circle(mirrored, at(0.36, 0.0), 0.27),
            Self::Horns => polygon(mirrored, &[(0.06, 0.2), (0.56, -0.5), (0.46, 0.3)]),
            Self::Antenna => circle(p, at(0.0, -0.34), 0.2) || rectangle(p, [-0.07, -0.3, 0.07, 0.2]),
            Self::Cone => polygon(p, &[(-0.42, 0.16), (0.0, -0.6), (0.42, 0.16)]),
            Self::Crest => {
                rectangle(p, [-0.14, -0.44, 0.14, 0.3]) || rectangle(mirrored, [0.2, -0.26, 0.42, 0.4])
            }
        }
    }
}

impl Emblem {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Ring,
        Self::Cross,
        Self::Triangle,
        Self::Diamond,
        Self::Bars,
        Self::Crescent,
        Self::Hook,
        Self::Bolt,
    ];

    /// In its own square from -1 to 1.
    fn covers(self, p: Point) -> bool {
        let (x, y) = (p.x.abs(), p.y.abs());
        match self {
            Self::Ring => circle(p, at(0.0, 0.0), 0.95) && !circle(p, at(0.0, 0.0), 0.45),
            Self::Cross => (x <= 0.3 && y <= 0.95) || (y <= 0.3 && x <= 0.95),
            Self::Triangle => polygon(p, &[(0.0, -0.95), (1.0, 0.8), (-1.0, 0.8)]),
            Self::Diamond => x / 0.8 + y <= 1.0,
            Self::Bars => (0.25..=0.8).contains(&x) && y <= 0.85,
            Self::Crescent => circle(p, at(0.0, 0.0), 0.95) && !circle(p, at(0.5, -0.3), 0.75),
            Self::Hook => rectangle(p, [-0.7, -0.95, -0.1, 0.95]) || rectangle(p, [-0.7, 0.35, 0.85, 0.95]),
            Self::Bolt => polygon(p, &BOLT),
        }
    }
}

const BOLT: [(f32, f32); 6] = [
    (0.3, -1.0),
    (-0.7, 0.2),
    (-0.05, 0.2),
    (-0.3, 1.0),
    (0.7, -0.25),
    (0.05, -0.25),
];
const EMBLEM_MIDDLE: Point = at(0.0, 0.32);
const EMBLEM_HALF: f32 = 0.34;

impl Toy {
    /// Any composition; emblem and topper differ in colour from the body.
    pub fn draw(chance: &mut Chance) -> Self {
        let body = chance.pick(&Colour::ALL);
        let mut other = || loop {
            let colour = chance.pick(&Colour::ALL);
            if colour != body {
                return colour;
            }
        };
        let colours = [body, other(), other()];
        Self {
            body: chance.pick(&Body::ALL),
            topper: chance.pick(&Topper::ALL),
            emblem: chance.pick(&Emblem::ALL),
            colours,
        }
    }

    /// The word of its family: edges make a robot, curves a monster.
    pub fn family(&self) -> &'static str {
        match self.body {
            Body::Round | Body::Egg => "monster",
            Body::Square | Body::Bell => "robot",
        }
    }

    /// Whether two toys are made of the same parts, whatever their colours.
    pub fn same_parts(&self, other: &Self) -> bool {
        (self.body, self.topper, self.emblem) == (other.body, other.topper, other.emblem)
    }

    /// The colour at a point of the square from -1 to 1.
    pub fn colour(&self, p: Point) -> Option<Colour> {
        let [body, topper, emblem] = self.colours;
        let on_emblem = at(
            (p.x - EMBLEM_MIDDLE.x) / EMBLEM_HALF,
            (p.y - EMBLEM_MIDDLE.y) / EMBLEM_HALF,
        );
        if self.body.covers(p) {
            let shown = self.emblem.covers(on_emblem);
            Some(if shown { emblem } else { body })
        } else {
            let above = at(p.x, p.y - self.body.top());
            self.topper.covers(above).then_some(topper)
        }
    }
}
