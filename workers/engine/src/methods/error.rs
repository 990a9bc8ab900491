//! What can go wrong in training and sampling, beyond a failing tensor operation.

/// A request that cannot be met, or numbers that stopped being numbers.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting that makes no sense.
    #[error("{name} must be {expected}, got {got}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        got: String,
    },
    /// A word that must be one token of the vocabulary is several.
    #[error(
        "the {role} `{word}` is {tokens} tokens of the text encoder's vocabulary, it must be exactly one"
    )]
    NotOneToken {
        /// `placeholder` or `initializer`.
        role: &'static str,
        /// The word.
        word: String,
        /// How many tokens it is.
        tokens: usize,
    },
    /// A prompt that the text encoder would read only the beginning of.
    #[error(
        "the prompt `{prompt}` has {tokens} tokens, the text encoder reads at most {most} (77 with its two ends)"
    )]
    PromptTooLong {
        /// The prompt.
        prompt: String,
        /// How many tokens it has, begin and end not counted.
        tokens: usize,
        /// How many fit.
        most: usize,
    },
    /// The placeholder stands more than once in a prompt; its attention map would not be defined.
    #[error("the prompt `{prompt}` contains the placeholder {times} times, at most once is possible")]
    RepeatedPlaceholder {
        /// The prompt.
        prompt: String,
        /// How often it stands there.
        times: usize,
    },
    /// There is nothing to train on.
    #[error("no {role}")]
    NoImages {
        /// `reference images` or `class images`.
        role: String,
    },
    /// A loss or gradient is NaN or infinite.
    #[error("train step {step}: {tensor} is not finite ({value})")]
    NotFinite {
        /// The train step, from 1.
        step: usize,
        /// `loss` or the name of the tensor whose gradient it is.
        tensor: String,
        /// The loss, or the gradient's norm.
        value: f32,
    },
    /// A trainable tensor got no gradient: the graph is cut somewhere.
    #[error("train step {step}: no gradient reached {tensor}")]
    NoGradient {
        /// The train step, from 1.
        step: usize,
        /// The tensor.
        tensor: String,
    },
    /// A training state that belongs to another training.
    #[error("the training state does not fit: {what} is {got}, expected {expected}")]
    ForeignState {
        /// What differs.
        what: String,
        /// What this training has.
        expected: String,
        /// What the state has.
        got: String,
    },
    /// An adapter made by another method.
    #[error("the adapter was made by `{got}`, not by {expected}")]
    WrongMethod {
        /// The methods that could be sampled from here.
        expected: &'static str,
        /// The method that made the adapter.
        got: String,
    },
    /// An adapter that does not fit this base model.
    #[error("the adapter does not fit: {tensor}: {reason}")]
    ForeignAdapter {
        /// The tensor or the fact in the header.
        tensor: String,
        /// Why it does not fit.
        reason: String,
    },
    /// The network returned NaN or infinity instead of an image.
    #[error("image {image} of the prompt `{prompt}` is not finite")]
    NotFiniteImage {
        /// The prompt.
        prompt: String,
        /// The image's number in its noise key.
        image: u64,
    },
    /// Every pixel of an image is black.
    #[error("image {image} of the prompt `{prompt}` is entirely black")]
    BlackImage {
        /// The prompt.
        prompt: String,
        /// The image's number in its noise key.
        image: u64,
    },
    /// The watcher said stop before the images were finished.
    #[error("stopped after denoise step {done} of {of}")]
    Stopped {
        /// Denoise steps done.
        done: usize,
        /// Denoise steps asked for.
        of: usize,
    },
}
