"""What the paper claims, put to a run of ours: holds, does not hold, or cannot be told from so little data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.matryoshka.collect import Outcome
from imi.evaluate.intervals import Difference, mean_difference

SMALLEST = 16
"""Sizes below this are left out of "MRL keeps up with FF", as in the paper's own wording for MRL-E."""

_ABOVE = 1e-6
"""The least gap in points that counts as above: a tie does not."""


@dataclass(frozen=True)
class Verdict:
    """A claim, what was measured, and "yes", "no" or "cannot tell"."""

    claim: str
    measured: str
    holds: str


def verdicts(outcome: Outcome) -> list[Verdict]:
    """Return the verdict on each claim that the run has figures for."""
    return [
        *_not_below(outcome, "mrl", "ff", 1.0, "MRL within 1 point of FF-k"),
        *_above(outcome),
        *_not_below(outcome, "mrl-e", "mrl", 2.0, "MRL-E within 2 points of MRL"),
        *_unusual(outcome),
        _between(outcome),
        *adaptive_verdicts(outcome.extras["adaptive"]["steps"]),
        _retrieval(outcome),
    ]


def judged_again(outcome: Outcome, before: Iterable[Verdict]) -> list[Verdict]:
    """Return the verdicts on a run of which only the figures are kept.

    The claims about pairs of methods need every test picture: their verdicts stay as the run gave them. All others are
    judged from the figures.
    """
    again = [_between(outcome), *adaptive_verdicts(outcome.extras["adaptive"]["steps"]), _retrieval(outcome)]
    claims = {verdict.claim for verdict in again}
    return [*(verdict for verdict in before if verdict.claim not in claims), *again]


def _not_below(outcome: Outcome, a: str, b: str, points: float, claim: str) -> Iterator[Verdict]:
    for figure in ("linear", "1-nn"):
        found = _gaps(outcome, figure, a, b, [size for size in outcome.study.dims if size >= SMALLEST])
        if found:
            yield _judged(f"{claim}, {figure}, every size ≥ {SMALLEST}", found, -points)


def _gaps(outcome: Outcome, figure: str, a: str, b: str, sizes: Iterable[int]) -> dict[str, Difference]:
    """Return method a minus method b at each of the sizes that both were measured at, by the size in words."""
    gaps = {f"at {size}": outcome.gap(figure, a, b, size) for size in sizes}
    return {size: gap for size, gap in gaps.items() if gap is not None}


def _judged(claim: str, gaps: Mapping[str, Difference], bar: float) -> Verdict:
    """Judge "every gap is above the bar" by the gaps' 95 % intervals: one that lies wholly below refutes it.

    "yes" asks that every interval lies above. The intervals speak for the test rows; where one lies on both sides of
    the bar, more data must tell.
    """
    lows = [gap.interval[0] for gap in gaps.values()]
    refuted = any(gap.interval[1] < bar for gap in gaps.values())
    holds = "no" if refuted else "yes" if min(lows) >= bar else "cannot tell"
    where, worst = min(gaps.items(), key=lambda item: item[1].value)
    low, high = worst.interval
    won = sum(one >= bar for one in lows)
    measured = f"{won} of {len(gaps)} for certain; least {worst.value:+.2f} [{low:+.2f}, {high:+.2f}] {where}"
    return Verdict(claim, measured, holds)


def _above(outcome: Outcome) -> Iterator[Verdict]:
    sizes = outcome.study.dims[:-1]
    for other in ("svd", "random", "slimmable"):
        gaps = _gaps(outcome, "linear", "mrl", other, sizes)
        if gaps:
            yield _judged(f"MRL above {other}, linear, every size below full", gaps, _ABOVE)
    small = [size for size in sizes if size <= SMALLEST]
    for figure, other, name in (
        ("linear", "svd-cut", "SVD of the classifier"),
        ("linear", "svd", "SVD and a new classifier"),
        ("1-nn", "svd", "SVD"),
        ("map@10", "svd", "SVD"),
    ):
        gaps = _gaps(outcome, figure, "mrl", other, small)
        if gaps:
            yield _judged(f"MRL above {name}, {figure}, sizes ≤ {SMALLEST}", gaps, _ABOVE)


def _unusual(outcome: Outcome) -> Iterator[Verdict]:
    """Judge robustness, inputs of no class, and superclasses, where they were measured."""
    sizes = [size for size in outcome.study.dims if size >= SMALLEST]
    for figure in ("linear", "1-nn"):
        gaps = {
            f"{size}, {shift}": gap
            for shift in outcome.shifts
            for size, gap in _gaps(outcome, f"{figure}~{shift}", "mrl", "ff", sizes).items()
        }
        if gaps:
            yield _judged(f"MRL within 1 point of FF-k on shifted inputs, {figure}, every size ≥ {SMALLEST}", gaps, -1)
    gaps = _gaps(outcome, "outside", "mrl", "ff", sizes)
    if gaps:
        yield _judged(f"MRL within 1 point of FF-k at telling inputs of no class, every size ≥ {SMALLEST}", gaps, -1)
    gaps = _gaps(outcome, "superclass", "mrl", "ff", outcome.study.dims)
    if gaps:
        yield _judged("MRL within 1 point of FF-k at superclasses, every size", gaps, -1)
        yield _drop(outcome)


def _drop(outcome: Outcome) -> Verdict:
    """Judge "from full size to the smallest the superclass is lost less often than the class"."""
    small, full = outcome.study.dims[0], outcome.study.dims[-1]
    lost = [
        outcome.hits[f"{figure}/mrl/{full}"] - outcome.hits[f"{figure}/mrl/{small}"]
        for figure in ("linear", "superclass")
    ]
    gap = mean_difference(100 * lost[0], 100 * lost[1])
    low, high = gap.interval
    measured = f"class {100 * lost[0].mean():.2f} points, superclass {100 * lost[1].mean():.2f}; "
    measured += f"difference {gap.value:+.2f} [{low:+.2f}, {high:+.2f}]"
    holds = "yes" if low > 0 else "no" if high < 0 else "cannot tell"
    return Verdict(f"from {full} to {small} dimensions the superclass is lost less than the class", measured, holds)


def _between(outcome: Outcome) -> Verdict:
    dims, worst = outcome.study.dims, 0.0
    where = 0
    for size in outcome.study.between:
        value = outcome.mean("1-nn", "mrl", size)
        below = outcome.mean("1-nn", "mrl", max(d for d in dims if d < size))
        above = outcome.mean("1-nn", "mrl", min(d for d in dims if d > size))
        if value is None or below is None or above is None:
            continue
        outside = max(min(below, above) - value, value - max(below, above), 0.0)
        if outside > worst:
            worst, where = outside, size
    # Neighbours that are nearly equal leave no room between them: half a point outside is noise of the test set.
    holds = "yes" if worst == 0 else "cannot tell" if worst <= 0.5 else "no"
    measured = "all between" if not where else f"farthest outside: {worst:.2f} points at {where}"
    return Verdict("sizes in between lie between their neighbours, 1-nn", measured, holds)


def adaptive_verdicts(steps: Sequence[Mapping[str, float]]) -> tuple[Verdict, Verdict]:
    """Return whether adaptive classification keeps the accuracy of full size, and whether it gains on fixed sizes.

    Args:
        steps: of `imi.evaluate.cascade.adaptive`, by growing size; `single` is that size alone.
    """
    full = steps[-1]
    cheap = [step for step in steps if full["dims"] / step["expected_dims"] >= 8]
    best = max(cheap or steps, key=lambda step: step["accuracy"])
    times, below = full["dims"] / best["expected_dims"], 100 * (best["accuracy"] - full["single"])
    measured = f"{100 * best['accuracy']:.2f} ± {100 * best['accuracy_std']:.2f} at {best['expected_dims']:.1f} "
    measured += f"dimensions: {times:.1f}× fewer, all {full['dims']}: {100 * full['single']:.2f} ({below:+.2f})"
    # What makes the bar by less than the splits differ may have made it by chance.
    spread = 100 * best["accuracy_std"]
    holds = "no" if not cheap or below < -1 else "yes" if below >= -1 + spread else "cannot tell"
    kept = Verdict("adaptive classification within 1 point at ≤ 1/8 of the size", measured, holds)
    return kept, _against_fixed(steps)


def _against_fixed(steps: Sequence[Mapping[str, float]]) -> Verdict:
    gains = []
    for step in steps[1:]:
        fixed = max(
            (other for other in steps if other["dims"] <= step["expected_dims"]),
            key=lambda other: other["single"],
            default=None,
        )
        if fixed is not None:
            gains.append((step["accuracy"] - fixed["single"], step, fixed))
    least, step, fixed = min(gains, key=lambda gain: gain[0])
    won = sum(gain > 0 for gain, _, _ in gains)
    measured = f"above at {won} of {len(gains)} steps; least {100 * least:+.2f}: "
    measured += f"{100 * step['accuracy']:.2f} at {step['expected_dims']:.1f} dimensions, "
    measured += f"{fixed['dims']} alone {100 * fixed['single']:.2f}"
    # A gain that is smaller than what thirty splits differ by may be theirs.
    holds = "no" if least <= 0 else "yes" if least > step["accuracy_std"] else "cannot tell"
    return Verdict("adaptive classification above every fixed size that costs no more", measured, holds)


def _retrieval(outcome: Outcome) -> Verdict:
    searches = [row for row in outcome.extras["searches"] if row["kind"] != "hnsw"]
    full = max((row for row in searches if row["kind"] == "single"), key=lambda row: row["mflops"])
    good = [row for row in searches if row["kind"] != "single" and _lost(row, full) >= -0.01]
    best = min(good, key=lambda row: row["mflops"], default=full)
    times = full["mflops"] / best["mflops"]
    maybe = any(
        full["mflops"] / row["mflops"] >= 32 and _lost(row, full, 1) >= -0.01
        for row in searches
        if row["kind"] != "single"
    )
    rungs = " → ".join(f"{dims}:{keep}" for dims, keep in best["rungs"])
    measured = f"{rungs}: mAP@10 {100 * best['map10']:.2f} against {100 * full['map10']:.2f}"
    low, high = (100 * _lost(best, full, end) for end in (0, 1))
    measured += f" [{low:+.2f}, {high:+.2f}]" if "gap" in best else " (half a point either way is noise)"
    measured += f", {times:.1f}× fewer MFLOPs"
    holds = "yes" if times >= 32 else "cannot tell" if maybe else "no"
    return Verdict("adaptive retrieval keeps mAP@10 within 1 point at ≥ 32× fewer MFLOPs", measured, holds)


def _lost(row: Mapping[str, Any], full: Mapping[str, Any], end: int = 0) -> float:
    """Return how mAP@10 differs from full size's: the lower or upper end of its interval.

    Where none was kept, half a point either way is taken for noise of the test set, as for sizes in between.
    """
    if "gap" in row:
        return float(row["gap"][end])
    return float(row["map10"] - full["map10"]) + (0.0 if row is full else 0.005 if end else -0.005)
