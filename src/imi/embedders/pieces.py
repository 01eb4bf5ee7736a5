"""Split texts into pieces of a SentencePiece vocabulary, many texts at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.embedders import piece_index
from imi.embedders.piece_index import PieceIndex
from imi.errors import DataError, UsageError

Ids = NDArray[np.int32]
Offsets = NDArray[np.int64]

_FEW = 16
_BY_INDEX = 2000
"""Characters that are split by the index before SentencePiece is loaded, which takes about as long."""


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
        """Open a model by its index where it has one; else, and for all but a few short texts, SentencePiece reads it.

        Raises:
            DataError: the file is not there or no SentencePiece model.
        """
        self.path = path
        self._index = piece_index.opened(path)
        self._left = _BY_INDEX
        self.size: int = self._index.size if self._index is not None else self.processor.vocab_size()

    @cached_property
    def processor(self) -> Any:
        """SentencePiece with the model loaded."""
        import sentencepiece

        try:
            return sentencepiece.SentencePieceProcessor(model_file=str(self.path))
        except (OSError, RuntimeError) as broken:
            raise DataError(
                f"{self.path} is not a SentencePiece model: {broken}", hint="copy the model folder again"
            ) from broken

    def id_of(self, piece: str) -> int:
        """Return the id of a piece, the unknown one's where there is none."""
        return self._index.id_of(piece) if self._index is not None else int(self.processor.piece_to_id(piece))

    def split(self, texts: Sequence[str], *, ends: bool = False) -> tuple[Ids, Offsets]:
        """Return the piece ids of all texts, one after another, and where each text starts.

        Args:
            texts: n strings as `encodable` returns them.
            ends: put the vocabulary's begin and end pieces around each text.

        Returns:
            ids (total,) int32 and offsets (n + 1,) int64: text i is ids[offsets[i]:offsets[i + 1]].
        """
        index = None if ends else self._by_index(texts)
        if index is not None:
            lists = [index.split(text) for text in texts]
        elif len(texts) <= _FEW:
            # A list is split by threads that are made for it, which costs more than the splitting of a few texts.
            lists = [self.processor.encode(text, out_type=int, add_bos=ends, add_eos=ends) for text in texts]
        else:
            workers = threads() if len(texts) > 256 else 1
            lists = self.processor.encode(list(texts), out_type=int, add_bos=ends, add_eos=ends, num_threads=workers)
        offsets = np.zeros(len(lists) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, lists), np.int64, len(lists)), out=offsets[1:])
        return np.fromiter(chain.from_iterable(lists), np.int32, int(offsets[-1])), offsets

    def _by_index(self, texts: Sequence[str]) -> PieceIndex | None:
        """Return the index where looking up is still cheaper than loading: all that it splits is counted."""
        if self._index is None or "processor" in self.__dict__:
            return None
        self._left -= sum(map(len, texts))
        return self._index if self._left >= 0 else None
