//! Pictures of one prompt directly in a folder.

use super::{Error, References, Shown, ShownPrompt, is_picture};

/// `*.png` and `*.jpg` directly in the folder, all of `prompt`.
///
/// # Errors
/// There is none.
pub fn flat(paths: &[String], prompt: &str) -> Result<Vec<Shown>, Error> {
    let direct = |path: &&String| is_picture(path) && !path.contains('/');
    let mut images: Vec<String> = paths.iter().filter(direct).cloned().collect();
    if images.is_empty() {
        return Err(Error::Empty("the folder itself holds no .png, .jpg or .jpeg"));
    }
    images.sort();
    Ok(vec![Shown {
        method: String::new(),
        concept: String::new(),
        class: None,
        prompts: vec![ShownPrompt {
            prompt: prompt.to_owned(),
            images,
        }],
        prior: Vec::new(),
        references: References::Folder(String::new()),
    }])
}
