//! The engine's errors as failure classes.

use vico::job::{Failure, FailureClass};
use vico_engine::diffusion::schedule;
use vico_engine::{Error, exchange, methods, tensor_file, weights};

use crate::failure::with_causes;

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

fn class(error: &Error) -> FailureClass {
    match error {
        Error::Tensor(error)
        | Error::Weights(weights::Error::Tensor(error))
        | Error::TensorFile(tensor_file::Error::Tensor(error)) => tensor_class(&error.to_string()),
        Error::Weights(weights::Error::Io { .. }) | Error::Schedule(schedule::Error::Io { .. }) => {
            FailureClass::Storage
        }
        Error::Weights(_) | Error::Image(_) | Error::Tokenizer(_) | Error::Schedule(_) => {
            FailureClass::InvalidInput
        }
        Error::TensorFile(_) => FailureClass::InvalidInput,
        Error::Metrics(_) => FailureClass::NanLoss,
        Error::Method(error) => method_class(error),
        Error::Exchange(error) => exchange_class(error),
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
    }
}
