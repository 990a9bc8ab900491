//! PNG files that say what they show: the `parameters` text that image tools read, and all facts as JSON under `vico`.

use png::text_metadata::{ITXtChunk, TEXtChunk};
use png::{BitDepth, ColorType, Encoder, EncodingError, Info};
use serde::{Deserialize, Serialize};
use vico::digest::Digest;
use vico::ids::{ConceptId, JobKey};
use vico::spec::ClassImagesInputs;
use vico_engine::image::Rgb8;

/// Keyword of the text that AUTOMATIC1111, ComfyUI and Civitai read.
pub const PARAMETERS: &str = "parameters";
/// Keyword of the JSON form of [`Caption`].
pub const VICO: &str = "vico";

/// What an image shows and how it was made. Nothing here depends on who made it or when: the same job gives the same
/// bytes anywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Caption {
    /// The sample job.
    pub job: JobKey,
    /// The method, `vico`.
    pub method: String,
    /// The concept.
    pub concept: ConceptId,
    /// Position of the prompt, from 0; absent where the image shows the bare class word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_index: Option<u32>,
    /// Position of the image among those of its prompt, from 0.
    pub sample: u32,
    /// The prompt as the text encoder saw it.
    pub prompt: String,
    /// The unconditional half's text.
    pub negative_prompt: String,
    /// Base of the noise keys; the image's own noise is keyed by concept, prompt and sample besides.
    pub seed: u64,
    /// Digest of the adapter file; absent where the base model drew as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<Digest>,
    /// Identity of the base model.
    pub base: Digest,
    /// `ddim`.
    pub sampler: String,
    /// Denoise steps.
    pub steps: u32,
    /// Stochasticity of the sampler.
    pub eta: f64,
    /// Guidance scale.
    pub guidance: f64,
    /// Side in pixels.
    pub size: u32,
}

/// What a class image shows and how it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassImageCaption {
    /// The class_images job.
    pub job: JobKey,
    /// Position of the image, from 0.
    pub number: u32,
    /// All that it depends on.
    pub inputs: ClassImagesInputs,
}

impl Caption {
    /// In the syntax of AUTOMATIC1111's web UI.
    fn parameters(&self) -> String {
        let negative = match self.negative_prompt.as_str() {
            "" => String::new(),
            text => format!("Negative prompt: {text}\n"),
        };
        format!(
            "{}\n{negative}Steps: {}, Sampler: {}, CFG scale: {}, Seed: {}, Size: {size}x{size}, Model hash: {}, \
             Version: vico {}",
            self.prompt,
            self.steps,
            self.sampler.to_uppercase(),
            self.guidance,
            self.seed,
            &self.base.to_string()[..10],
            env!("CARGO_PKG_VERSION"),
            size = self.size,
        )
    }
}

/// Why a picture could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The PNG encoder refused.
    #[error("cannot write a PNG file")]
    Png(#[from] EncodingError),
    /// The caption has no JSON form (a number that is not finite).
    #[error("cannot write the caption of a picture")]
    Caption(#[from] serde_json::Error),
}

/// A PNG file of `picture` with `caption` in it; the same bytes for the same input.
///
/// # Errors
/// The encoder refuses.
pub fn encode(picture: &Rgb8, caption: &Caption) -> Result<Vec<u8>, Error> {
    let texts = [
        (PARAMETERS, caption.parameters()),
        (VICO, serde_json::to_string(caption)?),
    ];
    png(picture, texts.into())
}

/// The same for a class image.
///
/// # Errors
/// The encoder refuses.
pub fn encode_class_image(picture: &Rgb8, caption: &ClassImageCaption) -> Result<Vec<u8>, Error> {
    png(picture, vec![(VICO, serde_json::to_string(caption)?)])
}

fn png(picture: &Rgb8, texts: Vec<(&str, String)>) -> Result<Vec<u8>, Error> {
    let mut info = Info::with_size(picture.width() as u32, picture.height() as u32);
    info.color_type = ColorType::Rgb;
    info.bit_depth = BitDepth::Eight;
    for (keyword, text) in texts {
        add_text(&mut info, keyword, text);
    }
    let mut file = Vec::new();
    let mut writer = Encoder::with_info(&mut file, info)?.write_header()?;
    writer.write_image_data(picture.data())?;
    writer.finish()?;
    Ok(file)
}

/// Plain text chunks hold Latin-1 only; any other text goes into an international one, as Pillow does it.
fn add_text(info: &mut Info<'_>, keyword: &str, text: String) {
    if text.chars().all(|c| u32::from(c) < 256) {
        info.uncompressed_latin1_text.push(TEXtChunk::new(keyword, text));
    } else {
        info.utf8_text.push(ITXtChunk::new(keyword, text));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn caption(prompt: &str) -> Caption {
        Caption {
            job: JobKey(Digest::of(b"job")),
            method: "vico".to_owned(),
            concept: "barn".parse().unwrap(),
            prompt_index: Some(7),
            sample: 3,
            prompt: prompt.to_owned(),
            negative_prompt: "blurry".to_owned(),
            seed: 42,
            adapter: Some(Digest::of(b"adapter")),
            base: Digest::of(b"base"),
            sampler: "ddim".to_owned(),
            steps: 50,
            eta: 0.0,
            guidance: 7.5,
            size: 64,
        }
    }

    fn picture() -> Rgb8 {
        Rgb8::new(2, 2, (0..12).map(|n| n * 20).collect()).unwrap()
    }

    /// Pixels and texts of a PNG file, as another program would read them.
    fn read(file: &[u8]) -> (Vec<u8>, String, Caption) {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        let info = reader.info();
        let latin1 = info
            .uncompressed_latin1_text
            .iter()
            .map(|c| (c.keyword.clone(), c.text.clone()));
        let utf8 = info
            .utf8_text
            .iter()
            .map(|c| (c.keyword.clone(), c.get_text().unwrap()));
        let texts: std::collections::BTreeMap<_, _> = latin1.chain(utf8).collect();
        (
            pixels,
            texts[PARAMETERS].clone(),
            serde_json::from_str(&texts[VICO]).unwrap(),
        )
    }

    #[test]
    fn pixels_and_caption_survive_the_file() {
        for prompt in ["a * in the jungle", "a * in Zürich", "a * 在雪地里"] {
            let caption = caption(prompt);
            let (pixels, parameters, read_back) = read(&encode(&picture(), &caption).unwrap());
            assert_eq!(pixels, picture().data());
            assert_eq!(read_back, caption);
            assert!(parameters.starts_with(prompt), "{parameters}");
        }
    }

    #[test]
    fn the_parameters_are_in_the_syntax_that_image_tools_read() {
        let expected = format!(
            "a * in the jungle\nNegative prompt: blurry\nSteps: 50, Sampler: DDIM, CFG scale: 7.5, Seed: 42, \
             Size: 64x64, Model hash: {}, Version: vico {}",
            &Digest::of(b"base").to_string()[..10],
            env!("CARGO_PKG_VERSION"),
        );
        assert_eq!(caption("a * in the jungle").parameters(), expected);
    }

    #[test]
    fn the_same_picture_is_the_same_bytes() {
        let caption = caption("a *");
        assert_eq!(
            encode(&picture(), &caption).unwrap(),
            encode(&picture(), &caption).unwrap()
        );
    }
}
