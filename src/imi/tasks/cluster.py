"""Clustering: groups of documents with names, typical documents, and how far to trust them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.figures import COLOURS, new_figure, save_figure, say_above, short
from imi.progress import asked_to_end, part_of
from imi.tasks.album_names import shown_by_groups
from imi.tasks.keywords import distinctive_words, nearest_in_meaning
from imi.tasks.kmeans import (
    agreement,
    by_size,
    density_groups,
    group_sums,
    silhouette,
    spherical_kmeans,
    towards_neighbours,
)
from imi.tasks.report import Findings, Phrase, Reported, ReportTable
from imi.tasks.rows import Rows, check_count, check_varied, own_model, read_rows
from imi.types import Floats

Namer = Callable[[Sequence[Sequence[str]]], Sequence[str]]
Method = Literal["kmeans", "plain", "hdbscan"]
METHODS: tuple[Method, ...] = get_args(Method)
_STABLE = 0.8
"""Adjusted Rand index from which groupings by two seeds are called the same."""
_JUDGED = 20_000
_BLOCK = 8192
_MANY = 6
"""Groups from which it helps to see which of them are near each other."""
_CANDIDATES = (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64)


@dataclass(frozen=True)
class Cluster:
    """One group: its name, size, and the ids of its most typical documents with the text of the first."""

    name: str
    size: int
    representatives: tuple[str, ...]
    text: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return {
            "name": self.name,
            "size": self.size,
            "representatives": list(self.representatives),
            "text": self.text,
        }


@dataclass(frozen=True)
class Family:
    """Groups that are near each other: a name, how many rows they have together, and which groups they are."""

    name: str
    size: int
    clusters: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return {"name": self.name, "size": self.size, "clusters": list(self.clusters)}


@dataclass(frozen=True)
class Clusters(Reported):
    """Groups of rows, the largest first; `labels` (n,) says which group a row is in, -1 for none.

    silhouette: -1 to 1, how much nearer rows are to their own group than to the next. stability: the mean adjusted
    Rand index between this grouping and those of other seeds, 1 for always the same; not a number where the work was
    asked to end before. baseline: silhouette and stability
    of plain k-means with as many groups. found: whether the number of groups was found and not given. families: the
    groups joined into a few by the likeness of their middles, the largest first; none for fewer than six groups.
    """

    labels: NDArray[np.int64]
    clusters: tuple[Cluster, ...]
    silhouette: float
    stability: float
    ids: tuple[str, ...]
    plane: Floats
    baseline: dict[str, Any] | None = None
    found: bool = False
    families: tuple[Family, ...] = ()

    @property
    def names(self) -> list[str]:
        """Return the names of the groups."""
        return [cluster.name for cluster in self.clusters]

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return {
            "clusters": [cluster.to_dict() for cluster in self.clusters],
            "silhouette": self.silhouette,
            "stability": self.stability,
            "labels": dict(zip(self.ids, self.labels.tolist(), strict=True)),
            "baseline": self.baseline,
            "families": [family.to_dict() for family in self.families],
        }

    def findings(self, tree: bool = False) -> Findings:
        """Return the groups with their most typical texts, and how far to trust them.

        Args:
            tree: show groups under the families that they belong to.
        """
        known = bool(np.isfinite(self.stability))
        steady, steady_ja = (f"{self.stability:.2f}",) * 2 if known else ("not looked at", "未評価")
        says = [
            Phrase(
                f"{len(self.clusters)} groups; silhouette {self.silhouette:.3f}, stability {steady}",
                f"{len(self.clusters)} グループ、シルエット係数 {self.silhouette:.3f}、安定性 {steady_ja}",
            )
        ]
        if self.stability < _STABLE:
            wanted = "no number of groups was stable" if self.found else "these groups are not stable"
            says.append(
                Phrase(
                    f"{wanted}: with another seed many rows change places (below {_STABLE}); read them as one view",
                    f"安定していません（安定性 {_STABLE} 未満）。シードを変えると多くの行が別のグループに移ります",
                )
            )
        if self.baseline:
            silhouette_, stability = self.baseline["silhouette"], self.baseline["stability"]
            better = silhouette_ >= self.silhouette and stability > self.stability
            says.append(
                Phrase(
                    f"baseline: plain k-means has silhouette {silhouette_:.3f}, stability {stability:.2f}"
                    + (", which is better here; --method plain uses it" if better else ""),
                    f"ベースライン：単純な k-means はシルエット係数 {silhouette_:.3f}、安定性 {stability:.2f}"
                    + ("。こちらのほうが良いので、--method plain で使えます" if better else ""),
                )
            )
        rows = self._rows(tree)
        outside = int((self.labels < 0).sum())
        if outside:
            rows.append([Phrase("in no group", "どのグループにも属さない"), outside, None, ""])
        columns = (
            Phrase("cluster", "グループ"),
            Phrase("rows", "件数"),
            Phrase("most typical text", "代表的なテキスト"),
            Phrase("typical ids", "代表の ID"),
        )
        return Findings(Phrase("Clusters", "クラスタリング"), tuple(says), (ReportTable(columns, rows),))

    def _rows(self, tree: bool) -> list[list[Any]]:
        rows: list[list[Any]] = [
            [one.name, one.size, one.text, " ".join(one.representatives[:3])] for one in self.clusters
        ]
        if not tree or not self.families:
            return rows
        nested: list[list[Any]] = []
        for family in self.families:
            nested.append([family.name, family.size, None, ""])
            for at, group in enumerate(family.clusters):
                branch = "└ " if at == len(family.clusters) - 1 else "├ "
                nested.append([branch + rows[group][0], *rows[group][1:]])
        return nested

    def figure(self, path: str | Path) -> None:
        """Draw the rows on the plane that parts the group centres most, coloured by group."""
        figure, axes = new_figure(9, 6)
        size = float(np.clip(6000 / len(self.labels), 2, 18))
        away = self.labels < 0
        axes.scatter(*self.plane[away].T, s=size, c="#bbbbbb", linewidths=0)
        for group, cluster in enumerate(self.clusters):
            rows = self.labels == group
            colour = COLOURS[group % len(COLOURS)]
            label = f"{short(cluster.name, 34)} ({cluster.size})" if group < 20 else None
            axes.scatter(*self.plane[rows].T, s=size, color=colour, alpha=0.75, linewidths=0, label=label)
        axes.set_axis_off()
        figures = f"{len(self.clusters)} clusters, silhouette {self.silhouette:.3f}, stability {self.stability:.2f}"
        say_above(axes, "Each colour is a group of rows that mean alike", figures)
        if self.clusters:
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8, frameon=False, markerscale=2)
        save_figure(figure, path)


def cluster(
    data: Any,
    k: int | None = None,
    texts: Sequence[str] | None = None,
    method: Method = "kmeans",
    *,
    namer: Namer | None = None,
    dims: int | None = None,
    seed: int = 0,
    language: str = "en",
    progress: Callable[[int, int], None] | None = None,
) -> Clusters:
    """Group rows by meaning.

    Args:
        data: (n, d) vectors, or a collection.
        k: how many groups; None finds the number with the best silhouette. HDBSCAN finds it itself.
        texts: n texts to name groups from; a collection brings its own. Without texts the names are numbers.
        method: "kmeans" (every row in a group; rows are first moved towards their nearest rows, which makes groups
            clearer), "plain" (k-means on the vectors as they are) or "hdbscan" (dense groups, the rest in none).
        namer: turns each group's typical texts into names, for instance by asking a language model; None names by
            distinctive words.
        dims: leading dimensions of each vector to use.
        seed: of the starts.
        language: "en" or "ja", of the names of groups of pictures, which are what most of a group seems to show.
        progress: called as progress(done, total) in per cent.

    Raises:
        UsageError: k above n or below 2, one vector for all rows, an unknown method, k together with HDBSCAN.
        MissingExtra: HDBSCAN without scikit-learn.
    """
    rows = read_rows(data, dims, texts)
    if len(rows.z) < 2:
        raise UsageError("there is 1 row, clustering needs at least 2", hint="add more rows, or widen the filter")
    check_varied(rows.z, "clustering")
    if method not in METHODS:
        raise UsageError(f"method is {method!r}, allowed are {', '.join(METHODS)}")
    if method == "hdbscan" and k is not None:
        raise UsageError(
            f"k is {k} but HDBSCAN finds the number of groups itself", hint="leave k out, or use method='kmeans'"
        )
    if k is not None:
        check_count(k, len(rows), least=2)
    groups, steady, baseline = _grouped(rows.z, k, method, seed, progress)
    found = _named(rows, groups, namer, own_model(data))
    found = _named_by_pictures(found, shown_by_groups(data, _typical(rows, groups), language))
    quality = silhouette(rows.z, groups, seed=seed) if len(found) > 1 else 0.0
    families = _families(rows, groups, data, language) if len(found) >= _MANY else ()
    plane = _plane(rows.z, groups)
    if progress:
        progress(100, 100)
    return Clusters(groups, found, quality, steady, tuple(rows.ids), plane, baseline, k is None, families)


def _grouped(
    z: Floats, k: int | None, method: Method, seed: int, progress: Callable[[int, int], None] | None
) -> tuple[NDArray[np.int64], float, dict[str, Any] | None]:
    """Return groups, how stable they are, and what plain k-means comes to."""
    if method == "hdbscan":
        return *_by_density(z, seed), None
    begun = 0.0 if method == "plain" else 0.5
    moved = z if method == "plain" else towards_neighbours(z, seed=seed, progress=part_of(progress, 0, begun))
    groups, steady = _by_kmeans(moved, k, seed, part_of(progress, begun, 0.8))
    del moved
    baseline = None
    if method == "kmeans" and groups.max() > 0 and not asked_to_end():
        baseline = _plain(z, int(groups.max()) + 1, seed)
    if progress:
        progress(90, 100)
    return groups, steady, baseline


def _plain(z: Floats, count: int, seed: int) -> dict[str, Any]:
    """Return what k-means on the vectors as they are comes to with as many groups."""
    groups, steady = _by_kmeans(z, count, seed, None, others=1)
    return {"method": "plain", "silhouette": silhouette(z, groups, seed=seed), "stability": steady}


def _families(rows: Rows, groups: NDArray[np.int64], data: Any, language: str) -> tuple[Family, ...]:
    """Join groups into as many families as the root of their number, and name these."""
    count = int(groups.max()) + 1
    sizes = np.bincount(groups[groups >= 0], minlength=count)
    middles = (group_sums(rows.z, groups, count) / sizes[:, None]).astype(np.float32)
    place = _joined(middles, sizes, max(2, round(np.sqrt(count))))
    joined, _ = by_size(np.where(groups >= 0, place[np.maximum(groups, 0)], -1), middles[: int(place.max()) + 1])
    named = _named(rows, joined, None, own_model(data))
    named = _named_by_pictures(named, shown_by_groups(data, _typical(rows, joined), language))
    of = [int(joined[np.flatnonzero(groups == group)[0]]) for group in range(count)]
    return tuple(
        Family(one.name, one.size, tuple(group for group in range(count) if of[group] == at))
        for at, one in enumerate(named)
    )


def _named_by_pictures(found: tuple[Cluster, ...], names: Sequence[str]) -> tuple[Cluster, ...]:
    """Return groups of pictures by what they show; those that have texts keep their names."""
    return tuple(
        replace(one, name=name) if name and not one.text else one for one, name in zip(found, names, strict=True)
    )


def _typical(rows: Rows, groups: NDArray[np.int64]) -> list[list[str]]:
    """Return the ids of each group, the most typical first."""
    central = (_central(rows.z, np.flatnonzero(groups == group)) for group in range(int(groups.max()) + 1))
    return [[rows.ids[row] for row in one] for one in central]


def _joined(middles: Floats, sizes: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    """Return which of `wanted` families each group joins: the two whose rows spread least together, again and again.

    Ward's method (1963) on groups of known sizes, so that a few rows far off join others before large groups do.
    """
    means, counts = middles.astype(np.float64), sizes.astype(np.float64)
    place = np.arange(len(sizes), dtype=np.int64)
    while len(means) > wanted:
        far = ((means[:, None] - means[None]) ** 2).sum(axis=2)
        cost = far * (counts[:, None] * counts / (counts[:, None] + counts))
        cost[np.tril_indices(len(means))] = np.inf
        one, other = np.unravel_index(int(cost.argmin()), cost.shape)
        both = counts[one] + counts[other]
        means[one] = (counts[one] * means[one] + counts[other] * means[other]) / both
        counts[one] = both
        place[place == other] = one
        place[place > other] -= 1
        means, counts = np.delete(means, other, axis=0), np.delete(counts, other)
    return place


def _named(rows: Rows, groups: NDArray[np.int64], namer: Namer | None, model: Any) -> tuple[Cluster, ...]:
    count = int(groups.max()) + 1
    central = [_central(rows.z, np.flatnonzero(groups == group)) for group in range(count)]
    names = _names(rows, groups, central, namer, model)
    return tuple(
        Cluster(
            name,
            int((groups == group).sum()),
            tuple(rows.ids[row] for row in central[group][:5]),
            None if rows.texts is None else rows.texts[central[group][0]],
        )
        for group, name in enumerate(names)
    )


def _by_kmeans(
    z: Floats, k: int | None, seed: int, progress: Callable[[int, int], None] | None, others: int = 3
) -> tuple[NDArray[np.int64], float]:
    k = _find_k(z, part_of(progress, 0, 0.5)) if k is None else k
    groups = spherical_kmeans(z, k, seed=seed)[0]
    # Other seeds are asked about a part of a large table: what they agree on there, they agree on everywhere.
    some = _sampled(len(z), _JUDGED, seed)
    agreements = []
    for other in range(others):
        if asked_to_end():
            return groups, float("nan")
        again = spherical_kmeans(z[some], min(k, len(some)), seed=seed + 100 + other)[0]
        agreements.append(agreement(groups[some], again))
        if progress:
            progress(50 + 50 * (other + 1) // others, 100)
    return groups, float(np.mean(agreements))


def _sampled(n: int, most: int, seed: int) -> NDArray[np.int64]:
    if n <= most:
        return np.arange(n, dtype=np.int64)
    return np.sort(np.random.default_rng(seed).choice(n, most, replace=False)).astype(np.int64)


def _find_k(z: Floats, progress: Callable[[int, int], None] | None) -> int:
    """Return the number of groups with the best silhouette among the stable ones, else the most stable.

    Looked for on at most 5,000 rows, ten or more a group. Stable is what two seeds agree on by .8 or more. These are
    always the same: how many groups there are does not depend on the seed that groups the rows.
    """
    seed = 0
    some = z[_sampled(len(z), 5000, seed)]
    candidates = [k for k in _CANDIDATES if k <= max(2, len(some) // 10)]
    scores: list[tuple[bool, float, int]] = []
    for at, k in enumerate(candidates):
        groups = spherical_kmeans(some, k, seed=seed, tries=3)[0]
        steady = agreement(groups, spherical_kmeans(some, k, seed=seed + 50, tries=3)[0])
        stable = steady >= _STABLE
        scores.append((stable, silhouette(some, groups, seed=seed) if stable else steady, k))
        if progress:
            progress(at + 1, len(candidates))
    return max(scores, key=lambda one: one[:2])[2]


def _by_density(z: Floats, seed: int) -> tuple[NDArray[np.int64], float]:
    """Group by density; stability is the agreement with the grouping of a random nine tenths of the rows."""
    smallest = max(5, min(100, len(z) // 100))
    groups = density_groups(z, smallest, seed=seed)
    some = np.sort(np.random.default_rng(seed).choice(len(z), max(2, len(z) * 9 // 10), replace=False))
    again = density_groups(z[some], smallest, seed=seed)
    return groups, agreement(groups[some], again)


def _central(z: Floats, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows of a group, the most typical first."""
    parts = [rows[at : at + _BLOCK] for at in range(0, len(rows), _BLOCK)]
    middle = np.sum([z[some].sum(axis=0, dtype=np.float64) for some in parts], axis=0).astype(np.float32) / len(rows)
    return rows[np.argsort(-np.concatenate([z[some] @ middle for some in parts]), kind="stable")[:50]]


def _names(
    rows: Rows, groups: NDArray[np.int64], central: Sequence[NDArray[np.int64]], namer: Namer | None, model: Any
) -> list[str]:
    count = len(central)
    if rows.texts is None:
        return [f"cluster {group + 1}" for group in range(count)]
    found = distinctive_words(rows.texts, groups, count, words=12 if model is not None else 3)
    if model is not None:
        middles = group_sums(rows.z, groups, count) / np.bincount(groups[groups >= 0], minlength=count)[:, None]
        away = (middles - rows.z.mean(axis=0)).astype(np.float32)
        found = [nearest_in_meaning(words, own, model) for words, own in zip(found, away, strict=True)]
    words = [", ".join(terms) or f"cluster {group + 1}" for group, terms in enumerate(found)]
    if namer is None:
        return words
    given = list(namer([[rows.texts[row] for row in typical[:8]] for typical in central]))
    if len(given) != len(words):
        raise UsageError(f"the namer gave {len(given)} names for {len(words)} clusters")
    return [name.strip() or word for name, word in zip(given, words, strict=True)]


def _plane(z: Floats, groups: NDArray[np.int64]) -> Floats:
    """Return (n, 2): rows along the two directions that part the centres most (few groups: the rows)."""
    count = int(groups.max()) + 1
    if count > 2:
        sizes = np.bincount(groups[groups >= 0], minlength=count)
        centres = (group_sums(z, groups, count) / sizes[:, None]).astype(np.float32)
    else:
        centres = z[:2000]
    centred = centres - centres.mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    if len(directions) < 2:
        directions = np.vstack([directions, np.zeros_like(directions)])
    return np.asarray(z @ directions.T - z.mean(axis=0) @ directions.T, dtype=np.float32)
