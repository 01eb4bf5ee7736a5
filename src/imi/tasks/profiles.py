"""Profiles: users and products as the means of their reviews' vectors, and what they foretell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.figures import COLOURS, new_figure, save_figure, say_above
from imi.tasks.classifier_heads import as_labels
from imi.tasks.classify import plain_label
from imi.tasks.intervals import Interval, bootstrap
from imi.tasks.neighbours import copies_of
from imi.tasks.regress import fit_numbers
from imi.tasks.report import Findings, Phrase, Reported, ReportTable
from imi.tasks.rows import Rows, read_rows
from imi.types import Floats
from imi.vectors import as_floats, normalize

Doubles = NDArray[np.float64]
Method = Literal["profiles", "texts", "mean"]
METHODS: tuple[Method, ...] = get_args(Method)
_BY: dict[Method, tuple[str, str]] = {
    "profiles": ("what the owners wrote and their other numbers", "持ち主のテキストとほかの数値"),
    "texts": ("what the owners wrote", "持ち主のテキスト"),
    "mean": ("the owners' other numbers", "持ち主のほかの数値"),
}


@dataclass(frozen=True)
class Profile:
    """One kind of owner: its names (g,), their unit mean vectors (g, d) and how many rows each has (g,)."""

    by: str
    names: NDArray[Any]
    vectors: Floats
    sizes: NDArray[np.int64]

    def similar(self, name: Any, k: int = 10) -> list[tuple[Any, float]]:
        """Return the k names whose profiles are nearest to this one's, with cosines, best first.

        Raises:
            UsageError: the name has no profile.
        """
        own = np.flatnonzero(self.names == name)
        if not len(own):
            raise UsageError(
                f"{self.by} {name!r} has no profile; there are {len(self.names)}, such as {self.names[0]!r}"
            )
        return [pair for pair in self.near(self.vectors[own[0]], k + 1) if pair[0] != name][:k]

    def near(self, vector: Any, k: int = 10) -> list[tuple[Any, float]]:
        """Return the k names whose profiles are nearest to a vector, such as a profile of the other kind."""
        cosines = self.vectors @ normalize(as_floats(vector))
        best = np.argsort(-cosines, kind="stable")[:k]
        return [(self.names[at], float(cosines[at])) for at in best]


@dataclass(frozen=True)
class Profiles(Reported):
    """The profiles, and how well they foretell a number of rows that were not in them.

    correlation: Pearson's, between the number and what it was predicted to be (see `profiles`), over the n rows whose
    owners all have another row; texts: the same by what the owners wrote alone; cosine: the cookbook's measure over the
    same rows, the correlation of the number with the percentile of the cosine between the owners' profiles. None where
    no column was given.
    """

    profiles: tuple[Profile, ...]
    correlation: float | None = None
    interval: Interval | None = None
    n: int = 0
    cosine: float | None = None
    truth: Doubles | None = None
    predicted: Doubles | None = None
    baseline: dict[str, Any] | None = None
    texts: float | None = None
    method: Method = "profiles"

    def findings(self) -> Findings:
        """Return how well the profiles predict beside the owners' mean number, and how many profiles there are."""
        says = []
        if self.correlation is not None and self.interval is not None and self.baseline is not None:
            low, high = self.interval
            own = self.baseline["correlation"]
            by, by_ja = _BY[self.method]
            alike = f"{own:.3f}" == f"{self.correlation:.3f}" and self.method == "profiles"
            says = [
                Phrase(
                    f"predicted from {by}: correlation {self.correlation:.3f} ({low:.3f} to {high:.3f}) over "
                    f"{self.n} rows",
                    f"{by_ja}からの予測：相関 {self.correlation:.3f}（{low:.3f}〜{high:.3f}）、{self.n} 件",
                ),
                Phrase(
                    f"baseline: the mean number of the owners' other rows: correlation {own:.3f}"
                    + (", which is higher here; --method mean uses it" if own > self.correlation else "")
                    + ("; what the owners wrote adds nothing to it here" if alike else ""),
                    f"ベースライン：同じ持ち主のほかの行の平均値で、相関 {own:.3f}"
                    + ("。こちらのほうが高いので、--method mean で使えます" if own > self.correlation else "")
                    + ("。持ち主のテキストを加えても変わりません" if alike else ""),
                ),
            ]
        rows: list[list[Any]] = []
        if self.correlation is not None:
            rows = [
                [Phrase("correlation", "相関"), self.correlation],
                [Phrase("correlation of the owners' texts alone", "持ち主のテキストだけによる相関"), self.texts],
                [
                    Phrase("correlation of the owners' mean", "持ち主の平均値の相関"),
                    (self.baseline or {}).get("correlation"),
                ],
                [Phrase("rows judged", "評価した件数"), self.n],
            ]
            if self.cosine is not None:
                rows.append([Phrase("cosine of profiles", "プロファイル間のコサイン類似度"), self.cosine])
        rows += [
            [Phrase(f"profiles by {one.by}", f"{one.by} ごとのプロファイル"), len(one.names)] for one in self.profiles
        ]
        table = ReportTable((Phrase("", ""), Phrase("value", "値")), rows)
        return Findings(Phrase("Profiles", "プロファイル"), tuple(says), (table,))

    def __getitem__(self, by: str) -> Profile:
        for profile in self.profiles:
            if profile.by == by:
                return profile
        raise UsageError(
            f"there are no profiles by {by!r}, there are by {', '.join(profile.by for profile in self.profiles)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return {
            "correlation": self.correlation,
            "interval": None if self.interval is None else list(self.interval),
            "n": self.n,
            "texts": self.texts,
            "cosine": self.cosine,
            "profiles": {profile.by: len(profile.names) for profile in self.profiles},
            "baseline": self.baseline,
        }

    def figure(self, path: str | Path) -> None:
        """Draw predicted numbers against the true ones.

        Raises:
            UsageError: no column was given.
        """
        if self.truth is None or self.predicted is None or self.interval is None:
            raise UsageError("there is no number to draw predictions of", hint="give column=, or --column NUMBER")
        figure, axes = new_figure(6, 4.5)
        shift = np.random.default_rng(0).uniform(-0.12, 0.12, len(self.truth))
        low, high = float(self.truth.min()), float(self.truth.max())
        drawn = np.clip(self.predicted, low, high)
        axes.plot([low, high], [low, high], color=COLOURS[5], linewidth=1)
        axes.plot(self.truth + shift, drawn, "o", color=COLOURS[0], alpha=0.5, markersize=5, markeredgewidth=0)
        axes.set_xlabel("true")
        axes.set_ylabel("predicted by the profiles")
        figures = f"correlation {self.correlation:.3f} ({self.interval[0]:.3f} to {self.interval[1]:.3f}), n = {self.n}"
        beyond = int((drawn != self.predicted).sum())
        figures += f"; {beyond} predictions beyond {low:g} to {high:g} at the edge" if beyond else ""
        say_above(axes, "The nearer the points lie to the line, the more profiles tell", figures)
        save_figure(figure, path)


def profiles(
    data: Any,
    by: Sequence[Any] | str,
    column: Sequence[Any] | str | None = None,
    *,
    copies: bool = True,
    method: Method = "profiles",
    dims: int | None = None,
    seed: int = 0,
) -> Profiles:
    """Build profiles, and judge what they foretell.

    Each row is foretold without itself: its owners' profiles are the means of their other rows, and a kernel ridge
    regression from vectors to the number, trained on the nine tenths of the rows that it is not in (equal rows stay
    together), reads them. With that goes the mean number of the owners' other rows: the two are weighed by what is best
    for the rows judged, a standard error nearer to the mean. What the owners foretell is averaged.

    Args:
        data: a collection, or (n, d) vectors.
        by: columns whose values own rows, such as ("UserId", "ProductId"); for an array, sequences of n values each.
        column: the column with the number to foretell (n numbers for an array); None builds profiles only.
        copies: whether an owner's rows with the very same vector count; a user may post one review under several
            products.
        method: "profiles" (what is said above), "texts" (what the regression reads alone), or the plain one, "mean":
            the mean number of the owners' other rows alone.
        dims: leading dimensions of each vector to use.
        seed: of the folds and the interval.

    Raises:
        UsageError: an unknown column, no owners, values that are not numbers, or too few rows whose owners have other
            rows.
    """
    if method not in METHODS:
        raise UsageError(f"method is {method!r}, allowed are {', '.join(METHODS)}")
    rows = read_rows(data, dims)
    names, owners = _owners(rows, [by] if isinstance(by, str) else list(by))
    built = tuple(_profile(rows.z, name, own) for name, own in zip(names, owners, strict=True))
    if column is None:
        return Profiles(built)
    numbers = _numbers(rows.column(column) if isinstance(column, str) else column, len(rows))
    return _judged(rows.z, built, owners, numbers, (copies, method, seed))


def _judged(
    z: Floats, built: tuple[Profile, ...], owners: list[NDArray[Any]], numbers: Doubles, how: tuple[bool, Method, int]
) -> Profiles:
    """Return the profiles with how well they, and their owners' mean number, predict the rows left out of them."""
    copies, method, seed = how
    same = copies_of(z)[1]
    readings = _cross_readings(z, numbers, same, seed)
    foretold, plain = np.zeros(len(z)), np.zeros(len(z))
    # The plain way: the owners' other numbers themselves, read as every fold would read them.
    known = np.isfinite(numbers)
    filled = np.where(known, numbers, numbers[known].mean())
    themselves = np.vstack([np.tile(filled, (len(readings) - 1, 1)), readings[-1]])
    others = []
    for own in owners:
        vectors, values, count = _without_self(z, readings, own, same, copies)
        known &= count > 0
        foretold += values
        plain += _without_self(z, themselves, own, same, copies)[1]
        others.append(vectors)
    if known.sum() < 3 or np.ptp(numbers[known]) == 0:
        raise UsageError(
            f"{int(known.sum())} rows have a number and owners with other rows: "
            "at least 3 with different numbers are needed",
            hint="choose columns whose values repeat",
        )
    truth, read, own_mean = numbers[known], foretold[known] / len(owners), plain[known] / len(owners)
    predicted = {"texts": read, "mean": own_mean}.get(method)
    if predicted is None:
        predicted = _blended(truth, read, own_mean)
    pairs = np.stack([truth, predicted], axis=1)
    cosine = None
    if len(others) == 2:
        cosine = _correlation(_percentiles(_row_cosines(others[0][known], others[1][known])), truth)
    interval = bootstrap(pairs, lambda drawn: _correlation(drawn[:, 0], drawn[:, 1]), seed=seed)
    baseline = {"method": "mean", "correlation": _correlation(truth, own_mean)}
    found, texts = _correlation(truth, predicted), _correlation(truth, read)
    return Profiles(built, found, interval, len(truth), cosine, truth, predicted, baseline, texts, method)


def _blended(truth: Doubles, read: Doubles, own_mean: Doubles) -> Doubles:
    """Return what is between two predictions (n,), where the error is smallest but for a standard error to the mean.

    Few rows do not tell how much what is read is worth. One weight for all rows: weights that leave each row out in
    turn lean against its number, which with twenty rows shows.
    """
    apart = read - own_mean
    square = max(float(apart @ apart), 1e-12)
    best = float((truth - own_mean) @ apart) / square
    left = float(np.mean((truth - own_mean - best * apart) ** 2))
    share = min(max(best - float(np.sqrt(left / square)), 0.0), 1.0)
    return np.asarray(own_mean + share * apart, dtype=np.float64)


def _owners(rows: Rows, by: list[Any]) -> tuple[list[str], list[NDArray[Any]]]:
    """Return the names of the kinds and, for each, every row's owner as an object array (n,), None for none."""
    if not by:
        raise UsageError("no column says whose rows these are", hint="by=('UserId', 'ProductId')")
    names, owners = [], []
    for at, one in enumerate(by):
        values = rows.column(one) if isinstance(one, str) else one
        if len(values) != len(rows):
            raise UsageError(f"there are {len(values)} owners for {len(rows)} rows")
        names.append(one if isinstance(one, str) else str(at))
        owners.append(as_labels([plain_label(value) for value in values]))
    return names, owners


def _groups(own: NDArray[Any]) -> tuple[list[Any], NDArray[np.int64]]:
    """Return the different owners, sorted, and each row's place among them, -1 for none."""
    different = sorted({value for value in own if value is not None}, key=lambda value: (str(type(value)), value))
    place = {value: at for at, value in enumerate(different)}
    return different, np.array([-1 if value is None else place[value] for value in own], dtype=np.int64)


def _profile(z: Floats, name: str, own: NDArray[Any]) -> Profile:
    different, place = _groups(own)
    if not different:
        raise UsageError(f"no row has an owner in {name!r}")
    sums = np.zeros((len(different), z.shape[1]), np.float64)
    np.add.at(sums, place[place >= 0], z[place >= 0])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return Profile(
        name,
        as_labels(different),
        (sums / np.maximum(lengths, 1e-12)).astype(np.float32),
        np.bincount(place[place >= 0]),
    )


def _numbers(values: Sequence[Any] | NDArray[Any], n: int) -> Doubles:
    if len(values) != n:
        raise UsageError(f"there are {len(values)} numbers for {n} rows")
    try:
        return np.array([np.nan if value is None or value == "" else float(value) for value in values])
    except (TypeError, ValueError) as wrong:
        raise UsageError(f"the column to foretell holds a value that is not a number: {wrong}") from wrong


def _cross_readings(z: Floats, numbers: Doubles, same: NDArray[np.int64], seed: int, folds: int = 10) -> Doubles:
    """Return (folds + 1, n): what each fold's regression reads in every row; last, each row's fold."""
    known = np.flatnonzero(np.isfinite(numbers))
    if len(known) < 20 or np.ptp(numbers[known]) == 0:
        raise UsageError(f"{len(known)} rows have a number: at least 20, not all the same, are needed")
    fold = (np.random.default_rng(seed).permutation(int(same.max()) + 1) % folds)[same]
    readings = np.empty((folds + 1, len(z)))
    for held in range(folds):
        train = known[fold[known] != held]
        # One row of each set of copies: leaving out a row whose copy stays says nothing about new ones.
        train = train[np.unique(same[train], return_index=True)[1]]
        readings[held] = fit_numbers(z[train], numbers[train]).predict(z)
    readings[folds] = fold
    return readings


def _without_self(
    z: Floats, readings: Doubles, own: NDArray[Any], same: NDArray[np.int64], copies: bool
) -> tuple[Floats, Doubles, NDArray[np.int64]]:
    """Return, for each row, the mean vector and mean reading of its owner's other rows, and how many these are."""
    place = _groups(own)[1]
    fold = readings[-1].astype(np.int64)
    vectors, values = np.zeros_like(z), np.zeros(len(z))
    count = np.zeros(len(z), np.int64)
    order = np.argsort(place, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(place[order])) + 1):
        if place[members[0]] < 0 or len(members) < 2:
            continue
        total = z[members].sum(axis=0)
        for row in members:
            out = members[members != row] if copies else members[same[members] != same[row]]
            count[row] = len(out)
            if len(out):
                vectors[row] = (total - z[row]) / len(out) if copies else z[out].mean(axis=0)
                values[row] = readings[fold[row], out].mean()
    return vectors, values, count


def _row_cosines(a: Floats, b: Floats) -> Doubles:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray(np.einsum("nd,nd->n", a, b) / np.maximum(lengths, 1e-12), dtype=np.float64)


def _percentiles(values: Doubles) -> Doubles:
    """Return each value's percentile among all, the mean of its ranks where it occurs more than once."""
    ordered = np.sort(values)
    return (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right") + 1) / (
        2 * len(values)
    )


def _correlation(a: Doubles, b: Doubles) -> float:
    a, b = a - a.mean(), b - b.mean()
    lengths = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / lengths if lengths > 1e-12 else 0.0
