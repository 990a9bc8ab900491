//! The toys that training never shows: what personalisation is tried on.

use std::path::Path;

use crate::background::Background;
use crate::chance::Chance;
use crate::colour::Colour::{Blue, Green, Orange, Pink, Purple, Red, Yellow};
use crate::picture::Error;
use crate::scene::Scene;
use crate::thing::Thing;
use crate::toy::{Body, Emblem, Topper, Toy};

/// References of a concept.
pub const REFERENCES: usize = 5;
/// Keeps the references apart from every training scene.
const SEED: u64 = 0x00C0_FFEE;

/// A held-out toy and the name of its folder.
#[derive(Debug, Clone, Copy)]
pub struct Concept {
    /// The folder.
    pub name: &'static str,
    /// What it is.
    pub toy: Toy,
}

const fn concept(
    name: &'static str,
    parts: (Body, Topper, Emblem),
    colours: [crate::colour::Colour; 3],
) -> Concept {
    let (body, topper, emblem) = parts;
    Concept {
        name,
        toy: Toy {
            body,
            topper,
            emblem,
            colours,
        },
    }
}

/// All of them.
pub const CONCEPTS: [Concept; 8] = [
    concept(
        "bolt_monster",
        (Body::Round, Topper::Horns, Emblem::Bolt),
        [Purple, Yellow, Green],
    ),
    concept(
        "ring_monster",
        (Body::Egg, Topper::Antenna, Emblem::Ring),
        [Orange, Blue, Purple],
    ),
    concept(
        "moon_monster",
        (Body::Round, Topper::Ears, Emblem::Crescent),
        [Blue, Pink, Yellow],
    ),
    concept(
        "cross_monster",
        (Body::Egg, Topper::Crest, Emblem::Cross),
        [Green, Red, Pink],
    ),
    concept(
        "diamond_robot",
        (Body::Square, Topper::Antenna, Emblem::Diamond),
        [Red, Green, Yellow],
    ),
    concept(
        "hook_robot",
        (Body::Bell, Topper::Cone, Emblem::Hook),
        [Yellow, Purple, Red],
    ),
    concept(
        "bars_robot",
        (Body::Square, Topper::Ears, Emblem::Bars),
        [Pink, Blue, Blue],
    ),
    concept(
        "arrow_robot",
        (Body::Bell, Topper::Horns, Emblem::Triangle),
        [Blue, Orange, Orange],
    ),
];

/// Whether training must not show a toy: it has the parts of a concept, in whatever colours.
pub fn is_held_out(toy: &Toy) -> bool {
    CONCEPTS.iter().any(|concept| concept.toy.same_parts(toy))
}

impl Concept {
    /// The scene of a reference, each on another background.
    pub fn scene(&self, index: usize, reference: usize) -> Scene {
        let background = Background::ALL[(index + 2 * reference) % Background::ALL.len()];
        let stream = (index * REFERENCES + reference) as u64;
        Scene::draw(Thing::Toy(self.toy), background, &mut Chance::new(SEED, stream))
    }
}

/// Writes `concepts/<name>/0N.png` and `masks/<name>/0N.png`, white where the concept is.
///
/// # Errors
/// A folder or file cannot be written.
pub fn write(out: &Path) -> Result<(), Error> {
    for (index, concept) in CONCEPTS.iter().enumerate() {
        let (pictures, masks) = (
            out.join("concepts").join(concept.name),
            out.join("masks").join(concept.name),
        );
        for folder in [&pictures, &masks] {
            std::fs::create_dir_all(folder).map_err(|source| Error::Io {
                path: folder.clone(),
                source,
            })?;
        }
        for reference in 0..REFERENCES {
            let (scene, file) = (concept.scene(index, reference), format!("{reference:02}.png"));
            scene.picture().write(&pictures.join(&file))?;
            scene.mask().write(&masks.join(&file))?;
        }
    }
    Ok(())
}
