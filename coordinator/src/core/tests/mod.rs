//! The brain in tables and in random walks.

mod attempts;
mod placement;
mod random;
mod sharing;
mod views;
mod workers;
mod world;

use world::World;
