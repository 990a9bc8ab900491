//! The captions of a training (vico-spec §6.1): the official list of 81, in its order, of which 57 are distinct.
//! Captions are drawn from the 81, so repeats count. Textual Inversion uses the same list.

/// How many captions there are to draw from.
pub const COUNT: usize = STEMS.len() * PATTERNS.len();

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
