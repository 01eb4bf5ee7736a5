"""The pieces of the built-in model: one SentencePiece unigram vocabulary for Japanese, English and emoji."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from imi.embedders.pieces import Pieces

SIZE = 50_000
RARE_WORDS = 3_600
SAMPLE_TEXTS = 400_000
# Where a Japanese word may begin: katakana against anything else, and kana before Han (を|送る, but 送る whole).
_BORDER = re.compile(r"(?<=[ァ-ヶー])(?=[^ァ-ヶー\s])|(?<=[^ァ-ヶー\s])(?=[ァ-ヶー])|(?<=[ぁ-ん])(?=[一-龯々])")
_WORD = re.compile(r"[a-z]{4,}")
_DELIMITER = "\ue000"
# Joiners and variation selectors are dropped, so that ❤ and ❤️ are one piece and a family splits into its members.
DROPPED = {0x200B, 0x200C, 0x200D, 0x2060, 0xFE0E, 0xFE0F, 0xFEFF, 0x00AD, 0x20E3}


def normal(text: str) -> str:
    """Return the form a text has before it is split: NFKC and case folded, controls as spaces, joiners dropped."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(" " if _blank(char) else char for char in folded if ord(char) not in DROPPED)


def _blank(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Zs", "Zl", "Zp") or char == "�"


def rules() -> Iterator[str]:
    """Yield SentencePiece normalisation rules (source TAB target, in hexadecimal) that do what `normal` does.

    Single characters first, then the pairs of a base and a combining mark (also half-width kana and its marks) that
    compose.
    """
    pairs: dict[str, str] = {}
    for point in range(1, sys.maxunicode + 1):
        if 0xD800 <= point <= 0xDFFF or point == 0x20:
            continue
        char = chr(point)
        target = normal(char)
        if target != char:
            yield _rule(char, target)
        decomposed = unicodedata.normalize("NFD", char)
        if len(decomposed) == 2 and unicodedata.normalize("NFC", decomposed) == char:
            pairs[decomposed] = normal(char)
    for kana in range(0xFF66, 0xFF9E):
        for mark in "\uff9e\uff9f":
            target = normal(chr(kana) + mark)
            if len(target) == 1:
                pairs[chr(kana) + mark] = target
    yield from (_rule(source, target) for source, target in pairs.items())


def _rule(source: str, target: str) -> str:
    return "\t".join(" ".join(f"{ord(char):X}" for char in side) for side in (source, target))


def emoji_pieces(chars: Iterable[str]) -> list[str]:
    """Return the single symbols that emoji are made of, sorted, without letters and digits."""
    singles = {
        char
        for text in chars
        for char in text
        if ord(char) > 0x2000 and unicodedata.category(char) in ("So", "Sk", "Cn")
    }
    return sorted(char for char in singles if normal(char) == char)


def train(texts: Sequence[str], emoji: Iterable[str], out: Path, *, size: int = SIZE, seed: int = 0) -> None:
    """Train the vocabulary on a sample of the texts and write it to `out` (SentencePiece model file).

    Japanese texts are handed over behind a full stop: SentencePiece puts a space before each text, and without the
    stop it
    would learn 猫 twice, at the beginning of a text and within. No piece crosses a border of scripts, so that ネコ in
    ネコが is ネコ.
    """
    import sentencepiece

    table = out.with_suffix(".rules.tsv")
    table.write_text("\n".join(rules()) + "\n", encoding="utf-8")
    chosen = np.random.default_rng(seed).permutation(len(texts))[:SAMPLE_TEXTS]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(_marked(texts[at]) for at in chosen.tolist()),
        pretokenization_delimiter=_DELIMITER,
        model_writer=out.open("wb"),
        model_type="unigram",
        vocab_size=size,
        character_coverage=0.9998,
        byte_fallback=True,
        hard_vocab_limit=True,
        normalization_rule_tsv=str(table),
        user_defined_symbols=emoji_pieces(emoji),
        max_sentence_length=4000,
        max_sentencepiece_length=10,
        bos_id=-1,
        eos_id=-1,
        num_threads=2,
        minloglevel=2,
    )
    table.unlink()


def rare_words(texts: Iterable[str], pieces: Pieces, *, limit: int = RARE_WORDS) -> list[str]:
    """Return English words that occur in the texts again and again and are still split into three pieces or more.

    Args:
        texts: of any language.
        pieces: the vocabulary as trained.
        limit: how many words to return, those first that waste most pieces.
    """
    counts = Counter(word for text in texts if text.isascii() for word in _WORD.findall(text.lower()))
    often = [word for word, count in counts.items() if count >= 8 and len(word) < 16]
    _, offsets = pieces.split(often)
    lengths = dict(zip(often, np.diff(offsets).tolist(), strict=True))
    wasted = {word: counts[word] * (length - 1) for word, length in lengths.items() if length >= 3}
    return sorted(wasted, key=lambda word: (-wasted[word], word))[:limit]


def keep_whole(model: Path, words: Iterable[str]) -> int:
    """Add words to a trained vocabulary as pieces of their own; returns how many were not there yet.

    A unigram vocabulary takes the split with the highest sum of scores: each word gets a score just above that of the
    pieces that it was split into. A Japanese word has no mark of a beginning: it stands within a text.
    """
    from sentencepiece import sentencepiece_model_pb2 as formats

    proto = formats.ModelProto()
    proto.ParseFromString(model.read_bytes())
    scores = {piece.piece: piece.score for piece in proto.pieces}
    lowest = min(piece.score for piece in proto.pieces if piece.type == piece.NORMAL)
    pieces = Pieces(model)
    folded = dict.fromkeys(normal(word) for word in words)
    fresh = {word if word[0] >= "ぁ" else f"▁{word}": word for word in folded}
    fresh = {piece: word for piece, word in fresh.items() if piece not in scores}
    for piece, word in fresh.items():
        parts = [pieces.processor.id_to_piece(int(one)) for one in pieces.split([word])[0]]
        parts = parts[1:] if parts[0] == "▁" and piece[0] != "▁" else parts
        score = max(lowest, sum(scores[part] for part in parts) + 0.5)
        proto.pieces.add(piece=piece, score=score, type=formats.ModelProto.SentencePiece.NORMAL)
    proto.trainer_spec.vocab_size = len(proto.pieces)
    model.write_bytes(proto.SerializeToString())
    return len(fresh)


def _marked(text: str) -> str:
    return _BORDER.sub(_DELIMITER, "。" + text) if text[0] >= "　" else text
