//! Says what a picture shows, by comparing its pixels with what the renderer would paint. No network takes part, and
//! nothing is learned: the colours of every place and the outlines of every shape come from the renderer itself.
//!
//! The place is the one whose colours fit the picture's frame best. What has an object's colour rather than the
//! place's is the object; its outline is compared with every shape's, moved, scaled and turned; its colour is the one
//! whose shades fit best; its marks are compared with every pattern's.

mod outline;
mod places;
mod report;
mod shades;
mod silhouettes;
mod surface;

use crate::background::Background;
use crate::caption::{self, Caption, Noun};
use crate::colour::Colour;
use crate::pattern::Pattern;
use crate::picture::{Mask, Picture};
use crate::shape::Shape;

pub use report::{Report, judge_folder};

use places::Places;
use silhouettes::Silhouettes;

/// What a picture shows. `None` where nothing fits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// The place.
    pub background: Option<Background>,
    /// The shape of the largest thing.
    pub shape: Option<Shape>,
    /// Its colour.
    pub colour: Option<Colour>,
    /// Its surface.
    pub pattern: Option<Pattern>,
}

/// What of a caption a picture shows. `None` where the caption says nothing, or nothing that the judge knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The right place.
    pub background: Option<bool>,
    /// The right shape.
    pub shape: Option<bool>,
    /// The right colour.
    pub colour: Option<bool>,
    /// The right surface. A caption with a colour and no surface means a plain one.
    pub pattern: Option<bool>,
}

/// Knows all places and shapes.
pub struct Judge {
    places: Places,
    silhouettes: Silhouettes,
}

impl Default for Judge {
    fn default() -> Self {
        Self {
            places: Places::from_renderer(),
            silhouettes: Silhouettes::from_renderer(),
        }
    }
}

impl Judge {
    /// Looks at a picture.
    pub fn look(&self, picture: &Picture) -> Seen {
        let fit = self.places.best(picture);
        let background = fit.is_close().then_some(fit.background);
        let nothing = Seen {
            background,
            shape: None,
            colour: None,
            pattern: None,
        };
        let outline = self.outline_on(picture, fit.background);
        let Some(found) = self.silhouettes.best(&outline) else {
            return nothing;
        };
        let colour = shades::colour(picture, &outline);
        let pattern = colour.and_then(|colour| surface::pattern(picture, &outline, colour, &found.poses));
        Seen {
            background,
            shape: found.is_close().then_some(found.shape),
            colour,
            pattern,
        }
    }

    /// Where the largest thing of a picture is; empty if there is none.
    pub fn outline(&self, picture: &Picture) -> Mask {
        self.outline_on(picture, self.places.best(picture).background)
    }

    fn outline_on(&self, picture: &Picture, background: Background) -> Mask {
        let rough = Mask::from_fn(|x, y| {
            let from_place = self.places.distance(background, picture, x, y);
            let (_, from_things) = shades::nearest(picture.at(x, y).into());
            from_place > places::WITHIN && from_things < from_place
        });
        outline::largest_filled(&rough)
    }

    /// Compares a picture with its caption.
    pub fn compare(&self, picture: &Picture, text: &str) -> Verdict {
        let seen = self.look(picture);
        let said = Caption::parse(text).ok();
        let place = said.map_or_else(|| caption::place(text), |said| said.background);
        let shape = said.and_then(|said| match said.noun {
            Noun::Shape(shape) => Some(shape),
            Noun::Toy | Noun::Robot | Noun::Monster => None,
        });
        let colour = said.and_then(|said| said.colour);
        let pattern = said.and_then(|said| said.pattern.or(colour.map(|_| Pattern::Plain)));
        Verdict {
            background: place.map(|place| seen.background == Some(place)),
            shape: shape.map(|shape| seen.shape == Some(shape)),
            colour: colour.map(|colour| seen.colour == Some(colour)),
            pattern: pattern.map(|pattern| seen.pattern == Some(pattern)),
        }
    }
}

impl Verdict {
    /// Whether shape, colour and surface are what was said.
    pub fn object(&self) -> Option<bool> {
        let said: Vec<bool> = [self.shape, self.colour, self.pattern]
            .into_iter()
            .flatten()
            .collect();
        self.shape.map(|_| said.iter().all(|right| *right))
    }

    /// Whether object and place are what was said.
    pub fn all(&self) -> Option<bool> {
        Some(self.object()? && self.background?)
    }
}
