"""Where training begins: the teacher's space rotated, stand-ins, first rows, and clusters of near texts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from imi.train.prepared import Halves, Ints
from imi.types import Floats
from recipes.builtin.corpus import Corpus


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
