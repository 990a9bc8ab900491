//! Text to CLIP token ids, as the `transformers` CLIP tokenizer makes them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::{
    Lowercase, NFC, NormalizerWrapper, Replace, Sequence, replace::ReplacePattern,
};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence as PreSequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, Model, SplitDelimiterBehavior, Tokenizer};

use crate::files;

/// Positions of every CLIP text tower, begin and end of text included.
pub const CONTEXT_LENGTH: usize = 77;

const BEGIN_OF_TEXT: &str = "<|startoftext|>";
const END_OF_TEXT: &str = "<|endoftext|>";
/// The words of CLIP's byte-pair encoding: contractions, letters, single digits, everything else.
const WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
/// Far above the published vocabulary (0.9 MB) and `tokenizer.json` (2.2 MB).
const MAX_FILE_BYTES: u64 = 64 << 20;

/// A tokenizer directory could not be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither `vocab.json` with `merges.txt` nor `tokenizer.json` is there.
    #[error("{}: no tokenizer here, looked for vocab.json with merges.txt, and tokenizer.json", .0.display())]
    NoTokenizer(PathBuf),
    /// A file cannot be read, or the file system does not say whether it is there.
    #[error("{}: cannot read: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is malformed.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The vocabulary lacks CLIP's begin or end of text.
    #[error("{}: not a CLIP vocabulary, `{token}` is missing", path.display())]
    NotClip {
        /// The directory.
        path: PathBuf,
        /// The token that should be there.
        token: &'static str,
    },
    /// The text could not be encoded.
    #[error("cannot tokenize {text:?}: {reason}")]
    Encode {
        /// The text.
        text: String,
        /// What the tokenizer said.
        reason: String,
    },
}

/// A text as the text encoder takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Exactly [`CONTEXT_LENGTH`] ids: begin of text, the words, end of text as padding.
    pub ids: Vec<u32>,
    /// Position of the first end of text.
    pub eot: usize,
    /// Whether words had to be dropped to fit.
    pub truncated: bool,
}

/// CLIP's byte-pair tokenizer.
#[derive(Clone)]
pub struct ClipTokenizer {
    inner: Tokenizer,
    begin: u32,
    end: u32,
}

impl ClipTokenizer {
    /// Reads a tokenizer directory: `vocab.json` with `merges.txt`, else `tokenizer.json`.
    pub fn from_dir(dir: &Path) -> Result<Self, Error> {
        let (vocab, merges, json) = (
            dir.join("vocab.json"),
            dir.join("merges.txt"),
            dir.join("tokenizer.json"),
        );
        let inner = if is_there(&vocab)? && is_there(&merges)? {
            from_vocabulary(&vocab, &merges)?
        } else if is_there(&json)? {
            from_json(&json)?
        } else {
            return Err(Error::NoTokenizer(dir.to_owned()));
        };
        // Asked of the vocabulary itself: adding special tokens gives a missing one a new id without a word.
        let id = |token| {
            inner.get_model().token_to_id(token).ok_or(Error::NotClip {
                path: dir.to_owned(),
                token,
            })
        };
        let (begin, end) = (id(BEGIN_OF_TEXT)?, id(END_OF_TEXT)?);
        Ok(Self { inner, begin, end })
    }

    /// The ids of `text`, begin and end added, cut or padded to [`CONTEXT_LENGTH`].
    pub fn encode(&self, text: &str) -> Result<Encoded, Error> {
        let words = self.words(text)?;
        let room = CONTEXT_LENGTH - 2;
        let kept = words.len().min(room);
        let mut ids = Vec::with_capacity(CONTEXT_LENGTH);
        ids.push(self.begin);
        ids.extend_from_slice(&words[..kept]);
        ids.resize(CONTEXT_LENGTH, self.end);
        // A text that spells out the end-of-text token has its end there: the first one counts.
        let eot = ids
            .iter()
            .position(|id| *id == self.end)
            .unwrap_or(CONTEXT_LENGTH - 1);
        Ok(Encoded {
            ids,
            eot,
            truncated: words.len() > room,
        })
    }

    /// The id of `word` if it is exactly one token, as a placeholder or initializer must be.
    pub fn single_token(&self, word: &str) -> Result<Option<u32>, Error> {
        match self.words(word)?.as_slice() {
            [id] => Ok(Some(*id)),
            _ => Ok(None),
        }
    }

    /// How many tokens `text` has, begin and end not counted.
    pub fn token_count(&self, text: &str) -> Result<usize, Error> {
        Ok(self.words(text)?.len())
    }

    fn words(&self, text: &str) -> Result<Vec<u32>, Error> {
        let failed = |reason: tokenizers::Error| Error::Encode {
            text: text.to_owned(),
            reason: reason.to_string(),
        };
        Ok(self
            .inner
            .encode_fast(text, false)
            .map_err(failed)?
            .get_ids()
            .to_vec())
    }
}

fn from_vocabulary(vocab: &Path, merges: &Path) -> Result<Tokenizer, Error> {
    check_size(vocab)?;
    check_size(merges)?;
    build(vocab, merges).map_err(|reason| failed(&vocab.with_file_name(""), reason))
}

/// The pipeline that `transformers` builds for `CLIPTokenizer`.
fn build(vocab: &Path, merges: &Path) -> tokenizers::Result<Tokenizer> {
    let utf8 = |path: &Path| path.to_str().map(str::to_owned).ok_or("path is not UTF-8");
    let (vocab, merges) = BPE::read_file(&utf8(vocab)?, &utf8(merges)?)?;
    let model = BPE::builder()
        .vocab_and_merges(vocab, merges)
        .unk_token(END_OF_TEXT.to_owned())
        .continuing_subword_prefix(String::new())
        .end_of_word_suffix("</w>".to_owned())
        .build()?;
    let one_space = Replace::new(ReplacePattern::Regex(r"\s+".to_owned()), " ")?;
    let normalizers: Vec<NormalizerWrapper> = vec![NFC.into(), one_space.into(), Lowercase.into()];
    let words = Split::new(
        SplitPattern::Regex(WORDS.to_owned()),
        SplitDelimiterBehavior::Removed,
        true,
    )?;
    let bytes = ByteLevel::default().add_prefix_space(false).use_regex(false);
    let pre_tokenizers: Vec<PreTokenizerWrapper> = vec![words.into(), bytes.into()];
    let mut tokenizer = Tokenizer::new(model);
    tokenizer.with_normalizer(Some(Sequence::new(normalizers)))?;
    tokenizer.with_pre_tokenizer(Some(PreSequence::new(pre_tokenizers)));
    let special = [BEGIN_OF_TEXT, END_OF_TEXT].map(|token| AddedToken::from(token, true).normalized(true));
    tokenizer.add_special_tokens(special)?;
    Ok(tokenizer)
}

fn from_json(path: &Path) -> Result<Tokenizer, Error> {
    check_size(path)?;
    let mut tokenizer = Tokenizer::from_file(path).map_err(|reason| failed(path, reason))?;
    // Length is this module's business: the file may carry settings of its own.
    tokenizer.with_padding(None);
    let cut = tokenizer.with_truncation(None);
    cut.map_err(|reason| failed(path, reason))?;
    Ok(tokenizer)
}

fn check_size(path: &Path) -> Result<(), Error> {
    let facts = fs::metadata(path).map_err(|source| unreadable(path, source))?;
    let bytes = facts.len();
    if bytes > MAX_FILE_BYTES {
        return Err(Error::Malformed {
            path: path.to_owned(),
            reason: format!("{bytes} bytes are over the limit of {MAX_FILE_BYTES}"),
        });
    }
    Ok(())
}

fn is_there(path: &Path) -> Result<bool, Error> {
    files::is_there(path).map_err(|source| unreadable(path, source))
}

/// What the library says of `path`. Errors of the file system come through it as they are, and so does the standard library's
/// about text that is not UTF-8, which is the file's own fault.
fn failed(path: &Path, reason: tokenizers::Error) -> Error {
    let malformed = |reason: String| Error::Malformed {
        path: path.to_owned(),
        reason,
    };
    match reason.downcast::<io::Error>() {
        Ok(error) if error.kind() == io::ErrorKind::InvalidData => malformed(error.to_string()),
        Ok(error) => unreadable(path, *error),
        Err(other) => malformed(other.to_string()),
    }
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::Io {
        path: path.to_owned(),
        source,
    }
}
