//! Prompt files and other small texts.

use std::collections::BTreeMap;

use super::super::{Access, BadInput, Error, Folder};

const MAX_BYTES: u64 = 1 << 20;

impl Folder {
    /// Opens the folder of the file at `url` and gives the file's name in it.
    pub async fn of_file(url: &str, access: &Access) -> Result<(Self, String), Error> {
        let (folder, name) = match url.rsplit_once('/') {
            Some(("", name)) => ("/", name),
            Some((folder, name)) => (folder, name),
            None => (".", url),
        };
        if name.is_empty() {
            return Err(Error::bad_url(url, "it names a folder, not a file"));
        }
        Ok((Self::open_with(folder, access).await?, name.to_owned()))
    }

    /// Reads every `.txt` file right in the folder, by name. All that cannot be used are named at once.
    pub async fn texts(&self) -> Result<BTreeMap<String, String>, Error> {
        let (mut texts, mut problems) = (BTreeMap::new(), Vec::new());
        for file in self.files().await? {
            let ending = file.path.rsplit_once('.').map(|(_, ending)| ending);
            if file.path.contains('/') || ending != Some("txt") {
                continue;
            }
            match self.text(&file.path).await {
                Ok(text) => drop(texts.insert(file.path, text)),
                Err(Error::BadInputs { problems: more }) => problems.extend(more),
                Err(error) => return Err(error),
            }
        }
        if problems.is_empty() {
            return Ok(texts);
        }
        Err(Error::BadInputs { problems })
    }

    /// Reads a text of at most 1 MiB.
    pub async fn text(&self, path: &str) -> Result<String, Error> {
        let bytes = self.read(path, MAX_BYTES).await?;
        String::from_utf8(bytes.into()).map_err(|error| Error::BadInputs {
            problems: vec![BadInput {
                name: self.objects.name(path),
                reason: format!("is not UTF-8 at byte {}", error.utf8_error().valid_up_to()),
            }],
        })
    }
}
