//! Reference images: found, read, checked by their headers, digested.

use std::io::Cursor;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use image::{ImageFormat, ImageReader};

use super::super::{BadInput, Error, FileEntry, Folder, Store};
use crate::digest::Digest;
use crate::job::BlobRef;
use crate::plan::ResolvedFile;

/// The same limits as the engine's decoder: above any camera's photo, below what hurts a worker.
const MAX_BYTES: u64 = 64 << 20;
const MAX_PIXELS: u64 = 64 << 20;
/// No concept has more; a folder with more is another folder than was meant.
const MAX_IMAGES: usize = 10_000;
const READS_IN_FLIGHT: usize = 8;
const IMPORTS_IN_FLIGHT: usize = 8;

const ACCEPTED: [&str; 3] = ["jpg", "jpeg", "png"];
/// Images that cannot be decoded; a folder with one of them is not taken for a folder without it.
const OTHER_IMAGES: [&str; 8] = ["webp", "gif", "bmp", "tif", "tiff", "heic", "heif", "avif"];

/// A reference image that has passed the checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputImage {
    /// File name without folders.
    pub name: String,
    /// BLAKE3 of the file.
    pub digest: Digest,
    /// The file.
    pub bytes: Bytes,
    /// Pixels across and down, as stored.
    pub pixels: (u32, u32),
}

impl InputImage {
    /// As the planner knows it.
    pub fn file(&self) -> ResolvedFile {
        let BlobRef { digest, size } = self.blob();
        ResolvedFile {
            name: self.name.clone(),
            digest,
            size,
        }
    }

    fn blob(&self) -> BlobRef {
        BlobRef {
            digest: self.digest,
            size: self.bytes.len() as u64,
        }
    }
}

impl Folder {
    /// Reads all images directly in this folder, in the order of their names.
    ///
    /// Files that are no images are left alone; images that cannot be used fail it, all of them named.
    pub async fn images(&self) -> Result<Vec<InputImage>, Error> {
        let images = self.images_if_any().await?;
        if images.is_empty() {
            return Err(self.refuse("", "holds no images (.jpg, .jpeg, .png)"));
        }
        Ok(images)
    }

    /// As [`Folder::images`], for folders that may have none.
    pub(super) async fn images_if_any(&self) -> Result<Vec<InputImage>, Error> {
        let mut files = self.files().await?;
        files.retain(|file| {
            !file.path.contains('/') && !file.path.starts_with('.') && looks_like_image(&file.path)
        });
        self.read_images(files).await
    }

    /// Reads the images at these paths below this folder, in this order.
    pub async fn images_at(&self, paths: &[String]) -> Result<Vec<InputImage>, Error> {
        let mut files = Vec::with_capacity(paths.len());
        let mut problems = Vec::new();
        for path in paths {
            match self.file(path).await? {
                Some(file) => files.push(file),
                None => problems.push(self.problem(path, "does not exist")),
            }
        }
        if !problems.is_empty() {
            return Err(Error::BadInputs { problems });
        }
        self.read_images(files).await
    }

    async fn read_images(&self, files: Vec<FileEntry>) -> Result<Vec<InputImage>, Error> {
        if files.len() > MAX_IMAGES {
            let reason = format!("holds {} images, at most {MAX_IMAGES} are accepted", files.len());
            return Err(self.refuse("", &reason));
        }
        let read: Vec<Result<InputImage, Error>> = stream::iter(files)
            .map(|file| self.read_image(file))
            .buffered(READS_IN_FLIGHT)
            .collect()
            .await;
        let (mut images, mut problems) = (Vec::new(), Vec::new());
        for image in read {
            match image {
                Ok(image) => images.push(image),
                Err(Error::BadInputs { problems: more }) => problems.extend(more),
                Err(error) => return Err(error),
            }
        }
        if problems.is_empty() {
            return Ok(images);
        }
        Err(Error::BadInputs { problems })
    }

    async fn read_image(&self, file: FileEntry) -> Result<InputImage, Error> {
        let bad = |reason: &str| self.refuse(&file.path, reason);
        if file.size > MAX_BYTES {
            return Err(bad(&format!(
                "has {} bytes, at most {MAX_BYTES} are accepted",
                file.size
            )));
        }
        let bytes = self.read(&file.path, MAX_BYTES).await?;
        let pixels = check_header(&bytes).map_err(|reason| bad(&reason))?;
        let name = file.path.rsplit('/').next().unwrap_or(&file.path).to_owned();
        Ok(InputImage {
            name,
            digest: Digest::of(&bytes),
            bytes,
            pixels,
        })
    }

    fn refuse(&self, path: &str, reason: &str) -> Error {
        let problems = vec![self.problem(path, reason)];
        Error::BadInputs { problems }
    }

    pub(super) fn problem(&self, path: &str, reason: &str) -> BadInput {
        BadInput {
            name: self.objects.name(path),
            reason: reason.to_owned(),
        }
    }
}

impl Store {
    /// Copies reference images into the bucket's blobs, from where workers read them.
    pub async fn import_images(&self, images: &[InputImage]) -> Result<(), Error> {
        let imports: Vec<_> = images.iter().map(|image| self.import_image(image)).collect();
        let imports = stream::iter(imports).buffer_unordered(IMPORTS_IN_FLIGHT);
        imports.try_collect().await
    }

    async fn import_image(&self, image: &InputImage) -> Result<(), Error> {
        // Of most it is there, and need not be digested again.
        if self.has_blob(&image.blob()).await? {
            return Ok(());
        }
        self.put_blob(image.bytes.clone()).await.map(drop)
    }
}

/// Size in pixels by the header alone: nothing is decoded that the header does not allow.
fn check_header(bytes: &Bytes) -> Result<(u32, u32), String> {
    if bytes.is_empty() {
        return Err("is empty".to_owned());
    }
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let reader = reader.map_err(|error| format!("cannot be read: {error}"))?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        return Err("is neither JPEG nor PNG, whatever its name says".to_owned());
    }
    let (width, height) = match promised_by_png(bytes) {
        Some(promised) if too_many(promised) => promised,
        _ => reader
            .into_dimensions()
            .map_err(|error| format!("has a damaged header: {error}"))?,
    };
    match (width, height) {
        (0, _) | (_, 0) => Err("has no pixels".to_owned()),
        size if too_many(size) => Err(format!(
            "has {width}x{height} pixels, at most {} megapixels are accepted",
            MAX_PIXELS >> 20
        )),
        _ => Ok((width, height)),
    }
}

fn too_many((width, height): (u32, u32)) -> bool {
    u64::from(width) * u64::from(height) > MAX_PIXELS
}

/// Width and height as a PNG's first chunk has them, whether or not anything follows.
fn promised_by_png(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR")?;
    let (width, rest) = header.split_first_chunk()?;
    let (height, _) = rest.split_first_chunk()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*height)))
}

fn looks_like_image(path: &str) -> bool {
    let extension = path
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    extension.is_some_and(|extension| {
        ACCEPTED.contains(&extension.as_str()) || OTHER_IMAGES.contains(&extension.as_str())
    })
}
