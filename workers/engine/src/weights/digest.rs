//! The identity of a model directory's weights: names are not enough, files get replaced.

use std::fs::File;
use std::path::Path;

use super::Error;
use super::layout::Layout;

/// BLAKE3 of the weights in `dir`, in hex.
///
/// For a single file this is what `b3sum` prints; for shards it is the hash of the shards' hashes in name order.
pub fn digest(dir: &Path, variant: Option<&str>) -> Result<String, Error> {
    let layout = Layout::find(dir, variant)?;
    let hashes = layout
        .files
        .iter()
        .map(|path| hash(path))
        .collect::<Result<Vec<_>, _>>()?;
    match hashes.as_slice() {
        [single] => Ok(single.to_hex().to_string()),
        several => {
            let mut all = blake3::Hasher::new();
            for hash in several {
                all.update(hash.as_bytes());
            }
            Ok(all.finalize().to_hex().to_string())
        }
    }
}

fn hash(path: &Path) -> Result<blake3::Hash, Error> {
    let io = |source| Error::Io {
        path: path.to_owned(),
        source,
    };
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path).map_err(io)?).map_err(io)?;
    Ok(hasher.finalize())
}
