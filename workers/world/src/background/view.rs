//! Places with a horizon.

use super::Look;
use crate::chance::cell_noise;
use crate::colour::Rgb;
use crate::plane::{Point, polygon};

/// Sky, sea and sand.
pub(super) fn beach(p: Point, look: &Look) -> Rgb {
    if p.y < 18.0 + look.horizon {
        Rgb::new(170, 208, 230)
    } else if p.y < 30.0 + look.horizon {
        Rgb::new(72, 148, 172)
    } else {
        grains(p, look, Rgb::new(206, 182, 138))
    }
}

/// A pale sky over white ground.
pub(super) fn snow(p: Point, look: &Look) -> Rgb {
    if p.y < 24.0 + look.horizon + drift(p.x + look.shift.0) {
        Rgb::new(186, 202, 222)
    } else {
        grains(p, look, Rgb::new(238, 243, 249))
    }
}

/// A dark sky with dim stars, and no moon: a bright disc would look like an object.
pub(super) fn night(p: Point, look: &Look) -> Rgb {
    if p.y >= 46.0 + look.horizon {
        return Rgb::new(10, 24, 24);
    }
    let (column, row) = (p.x.floor() as i32, p.y.floor() as i32);
    if cell_noise(look.seed, column, row) < 0.012 {
        Rgb::new(52, 54, 84)
    } else {
        Rgb::new(16, 18, 46)
    }
}

/// One grey peak behind a meadow.
pub(super) fn mountain(p: Point, look: &Look) -> Rgb {
    if p.y >= 42.0 + look.horizon {
        return grains(p, look, Rgb::new(116, 136, 92));
    }
    let middle = 22.0 + look.shift.0 * 0.6;
    let slope = [(middle, 8.0), (middle + 34.0, 52.0), (middle - 34.0, 52.0)];
    if polygon(p, &slope) {
        Rgb::new(106, 108, 126)
    } else {
        Rgb::new(184, 208, 226)
    }
}

/// Houses of different heights under an evening sky, and a street.
pub(super) fn city(p: Point, look: &Look) -> Rgb {
    if p.y >= 46.0 + look.horizon {
        return Rgb::new(104, 98, 106);
    }
    let column = ((p.x + look.shift.0) / 9.0).floor() as i32;
    let top = 10.0 + 22.0 * cell_noise(look.seed, column, 0);
    match p.y >= top {
        true if cell_noise(look.seed, column, 1) < 0.5 => Rgb::new(80, 84, 108),
        true => Rgb::new(94, 98, 122),
        false => Rgb::new(208, 186, 190),
    }
}

/// The slightest texture: squares of two pixels, a little darker or lighter.
fn grains(p: Point, look: &Look, colour: Rgb) -> Rgb {
    let (column, row) = ((p.x / 4.0).floor() as i32, (p.y / 3.0).floor() as i32);
    colour.scaled(0.98 + 0.04 * cell_noise(look.seed, column, row))
}

/// A hilly line by parabolas, from 0 to 4 pixels.
fn drift(x: f32) -> f32 {
    let within = x / 32.0 - (x / 32.0).floor();
    16.0 * within * (1.0 - within)
}
