//! Which program keeps which method's adapters.

use std::fmt;

use super::Error;
use crate::adapter::Adapter;
use crate::methods;

/// Another program's way of keeping adapters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Hugging Face diffusers.
    Diffusers,
    /// The web UI of AUTOMATIC1111, and the programs that read its embeddings.
    A1111,
    /// The original Stable Diffusion code and what descends from it.
    Compvis,
    /// kohya-ss/sd-scripts.
    Kohya,
    /// Custom Diffusion's own code over diffusers.
    AdobeDelta,
    /// ViCo's own code; for ViCo the same as [`Format::Compvis`].
    VicoOfficial,
}

/// What made an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// See [`methods::textual_inversion`].
    TextualInversion,
    /// See [`methods::dreambooth`].
    Dreambooth,
    /// See [`methods::custom_diffusion`].
    CustomDiffusion,
    /// See [`methods::lora`].
    Lora,
    /// See [`methods::vico`].
    Vico,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Diffusers,
        Self::A1111,
        Self::Compvis,
        Self::Kohya,
        Self::AdobeDelta,
        Self::VicoOfficial,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Diffusers => "diffusers",
            Self::A1111 => "a1111",
            Self::Compvis => "compvis",
            Self::Kohya => "kohya",
            Self::AdobeDelta => "adobe-delta",
            Self::VicoOfficial => "vico-official",
        }
    }

    /// Whose it is, in a line of a command's help.
    pub fn about(self) -> &'static str {
        match self {
            Self::Diffusers => "Hugging Face diffusers",
            Self::A1111 => "Embeddings of AUTOMATIC1111's web UI",
            Self::Compvis => "The original Stable Diffusion code and what descends from it",
            Self::Kohya => "sd-scripts",
            Self::AdobeDelta => "Custom Diffusion's delta.bin",
            Self::VicoOfficial => "ViCo's own pair of files; for ViCo the same as compvis",
        }
    }
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::TextualInversion,
        Self::Dreambooth,
        Self::CustomDiffusion,
        Self::Lora,
        Self::Vico,
    ];

    /// The method that made `adapter`.
    ///
    /// # Errors
    /// It is not known here.
    pub fn of(adapter: &Adapter) -> Result<Self, Error> {
        let found = Self::ALL
            .into_iter()
            .find(|method| method.name() == adapter.method());
        found.ok_or_else(|| Error::UnknownMethod(adapter.method().to_owned()))
    }

    /// Its name in adapters.
    pub fn name(self) -> &'static str {
        match self {
            Self::TextualInversion => methods::textual_inversion::METHOD,
            Self::Dreambooth => methods::dreambooth::METHOD,
            Self::CustomDiffusion => methods::custom_diffusion::METHOD,
            Self::Lora => methods::lora::METHOD,
            Self::Vico => methods::vico::METHOD,
        }
    }

    /// The formats that its adapters go out to and come in from.
    pub fn formats(self) -> &'static [Format] {
        match self {
            Self::TextualInversion => &[Format::Diffusers, Format::A1111, Format::Compvis],
            Self::Dreambooth => &[Format::Diffusers],
            Self::CustomDiffusion => &[Format::Diffusers, Format::AdobeDelta, Format::Compvis],
            Self::Lora => &[Format::Diffusers, Format::Kohya],
            Self::Vico => &[Format::Compvis, Format::VicoOfficial],
        }
    }

    /// Whether it learns a word.
    pub(super) fn has_word(self) -> bool {
        matches!(self, Self::TextualInversion | Self::CustomDiffusion | Self::Vico)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
