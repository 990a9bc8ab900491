//! The tokens file: one holder a line, `role name token`, where the token may be given as `sha256:` and its digest.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::role::Role;
use crate::error::Error;
use crate::renewal::Keeper;

/// Marks a token that the file does not give away.
const DIGESTED: &str = "sha256:";
/// Shorter tokens can be guessed.
const SHORTEST: usize = 32;

type Sha = [u8; 32];

/// Who holds which token. Only digests are kept.
#[derive(Debug)]
pub(crate) struct Tokens(Vec<(Sha, Holder)>);

/// Whose token it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// For people and the audit trail.
    pub(crate) name: Arc<str>,
    /// What the holder may do.
    pub(crate) role: Role,
}

/// Reads the file, and will go on doing so.
pub(crate) async fn open(file: &Path) -> Result<Keeper<Tokens>, Error> {
    let shown = file.display().to_string();
    let read = move |files: &[Vec<u8>]| {
        let text = files.first().map_or(&[][..], Vec::as_slice);
        let text = std::str::from_utf8(text).map_err(|_| format!("{shown}: it is no text"))?;
        parse(text).map_err(|reason| format!("{shown}: {reason}"))
    };
    Keeper::open(vec![file.to_path_buf()], Box::new(read)).await
}

impl Tokens {
    /// Whose token this is. Takes the same time wherever a wrong one begins to differ, and wherever the right one stands.
    pub(super) fn holder(&self, token: &str) -> Option<&Holder> {
        let shown = sha(token);
        let mut found = None;
        for (known, holder) in &self.0 {
            if known.ct_eq(&shown).into() {
                found = Some(holder);
            }
        }
        found
    }
}

/// Errors name the line and never quote it: they are logged.
pub(super) fn parse(text: &str) -> Result<Tokens, String> {
    let lines = text.lines().zip(1..).map(|(line, number)| (line.trim(), number));
    let lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    let tokens: Result<Vec<_>, _> = lines
        .map(|(line, number)| entry(line).map_err(|reason| format!("line {number}: {reason}")))
        .collect();
    match tokens? {
        none if none.is_empty() => Err("there is no token in it, so nobody could do anything".to_owned()),
        some => Ok(Tokens(some)),
    }
}

fn entry(line: &str) -> Result<(Sha, Holder), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [role, name, token] = words[..] else {
        return Err("it takes a role, a name and a token, with blanks between".to_owned());
    };
    let holder = Holder {
        name: name.into(),
        role: role.parse()?,
    };
    let digest = match token.strip_prefix(DIGESTED) {
        Some(digest) => from_hex(digest)?,
        None if token.len() < SHORTEST => {
            return Err(format!(
                "the token is shorter than {SHORTEST} characters; make one with `openssl rand -hex 32`"
            ));
        }
        None => sha(token),
    };
    Ok((digest, holder))
}

fn sha(token: &str) -> Sha {
    Sha256::digest(token.as_bytes()).into()
}

/// The notation of a SHA-256 is the notation of every 32 bytes.
fn from_hex(digits: &str) -> Result<Sha, String> {
    let digest: Result<vico::digest::Digest, _> = digits.parse();
    let digest = digest.map_err(|_| "`sha256:` takes 64 hexadecimal digits".to_owned())?;
    Ok(*digest.as_bytes())
}
