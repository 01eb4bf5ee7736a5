"""A small embedder for tests: no weights, no files, the same numbers everywhere, others for other texts."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from imi.progress import Progress
from imi.records import Kind, ModelInfo
from imi.types import Floats
from imi.vectors import normalize, truncate

_WIDTH = 64


class HashEmbedder:
    """Hashes the one- to three-letter pieces of a text to signs and adds these up: texts that share letters are near.

    It knows no meaning. Every prefix of a vector is a random projection of the pieces, so that shorter ones work too.
    """

    info = ModelInfo(
        id="hash",
        width=_WIDTH,
        dims=(16, 32, _WIDTH),
        weights="blake2b-1",
        pooling="sum",
        tokenizer="characters-1-3",
        licence="Apache-2.0",
        source="imi.embedders.testing",
    )

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind = "document",
        dims: int | None = None,
        *,
        progress: Progress | None = None,
    ) -> Floats:
        """Embed n texts as (n, dims or 64) float32 unit rows; queries and documents are treated alike."""
        sums = np.zeros((len(texts), _WIDTH), np.float32)
        for row, text in enumerate(texts):
            digests = b"".join(map(_digest, _pieces(text)))
            bits = np.unpackbits(np.frombuffer(digests, np.uint8)).reshape(-1, _WIDTH)  # (pieces, 64)
            # A half keeps the sum of an even number of pieces away from zero.
            sums[row] = 2.0 * bits.sum(axis=0) - len(bits) + 0.5
            if progress is not None:
                progress(row + 1, len(texts))
        if not len(texts):
            return sums[:, : dims or _WIDTH]
        return truncate(sums, dims) if dims is not None else normalize(sums)

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the number of characters of each text, at least one: (n,) int64."""
        return np.array([max(1, len(text)) for text in texts], np.int64)


# The pieces of long texts are the same few thousand: hashing each again was nine tenths of adding a large file.
@lru_cache(2**16)
def _digest(piece: str) -> bytes:
    return blake2b(piece.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _pieces(text: str) -> list[str]:
    marked = f"^{unicodedata.normalize('NFKC', text).casefold()}$"
    return [marked[at : at + size] for size in (1, 2, 3) for at in range(len(marked) - size + 1)]
