"""What the paper claims, put to a run of ours: holds, does not hold, or cannot be told from so little data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from experiments.matryoshka.collect import Outcome

SMALLEST = 16
"""Sizes below this are left out of "MRL keeps up with FF", as in the paper's own wording for MRL-E."""


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
        gaps = {}
        for size in outcome.study.dims:
            gap = outcome.gap(figure, a, b, size)
            if gap is not None and size >= SMALLEST:
                gaps[size] = gap
        if not gaps:
            continue
        size, worst = min(gaps.items(), key=lambda item: item[1].value)
        low, high = worst.interval
        # The interval speaks for the test pictures; when it lies on both sides of the bar, more data must tell.
        holds = "yes" if low >= -points else "no" if high < -points else "cannot tell"
        yield Verdict(f"{claim}, {figure}, every size ≥ {SMALLEST}",
                      f"least: {worst.value:+.2f} [{low:+.2f}, {high:+.2f}] at {size}", holds)  # fmt: skip


def _above(outcome: Outcome) -> Iterator[Verdict]:
    for other in ("svd", "random", "slimmable"):
        gaps = {}
        for size in outcome.study.dims[:-1]:
            gap = outcome.gap("linear", "mrl", other, size)
            if gap is not None:
                gaps[size] = gap
        size, worst = min(gaps.items(), key=lambda item: item[1].value)
        low, high = worst.interval
        holds = "yes" if low > 0 else "no" if high < 0 else "cannot tell"
        won = sum(gap.interval[0] > 0 for gap in gaps.values())
        measured = f"above at {won} of {len(gaps)}; least {worst.value:+.2f} [{low:+.2f}, {high:+.2f}] at {size}"
        yield Verdict(f"MRL above {other}, linear, every size below full", measured, holds)


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
    good = [step for step in steps if step["accuracy"] >= full["single"] - 0.01]
    # Where no step keeps within a point, the most accurate one says by how much they all miss it.
    best = min(good, key=lambda step: step["expected_dims"]) if good else max(steps, key=lambda step: step["accuracy"])
    times, below = full["dims"] / best["expected_dims"], 100 * (best["accuracy"] - full["single"])
    measured = f"{100 * best['accuracy']:.2f} at {best['expected_dims']:.1f} dimensions: {times:.1f}× fewer"
    measured += f", all {full['dims']}: {100 * full['single']:.2f}"
    if not good:
        measured += f"; no step is within a point, this one comes nearest ({below:+.2f})"
    kept = Verdict(
        "adaptive classification within 1 point at ≤ 1/8 of the size", measured, "yes" if good and times >= 8 else "no"
    )
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
    good = [row for row in searches if row["kind"] != "single" and row["map10"] >= full["map10"] - 0.01]
    best = min(good, key=lambda row: row["mflops"], default=full)
    times = full["mflops"] / best["mflops"]
    rungs = " → ".join(f"{dims}:{keep}" for dims, keep in best["rungs"])
    measured = f"{rungs}: mAP@10 {100 * best['map10']:.2f} against {100 * full['map10']:.2f}, {times:.1f}× fewer MFLOPs"
    return Verdict(
        "adaptive retrieval keeps mAP@10 within 1 point at ≥ 32× fewer MFLOPs", measured, "yes" if times >= 32 else "no"
    )
