//! The colours of each place, row by row, as the renderer paints them.

use crate::background::{Background, Look, SIDE};
use crate::chance::Chance;
use crate::colour::Rgb;
use crate::picture::Picture;
use crate::plane::at;

/// A colour this close to one of a place's colours is the place's.
pub(super) const WITHIN: f32 = 18.0;
/// Pictures of each place from which its colours are learned.
const LOOKS: u64 = 48;
/// Colours closer than this are counted as one.
const SAME: f32 = 10.0;
/// A colour with less than this share of its row is not expected there: stars, corners of textures.
const RARE: f32 = 0.02;
/// Rows above and below whose colours are also allowed: models put horizons a little wrong.
const NEIGHBOURS: usize = 2;
/// Width of the frame that decides the place, in pixels; things rarely reach into it.
const FRAME: usize = 6;
/// No pixel costs more than this.
const MOST: f32 = 60.0;
/// A picture further than this from every place, on average over the frame, is none of them.
const CLOSE: f32 = 22.0;

/// The colours of each row of each place.
pub(super) struct Places(Vec<Vec<Vec<Rgb>>>);

/// How well a place fits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fit {
    pub(super) background: Background,
    /// Average distance of the frame's pixels from the place's colours.
    cost: f32,
}

impl Fit {
    pub(super) fn is_close(self) -> bool {
        self.cost < CLOSE
    }
}

impl Places {
    pub(super) fn from_renderer() -> Self {
        Self(Background::ALL.map(rows).to_vec())
    }

    /// The place that fits a picture's frame best.
    pub(super) fn best(&self, picture: &Picture) -> Fit {
        let fits = Background::ALL.map(|background| Fit {
            background,
            cost: self.cost(background, picture),
        });
        fits.into_iter()
            .min_by(|a, b| a.cost.total_cmp(&b.cost))
            .expect("there are places")
    }

    fn cost(&self, background: Background, picture: &Picture) -> f32 {
        let inner = FRAME..SIDE - FRAME;
        let frame = (0..SIDE * SIDE)
            .map(|i| (i % SIDE, i / SIDE))
            .filter(|(x, y)| !(inner.contains(x) && inner.contains(y)));
        let costs: Vec<f32> = frame
            .map(|(x, y)| self.distance(background, picture, x, y).min(MOST))
            .collect();
        costs.iter().sum::<f32>() / costs.len() as f32
    }

    /// How far a pixel is from the colours of a place around its row.
    pub(super) fn distance(&self, background: Background, picture: &Picture, x: usize, y: usize) -> f32 {
        let rows = &self.0[background as usize];
        let near = y.saturating_sub(NEIGHBOURS)..(y + NEIGHBOURS + 1).min(SIDE);
        let colour = Rgb::from(picture.at(x, y));
        let distances = rows[near].iter().flatten().map(|known| known.distance(colour));
        distances.fold(f32::INFINITY, f32::min)
    }
}

/// The common colours of every row of a place.
fn rows(background: Background) -> Vec<Vec<Rgb>> {
    let looks: Vec<Look> = (0..LOOKS)
        .map(|i| Look::draw(&mut Chance::new(background as u64, i)))
        .collect();
    (0..SIDE).map(|y| common(background, &looks, y)).collect()
}

fn common(background: Background, looks: &[Look], y: usize) -> Vec<Rgb> {
    let mut counted: Vec<(Rgb, usize)> = Vec::new();
    for look in looks {
        for x in 0..SIDE {
            let colour = background.colour(at(x as f32 + 0.5, y as f32 + 0.5), look);
            match counted
                .iter_mut()
                .find(|(known, _)| known.distance(colour) < SAME)
            {
                Some((_, count)) => *count += 1,
                None => counted.push((colour, 1)),
            }
        }
    }
    let least = RARE * (looks.len() * SIDE) as f32;
    counted.retain(|(_, count)| *count as f32 >= least);
    counted.into_iter().map(|(colour, _)| colour).collect()
}
