"""Everything a training run reads, as arrays: tokens, teachers' vectors, pairs, groups, first rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imi.embedders.pieces import Pieces
from imi.train.corpus import Corpus, PairKind

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Halves = NDArray[np.float16]
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


def rotation(vectors: Halves, *, sample: int = 200_000, seed: int = 0) -> Floats:
    """Return the (d, d) rotation that puts most energy first: eigenvectors of the second moment, not centred."""
    chosen = np.random.default_rng(seed).permutation(len(vectors))[:sample]
    rows = vectors[np.sort(chosen)].astype(np.float32)
    values, columns = np.linalg.eigh(rows.T @ rows)
    return np.ascontiguousarray(columns[:, np.argsort(-values)]).astype(np.float32)


def substitute(vectors: Halves, corpus: Corpus) -> None:
    """Give every stand-in the mean direction of its sources, in place."""
    for text, sources in corpus.stand_ins.items():
        mean = vectors[list(sources)].astype(np.float32).sum(axis=0)
        length = float(np.linalg.norm(mean))
        if length > 0:
            vectors[text] = (mean / length).astype(np.float16)


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


def start_rows(ids: NDArray[np.int32], offsets: Ints, targets: Halves, size: int) -> Floats:
    """Return the rows to start from, (size, 512).

    Each piece gets the mean target of the texts that hold it, weighted by 1/√length, minus .8 of the overall mean,
    times the smooth
    inverse frequency 1e-3 / (1e-3 + p) (Arora et al. 2017). Before any training this already ranks sentences well.
    """
    from scipy.sparse import csr_matrix

    texts = len(offsets) - 1
    lengths = np.diff(offsets)
    weights = np.repeat(1.0 / np.sqrt(lengths), lengths).astype(np.float32)
    holds = csr_matrix((weights, ids, offsets), shape=(texts, size)).T.tocsr()
    mass = np.asarray(holds.sum(axis=1)).ravel()
    sums = np.zeros((size, targets.shape[1]), np.float32)
    by_text = holds.tocsc()
    for first in range(0, texts, 65_536):
        sums += by_text[:, first : first + 65_536] @ targets[first : first + 65_536].astype(np.float32)
    overall = sums.sum(axis=0) / mass.sum()
    rows = sums / np.maximum(mass, 1e-9)[:, None] - 0.8 * overall
    rows[mass == 0] = 0
    frequency = np.bincount(ids, minlength=size) / len(ids)
    rows *= (1e-3 / (1e-3 + frequency))[:, None]
    # A piece no text holds (rare bytes) still needs a direction: texts made of such pieces alone get some vector.
    unseen = mass == 0
    rows[unseen] = np.random.default_rng(0).normal(0, 0.02, (int(unseen.sum()), targets.shape[1]))
    return np.asarray(rows, np.float32)


def clusters(targets: Halves, *, seed: int = 0, per_cluster: int = 24, width: int = 128) -> tuple[Ints, Ints]:
    """Return texts ordered by cluster and where each cluster starts: two levels of k-means."""
    import faiss

    def parts(x: Floats, k: int) -> Ints:
        means = faiss.Kmeans(
            x.shape[1], k, niter=6, seed=seed, spherical=True, min_points_per_centroid=1, max_points_per_centroid=64
        )
        means.train(x)
        return np.asarray(means.index.search(x, 1)[1][:, 0], np.int64)

    coarse = max(1, round((len(targets) / per_cluster) ** 0.5))
    whole = targets[:, :width].astype(np.float32)
    faiss.normalize_L2(whole)
    label = parts(whole, coarse)
    order: list[Ints] = []
    starts = [0]
    for one in range(coarse):
        members = np.flatnonzero(label == one)
        if not len(members):
            continue
        fine = (
            parts(whole[members], max(1, len(members) // per_cluster))
            if len(members) > per_cluster
            else np.zeros(len(members), np.int64)
        )
        for cell in np.unique(fine):
            inside = members[fine == cell]
            order.append(inside)
            starts.append(starts[-1] + len(inside))
    return np.concatenate(order), np.array(starts, np.int64)
