"""The built-in model: pieces, rows of one table, their sum, one hidden layer, a unit vector. numpy at run time.

    z = unit(Σ n[i] ** repeats · scale[i] · row[i])          over the pieces i of a text, each n[i] times in it
    vector = unit(z + relu(z·A + a)·B)

The int8 table is read by memory map, so processes share it. The recipe of the weights is `recipes.builtin`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi import vectors
from imi.embedders.pieces import Ids, Offsets, Pieces, encodable
from imi.embedders.pooling import pool, repeated
from imi.embedders.tower import EmbedsPictures
from imi.errors import DataError, UsageError
from imi.progress import Progress
from imi.records import Kind, ModelInfo
from imi.types import Floats

FOLDER = Path(__file__).parent.parent / "models" / "built-in"
FORMAT = 1
CHUNK_TEXTS = 4096
CHUNK_CHARACTERS = 2_000_000
_BLOCK = 512  # rows that go through the hidden layer at once: a megabyte, which stays in the cache


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a text and what it does.

    weight: the length of its row: how loud it is; one of several in a text is quieter.
    share: of one text, its exact part of the sum (shares add up to 1); of two, its exact part of the cosine of the
    two sums.
    effect: measured on the whole model by leaving the piece out: how far the vector turns, 1 - cosine, or for two
    texts how much of their cosine is lost; None where a text has only this piece.
    """

    text: str
    id: int
    weight: float
    share: float
    effect: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PieceWeights:
    """The pieces of one text or two; `cosine` is the model's, `cosine_of_sums` what shares add up to."""

    a: tuple[Piece, ...]
    b: tuple[Piece, ...] = ()
    cosine: float | None = None
    cosine_of_sums: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


class BuiltIn(EmbedsPictures):
    """A model folder as `imi.train` writes it: pieces.model, rows.npy, scales.npy, hidden.npz, model.json."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder
        try:
            self._about: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))
            self._repeats = float(self._about.get("repeats", 1.0))
            self._rows: NDArray[np.int8] = np.load(folder / "rows.npy", mmap_mode="r")
            self._scales: Floats = np.load(folder / "scales.npy").astype(np.float32)
            with np.load(folder / "hidden.npz") as hidden:
                self._inward, self._bias, self._outward = (
                    hidden[key].astype(np.float32) for key in ("inward", "bias", "outward")
                )
        except (OSError, ValueError, KeyError) as broken:
            raise DataError(
                f"{folder} is not a model folder of imi: {broken}", hint="imi train --out FOLDER writes one"
            ) from broken
        self._check()
        self._pieces = Pieces(folder / "pieces.model")
        if self._pieces.size != len(self._rows):
            raise DataError(
                f"{folder}: {self._pieces.size} pieces but {len(self._rows)} rows", hint="copy the folder again"
            )
        # A text without any piece (empty, or joiners only) is read as a single space.
        self._space: int = self._pieces.id_of("▁")

    def _check(self) -> None:
        if self._about.get("format") != FORMAT:
            raise DataError(
                f"{self.folder} has format {self._about.get('format')!r}, this imi reads {FORMAT}",
                hint="train it again, or update imi",
            )
        width = self._rows.shape[1] if self._rows.ndim == 2 else 0
        right = (
            self._rows.dtype == np.int8
            and self._scales.shape == (len(self._rows),)
            and self._inward.shape[:1] == (width,)
        )
        if not (
            right and self._outward.shape == self._inward.shape[::-1] and self._bias.shape == self._inward.shape[1:]
        ):
            raise DataError(f"{self.folder}: the arrays do not fit each other", hint="copy the folder again")

    @cached_property
    def info(self) -> ModelInfo:
        """Who made these vectors: width, trained dims, hash of the weights, licence."""
        about = self._about
        return ModelInfo(
            id=about["name"],
            width=self._rows.shape[1],
            dims=tuple(about["dims"]),
            weights=about["weights"],
            pooling="sum, hidden layer",
            tokenizer=about["tokenizer"],
            licence=about["licence"],
            source=about["source"],
        )

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind = "document",
        dims: int | None = None,
        *,
        progress: Progress | None = None,
    ) -> Floats:
        """Embed texts as unit rows, in memory bounded by one chunk of texts; questions and documents are read alike.

        Args:
            texts: n strings; an empty one is read as a single space, a lone surrogate as U+FFFD.
            kind: "query" or "document"; this model makes no difference.
            dims: leading dimensions to keep, 1 to 512; None for all.
            progress: called as progress(done, total) after each chunk.

        Returns:
            (n, dims) float32.

        Raises:
            UsageError: dims out of range, an unknown kind, or something that is not a list of strings.
        """
        if kind not in ("query", "document"):
            raise UsageError(f"kind is {kind!r}, allowed are 'query' and 'document'")
        width = self._rows.shape[1] if dims is None else vectors.check_dims(dims, self._rows.shape[1])
        texts = encodable(texts)
        out: list[Floats] = []
        done = 0
        for chunk in _chunks(texts):
            sums = self._sum(*self._split(chunk))
            blocks = (sums[first : first + _BLOCK] for first in range(0, len(sums), _BLOCK))
            out += [vectors.truncate(self._whole(block), width) for block in blocks]
            done += len(chunk)
            if progress is not None:
                progress(done, len(texts))
        if not out:
            return np.empty((0, width), dtype=np.float32)
        return out[0] if len(out) == 1 else np.concatenate(out)

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return how many pieces the model reads in each text, at least one, (n,) int64."""
        return np.diff(self._split(encodable(texts))[1])

    def warm(self) -> None:
        """Load what only many texts would need, which makes a single one quicker as well."""
        _ = self._pieces.processor

    @property
    def vocabulary(self) -> int:
        """How many pieces the model knows: the rows of its table."""
        return len(self._rows)

    @property
    def repeats(self) -> float:
        """How n occurrences of a piece in a text count: n ** repeats times its row; 1 is the plain sum."""
        return self._repeats

    def rows(self, ids: Sequence[int]) -> Floats:
        """Return the rows that the pieces of one text add to its sum, (t, 512) float32."""
        at = np.asarray(ids, np.int32)
        weights = self._scales[at] * repeated(at, np.array([0, len(at)]), self._repeats)
        return np.asarray(self._rows[at] * weights[:, None], dtype=np.float32)

    def _split(self, texts: list[str]) -> tuple[Ids, Offsets]:
        ids, offsets = self._pieces.split(texts)
        if len(texts) == 1 and len(ids):
            return ids, offsets
        if not (bare := np.diff(offsets) == 0).any():
            return ids, offsets
        return np.insert(ids, offsets[:-1][bare], self._space), offsets + np.concatenate([[0], np.cumsum(bare)])

    def _sum(self, ids: Ids, offsets: Offsets) -> Floats:
        return pool(ids, offsets, self._rows, self._scales, self._repeats)

    def _whole(self, sums: Floats) -> Floats:
        """Return the vectors before the last normalisation: (n, 512) sums in, (n, 512) out."""
        lengths = np.sqrt(np.einsum("nd,nd->n", sums, sums))
        # A sum of int8 rows is far from float32's limits; only nothing at all has no direction.
        unit: Floats = sums / lengths[:, None] if lengths.all() else vectors.normalize(sums)
        hidden = unit @ self._inward
        hidden += self._bias
        np.maximum(hidden, 0, out=hidden)
        unit += hidden @ self._outward
        return unit

    def tokens(self, text: str) -> list[tuple[str, int]]:
        """Return the names and ids of the pieces that the model reads in a text; `pieces` says what each does."""
        ids = self._split(encodable([text]))[0].tolist()
        return [(self._pieces.processor.id_to_piece(number), number) for number in ids]

    def pieces(self, text: str) -> list[Piece]:
        """Return the pieces that the model reads in a text, with their exact shares of the sum and measured effects."""
        return list(self.explain(text).a)

    def explain(self, a: str, b: str | None = None) -> PieceWeights:
        """Return what the pieces of a text do, or which pieces carry the similarity of two texts.

        Shares are exact for the sum of rows. The hidden layer is not a sum, so `effect` measures the whole model with
        each piece left out.
        """
        text_a = _Read(self, a)
        if b is None:
            return PieceWeights(text_a.pieces(text_a.sum, text_a.whole))
        text_b = _Read(self, b)
        return PieceWeights(
            text_a.pieces(text_b.sum, text_b.whole),
            text_b.pieces(text_a.sum, text_a.whole),
            cosine=float(text_a.whole @ text_b.whole),
            cosine_of_sums=float(text_a.sum @ text_b.sum / (np.linalg.norm(text_a.sum) * np.linalg.norm(text_b.sum))),
        )


class _Read:
    """One text on its way through the model: ids, rows, sum, vector, and the vectors without each piece."""

    def __init__(self, model: BuiltIn, text: str) -> None:
        self.ids, _ = model._split(encodable([text]))
        self.names: list[str] = [model._pieces.processor.id_to_piece(int(number)) for number in self.ids]
        self.rows: Floats = model.rows(self.ids.tolist())
        self.sum: Floats = self.rows.sum(axis=0)
        self.whole: Floats = vectors.normalize(model._whole(self.sum[None]))[0]
        self.without: Floats | None = None
        if len(self.ids) > 1:
            self.without = vectors.normalize(model._whole(self.sum - self._steps(model)))

    def _steps(self, model: BuiltIn) -> Floats:
        """Return what the sum loses with each piece, (t, 512): of n alike, what n of them add and n - 1 do not."""
        _, place, counts = np.unique(self.ids, return_inverse=True, return_counts=True)
        n = counts[place].astype(np.float32)
        share = (n**model.repeats - (n - 1) ** model.repeats) / n ** (model.repeats - 1)
        return np.asarray(self.rows * share[:, None], dtype=np.float32)

    def pieces(self, other_sum: Floats, other: Floats) -> tuple[Piece, ...]:
        shares = self.rows @ other_sum / (np.linalg.norm(self.sum) * np.linalg.norm(other_sum))
        full = float(self.whole @ other)
        weights = np.linalg.norm(self.rows, axis=1)
        effects = [None] * len(self.ids) if self.without is None else (full - self.without @ other).tolist()
        together = zip(self.names, self.ids.tolist(), weights.tolist(), shares.tolist(), effects, strict=True)
        return tuple(Piece(*one) for one in together)


def _chunks(texts: list[str]) -> list[list[str]]:
    """Cut a list of texts into chunks of at most 4,096 texts and, but for a longer single text, 2 M characters."""
    if len(texts) <= CHUNK_TEXTS and sum(map(len, texts)) <= CHUNK_CHARACTERS:
        return [texts] if texts else []
    cuts, characters = [0], 0
    for at, text in enumerate(texts):
        if at - cuts[-1] >= CHUNK_TEXTS or (characters and characters + len(text) > CHUNK_CHARACTERS):
            cuts.append(at)
            characters = 0
        characters += len(text)
    return [texts[a:b] for a, b in zip(cuts, [*cuts[1:], len(texts)], strict=True)]
