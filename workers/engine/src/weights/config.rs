//! Reading a model's `config.json`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::Error;

/// Far above any real configuration (a few kB); keeps a wrong file from being read whole.
const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// Reads `dir/config.json` into `T`; errors name the file and the key.
pub fn read_config<T: DeserializeOwned>(dir: &Path) -> Result<T, Error> {
    let path = dir.join("config.json");
    let text = read_bounded(&path, MAX_CONFIG_BYTES)?;
    serde_json::from_slice(&text).map_err(|error| Error::Config {
        path,
        reason: error.to_string(),
    })
}

/// As [`read_config`], for a `T` whose values `validate` may find unsupported: its reason is reported with the file.
pub(crate) fn read_valid_config<T: DeserializeOwned>(
    dir: &Path,
    validate: impl FnOnce(&T) -> Result<(), String>,
) -> Result<T, Error> {
    let config = read_config(dir)?;
    match validate(&config) {
        Ok(()) => Ok(config),
        Err(reason) => Err(Error::Config {
            path: dir.join("config.json"),
            reason,
        }),
    }
}

/// Reads a small file, refusing one that is larger than `limit`.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let io = |source| Error::Io {
        path: PathBuf::from(path),
        source,
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(io)?;
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limit {
        let reason = format!("larger than {limit} bytes");
        return Err(Error::Config {
            path: path.to_owned(),
            reason,
        });
    }
    Ok(bytes)
}
