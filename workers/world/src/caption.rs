//! Captions in the field's style, written and read back.

use serde::Serialize;

use crate::background::Background;
use crate::chance::Chance;
use crate::colour::Colour;
use crate::pattern::Pattern;
use crate::shape::Shape;
use crate::thing::Thing;

/// What may stand before the thing, as in the templates of Textual Inversion and ViCo. The first is the usual one.
const OPENINGS: [&str; 12] = [
    "a photo of",
    "an illustration of",
    "a depiction of",
    "a rendering of",
    "a rendition of",
    "a picture of",
    "a good photo of",
    "a cropped photo of",
    "a close-up photo of",
    "a bright photo of",
    "a dark photo of",
    "the photo of",
];

/// A text is not a caption of this world.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: `{rest}` is not something this world has")]
pub struct Unknown {
    /// The whole text.
    pub text: String,
    /// The part that was not understood.
    pub rest: String,
}

/// The word for a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Noun {
    /// An object's own word.
    Shape(Shape),
    /// Any toy.
    Toy,
    /// A toy with edges.
    Robot,
    /// A toy with curves.
    Monster,
}

/// What a caption says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Caption {
    /// What it is.
    pub noun: Noun,
    /// The colour, if it is said.
    pub colour: Option<Colour>,
    /// The surface, if it is said; plain surfaces never are.
    pub pattern: Option<Pattern>,
    /// The place, if it is said.
    pub background: Option<Background>,
}

impl Noun {
    fn all() -> impl Iterator<Item = Self> {
        let shapes = Shape::ALL.into_iter().map(Self::Shape);
        shapes.chain([Self::Toy, Self::Robot, Self::Monster])
    }

    fn word(self) -> &'static str {
        match self {
            Self::Shape(shape) => shape.word(),
            Self::Toy => "toy",
            Self::Robot => "robot",
            Self::Monster => "monster",
        }
    }
}

impl Caption {
    /// A caption for a scene. Mostly it says all there is to say; sometimes it leaves out colour and surface, or the
    /// place, as people do.
    pub fn draw(thing: &Thing, background: Background, chance: &mut Chance) -> Self {
        let background = chance.happens(0.92).then_some(background);
        match thing {
            Thing::Object(object) => {
                // Both or neither: a colour alone means a plain surface.
                let described = chance.happens(0.88);
                let marked = described && object.pattern != Pattern::Plain;
                Self {
                    noun: Noun::Shape(object.shape),
                    colour: described.then_some(object.colour),
                    pattern: marked.then_some(object.pattern),
                    background,
                }
            }
            Thing::Toy(toy) => {
                let family = Noun::all().find(|noun| noun.word() == toy.family());
                let noun = family.filter(|_| chance.happens(0.5)).unwrap_or(Noun::Toy);
                Self {
                    noun,
                    colour: None,
                    pattern: None,
                    background,
                }
            }
        }
    }

    /// In words, with one of the openings by chance, or none.
    pub fn write(self, chance: &mut Chance) -> String {
        let opening = match chance.between(0.0, 1.0) {
            share if share < 0.5 => Some(OPENINGS[0]),
            share if share < 0.75 => None,
            _ => Some(chance.pick(&OPENINGS)),
        };
        let the = chance.happens(0.15);
        self.words(opening, the)
    }

    /// In the usual words: `a photo of a striped red mug on the beach`.
    pub fn plain(self) -> String {
        self.words(Some(OPENINGS[0]), false)
    }

    fn words(self, opening: Option<&str>, the: bool) -> String {
        let pattern = self.pattern.and_then(Pattern::word);
        let described = [pattern, self.colour.map(Colour::word), Some(self.noun.word())];
        let described = described.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let article = match the {
            true => "the",
            false if described.starts_with(['a', 'e', 'i', 'o', 'u']) => "an",
            false => "a",
        };
        let place = self.background.map(Background::phrase);
        let parts = [opening, Some(article), Some(&described), place];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// Reads a caption.
    ///
    /// # Errors
    /// The text has a word that this world does not.
    pub fn parse(text: &str) -> Result<Self, Unknown> {
        let rest = without_opening(text);
        let rest = one_of(&["a ", "an ", "the "], rest);
        let (pattern, rest) = leading(rest, &Pattern::ALL, Pattern::word);
        let (colour, rest) = leading(rest, &Colour::ALL, |colour| Some(colour.word()));
        let nouns: Vec<Noun> = Noun::all().collect();
        let (noun, rest) = leading(rest, &nouns, |noun| Some(noun.word()));
        let (background, rest) = leading(rest, &Background::ALL, |place| Some(place.phrase()));
        match noun {
            Some(noun) if rest.is_empty() => Ok(Self {
                noun,
                colour,
                pattern,
                background,
            }),
            _ => Err(Unknown {
                text: text.to_owned(),
                rest: rest.to_owned(),
            }),
        }
    }
}

/// The place that a text ends with, whatever stands before it.
pub fn place(text: &str) -> Option<Background> {
    Background::ALL
        .into_iter()
        .find(|background| text.ends_with(background.phrase()))
}

fn without_opening(text: &str) -> &str {
    let opened = OPENINGS.iter().find_map(|opening| text.strip_prefix(opening));
    opened.map_or(text, str::trim_start)
}

fn one_of<'a>(words: &[&str], text: &'a str) -> &'a str {
    words
        .iter()
        .find_map(|word| text.strip_prefix(word))
        .unwrap_or(text)
}

/// The one of `all` whose words the text starts with, and what follows.
fn leading<'a, T: Copy>(
    text: &'a str,
    all: &[T],
    words: impl Fn(T) -> Option<&'static str>,
) -> (Option<T>, &'a str) {
    for &one in all {
        let rest = words(one).and_then(|words| text.strip_prefix(words));
        if let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
            return (Some(one), rest.trim_start());
        }
    }
    (None, text)
}
