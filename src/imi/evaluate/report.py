"""What was measured, as rows of a table, as JSON, and as a figure of quality by dims."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from imi.errors import MissingExtra, UsageError
from imi.evaluate.run import Results
from imi.figures import check_figure, save_figure

COLUMNS = ("model", "set", "dims", "metric", "value", "low", "high")


def rows(results: Results) -> list[tuple[str, str, str, str, float, float, float]]:
    """Return one row a figure, in the order of `COLUMNS`, set by set so that models stand together."""
    names = list(dict.fromkeys(name for sets in results.values() for name in sets))
    return [
        (model, name, size, score.metric, score.value, *score.interval)
        for name in names
        for model, sets in results.items()
        for size, score in sets.get(name, {}).items()
    ]


def to_dict(results: Results) -> dict[str, Any]:
    """Return ``{MODEL: {SET: {DIMS: {"metric", "value", "interval"}}}}``, which `imi evaluate --json` prints."""
    return {
        model: {name: {size: score.to_dict() for size, score in scores.items()} for name, scores in sets.items()}
        for model, sets in results.items()
    }


def figure(results: Results, path: Path) -> None:
    """Draw quality by dims, one panel a set: lines for models, dashed lines for what has no dims, bars for intervals.

    Raises:
        UsageError: another suffix than png, svg, html or pdf, or nothing to draw; MissingExtra: no matplotlib.
    """
    check_figure(path)
    try:
        from matplotlib.figure import Figure
    except ImportError as missing:
        raise MissingExtra("matplotlib", "plot") from missing
    names = list(dict.fromkeys(name for sets in results.values() for name in sets))
    if not names:
        raise UsageError("there is nothing to draw: no set was measured")
    across = min(3, len(names))
    down = -(-len(names) // across)
    canvas = Figure(figsize=(4.2 * across, 3.1 * down), dpi=150, layout="constrained")
    for at, name in enumerate(names):
        _panel(canvas.add_subplot(down, across, at + 1), results, name)
    handles = {
        label: line for axes in canvas.axes for line, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    canvas.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=min(4, len(handles)), frameon=False
    )
    save_figure(canvas, path)


def _panel(axes: Any, results: Results, name: str) -> None:
    sizes = sorted({int(size) for sets in results.values() for size in sets.get(name, {}) if size != "all"})
    metric = ""
    for at, (model, sets) in enumerate(results.items()):
        scores = sets.get(name, {})
        colour = f"C{at % 10}"
        if "all" in scores:
            axes.axhline(scores["all"].value, color=colour, linestyle="--", linewidth=1, label=model)
            metric = scores["all"].metric
        points = [(int(size), score) for size, score in sorted(scores.items()) if size != "all"]
        points.sort(key=lambda point: point[0])
        if points:
            values = [score.value for _, score in points]
            below = [max(0.0, score.value - score.interval[0]) for _, score in points]
            above = [max(0.0, score.interval[1] - score.value) for _, score in points]
            axes.errorbar(
                [size for size, _ in points], values, [below, above], color=colour, marker="o", ms=3, label=model
            )
            metric = points[0][1].metric
    if sizes:
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.set_title(f"{name} ({metric})", fontsize=9)
    axes.set_xlabel("dimensions used", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
