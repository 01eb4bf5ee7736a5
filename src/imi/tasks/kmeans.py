"""Groups of unit vectors: spherical k-means, HDBSCAN over a neighbour graph, and how well groups separate."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import MissingExtra
from imi.index.native import give_memory_back, load_faiss, processors
from imi.progress import Progress, may_end, part_of
from imi.tasks.neighbours import EXACT_ROWS, nearest_rows
from imi.types import Floats
from imi.vectors import normalize

Ints = NDArray[np.int64]
_BLOCK = 8192
_COLUMNS = 16
"""Columns that are moved at once: sixteen float32 are a line of the processor's cache."""
_SHARP, _STEPS, _SHARE = 4, 8, 0.9
"""The power of cosines that weighs neighbours, and how often and how far rows move (on Banking77, CLINC and JaQuAD)."""


def spherical_kmeans(z: Floats, k: int, *, seed: int = 0, tries: int = 3) -> tuple[Ints, Floats]:
    """Group unit rows by k-means on the sphere (Dhillon and Modha 2001), the best of several starts.

    A start draws centres far from each other (greedy k-means++, Arthur and Vassilvitskii 2007): drawn at random, two
    may share a group for good.

    Args:
        z: (n, d) unit rows.
        k: groups, at most n.
        seed: of the starts.
        tries: starts.

    Returns:
        Groups (n,) int64, numbered by falling size, and unit centres (k, d).
    """
    faiss = load_faiss()
    rng = np.random.default_rng(seed)
    most = 256 * k + 10_000
    train = z if len(z) <= most else z[np.sort(rng.choice(len(z), most, replace=False))]
    found: list[tuple[float, Floats]] = []
    for _ in range(tries):
        means = faiss.Kmeans(
            z.shape[1],
            k,
            niter=25,
            seed=(seed + 1) % 2**31,  # an int of C
            spherical=True,
            min_points_per_centroid=1,
            max_points_per_centroid=1_000_000,
        )
        near = means.train(train, init_centroids=_far_apart(train, k, rng))  # the sum of cosines
        found.append((float(near), np.asarray(means.centroids, dtype=np.float32)))
    centres = max(found, key=lambda one: one[0])[1]
    flat = faiss.IndexFlatIP(z.shape[1])
    flat.add(centres)
    return by_size(flat.search(z, 1)[1][:, 0].astype(np.int64), centres)


def _far_apart(z: Floats, k: int, rng: np.random.Generator) -> Floats:
    """Return k rows drawn far apart: each of the few drawn by distance that brings all rows nearest to a centre.

    Forty rows a group are enough to choose among.
    """
    most = max(2000, 40 * k)
    z = z if len(z) <= most else z[rng.choice(len(z), most, replace=False)]
    draws = 2 + int(np.log(k))
    chosen = np.empty(k, np.int64)
    chosen[0] = rng.integers(len(z))
    far = np.maximum(1 - z @ z[chosen[0]], 0).astype(np.float64)
    for at in range(1, k):
        total = far.sum()
        shares = far / total if total > 0 else None  # all rows lie on centres
        drawn = rng.choice(len(z), draws, p=shares)
        left = np.minimum(far, np.maximum(1 - z[drawn] @ z.T, 0))
        best = int(left.sum(axis=1).argmin())
        chosen[at], far = drawn[best], left[best]
    return np.ascontiguousarray(z[chosen])


def towards_neighbours(z: Floats, k: int = 15, *, seed: int = 0, progress: Progress | None = None) -> Floats:
    """Return unit rows moved nine tenths of the way to the weighted mean of their k nearest rows, eight times over.

    What groups have in common stays, what is particular to a row fades. A neighbour that does not count the row among
    its own counts a tenth: common rows are near to many. A low-pass filter on the neighbour graph (Zhang et al. 2019,
    adaptive graph convolution).
    """
    from scipy.sparse import csr_matrix, diags

    k, n = min(k, len(z) - 1), len(z)
    if k < 3:
        return z
    cosines, rows = nearest_rows(z, k, seed=seed, progress=part_of(progress, 0, 0.7))
    weights = (np.maximum(cosines, 0) ** _SHARP + np.float32(1e-6)).ravel()
    ends = np.arange(0, n * k + 1, k)
    graph = csr_matrix((weights, rows.ravel(), ends), shape=(n, n))
    graph.sum_duplicates()
    mutual = graph.multiply(graph.T > 0)
    graph = (0.9 * mutual + 0.1 * graph).tocsr()
    graph = (diags(1 / np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1e-12)) @ graph).astype(np.float32)
    del cosines, rows, weights, mutual
    if n > EXACT_ROWS:
        give_memory_back()
    moved = z.copy()
    columns = [slice(at, at + _COLUMNS) for at in range(0, z.shape[1], _COLUMNS)]

    def move(some: slice) -> None:
        """Move a few columns of all rows in place: one more table of vectors in memory, not two."""
        drawn = graph @ moved[:, some]
        drawn *= _SHARE
        for at in range(0, n, _BLOCK):
            drawn[at : at + _BLOCK] += (1 - _SHARE) * z[at : at + _BLOCK, some]
        moved[:, some] = drawn

    with ThreadPoolExecutor(min(2, processors()), "imi groups") as pool:
        for step in range(_STEPS):
            may_end()
            list(pool.map(move, columns))
            for at in range(0, n, _BLOCK):
                moved[at : at + _BLOCK] = normalize(moved[at : at + _BLOCK])
            if progress:
                progress(70 + 30 * (step + 1) // _STEPS, 100)
    return moved


def by_size(groups: Ints, centres: Floats) -> tuple[Ints, Floats]:
    """Renumber groups by falling size; -1 stays."""
    order = np.argsort(-np.bincount(groups[groups >= 0], minlength=len(centres)), kind="stable")
    place = np.empty(len(centres), np.int64)
    place[order] = np.arange(len(centres))
    return np.where(groups >= 0, place[groups], -1), centres[order]


def density_groups(z: Floats, smallest: int, *, seed: int = 0) -> Ints:
    """Group unit rows by HDBSCAN (Campello et al. 2013) over each row's nearest rows; -1 is noise.

    The graph is sparse, so memory grows linearly; parts that it leaves unconnected are tied by one far edge each,
    which HDBSCAN cuts.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    try:
        from sklearn.cluster import HDBSCAN
    except ImportError as missing:
        raise MissingExtra("scikit-learn", "tasks") from missing
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(z)
    k = min(n - 1, max(15, smallest + 1))
    cosines, rows = nearest_rows(z, k, seed=seed)
    # Distances of zero would vanish from a sparse matrix.
    far = np.maximum(np.sqrt(np.maximum(2 - 2 * cosines.astype(np.float64), 0)), 1e-9)
    own = np.repeat(np.arange(n), k)
    graph = csr_matrix((far.ravel(), (own, rows.ravel())), shape=(n, n))
    graph = graph.maximum(graph.T)
    parts, part = connected_components(graph, directed=False)
    if parts > 1:
        first = np.unique(part, return_index=True)[1]
        ties = csr_matrix((np.full(parts - 1, 2.0), (np.full(parts - 1, first[0]), first[1:])), shape=(n, n))
        graph = graph + ties + ties.T
    found = HDBSCAN(min_cluster_size=smallest, min_samples=min(5, k), metric="precomputed", copy=False).fit(
        graph.tocsr()
    )
    groups = np.asarray(found.labels_, dtype=np.int64)
    groups[groups < 0] = -1
    count = int(groups.max()) + 1
    return by_size(groups, np.zeros((count, 1), np.float32))[0] if count else groups


def group_sums(z: Floats, groups: Ints, count: int) -> NDArray[np.float64]:
    """Return the sum of each group's rows, (count, d), a few rows at a time; those of group -1 belong to none."""
    from scipy.sparse import csr_matrix

    sums = np.zeros((count, z.shape[1]), np.float64)
    for at in range(0, len(z), _BLOCK):
        own = groups[at : at + _BLOCK]
        inside = np.flatnonzero(own >= 0)
        ones = np.ones(len(inside), np.float32)
        sums += csr_matrix((ones, (own[inside], inside)), shape=(count, len(own))) @ z[at : at + _BLOCK]
    return sums


def silhouette(z: Floats, groups: Ints, *, seed: int = 0, sample: int = 3000) -> float:
    """Return the mean silhouette (Rousseeuw 1987) under cosine distance, exact over the sampled rows.

    Under cosine distance a row's mean distance to a group is 1 minus its product with the group's sum over its size,
    so that every row counts as a neighbour and nothing n × n is made.
    """
    count = int(groups.max()) + 1
    inside = groups >= 0
    sums = group_sums(z, groups, count)
    sizes = np.bincount(groups[inside], minlength=count).astype(np.float64)
    rows = np.flatnonzero(inside)
    if len(rows) > sample:
        rows = np.sort(np.random.default_rng(seed).choice(rows, sample, replace=False))
    own, at = groups[rows], np.arange(len(rows))
    products = z[rows].astype(np.float64) @ sums.T  # (s, count)
    distances = np.where(sizes > 0, 1 - products / np.maximum(sizes, 1), np.inf)  # a group may be empty
    within = 1 - (products[at, own] - 1) / np.maximum(sizes[own] - 1, 1)
    distances[at, own] = np.inf
    nearest = distances.min(axis=1)
    nearest = np.where(np.isfinite(nearest), nearest, within)
    values = np.where(sizes[own] > 1, (nearest - within) / np.maximum(np.maximum(nearest, within), 1e-12), 0.0)
    return float(values.mean())


def agreement(a: Ints, b: Ints) -> float:
    """Return the adjusted Rand index of two groupings (Hubert and Arabie 1985): 1 the same, about 0 by chance."""
    table: Any = np.zeros((int(a.max()) + 2, int(b.max()) + 2), np.int64)
    np.add.at(table, (a + 1, b + 1), 1)

    def pairs(counts: NDArray[np.int64]) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, left, right, total = (
        pairs(table),
        pairs(table.sum(axis=1)),
        pairs(table.sum(axis=0)),
        len(a) * (len(a) - 1) / 2,
    )
    expected = left * right / max(total, 1)
    most = (left + right) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)
