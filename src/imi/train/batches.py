"""Which texts share a training batch: pairs, neighbours, small differences, scored pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from imi.train.prepared import Ints, PairKind, Prepared
from imi.train.student import Batch

SENTENCE_PIECES = 5


@dataclass(frozen=True, slots=True)
class Mix:
    """How many of each part a batch holds, and which kinds of pairs."""

    pairs: int = 384
    neighbours: int = 48
    neighbour_size: int = 8
    groups: int = 160
    scored: int = 48
    translation: float = 0.33
    dictionary: float = 0.25
    question: float = 0.33
    paraphrase: float = 0.09

    def shares(self) -> dict[PairKind, float]:
        """Return the share of each kind of pair."""
        return {
            "translation": self.translation,
            "dictionary": self.dictionary,
            "question": self.question,
            "paraphrase": self.paraphrase,
        }


class TextBatches:
    """An endless, seeded row of batches over prepared data."""

    def __init__(self, data: Prepared, mix: Mix, seed: int) -> None:
        self.data = data
        self.mix = mix
        self.rng = np.random.default_rng(seed)
        shares = {kind: share for kind, share in mix.shares().items() if len(data.pairs.get(kind, ()))}
        whole = sum(shares.values()) or 1.0
        self.counts = {kind: round(mix.pairs * share / whole) for kind, share in shares.items()}
        sizes = np.diff(data.cluster_starts)
        self.big = np.flatnonzero(sizes >= mix.neighbour_size)
        # Every sentence has the same chance to be drawn with its cluster; dictionary words, which are many, a fifth.
        worth = np.where(np.diff(data.offsets)[data.neighbours] >= SENTENCE_PIECES, 1.0, 0.2)
        mass = np.diff(np.concatenate([[0.0], np.cumsum(worth)])[data.cluster_starts])[self.big]
        self.odds = mass / mass.sum() if len(self.big) else None
        scored = len(data.scored) and mix.scored
        self.scored_count = min(mix.scored, len(data.scored)) if scored else 0

    def next(self) -> tuple[Ints, Batch]:
        """Return the numbers of the texts of a batch, and where its parts begin."""
        pairs = (
            np.concatenate([self._pairs(kind, count) for kind, count in self.counts.items()])
            if self.counts
            else np.zeros((0, 2), int)
        )
        near = self._neighbours()
        groups = self.data.groups
        small = (
            groups[self.rng.integers(len(groups), size=self.mix.groups)] if len(groups) else np.zeros((0, 5), np.int64)
        )
        chosen = self.rng.integers(max(1, len(self.data.scored)), size=self.scored_count)
        scored = self.data.scored[chosen] if self.scored_count else np.zeros((0, 2), np.int64)
        texts = np.concatenate([pairs[:, 0], pairs[:, 1], near.ravel(), small.ravel(), scored.ravel()]).astype(np.int64)
        start = len(texts) - scored.size
        return texts, Batch(
            pairs=len(pairs),
            neighbours=len(near),
            neighbour_size=near.shape[1],
            groups=len(small),
            group_size=small.shape[1],
            same=self._same(pairs),
            scored=torch.arange(start, len(texts)).view(-1, 2),
            scores=torch.from_numpy(self.data.scores[chosen] if self.scored_count else np.zeros(0, np.float32)),
        )

    def _pairs(self, kind: PairKind, count: int) -> Ints:
        pairs = self.data.pairs[kind]
        if kind != "question":
            return pairs[self.rng.integers(len(pairs), size=count)]
        # Questions stand in the order of their articles: runs of four, a few apart, ask for different paragraphs of
        # one article.
        starts = self.rng.integers(len(pairs), size=-(-count // 4))
        chosen: Ints = pairs[((starts[:, None] + 4 * np.arange(4)).ravel() % len(pairs))[:count]]
        return chosen

    def _neighbours(self) -> Ints:
        size = self.mix.neighbour_size
        if self.odds is None or not self.mix.neighbours:
            return np.zeros((0, size), np.int64)
        chosen = self.rng.choice(self.big, size=self.mix.neighbours, p=self.odds)
        starts, ends = self.data.cluster_starts[chosen], self.data.cluster_starts[chosen + 1]
        picks = [
            self.rng.choice(b - a, size, replace=False) + a for a, b in zip(starts.tolist(), ends.tolist(), strict=True)
        ]
        near: Ints = self.data.neighbours[np.array(picks)]
        return near

    def _same(self, pairs: Ints) -> torch.Tensor:
        """Return (p, p): where a partner of another pair means the same, by number or by the teacher's cosine."""
        a, b = pairs[:, 0], pairs[:, 1]
        close = self.data.first[a].astype(np.float32) @ self.data.first[b].astype(np.float32).T > 0.9
        mask = close | (a[:, None] == a[None, :]) | (b[:, None] == b[None, :])
        np.fill_diagonal(mask, False)
        return torch.from_numpy(mask)
