//! The things that captions can name, as silhouettes in the square from -1 to 1.

use serde::{Deserialize, Serialize};

use crate::plane::{Point, at, circle, ellipse, polygon, rectangle};

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the word says it")]
pub enum Shape {
    Ball,
    Mug,
    Vase,
    Bottle,
    Star,
    Heart,
    Fish,
    Car,
    House,
    Mushroom,
    Hat,
    Cat,
    Duck,
    Boat,
}

impl Shape {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Ball,
        Self::Mug,
        Self::Vase,
        Self::Bottle,
        Self::Star,
        Self::Heart,
        Self::Fish,
        Self::Car,
        Self::House,
        Self::Mushroom,
        Self::Hat,
        Self::Cat,
        Self::Duck,
        Self::Boat,
    ];

    /// The word in captions.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ball => "ball",
            Self::Mug => "mug",
            Self::Vase => "vase",
            Self::Bottle => "bottle",
            Self::Star => "star",
            Self::Heart => "heart",
            Self::Fish => "fish",
            Self::Car => "car",
            Self::House => "house",
            Self::Mushroom => "mushroom",
            Self::Hat => "hat",
            Self::Cat => "cat",
            Self::Duck => "duck",
            Self::Boat => "boat",
        }
    }

    /// Whether the silhouette covers a point of the square from -1 to 1.
    pub fn covers(self, p: Point) -> bool {
        match self {
            Self::Ball => circle(p, at(0.0, 0.0), 0.86),
            Self::Mug => mug(p),
            Self::Vase => polygon(p, &VASE),
            Self::Bottle => polygon(p, &BOTTLE),
            Self::Star => polygon(p, &STAR),
            Self::Heart => heart(p),
            Self::Fish => fish(p),
            Self::Car => car(p),
            Self::House => rectangle(p, [-0.6, -0.1, 0.6, 0.85]) || polygon(p, &ROOF),
            Self::Mushroom => mushroom(p),
            Self::Hat => ellipse(p, at(0.0, 0.5), at(0.98, 0.22)) || polygon(p, &CROWN),
            Self::Cat => cat(p),
            Self::Duck => duck(p),
            Self::Boat => boat(p),
        }
    }
}

const VASE: [(f32, f32); 10] = [
    (-0.46, -0.92),
    (0.46, -0.92),
    (0.2, -0.5),
    (0.68, 0.15),
    (0.6, 0.5),
    (0.36, 0.92),
    (-0.36, 0.92),
    (-0.6, 0.5),
    (-0.68, 0.15),
    (-0.2, -0.5),
];
const BOTTLE: [(f32, f32); 8] = [
    (-0.16, -1.0),
    (0.16, -1.0),
    (0.16, -0.42),
    (0.42, -0.12),
    (0.42, 0.98),
    (-0.42, 0.98),
    (-0.42, -0.12),
    (-0.16, -0.42),
];
/// Five points on a circle of 1.0, five between them on one of 0.44, moved down a little.
const STAR: [(f32, f32); 10] = [
    (0.0, -0.95),
    (0.259, -0.306),
    (0.951, -0.259),
    (0.418, 0.186),
    (0.588, 0.859),
    (0.0, 0.49),
    (-0.588, 0.859),
    (-0.418, 0.186),
    (-0.951, -0.259),
    (-0.259, -0.306),
];
const ROOF: [(f32, f32); 3] = [(0.0, -0.95), (0.92, -0.08), (-0.92, -0.08)];
const CROWN: [(f32, f32); 4] = [(-0.48, 0.5), (-0.4, -0.6), (0.4, -0.6), (0.48, 0.5)];

fn mug(p: Point) -> bool {
    let handle = circle(p, at(0.42, 0.02), 0.5) && !circle(p, at(0.42, 0.02), 0.26);
    rectangle(p, [-0.8, -0.8, 0.4, 0.8]) || handle
}

fn heart(p: Point) -> bool {
    let lobes = circle(p, at(-0.43, -0.33), 0.47) || circle(p, at(0.43, -0.33), 0.47);
    lobes || polygon(p, &[(-0.83, -0.09), (0.0, -0.4), (0.83, -0.09), (0.0, 0.9)])
}

fn fish(p: Point) -> bool {
    let tail = polygon(p, &[(0.3, 0.0), (0.95, -0.52), (0.8, 0.0), (0.95, 0.52)]);
    ellipse(p, at(-0.2, 0.0), at(0.74, 0.46)) || tail
}

fn car(p: Point) -> bool {
    let cabin = polygon(p, &[(-0.62, 0.0), (-0.36, -0.48), (0.36, -0.48), (0.62, 0.0)]);
    let wheels = circle(p, at(-0.54, 0.4), 0.25) || circle(p, at(0.54, 0.4), 0.25);
    rectangle(p, [-0.98, -0.02, 0.98, 0.4]) || cabin || wheels
}

fn mushroom(p: Point) -> bool {
    let cap = ellipse(p, at(0.0, 0.05), at(0.95, 0.92)) && p.y <= 0.05;
    cap || rectangle(p, [-0.27, 0.0, 0.27, 0.88])
}

fn cat(p: Point) -> bool {
    let left = polygon(p, &[(-0.7, 0.1), (-0.66, -0.9), (-0.05, -0.35)]);
    let right = polygon(p, &[(0.7, 0.1), (0.66, -0.9), (0.05, -0.35)]);
    ellipse(p, at(0.0, 0.2), at(0.78, 0.64)) || left || right
}

fn duck(p: Point) -> bool {
    let body = ellipse(p, at(0.12, 0.4), at(0.8, 0.44));
    let tail = polygon(p, &[(0.55, 0.2), (0.98, -0.2), (0.9, 0.45)]);
    let beak = polygon(p, &[(-0.6, -0.55), (-1.0, -0.3), (-0.6, -0.2)]);
    body || tail || beak || circle(p, at(-0.4, -0.38), 0.4)
}

fn boat(p: Point) -> bool {
    let hull = polygon(p, &[(-0.95, 0.35), (0.95, 0.35), (0.6, 0.82), (-0.6, 0.82)]);
    let mast = rectangle(p, [-0.07, -0.95, 0.07, 0.4]);
    hull || mast || polygon(p, &[(0.0, -0.95), (0.78, 0.2), (0.0, 0.2)])
}
