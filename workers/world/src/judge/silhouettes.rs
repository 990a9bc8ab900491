//! Outlines of all shapes, brought to one size and place, to compare a found outline with.

use std::ops::RangeInclusive;

use crate::background::SIDE;
use crate::picture::Mask;
use crate::plane::{Point, Turn, at};
use crate::scene::{LEAN, Pose};
use crate::shape::Shape;

use super::outline::largest_filled;

/// Side of the grid on which outlines are compared.
const GRID: usize = 32;
/// The grid reaches this many square roots of an outline's area from its centre.
const REACH: f32 = 1.25;
/// Turns of each shape; the outer ones lean as far as a scene's.
const TURNS: i32 = 9;
/// Half size of the drawn shapes, in pixels.
const HALF: f32 = 17.5;
/// Outlines that overlap less with every shape's are none of them: intersection over union.
const CLOSE: f32 = 0.75;
/// Turns whose overlap is less than this below the best one's are as likely.
const AS_GOOD: f32 = 0.015;
/// The areas of outlines, in pixels: less is a speck, more is not a thing in front of a place.
const AREAS: RangeInclusive<usize> = 60..=2000;

/// The outlines of all shapes in all turns.
pub(super) struct Silhouettes(Vec<Known>);

struct Known {
    shape: Shape,
    turn: Turn,
    normal: Normal,
}

/// An outline moved to its centre of gravity and scaled to one area.
struct Normal {
    cells: Vec<bool>,
    centre: Point,
    /// Square root of the area, in pixels.
    size: f32,
}

/// The shape that fits an outline best.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) shape: Shape,
    /// How the shape may stand there: a ball's outline does not tell how it is turned.
    pub(super) poses: Vec<Pose>,
    overlap: f32,
}

impl Found {
    pub(super) fn is_close(&self) -> bool {
        self.overlap >= CLOSE
    }
}

impl Silhouettes {
    pub(super) fn from_renderer() -> Self {
        let turns = (0..TURNS).map(|i| LEAN * (2.0 * i as f32 / (TURNS - 1) as f32 - 1.0));
        let turns: Vec<Turn> = turns.map(Turn::from_half_tangent).collect();
        let all = Shape::ALL
            .into_iter()
            .flat_map(|shape| turns.iter().map(move |turn| (shape, *turn)));
        Self(all.filter_map(|(shape, turn)| Known::new(shape, turn)).collect())
    }

    /// `None` if the outline is too small or too large to be anything.
    pub(super) fn best(&self, outline: &Mask) -> Option<Found> {
        let normal = Normal::of(outline)?;
        let overlaps = self.0.iter().map(|known| (known, known.normal.overlap(&normal)));
        let overlaps: Vec<(&Known, f32)> = overlaps.collect();
        let (best, overlap) = *overlaps.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let as_good = overlaps
            .iter()
            .filter(|(known, other)| known.shape == best.shape && *other > overlap - AS_GOOD);
        Some(Found {
            shape: best.shape,
            poses: as_good.map(|(known, _)| known.pose(&normal)).collect(),
            overlap,
        })
    }
}

impl Known {
    fn new(shape: Shape, turn: Turn) -> Option<Self> {
        let pose = drawn(turn);
        let mask = Mask::from_fn(|x, y| shape.covers(pose.inverse(at(x as f32 + 0.5, y as f32 + 0.5))));
        let normal = Normal::of(&largest_filled(&mask))?;
        Some(Self { shape, turn, normal })
    }

    /// The pose of this shape if its outline is the given one.
    fn pose(&self, seen: &Normal) -> Pose {
        let scale = seen.size / self.normal.size;
        let middle = drawn(self.turn).middle;
        Pose {
            middle: at(
                seen.centre.x + scale * (middle.x - self.normal.centre.x),
                seen.centre.y + scale * (middle.y - self.normal.centre.y),
            ),
            half: HALF * scale,
            turn: self.turn,
        }
    }
}

fn drawn(turn: Turn) -> Pose {
    let middle = SIDE as f32 / 2.0;
    Pose {
        middle: at(middle, middle),
        half: HALF,
        turn,
    }
}

impl Normal {
    fn of(mask: &Mask) -> Option<Self> {
        let area = mask.pixels().count();
        if !AREAS.contains(&area) {
            return None;
        }
        let sum = mask.pixels().fold((0, 0), |sum, (x, y)| (sum.0 + x, sum.1 + y));
        let mean = |sum: usize| sum as f32 / area as f32 + 0.5;
        let (centre, size) = (at(mean(sum.0), mean(sum.1)), (area as f32).sqrt());
        let pixel = |cell: usize, centre: f32| {
            let from_centre = ((cell as f32 + 0.5) / GRID as f32 * 2.0 - 1.0) * REACH;
            (centre + from_centre * size).floor()
        };
        let inside = 0.0..SIDE as f32;
        let belongs = |i: usize| {
            let (x, y) = (pixel(i % GRID, centre.x), pixel(i / GRID, centre.y));
            inside.contains(&x) && inside.contains(&y) && mask.at(x as usize, y as usize)
        };
        Some(Self {
            cells: (0..GRID * GRID).map(belongs).collect(),
            centre,
            size,
        })
    }

    /// Intersection over union.
    fn overlap(&self, other: &Self) -> f32 {
        let (mut both, mut either) = (0, 0);
        for (a, b) in self.cells.iter().zip(&other.cells) {
            both += usize::from(*a && *b);
            either += usize::from(*a || *b);
        }
        both as f32 / either.max(1) as f32
    }
}
