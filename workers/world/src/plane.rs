//! Plane figures by inequality: whether a point lies inside. Only exact arithmetic and square roots are used, so that
//! every platform draws the same picture to the last bit.

/// A point or a difference of points; x to the right, y down.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Down.
    pub y: f32,
}

/// Shorthand of [`Point`].
pub const fn at(x: f32, y: f32) -> Point {
    Point { x, y }
}

/// An upright rectangle given by its left, top, right and bottom edges.
pub fn rectangle(p: Point, [left, top, right, bottom]: [f32; 4]) -> bool {
    (left..=right).contains(&p.x) && (top..=bottom).contains(&p.y)
}

/// An upright ellipse around `centre` with its two half axes.
pub fn ellipse(p: Point, centre: Point, half: Point) -> bool {
    let (x, y) = ((p.x - centre.x) / half.x, (p.y - centre.y) / half.y);
    x * x + y * y <= 1.0
}

/// A circle.
pub fn circle(p: Point, centre: Point, radius: f32) -> bool {
    ellipse(p, centre, at(radius, radius))
}

/// A polygon by the even-odd rule; its corners in order, the last is joined to the first.
pub fn polygon(p: Point, corners: &[(f32, f32)]) -> bool {
    let mut inside = false;
    let mut before = corners[corners.len() - 1];
    for &corner in corners {
        let ((x0, y0), (x1, y1)) = (before, corner);
        if (y0 > p.y) != (y1 > p.y) && p.x < (x1 - x0) * (p.y - y0) / (y1 - y0) + x0 {
            inside = !inside;
        }
        before = corner;
    }
    inside
}

/// A turn without sines: t is the tangent of half the angle, so that cosine and sine are fractions of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turn {
    cosine: f32,
    sine: f32,
}

impl Turn {
    /// Clockwise on the screen for a positive `t` = tan(angle / 2).
    pub fn from_half_tangent(t: f32) -> Self {
        let whole = 1.0 + t * t;
        Self {
            cosine: (1.0 - t * t) / whole,
            sine: 2.0 * t / whole,
        }
    }

    /// The point in the frame that has been turned: the inverse turn.
    pub fn undo(self, p: Point) -> Point {
        at(
            self.cosine * p.x + self.sine * p.y,
            self.cosine * p.y - self.sine * p.x,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_polygon_knows_its_inside() {
        let triangle = [(0.0, 0.0), (2.0, 0.0), (0.0, 2.0)];
        assert!(polygon(at(0.5, 0.5), &triangle));
        assert!(!polygon(at(1.5, 1.5), &triangle));
    }

    #[test]
    fn a_quarter_turn_is_a_quarter_turn() {
        let back = Turn::from_half_tangent(1.0).undo(at(0.0, 1.0));
        assert_eq!(back, at(1.0, 0.0));
    }
}
