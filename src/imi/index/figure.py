"""The planner's picture: recall against queries a second, the choice marked."""

from __future__ import annotations

import html
import io
from pathlib import Path
from typing import TYPE_CHECKING

from imi.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from imi.index.plan import Plan


def draw_plan(plan: Plan, path: Path) -> Path:
    """Write the picture of a plan and return its path.

    Raises:
        MissingExtra: matplotlib is not installed.
        UsageError: the suffix is not png, svg or html.
    """
    suffix = path.suffix.lower()
    if suffix not in (".png", ".svg", ".html"):
        raise UsageError(f"figure {path.name!r}: the suffix must be .png, .svg or .html")
    try:
        from matplotlib.figure import Figure
    except ImportError as missing:
        raise MissingExtra("matplotlib", "plot") from missing
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
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
        axes.plot(x, y, "o-" if full else ".-", linewidth=width, alpha=strength, label=f"{name}, {where}")
    axes.plot([plan.chosen.recall], [plan.chosen.qps], "*", color="black", markersize=16, label="chosen")
    axes.axvline(plan.target, color="grey", linestyle="--", linewidth=1)
    axes.set_yscale("log")
    axes.set_xlabel(f"recall of the {plan.k} nearest")
    axes.set_ylabel("single queries a second, one thread")
    axes.set_title(f"{plan.rows:,} × {plan.width}, target {plan.target:g}")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    if suffix != ".html":
        figure.savefig(path, dpi=150)
        return path
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg")
    picture = drawn.getvalue()
    body = f"<!doctype html><meta charset=utf-8><title>imi plan</title>{picture[picture.index('<svg') :]}"
    path.write_text(f"{body}<pre>{html.escape(plan.table)}</pre>", encoding="utf-8")
    return path
