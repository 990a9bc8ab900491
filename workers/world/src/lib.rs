//! A small world of drawn scenes, for training a tiny text-to-image model that really works and for judging what
//! it draws.
//!
//! From the ground up: [`plane`] figures, [`colour`]s and [`chance`]; [`shape`]s with a [`pattern`] are objects,
//! [`toy`]s are what captions cannot fully say, either is a [`thing`]; a thing on a [`background`] is a [`scene`],
//! drawn to a [`picture`] and described by a [`caption`]. [`pairs`] and [`concepts`] are held out of the [`dataset`].
//! The [`judge`] looks at a picture and says what is in it, by comparing pixels with what the renderer would paint:
//! no network takes part.
//!
//! Everything is a function of a seed, to the last bit on every platform.

pub mod background;
pub mod caption;
pub mod chance;
pub mod colour;
pub mod concepts;
pub mod dataset;
pub mod judge;
pub mod pairs;
pub mod pattern;
pub mod picture;
pub mod plane;
pub mod scene;
pub mod shape;
pub mod thing;
pub mod toy;
