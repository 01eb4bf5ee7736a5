"""Split texts into pieces of a SentencePiece vocabulary, many texts at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imi.errors import DataError, UsageError

Ids = NDArray[np.int32]
Offsets = NDArray[np.int64]

_FEW = 16


def threads() -> int:
    """Return how many threads splitting and pooling may use: OMP_NUM_THREADS, else the cores there are."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def encodable(texts: Sequence[str]) -> list[str]:
    """Return the texts with every lone surrogate replaced by U+FFFD, which UTF-8 can carry.

    Raises:
        UsageError: one string was given where a sequence is meant, or an item is not a string.
    """
    if isinstance(texts, str):
        raise UsageError(f"one string was given where a list of texts is meant: {texts[:40]!r}", hint="embed([text])")
    for at, text in enumerate(texts):
        if not isinstance(text, str):
            raise UsageError(f"item {at} is {type(text).__name__}, not a text", hint="str(item), or leave the row out")
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in texts]
    return list(texts)


class Pieces:
    """A SentencePiece model; `split` gives the ids of many texts as one flat array with offsets."""

    def __init__(self, path: Path) -> None:
        import sentencepiece

        self.path = path
        try:
            self.processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
        except (OSError, RuntimeError) as broken:
            raise DataError(
                f"{path} is not a SentencePiece model: {broken}", hint="copy the model folder again"
            ) from broken
        self.size: int = self.processor.vocab_size()

    def split(self, texts: Sequence[str], *, ends: bool = False) -> tuple[Ids, Offsets]:
        """Return the piece ids of all texts, one after another, and where each text starts.

        Args:
            texts: n strings as `encodable` returns them.
            ends: put the vocabulary's begin and end pieces around each text.

        Returns:
            ids (total,) int32 and offsets (n + 1,) int64: text i is ids[offsets[i]:offsets[i + 1]].
        """
        if len(texts) <= _FEW:
            # A list is split by threads that are made for it, which costs more than the splitting of a few texts.
            lists = [self.processor.encode(text, out_type=int, add_bos=ends, add_eos=ends) for text in texts]
        else:
            workers = threads() if len(texts) > 256 else 1
            lists = self.processor.encode(list(texts), out_type=int, add_bos=ends, add_eos=ends, num_threads=workers)
        offsets = np.zeros(len(lists) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, lists), np.int64, len(lists)), out=offsets[1:])
        return np.fromiter(chain.from_iterable(lists), np.int32, int(offsets[-1])), offsets
