"""Checking an answer against its passages: does each number exist, and does its passage say what the sentence says?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from imi.embedders.base import Embedder
from imi.records import Citation, Hit, facts_of
from imi.text.lexical import index_tokens
from imi.text.sentences import sentence_spans, sentences

UNSUPPORTED = "[?]"
"""Stands behind a sentence of an answer that no passage supports."""
_CITED = re.compile(r"(?<!\s)\s*+[\[【]\s*+(\d++(?:\s*+[,、]\s*+\d++)*+)\s*+[\]】]")
_SHARE = 0.6
_COSINE = 0.6


def check(text: str, passages: Sequence[Hit], model: Embedder) -> tuple[str, tuple[Citation, ...]]:
    """Return the answer with its unsupported sentences marked, and its citations in the order of their numbers."""
    verdicts: dict[int, bool] = {}
    marked: list[str] = []
    for sentence in _with_citations(text):
        numbers = [int(one) for group in _CITED.findall(sentence) for one in re.findall(r"\d+", group)]
        claim = _CITED.sub("", sentence).strip()
        if not claim:
            marked.append(sentence)
            continue
        holds = [1 <= n <= len(passages) and supports(claim, passages[n - 1].text or "", model) for n in numbers]
        for n, held in zip(numbers, holds, strict=True):
            verdicts[n] = verdicts.get(n, True) and held
        body = sentence.rstrip()
        marked.append(sentence if any(holds) else f"{body} {UNSUPPORTED}{sentence[len(body) :]}")
    return "".join(marked), tuple(_citation(n, passages, held) for n, held in sorted(verdicts.items()))


def _citation(n: int, passages: Sequence[Hit], held: bool) -> Citation:
    if not 1 <= n <= len(passages):
        return Citation(n, None, None, None, False)
    hit = passages[n - 1]
    return Citation(n, hit.id, hit.text, facts_of(hit.metadata).get("page"), held)


def _with_citations(text: str) -> list[str]:
    """Cut an answer into sentences; a citation that stands behind a full stop belongs to the sentence before."""
    parts: list[str] = []
    for start, end in sentence_spans(text):
        piece = text[start:end]
        leading = ""
        while match := _CITED.match(piece):
            leading, piece = leading + match[0], piece[match.end() :]
        if leading and parts:
            parts[-1] += leading
        elif leading:
            piece = leading + piece
        if piece:
            parts.append(piece)
    return parts


def supports(claim: str, passage: str, model: Embedder) -> bool:
    """Whether a passage says a claim: it has all its numbers, and most of its words or a sentence of like meaning."""
    numbers = set(re.findall(r"\d+(?:[.,]\d+)*", claim))
    if not numbers <= set(re.findall(r"\d+(?:[.,]\d+)*", passage)):
        return False
    words = set(index_tokens(claim))
    if not words or len(words & set(index_tokens(passage))) >= _SHARE * len(words):
        return True
    parts = sentences(passage)
    return bool(parts) and float((model.embed(parts) @ model.embed([claim])[0]).max()) >= _COSINE
