//! Did you mean?

/// The known word that is closest to a mistyped one, if any is close.
pub(crate) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let score = |candidate: &str| strsim::jaro_winkler(&word.to_lowercase(), &candidate.to_lowercase());
    let scored = known.into_iter().map(|candidate| (score(candidate), candidate));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(score, _)| *score >= 0.8)
        .map(|(_, candidate)| candidate)
}

/// `did you mean …?`, or the list of all known words while it is short.
pub(crate) fn help<'a>(word: &str, known: &[&'a str], what: &str) -> Option<String> {
    // Comparing megabytes of nonsense with every key would be slow and help nobody.
    let candidates = if word.len() <= 64 {
        known
    } else {
        &[] as &[&'a str]
    };
    if let Some(close) = closest(word, candidates.iter().copied()) {
        return Some(format!("did you mean `{close}`?"));
    }
    (!known.is_empty() && known.len() <= 20).then(|| format!("{what}: {}", list(known)))
}

/// `a`, `b`, `c` in back-ticks.
pub(crate) fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}
