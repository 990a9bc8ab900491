//! The engine's errors as failure classes.

use vico::causes::with_causes;
use vico::job::{Failure, FailureClass};
use vico_engine::diffusion::schedule;
use vico_engine::{Error, exchange, methods, metrics, tensor_file, tokenizer, weights};

/// The failure that `error` is, met while `doing`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "made for `map_err`, which gives the error away"
)]
pub(super) fn failure(doing: &str, error: Error) -> Failure {
    Failure {
        class: class(&error),
        message: format!("{doing}: {}", with_causes(&error)),
    }
}

/// The failure that `error` is, met while a job's base model was loaded.
///
/// No plan names a model of which a part is missing, and the worker has found every file to be the right one just before.
/// What is not there has been lost since, with a mount for instance: the job is as good as it was, and may be tried again.
pub(super) fn base_failure(error: Error) -> Failure {
    let lost = matches!(
        error,
        Error::Weights(weights::Error::NoWeights { .. }) | Error::Tokenizer(tokenizer::Error::NoTokenizer(_))
    );
    lost_if(lost, failure("loading the base model", error))
}

/// The same for the networks that measure. A plan lets a CLIP without a tokenizer pass, which no other worker can mend.
pub(super) fn evaluators_failure(error: Error) -> Failure {
    let lost = matches!(error, Error::Weights(weights::Error::NoWeights { .. }));
    lost_if(lost, failure("loading the evaluators", error))
}

fn lost_if(lost: bool, mut found: Failure) -> Failure {
    if lost {
        found.class = FailureClass::Storage;
    }
    found
}

fn class(error: &Error) -> FailureClass {
    match error {
        Error::Tensor(error)
        | Error::Weights(weights::Error::Tensor(error))
        | Error::TensorFile(tensor_file::Error::Tensor(error)) => tensor_class(&error.to_string()),
        Error::Weights(weights::Error::Io { .. })
        | Error::Schedule(schedule::Error::Io { .. })
        | Error::Tokenizer(tokenizer::Error::Io { .. }) => FailureClass::Storage,
        Error::Weights(_) | Error::Image(_) | Error::Tokenizer(_) | Error::Schedule(_) => {
            FailureClass::InvalidInput
        }
        Error::TensorFile(_) => FailureClass::InvalidInput,
        Error::Metrics(error) => metrics_class(error),
        Error::Method(error) => method_class(error),
        Error::Exchange(error) => exchange_class(error),
    }
}

/// A feature without a direction comes from a network that gave no numbers; the others from a caller that mixed things up.
fn metrics_class(error: &metrics::Error) -> FailureClass {
    use metrics::Error as E;
    match error {
        E::NoDirection { .. } => FailureClass::NanLoss,
        E::TextTooLong { .. } => FailureClass::InvalidInput,
        E::NotRows { .. } | E::WidthMismatch { .. } | E::Empty(_) | E::CountMismatch { .. } => {
            FailureClass::Internal
        }
    }
}

fn exchange_class(error: &exchange::Error) -> FailureClass {
    use exchange::Error as E;
    match error {
        E::Io { .. } | E::Weights(weights::Error::Io { .. }) => FailureClass::Storage,
        E::Tensor(error) => tensor_class(&error.to_string()),
        _ => FailureClass::InvalidInput,
    }
}

fn method_class(error: &methods::Error) -> FailureClass {
    use methods::Error as E;
    match error {
        E::NotFinite { .. } | E::NotFiniteImage { .. } | E::BlackImage { .. } => FailureClass::NanLoss,
        E::NoGradient { .. } | E::Stopped { .. } => FailureClass::Internal,
        E::Setting { .. }
        | E::NotOneToken { .. }
        | E::PromptTooLong { .. }
        | E::RepeatedPlaceholder { .. }
        | E::NoImages { .. }
        | E::ForeignAdapter { .. }
        | E::ForeignState { .. }
        | E::WrongMethod { .. } => FailureClass::InvalidInput,
    }
}

/// CUDA, cuBLAS and cuDNN say it in words only; candle has no variant for it.
fn tensor_class(message: &str) -> FailureClass {
    let message = message.to_lowercase();
    let signs = [
        "out of memory",
        "out_of_memory",
        "alloc_failed",
        "failed to allocate",
    ];
    if signs.iter().any(|sign| message.contains(sign)) {
        FailureClass::OutOfMemory
    } else {
        FailureClass::Internal
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn what_cuda_says_when_memory_runs_out_is_recognised() {
        for message in [
            "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")",
            "CUBLAS_STATUS_ALLOC_FAILED",
            "CudnnError(CUDNN_STATUS_ALLOC_FAILED)",
        ] {
            assert_eq!(tensor_class(message), FailureClass::OutOfMemory, "{message}");
        }
        assert_eq!(tensor_class("shape mismatch in matmul"), FailureClass::Internal);
    }

    #[test]
    fn numbers_that_are_none_and_requests_that_cannot_be_met_are_told_apart() {
        let black = methods::Error::BlackImage {
            prompt: "a *".to_owned(),
            image: 1,
        };
        let failure_of = failure("sampling", black.into());
        assert_eq!(failure_of.class, FailureClass::NanLoss);
        assert_eq!(
            failure_of.message,
            "sampling: image 1 of the prompt `a *` is entirely black"
        );
        let no_images = methods::Error::NoImages {
            role: "reference images".to_owned(),
        };
        assert_eq!(
            failure("training", no_images.into()).class,
            FailureClass::InvalidInput
        );
        let of_metrics = |error: metrics::Error| failure("scoring", error.into()).class;
        let no_direction = metrics::Error::NoDirection { row: 0 };
        assert_eq!(of_metrics(no_direction), FailureClass::NanLoss);
        assert_eq!(of_metrics(metrics::Error::Empty("text")), FailureClass::Internal);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_storage_and_one_that_is_wrong_is_not() {
        let path = || PathBuf::from("model/file");
        let source = || io::Error::other("Input/output error");
        let unreadable: [Error; 3] = [
            weights::Error::Io {
                path: path(),
                source: source(),
            }
            .into(),
            schedule::Error::Io {
                path: path(),
                source: source(),
            }
            .into(),
            tokenizer::Error::Io {
                path: path(),
                source: source(),
            }
            .into(),
        ];
        for error in unreadable {
            let found = failure("loading", error);
            assert_eq!(found.class, FailureClass::Storage);
            assert_eq!(
                found.message,
                "loading: model/file: cannot read: Input/output error"
            );
        }
        let malformed = tokenizer::Error::Malformed {
            path: path(),
            reason: "no JSON".to_owned(),
        };
        let found = base_failure(malformed.into());
        assert_eq!(found.class, FailureClass::InvalidInput);
    }

    /// Whoever scores a folder of their own names its models without a plan.
    #[test]
    fn what_a_plan_has_found_and_is_gone_is_storage() {
        let no_weights = || {
            Error::from(weights::Error::NoWeights {
                dir: PathBuf::from("model"),
                looked_for: vec!["model.safetensors".to_owned()],
            })
        };
        let no_tokenizer = || Error::from(tokenizer::Error::NoTokenizer(PathBuf::from("model")));
        let (gone, wrong) = (FailureClass::Storage, FailureClass::InvalidInput);
        assert_eq!(base_failure(no_weights()).class, gone);
        assert_eq!(base_failure(no_tokenizer()).class, gone);
        assert_eq!(evaluators_failure(no_weights()).class, gone);
        assert_eq!(evaluators_failure(no_tokenizer()).class, wrong);
        assert_eq!(failure("loading", no_weights()).class, wrong);
    }
}
