"""A plan: the ladder that was chosen, everything that was tried, and the table and figure of it.

`imi.index.planner` makes one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from imi.errors import UsageError
from imi.figures import new_figure, save_figure, say_above
from imi.index.base import check_metric, check_vectors
from imi.index.exact import Exact
from imi.index.goal import Goal
from imi.index.ladder import Ladder
from imi.index.manifest import CheckedVectors
from imi.index.measure import Prefix, Vectors
from imi.index.passing import Filtering
from imi.index.rungs import Rung, format_ladder
from imi.language import local
from imi.progress import Progress
from imi.vectors import Metric

_NEAR = 0.03
"""Recall below the target at which a ladder is still worth showing."""
VERSION = 4
"""What plans are measured by: 1 by rows alone, 2 by questions unlike the rows too, 3 with codes for filters, 4 with
the effort under filters."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One ladder and what it gave: on the sample or on all rows.

    recall, low and high are of queries like the rows (or the user's own), outside the recall of stand-ins for questions
    unlike the rows, and share which share of the queries reach the recall asked for, where that was asked.
    """

    rungs: tuple[Rung, ...]
    recall: float
    low: float
    high: float
    qps: float
    bytes: int
    where: str
    note: str = ""
    outside: float | None = None
    share: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values; `ladder` is the text form of the rungs."""
        return {
            "ladder": format_ladder(self.rungs) if self.rungs else "exact",
            "rungs": [rung.to_dict() for rung in self.rungs],
            "recall": self.recall,
            "interval": [self.low, self.high],
            "outside": self.outside,
            "share": self.share,
            "qps": self.qps,
            "bytes": self.bytes,
            "where": self.where,
            "note": self.note,
        }

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Tried:
        """Read what `to_dict` wrote."""
        rungs = tuple(Rung.from_dict(rung) for rung in plain["rungs"])
        low, high = plain["interval"]
        measured = plain["recall"], low, high, plain["qps"], plain["bytes"], plain["where"], plain["note"]
        return cls(rungs, *measured, plain.get("outside"), plain.get("share"))


@dataclass(frozen=True)
class Plan:
    """A ladder chosen by measurement, and everything that was tried on the way.

    chosen: the ladder; no rungs means exact search. target: the recall asked for, of the k nearest. rows, width and
    metric are of the vectors it was made for. prefixes: what prefixes are worth. matryoshka: whether they
    are worth more than dimensions taken at random. note: what was found, in words. memory and latency: the limits
    given, for measuring again by the same ones. share: which share of the queries must reach the target each; None for
    their mean. version: what the plan was measured by. filtering: how the rows that pass a filter are compared.
    """

    target: float
    k: int
    metric: Metric
    rows: int
    width: int
    chosen: Tried
    tried: tuple[Tried, ...]
    matryoshka: bool
    prefixes: tuple[Prefix, ...]
    note: str
    built: Ladder | Exact | None = field(default=None, repr=False, compare=False)
    memory: int | None = None
    latency: float | None = None
    share: float | None = None
    version: int = VERSION
    filtering: Filtering = field(default_factory=Filtering)

    @property
    def goal(self) -> Goal:
        """What was asked for."""
        return Goal(self.target, self.share)

    @property
    def outdated(self) -> bool:
        """Whether an earlier imi measured it by less than is measured now."""
        return self.version < VERSION and bool(self.chosen.rungs)

    @property
    def recall(self) -> float:
        """The recall that was verified on all rows, with queries nothing was set by.

        Where these are rows held out, at most a thousand, it says nothing of how well those are found themselves.
        """
        return self.chosen.recall

    @property
    def front(self) -> tuple[Tried, ...]:
        """What was tried and no other did better than, near the recall asked for or above it; the quickest first.

        Better is as much recall, as many queries a second and as few bytes, measured on as many rows.
        """
        near = [one for one in self.tried if one.recall >= self.target - _NEAR]
        best = [one for one in near if not any(_better(other, one) for other in near if other.where == one.where)]
        return tuple(sorted(best, key=lambda one: -one.qps))

    @property
    def table(self) -> str:
        """The chosen ladder and `front`, as text; `tried` and `to_dict` hold everything that was measured."""
        head = f"{'':2}{'ladder':44} {'recall':>7} {'95 %':>13} {'unlike':>6} {'queries/s':>10} {'MB':>8}  where"
        lines = [head]
        for one in (self.chosen, *self.front):
            mark = "→ " if one is self.chosen else "  "
            name = format_ladder(one.rungs) if one.rungs else "exact"
            span = f"{one.low:.3f}–{one.high:.3f}"
            end = f"{one.where}{', ' + one.note if one.note else ''}"
            unlike = "" if one.outside is None else f"{one.outside:.3f}"
            figures = f"{one.recall:7.4f} {span:>13} {unlike:>6} {one.qps:10.0f} {one.bytes / 1e6:8.1f}"
            lines.append(f"{mark}{name:44} {figures}  {end}")
        left = len(self.tried) - len(self.front)
        return "\n".join([*lines, *([f"  {left} that others beat or that find too little"] if left else []), self.note])

    def __str__(self) -> str:
        return self.table

    def figure(self, path: str | Path) -> Path:
        """Draw recall against queries a second, the choice marked; png, svg or html by suffix.

        Raises:
            MissingExtra: matplotlib is not installed.
            UsageError: another suffix.
        """
        return _draw_plan(self, Path(path))

    def build(self, vectors: NDArray[Any] | CheckedVectors, progress: Progress | None = None) -> Ladder | Exact:
        """Return the index over these vectors: the one that was built for measuring when they are the same object.

        Raises:
            UsageError: their width is not the one that was planned for.
        """
        if int(vectors.shape[1]) != self.width:
            raise UsageError(
                f"vectors of width {vectors.shape[1]} for a plan made for width {self.width}", hint="plan again"
            )
        if self.built is not None and (self.built.vectors is vectors or self.built.vectors is as_table(vectors)):
            return self.built
        if not self.chosen.rungs:
            return Exact(vectors, self.metric)
        ladder = Ladder.build(vectors, self.chosen.rungs, self.metric, progress=progress)
        code = self.filtering.code
        ladder = ladder.with_filtering(self.filtering, None if code is None else ladder.code_rows(code))
        ladder.latency = 1 / self.chosen.qps
        return ladder

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values; `from_dict` reads it."""
        return {
            "target": self.target,
            "k": self.k,
            "metric": self.metric,
            "rows": self.rows,
            "width": self.width,
            "chosen": self.chosen.to_dict(),
            "tried": [one.to_dict() for one in self.tried],
            "matryoshka": self.matryoshka,
            "prefixes": [prefix.to_dict() for prefix in self.prefixes],
            "note": self.note,
            "memory": self.memory,
            "latency": self.latency,
            "share": self.share,
            "version": self.version,
            "filtering": self.filtering.to_dict(),
        }

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Plan:
        """Read what `to_dict` wrote; the built index is not part of it."""
        return cls(
            target=plain["target"],
            k=plain["k"],
            metric=check_metric(plain["metric"]),
            rows=plain["rows"],
            width=plain["width"],
            chosen=Tried.from_dict(plain["chosen"]),
            tried=tuple(Tried.from_dict(one) for one in plain["tried"]),
            matryoshka=plain["matryoshka"],
            prefixes=tuple(Prefix(**prefix) for prefix in plain["prefixes"]),
            note=plain["note"],
            memory=plain.get("memory"),
            latency=plain.get("latency"),
            share=plain.get("share"),
            version=plain.get("version", 1),
            filtering=Filtering.from_dict(plain.get("filtering")),
        )


def _better(a: Tried, b: Tried) -> bool:
    """Return whether a is nowhere behind b, and somewhere before it."""
    mine, other = (a.recall, a.qps, -a.bytes), (b.recall, b.qps, -b.bytes)
    return mine != other and all(x >= y for x, y in zip(mine, other, strict=True))


def as_table(vectors: NDArray[Any] | CheckedVectors) -> Vectors:
    """Return vectors as every part of the planner takes them."""
    return vectors if isinstance(vectors, CheckedVectors) else check_vectors(vectors)


def _draw_plan(plan: Plan, path: Path) -> Path:
    """Write the picture of a plan and return its path.

    Raises:
        MissingExtra: matplotlib is not installed.
        UsageError: the suffix is not png, svg or html.
    """
    figure, axes = new_figure(8, 5)
    lines: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for one in plan.tried:
        first = one.rungs[0]
        name = f"{first.structure} {first.codec} {first.dims}{'r' if first.rotated else ''}"
        lines.setdefault((name, one.where), []).append((one.recall, one.qps))
    for (name, where), points in lines.items():
        points.sort()
        full = where != "sample"
        x, y = zip(*points, strict=True)
        width, strength = (2.0, 1.0) if full else (0.8, 0.55)
        axes.plot(x, y, "o-" if full else ".-", linewidth=width, alpha=strength, label=f"{name}, {local(where)}")
    axes.plot([plan.chosen.recall], [plan.chosen.qps], "*", color="black", markersize=16, label="chosen")
    axes.axvline(plan.target, color="grey", linestyle="--", linewidth=1)
    axes.set_yscale("log")
    axes.set_xlabel(f"recall of the {plan.k} nearest")
    axes.set_ylabel("single queries a second, one thread")
    say_above(
        axes,
        "The farther right and the higher, the better: a line is one kind of index",
        f"{plan.rows:,} × {plan.width}, target {plan.target:g}",
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    save_figure(figure, path, plan.table)
    return path
