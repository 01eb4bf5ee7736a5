"""Everything a training run reads, as arrays: tokens, teachers' vectors, pairs, groups, first rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from imi.embedders.pieces import Pieces
from imi.types import Floats

Ints = NDArray[np.int64]
Halves = NDArray[np.float16]
PairKind = Literal["translation", "dictionary", "question", "paraphrase"]
PAIR_KINDS: tuple[PairKind, ...] = ("translation", "dictionary", "question", "paraphrase")


ARRAYS = ("ids", "offsets", "first", "second", "groups", "neighbours", "cluster_starts", "scored", "scores")


@dataclass(slots=True)
class Prepared:
    """Arrays over n texts: those of the corpus first, then the versions in groups.

    ids, offsets: pieces of text i are ids[offsets[i]:offsets[i + 1]].
    first: (n, 512) the multilingual teacher, rotated. second: (n, 384) the English one; zero rows where it was not
    asked.
    pairs: kind to (p, 2). groups: (g, 5). neighbours: (n_corpus,) texts ordered so that those of a cluster stand
    together, and
    cluster_starts: (c + 1,). scored: (s, 2) pairs people scored, with scores (s,).
    """

    ids: NDArray[np.int32]
    offsets: Ints
    first: Halves
    second: Halves
    pairs: dict[PairKind, Ints]
    groups: Ints
    neighbours: Ints
    cluster_starts: Ints
    scored: Ints
    scores: Floats

    def save(self, folder: Path) -> None:
        """Write every array to a folder; the last file written says that all are there."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))
        for kind, pairs in self.pairs.items():
            np.save(folder / f"pairs_{kind}.npy", pairs)
        (folder / "whole").touch()

    @classmethod
    def load(cls, folder: Path) -> Prepared | None:
        """Return what `save` wrote, the teachers' vectors by memory map; None where it did not end."""
        if not (folder / "whole").exists():
            return None
        mapped = ("first", "second")
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r" if name in mapped else None) for name in ARRAYS}
        pairs = {kind: np.load(file) for kind in PAIR_KINDS if (file := folder / f"pairs_{kind}.npy").exists()}
        return cls(**arrays, pairs=pairs)

    def tokens(self, texts: Ints) -> tuple[NDArray[np.int32], Ints]:
        """Return the pieces of some texts, one after another, and where each begins (for an embedding bag)."""
        lengths = self.offsets[texts + 1] - self.offsets[texts]
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        within = np.arange(int(lengths.sum())) - np.repeat(starts, lengths)
        return self.ids[np.repeat(self.offsets[texts], lengths) + within], starts


def split_all(pieces: Pieces, texts: list[str]) -> tuple[NDArray[np.int32], Ints]:
    """Return the pieces of all texts; a text is cut after 512 of them, and a bare one is a single space."""
    space = pieces.processor.piece_to_id("▁")
    flat: list[NDArray[np.int32]] = []
    lengths: list[int] = []
    for first in range(0, len(texts), 65_536):
        ids, offsets = pieces.split(texts[first : first + 65_536])
        for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
            part = ids[a : min(b, a + 512)] if b > a else np.array([space], np.int32)
            flat.append(part)
            lengths.append(len(part))
    return np.concatenate(flat), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
