//! Where the names of points go, so that no two lie on each other.

/// Height of a line of text and width of a letter, roughly, in pixels.
const LINE: f64 = 14.0;
const LETTER: f64 = 7.5;
/// From a point to its name's left end and baseline.
const ASIDE: (f64, f64) = (8.0, -6.0);

/// A name and its point.
#[derive(Clone, Copy)]
pub(super) struct Label<'a> {
    pub(super) name: &'a str,
    /// In pixels, from the top left.
    pub(super) point: (f64, f64),
}

/// Left end and baseline of each name, in the order given: beside its point, or as far below as others are in the way.
pub(super) fn places(labels: &[Label<'_>]) -> Vec<(f64, f64)> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by(|a, b| labels[*a].point.1.total_cmp(&labels[*b].point.1));
    let mut places = vec![(0.0, 0.0); labels.len()];
    let mut placed: Vec<usize> = Vec::new();
    for at in order {
        let Label { point, .. } = labels[at];
        let mut place = (point.0 + ASIDE.0, point.1 + ASIDE.1);
        // Every step goes below a name that was in the way, and there are finitely many.
        while let Some(other) = placed
            .iter()
            .find(|other| overlap((labels[at].name, place), (labels[**other].name, places[**other])))
        {
            place.1 = places[*other].1 + LINE;
        }
        places[at] = place;
        placed.push(at);
    }
    places
}

fn overlap((name, place): (&str, (f64, f64)), (other, at): (&str, (f64, f64))) -> bool {
    let width = |name: &str| name.chars().count() as f64 * LETTER;
    let beside = place.0 < at.0 + width(other) && at.0 < place.0 + width(name);
    beside && (place.1 - at.1).abs() < LINE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(name: &str, x: f64, y: f64) -> Label<'_> {
        Label { name, point: (x, y) }
    }

    #[test]
    fn names_that_are_in_the_way_of_each_other_stand_below_each_other() {
        let labels = [
            label("lora", 110.0, 103.0),
            label("dreambooth", 100.0, 100.0),
            label("vico", 400.0, 101.0),
            label("base_model", 105.0, 104.0),
        ];
        let found = places(&labels);
        assert_eq!(found[1], (108.0, 94.0));
        assert_eq!(found[0], (118.0, 108.0));
        assert_eq!(found[3], (113.0, 122.0));
        assert_eq!(found[2], (408.0, 95.0), "far away, it stays beside its point");
    }
}
