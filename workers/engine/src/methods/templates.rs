//! The captions of a training (vico-spec §6.1): the official list of 81, in its order, of which 57 are distinct.
//! Captions are drawn from the 81, so repeats count. The list is that of the original Textual Inversion; diffusers' Textual
//! Inversion, whose recipe is followed here, has its first 27 (vico-spec §9.1).

/// How many captions there are to draw from.
pub const COUNT: usize = STEMS.len() * PATTERNS.len();
/// How many of them, the first ones, diffusers draws from: each once.
pub const DIFFUSERS_COUNT: usize = PATTERNS.len();

const STEMS: [&str; 3] = ["a photo of", "an illustration of", "a depiction of"];

/// The list is these 27 once per stem; `@` is the stem, `{}` the placeholder.
const PATTERNS: [&str; 27] = [
    "@ a {}",
    "a rendering of a {}",
    "a cropped photo of the {}",
    "the photo of a {}",
    "@ a clean {}",
    "@ a dirty {}",
    "a dark photo of the {}",
    "@ my {}",
    "@ the cool {}",
    "a close-up photo of a {}",
    "a bright photo of the {}",
    "a cropped photo of a {}",
    "@ the {}",
    "a good photo of the {}",
    "@ one {}",
    "a close-up photo of the {}",
    "a rendition of the {}",
    "@ the clean {}",
    "a rendition of a {}",
    "@ a nice {}",
    "a good photo of a {}",
    "@ the nice {}",
    "@ the small {}",
    "@ the weird {}",
    "@ the large {}",
    "@ a cool {}",
    "@ a small {}",
];

/// Caption number `index` (from 0, below [`COUNT`]) about `placeholder`.
///
/// # Panics
/// `index` is not below [`COUNT`].
pub fn caption(index: usize, placeholder: &str) -> String {
    let (stem, pattern) = (STEMS[index / PATTERNS.len()], PATTERNS[index % PATTERNS.len()]);
    pattern.replace('@', stem).replace("{}", placeholder)
}
