//! What users bring: reference images, prompt files, models. Everything is checked here, before a job depends on it, and
//! every problem names its file.

mod images;
mod models;
mod resolve;
mod text;
mod weights;

pub use images::InputImage;
