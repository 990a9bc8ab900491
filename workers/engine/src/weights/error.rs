//! What can be wrong with a weights file, always naming the file and, where there is one, the tensor.

use std::path::PathBuf;

use crate::torch_file;

/// How many tensor names an error prints before it only counts the rest.
const NAMES_SHOWN: usize = 6;

/// A base model, metric network or adapter could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be opened or read, or the file system does not say whether it is there.
    #[error("{}: cannot read: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The directory holds none of the files a model directory may hold.
    #[error("{}: no weights here, looked for {}", dir.display(), looked_for.join(", "))]
    NoWeights {
        /// The directory searched.
        dir: PathBuf,
        /// The file names tried, in order.
        looked_for: Vec<String>,
    },
    /// The header of a safetensors file is malformed.
    #[error("{}: not a valid safetensors file: {reason}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// Which rule of the format it breaks.
        reason: String,
    },
    /// The file is shorter or longer than its header says.
    #[error("{}: header describes {expected} bytes, the file has {found} (incomplete download?)", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// Bytes the header describes, itself included.
        expected: u64,
        /// Bytes the file has.
        found: u64,
    },
    /// `*.safetensors.index.json` is malformed or does not fit its shards.
    #[error("{}: bad shard index: {reason}", path.display())]
    Index {
        /// The index file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// A file of PyTorch is damaged, or holds something else than a network's tensors.
    #[error("{}: {reason}{}", path.display(), remedy(reason))]
    TorchFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: Box<torch_file::Error>,
    },
    /// `config.json` is missing a key, or holds a value this engine does not support.
    #[error("{}: {reason}", path.display())]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// The key and what is wrong with it.
        reason: String,
    },
    /// A tensor the network needs is not in the files.
    #[error("{origin}: tensor `{tensor}` is missing")]
    Missing {
        /// File or directory.
        origin: String,
        /// Full name; alternatives joined with "or".
        tensor: String,
    },
    /// Tensors in the files that the network has no place for.
    #[error("{origin}: {} not part of this model: {}", count(tensors), listed(tensors))]
    Unexpected {
        /// File or directory.
        origin: String,
        /// Full names, sorted.
        tensors: Vec<String>,
    },
    /// A tensor has another shape than the configuration implies.
    #[error("{origin}: tensor `{tensor}` has shape {found:?}, expected {expected:?}")]
    Shape {
        /// File.
        origin: String,
        /// Full name.
        tensor: String,
        /// Shape the network needs.
        expected: Vec<usize>,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// A tensor's element type is not a float this engine reads.
    #[error("{origin}: tensor `{tensor}` has type {found}, expected F32, F16 or BF16")]
    ElementType {
        /// File.
        origin: String,
        /// Full name.
        tensor: String,
        /// Type in the file.
        found: String,
    },
    /// A tensor holds NaN or an infinity.
    #[error("{origin}: tensor `{tensor}` holds {value} at element {index}")]
    NotFinite {
        /// File.
        origin: String,
        /// Full name.
        tensor: String,
        /// The offending value.
        value: f32,
        /// Its row-major index.
        index: usize,
    },
    /// Candle could not build the tensor (for example: no memory on the device).
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}

/// What to do about a file besides what `reason` says itself.
fn remedy(reason: &torch_file::Error) -> &'static str {
    use torch_file::Error as E;
    match reason {
        E::Container(_) | E::Program { .. } | E::Tensor(_) => {
            " (incomplete download? weights in a `.safetensors` file beside it would be taken instead)"
        }
        E::Old | E::Name(_) | E::NoStateDict(_) => {
            "; weights in a `.safetensors` file beside it would be taken instead"
        }
        E::Candle(_) => "",
    }
}

fn count(tensors: &[String]) -> String {
    match tensors.len() {
        1 => "1 tensor is".to_owned(),
        n => format!("{n} tensors are"),
    }
}

fn listed(tensors: &[String]) -> String {
    let shown = tensors.iter().take(NAMES_SHOWN).map(|name| format!("`{name}`"));
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if tensors.len() > NAMES_SHOWN {
        text = format!("{text} and {} more", tensors.len() - NAMES_SHOWN);
    }
    text
}
