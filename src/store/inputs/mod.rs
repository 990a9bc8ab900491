//! What users bring: reference images, prompt files, models. Everything is checked here, before a job depends on it, and
//! every problem names its file.

mod images;
mod models;
mod resolve;
mod text;
mod weights;

pub use images::InputImage;

use super::Error;

/// What a manifest needs cannot be had. Who can do something about it depends on where it went wrong.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// A place that the manifest names does not give it.
    #[error(transparent)]
    Place(#[from] Error),
    /// The bucket does not take it, or does not remember it.
    #[error(transparent)]
    Bucket(Error),
}
