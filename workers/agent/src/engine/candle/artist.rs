//! Each method's sampling: an adapter that is loaded once and draws prompt after prompt.

use vico::job::{Failure, FailureClass};
use vico::spec::{MethodSpec, ReferencePolicy, VicoSettings};
use vico_engine::adapter::Adapter;
use vico_engine::base_model::BaseModel;
use vico_engine::image::Rgb8;
use vico_engine::methods::sampling::{SampleSpec, SampleWatch};
use vico_engine::methods::vico::learned::Learned;
use vico_engine::methods::{self, Personalised};

use super::{failure, pictures};
use crate::engine::SampleWork;

/// Draws with an adapter.
pub(super) enum Artist<'a> {
    /// ViCo, which looks at a photo while it draws.
    Vico {
        base: &'a BaseModel,
        learned: Learned,
        settings: &'a VicoSettings,
        references: Vec<Rgb8>,
    },
    /// Any other method: the base model with the adapter in place.
    Personalised(Box<Personalised<'a>>),
}

impl<'a> Artist<'a> {
    pub(super) fn open(base: &'a BaseModel, work: &'a SampleWork) -> Result<Self, Failure> {
        match &work.inputs.method {
            MethodSpec::BaseModel(_) => Ok(Self::Personalised(Box::new(Personalised::base(base)))),
            MethodSpec::Vico(settings) => Ok(Self::Vico {
                base,
                learned: Learned::from_adapter(base, &adapter(base, work)?).map_err(unread)?,
                settings,
                references: pictures(&work.references)?,
            }),
            MethodSpec::TextualInversion(_)
            | MethodSpec::Dreambooth(_)
            | MethodSpec::CustomDiffusion(_)
            | MethodSpec::Lora(_) => Personalised::open(base, &adapter(base, work)?)
                .map(|personalised| Self::Personalised(Box::new(personalised)))
                .map_err(unread),
        }
    }

    /// The images of prompt `number`; `None` where `watch` said stop.
    pub(super) fn draw(
        &self,
        number: usize,
        spec: &SampleSpec,
        watch: &mut dyn SampleWatch,
    ) -> Result<Option<Vec<Rgb8>>, Failure> {
        let drawn = match self {
            Self::Vico {
                base,
                learned,
                settings,
                references,
            } => {
                let reference = reference(settings, references, number)?;
                learned.sample(base, reference, spec, watch)
            }
            Self::Personalised(personalised) => personalised.sample(spec, watch),
        };
        match drawn {
            Ok(images) => Ok(Some(images)),
            Err(vico_engine::Error::Method(methods::Error::Stopped { .. })) => Ok(None),
            Err(error) => Err(failure(&format!("sampling prompt {number}"), error)),
        }
    }
}

/// The adapter of a method that learns.
fn adapter(base: &BaseModel, work: &SampleWork) -> Result<Adapter, Failure> {
    let file = work.adapter.as_ref().ok_or_else(|| Failure {
        class: FailureClass::InvalidInput,
        message: format!("the job names no training for {}", work.inputs.method.name()),
    })?;
    Adapter::from_bytes(&file.bytes, base.device()).map_err(|error| unread(error.into()))
}

fn unread(error: vico_engine::Error) -> Failure {
    failure("reading the adapter", error)
}

/// The photo that ViCo looks at for a prompt.
fn reference<'a>(
    settings: &VicoSettings,
    references: &'a [Rgb8],
    prompt: usize,
) -> Result<&'a Rgb8, Failure> {
    let index = match settings.reference_policy {
        ReferencePolicy::Fixed => settings.reference_index as usize,
        ReferencePolicy::Cycle => prompt % references.len().max(1),
    };
    references.get(index).ok_or_else(|| Failure {
        class: FailureClass::InvalidInput,
        message: format!(
            "there is no reference image {index}: the concept has {}",
            references.len()
        ),
    })
}
