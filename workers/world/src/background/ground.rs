//! Places that fill the picture with one texture.

use super::Look;
use crate::chance::cell_noise;
use crate::colour::Rgb;
use crate::plane::{Point, at, ellipse};

/// Leaves in two greens, darker and duller than any green object.
pub(super) fn jungle(p: Point, look: &Look) -> Rgb {
    let p = at(p.x + look.shift.0, p.y + look.shift.1);
    let (column, row) = ((p.x / 11.0).floor(), (p.y / 13.0).floor());
    let noise = cell_noise(look.seed, column as i32, row as i32);
    let middle = at((column + 0.3 + 0.4 * noise) * 11.0, (row + 0.5) * 13.0);
    match ellipse(p, middle, at(3.6, 6.2)) {
        true if noise < 0.5 => Rgb::new(52, 84, 50),
        true => Rgb::new(40, 72, 44),
        false => Rgb::new(28, 54, 36),
    }
}

/// Planks with thin dark seams.
pub(super) fn wooden_floor(p: Point, look: &Look) -> Rgb {
    const PLANK: f32 = 10.0;
    let (x, y) = (p.x + look.shift.0, p.y + look.shift.1);
    let row = (y / PLANK).floor();
    let start = 40.0 * cell_noise(look.seed, row as i32, 0);
    let column = ((x + start) / 36.0).floor();
    let seam = y - row * PLANK < 1.0 || x + start - column * 36.0 < 1.0;
    if seam {
        return Rgb::new(96, 68, 48);
    }
    let tone = cell_noise(look.seed, row as i32, column as i32 + 1);
    Rgb::new(146, 104, 72).scaled(0.92 + 0.16 * tone)
}

/// Dull red bricks; the mortar is dark, since light mortar is taken for snow or for marks.
pub(super) fn brick_wall(p: Point, look: &Look) -> Rgb {
    let (p, column, row) = staggered(p, look, at(16.0, 8.0));
    if p.y - row * 8.0 < 1.0 || p.x - column * 16.0 < 1.0 {
        return Rgb::new(72, 58, 56);
    }
    let tone = cell_noise(look.seed, column as i32, row as i32);
    Rgb::new(122, 70, 62).scaled(0.94 + 0.12 * tone)
}

/// Grey stones in staggered rows.
pub(super) fn cobblestone(p: Point, look: &Look) -> Rgb {
    let (p, column, row) = staggered(p, look, at(12.0, 9.0));
    let middle = at((column + 0.5) * 12.0, (row + 0.5) * 9.0);
    if !ellipse(p, middle, at(5.9, 4.5)) {
        return Rgb::new(76, 78, 86);
    }
    let tone = cell_noise(look.seed, column as i32, row as i32);
    Rgb::new(132, 134, 140).scaled(0.92 + 0.14 * tone)
}

/// Stones of one size, every other row moved by half a stone: the moved point, and its stone's column and row.
fn staggered(p: Point, look: &Look, stone: Point) -> (Point, f32, f32) {
    let (x, y) = (p.x + look.shift.0, p.y + look.shift.1);
    let row = (y / stone.y).floor();
    let odd = (row as i32).rem_euclid(2) == 1;
    let x = if odd { x + stone.x / 2.0 } else { x };
    (at(x, y), (x / stone.x).floor(), row)
}

/// Slanting ripples.
pub(super) fn water(p: Point, look: &Look) -> Rgb {
    let (x, y) = (p.x + look.shift.0, p.y + look.shift.1);
    let along = x / 16.0 - (x / 16.0).floor();
    let crest = if along < 0.5 { along } else { 1.0 - along };
    let down = y / 8.0 + crest;
    if down - down.floor() < 0.3 {
        Rgb::new(74, 128, 150)
    } else {
        Rgb::new(50, 104, 130)
    }
}
