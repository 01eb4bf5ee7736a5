"""Reading long texts also in parts: the whole, the first sentence, and the mean of all sentences, side by side.

One vector of a long text is near to whatever most of its words are about; what its title says, and what each sentence
says for itself, is lost in it. Three vectors beside each other keep that, for any model, and everything that takes
vectors takes them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from imi.embedders.base import Embedder
from imi.errors import UsageError
from imi.text.sentences import sentences
from imi.types import Floats
from imi.vectors import normalize, truncate

PARTS = 3
# What a template puts between fields ("Title: …; Content: …"), and what web pages break lines with.
_FIELD = re.compile(r"(?<=;)\s+|<br\s*/?>")


def in_parts(texts: Sequence[str], model: Embedder, dims: int | None = None, whole: Floats | None = None) -> Floats:
    """Return (n, 3 d) unit rows: each text's vector, its first sentence's, and the mean of all its sentences'.

    Their dimensions are interleaved, so that the first 3 m hold the first m of each part. The cosine of two
    rows is the mean of the three cosines; for two texts of one sentence each it is their own.

    Args:
        texts: n texts.
        model: an embedder.
        dims: leading dimensions of each vector to use.
        whole: (n, d) vectors of the whole texts, where they are known already.

    Raises:
        UsageError: there are no texts, or another number of vectors.
    """
    if not texts or (whole is not None and len(whole) != len(texts)):
        raise UsageError(f"there are {len(texts)} texts" + ("" if whole is None else f" for {len(whole)} vectors"))
    cut = [_pieces(text) for text in texts]
    vectors = normalize(model.embed([piece for pieces in cut for piece in pieces], "document", dims))
    starts = np.cumsum([0, *map(len, cut)])[:-1]
    z = normalize(model.embed(list(texts), "document", dims) if whole is None else whole)
    z = z if dims is None else truncate(z, dims)
    middle = normalize(np.add.reduceat(vectors, starts, axis=0) + 1e-6 * z)
    return spread(np.stack([z, vectors[starts], middle], axis=2))


def tiled(z: Floats) -> Floats:
    """Return (n, 3 d) unit rows to compare with those of `in_parts`: every part is the vector itself."""
    return spread(np.repeat(z[:, :, None], PARTS, axis=2))


def spread(parts: Floats) -> Floats:
    """Return (n, d, 3) parts as interleaved unit rows (n, 3 d)."""
    return np.ascontiguousarray(parts.reshape(len(parts), -1) / np.sqrt(PARTS), dtype=np.float32)


def _pieces(text: str) -> list[str]:
    """Return the sentences of a text, fields apart; the text itself where there is none."""
    found = [piece.strip() for sentence in sentences(text) for piece in _FIELD.split(sentence) if piece.strip()]
    return found or [text]
