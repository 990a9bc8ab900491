//! Training data: scenes with captions, in files that numpy reads without a library.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::background::Background;
use crate::caption::Caption;
use crate::chance::Chance;
use crate::concepts;
use crate::pairs;
use crate::scene::Scene;
use crate::thing::{Object, Thing};
use crate::toy::Toy;

/// Pictures without heads or gaps: (count, 64, 64, 3) bytes.
pub const PICTURES: &str = "images.u8";
/// One JSON object per picture, in the same order.
pub const CAPTIONS: &str = "captions.jsonl";

/// What to draw.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// How many different things.
    pub things: usize,
    /// Pictures of each thing, one after the other, on different backgrounds.
    pub views: usize,
    /// The share of toys among things.
    pub toys: f32,
    /// Seeds everything.
    pub seed: u64,
}

/// A line of [`CAPTIONS`].
#[derive(Debug, Serialize)]
struct Line {
    caption: String,
    thing: Thing,
    background: Background,
    /// Number of the thing: views share it.
    group: usize,
}

impl Recipe {
    /// A thing that training may show.
    fn thing(&self, group: usize) -> Thing {
        // Streams with an odd number are things, those with an even number are views.
        let mut chance = Chance::new(self.seed, 2 * group as u64 + 1);
        if !chance.happens(self.toys) {
            return Thing::Object(Object::draw(&mut chance));
        }
        loop {
            let toy = Toy::draw(&mut chance);
            if !concepts::is_held_out(&toy) {
                return Thing::Toy(toy);
            }
        }
    }

    /// A thing's pictures with their captions. Neither held-out pairs nor held-out toys are among them.
    pub fn group(&self, group: usize) -> Vec<(Scene, String)> {
        let thing = self.thing(group);
        let allowed = |place: &Background| match thing {
            Thing::Object(object) => !pairs::is_held_out(object.shape, *place),
            Thing::Toy(_) => true,
        };
        let mut chance = Chance::new(self.seed, 2 * group as u64);
        let mut places: Vec<Background> = Background::ALL.into_iter().filter(allowed).collect();
        let mut view = |_| {
            let background = chance.pick(&places);
            if places.len() > 1 {
                places.retain(|place| *place != background);
            }
            let scene = Scene::draw(thing, background, &mut chance);
            let caption = Caption::draw(&thing, background, &mut chance).write(&mut chance);
            (scene, caption)
        };
        (0..self.views).map(&mut view).collect()
    }

    /// Writes [`PICTURES`] and [`CAPTIONS`] into a folder.
    ///
    /// # Errors
    /// The folder or the files cannot be written.
    pub fn write(&self, out: &Path) -> Result<()> {
        std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
        let create = |name| {
            let path = out.join(name);
            let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
            anyhow::Ok(BufWriter::new(file))
        };
        let (mut pictures, mut captions) = (create(PICTURES)?, create(CAPTIONS)?);
        for group in 0..self.things {
            for (scene, caption) in self.group(group) {
                pictures.write_all(scene.picture().bytes())?;
                let line = Line {
                    caption,
                    thing: scene.thing,
                    background: scene.background,
                    group,
                };
                serde_json::to_writer(&mut captions, &line)?;
                captions.write_all(b"\n")?;
            }
        }
        pictures.flush()?;
        captions.flush()?;
        Ok(())
    }
}
