"""Cuts CLIP's byte-pair encoding down to the words that are needed.

Every byte stays a token, so every text can still be encoded; only words that are not listed fall into more pieces.
A kept word gets the very pieces that CLIP gives it: the merges it needs are kept in their order.
"""

import json
import re
from pathlib import Path

BEGIN, END = "<|startoftext|>", "<|endoftext|>"
WORD = re.compile(r"[^\W\d_]+")


def wanted_words(word_file: Path, prompts: Path) -> list[str]:
    """Words of a list (`#` starts a comment) and of all prompt files below a folder, in lower case."""
    texts = [word_file.read_text(), *(path.read_text() for path in sorted(prompts.rglob("*.txt")))]
    lines = [line for text in texts for line in text.splitlines() if not line.startswith("#")]
    return sorted({word for line in lines for word in WORD.findall(line.lower())})


def cut(source: Path, words: list[str], folder: Path) -> int:
    """Writes `vocab.json` and `merges.txt`; returns the number of tokens. `source` is CLIP's `tokenizer.json`."""
    model = json.loads(source.read_text())["model"]
    merges = [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in model["merges"]]
    ranks = {merge: rank for rank, merge in enumerate(merges)}
    used = sorted({ranks[merge] for word in words for merge in merges_of(word, ranks)})
    by_id = sorted(model["vocab"], key=model["vocab"].get)
    # CLIP's order: 256 bytes, the same at a word's end, merged pieces, and last the two special tokens.
    tokens = by_id[:512] + ["".join(merges[rank]) for rank in used] + [BEGIN, END]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    assert len(vocabulary) == len(tokens), "two merges make the same piece"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False, indent=0) + "\n")
    lines = ["#version: 0.2", *(" ".join(merges[rank]) for rank in used)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")
    (folder / "tokenizer_config.json").write_text(json.dumps(SETTINGS, indent=2) + "\n")
    return len(tokens)


def merges_of(word: str, ranks: dict[tuple[str, str], int]) -> list[tuple[str, str]]:
    """The merges that byte-pair encoding applies to an ASCII word, in order."""
    pieces, applied = [*word[:-1], word[-1] + "</w>"], []
    while True:
        pairs = [pair for pair in zip(pieces, pieces[1:]) if pair in ranks]
        if not pairs:
            return applied
        best = min(pairs, key=ranks.__getitem__)
        applied.append(best)
        merged, i = [], 0
        while i < len(pieces):
            here = tuple(pieces[i : i + 2]) == best
            merged.append("".join(best) if here else pieces[i])
            i += 2 if here else 1
        pieces = merged


SETTINGS = {
    "tokenizer_class": "CLIPTokenizer",
    "bos_token": BEGIN,
    "eos_token": END,
    "unk_token": END,
    "pad_token": END,
    "model_max_length": 77,
    "do_lower_case": True,
    "errors": "replace",
}
