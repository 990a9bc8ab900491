//! Answers to everything a manifest needs to know of the world outside it.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt};

use super::super::{Error, Folder, Store};
use super::{InputError, InputImage};
use crate::plan::{Need, Resolved, ResolvedFile};
use crate::spec::ModelSource;

const NEEDS_IN_FLIGHT: usize = 4;

/// The answer to one need.
enum Answer {
    Images(Vec<ResolvedFile>),
    Concepts(BTreeMap<String, Vec<ResolvedFile>>),
    Prompts(String),
    PromptFolder(BTreeMap<String, String>),
    Model(ModelSource),
}

/// What happens to the images that are found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Images {
    Checked,
    /// Into the bucket's blobs, from where workers read them.
    Imported,
}

impl Store {
    /// Finds, checks and digests what is needed, and copies nothing. All files that cannot be used are named at once.
    pub async fn resolve(&self, needs: &[Need]) -> Result<Resolved, InputError> {
        self.answer_all(needs, Images::Checked).await
    }

    /// As [`Store::resolve`], and copies reference images into the bucket's blobs, from where workers read them.
    pub async fn import(&self, needs: &[Need]) -> Result<Resolved, InputError> {
        self.answer_all(needs, Images::Imported).await
    }

    async fn answer_all(&self, needs: &[Need], images: Images) -> Result<Resolved, InputError> {
        let answers: Vec<Result<Answer, InputError>> = stream::iter(needs.to_vec())
            .map(|need| self.answer(need, images))
            .buffered(NEEDS_IN_FLIGHT)
            .collect()
            .await;
        let mut resolved = Resolved::default();
        let mut problems = Vec::new();
        for (need, answer) in needs.iter().zip(answers) {
            match answer {
                Ok(answer) => keep(&mut resolved, need, answer),
                Err(InputError::Place(Error::BadInputs { problems: more })) => problems.extend(more),
                Err(error) => return Err(error),
            }
        }
        if problems.is_empty() {
            return Ok(resolved);
        }
        Err(Error::BadInputs { problems }.into())
    }

    async fn answer(&self, need: Need, images: Images) -> Result<Answer, InputError> {
        match need {
            Need::ImageFolder(url) => {
                let found = self.folder(&url).await?.images().await?;
                self.take(found, images).await.map(Answer::Images)
            }
            Need::ImageFile(url) => {
                let (folder, name) = Folder::of_file(&url, &self.access).await?;
                let found = folder.images_at(&[name]).await?;
                self.take(found, images).await.map(Answer::Images)
            }
            Need::ConceptFolders(url) => self.concepts(&url, images).await.map(Answer::Concepts),
            Need::PromptFile(url) => {
                let (folder, name) = Folder::of_file(&url, &self.access).await?;
                Ok(Answer::Prompts(folder.text(&name).await?))
            }
            Need::PromptFolder(url) => Ok(Answer::PromptFolder(self.folder(&url).await?.texts().await?)),
            Need::Model { url, role, variant } => {
                let folder = self.folder(&url).await?;
                self.model(&folder, role, variant.as_deref())
                    .await
                    .map(Answer::Model)
            }
        }
    }

    /// The images of every folder in a folder; folders without images are left out.
    async fn concepts(
        &self,
        url: &str,
        images: Images,
    ) -> Result<BTreeMap<String, Vec<ResolvedFile>>, InputError> {
        let parent = self.folder(url).await?;
        let mut concepts = BTreeMap::new();
        let mut problems = Vec::new();
        for name in parent.folders().await? {
            let folder = parent.subfolder(&name)?;
            match folder.images_if_any().await {
                Ok(found) if found.is_empty() => {}
                Ok(found) => {
                    concepts.insert(name, self.take(found, images).await?);
                }
                Err(Error::BadInputs { problems: more }) => problems.extend(more),
                Err(error) => return Err(error.into()),
            }
        }
        if problems.is_empty() {
            return Ok(concepts);
        }
        Err(Error::BadInputs { problems }.into())
    }

    async fn take(&self, found: Vec<InputImage>, images: Images) -> Result<Vec<ResolvedFile>, InputError> {
        if images == Images::Imported {
            self.import_images(&found).await.map_err(InputError::Bucket)?;
        }
        Ok(found.iter().map(InputImage::file).collect())
    }
}

fn keep(resolved: &mut Resolved, need: &Need, answer: Answer) {
    let url = need.url().to_owned();
    match answer {
        Answer::Images(files) => drop(resolved.images.insert(url, files)),
        Answer::Concepts(concepts) => drop(resolved.concepts.insert(url, concepts)),
        Answer::Prompts(text) => drop(resolved.prompts.insert(url, text)),
        Answer::PromptFolder(texts) => drop(resolved.prompt_folders.insert(url, texts)),
        Answer::Model(source) => drop(resolved.models.insert(need.clone(), source.into())),
    }
}
