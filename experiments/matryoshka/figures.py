"""The lab's figures: accuracy by size, between sizes, adaptive classification, compute against accuracy, relatives."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.matryoshka import paper
from experiments.matryoshka.collect import Outcome
from imi.figures import COLOURS, new_figure, save_figure, say_above, short

METHODS: Mapping[str, str] = {
    "mrl": "MRL",
    "mrl-e": "MRL-E",
    "ff": "FF-k, trained for each size",
    "svd": "SVD",
    "random": "random features",
    "slimmable": "slimmable network",
    "svd-cut": "SVD of the classifier",
}
FIGURES: Mapping[str, str] = {"linear": "linear accuracy, %", "1-nn": "1-NN accuracy, %", "map@10": "mAP@10, %"}


def draw_all(outcome: Outcome, folder: Path) -> list[str]:
    """Write every figure of a study and return the files' names."""
    name = outcome.study.name
    drawn = []
    for figure in FIGURES:
        drawn.append(f"{name}-{figure.replace('@', '')}.png")
        draw_by_size(outcome, figure, folder / drawn[-1])
    for kind, draw in (
        ("between", draw_between),
        ("adaptive", draw_adaptive),
        ("compute", draw_compute),
        ("shortlist", draw_ablation),
        ("example", draw_example),
    ):
        drawn.append(f"{name}-{kind}.png")
        draw(outcome, folder / drawn[-1])
    for kind, draw, there in (
        ("relatives", draw_relatives, "relatives" in outcome.extras),
        ("shifts", draw_shifts, bool(outcome.shifts)),
        ("conditions", draw_conditions, "conditions" in outcome.extras),
    ):
        if there:
            drawn.append(f"{name}-{kind}.png")
            draw(outcome, folder / drawn[-1])
    return drawn


def draw_by_size(outcome: Outcome, figure: str, path: Path) -> None:
    """Draw one figure against the size for every method, with 95 % bands: Figures 2, 3 and 7 of the paper."""
    canvas, axes = new_figure(7.6, 4.2)
    for colour, (method, label) in zip(COLOURS, METHODS.items(), strict=False):
        sizes = [size for size in outcome.sizes(figure, method) if size in outcome.study.dims]
        if not sizes:
            continue
        axes.plot(sizes, [outcome.mean(figure, method, size) for size in sizes], "o-", color=colour, label=label, ms=4)
        low, high = np.transpose([outcome.interval(figure, method, size) for size in sizes])
        axes.fill_between(sizes, low, high, color=colour, alpha=0.12, linewidth=0)
    _sizes(axes, outcome.study.dims)
    axes.set_ylabel(FIGURES[figure])
    say_above(axes, "One nested network beside networks trained for each size", _figures_of(outcome) + ", 95 % bands")
    _legend(axes)
    save_figure(canvas, path)


def draw_between(outcome: Outcome, path: Path) -> None:
    """Draw 1-NN accuracy and mAP@10 at trained sizes and at sizes between them: Figure 5."""
    canvas, axes = new_figure(7.6, 3.6)
    for colour, figure in zip(COLOURS, ("1-nn", "map@10"), strict=False):
        trained = list(outcome.study.dims)
        between = [size for size in outcome.study.between if size in outcome.sizes(figure, "mrl")]
        axes.plot(trained, [outcome.mean(figure, "mrl", size) for size in trained], "o-", color=colour,
                  label=f"{FIGURES[figure]}: trained sizes")  # fmt: skip
        axes.plot(between, [outcome.mean(figure, "mrl", size) for size in between], "x", color=colour, ms=8,
                  label="sizes in between")  # fmt: skip
    _sizes(axes, outcome.study.dims)
    say_above(axes, "Sizes that nothing was trained for lie on the line", _figures_of(outcome))
    _legend(axes)
    save_figure(canvas, path)


def draw_adaptive(outcome: Outcome, path: Path) -> None:
    """Draw accuracy against the expected size, beside single sizes and the oracle: Figure 6."""
    canvas, axes = new_figure(7.6, 3.8)
    found = outcome.extras["adaptive"]
    steps = found["steps"]
    axes.errorbar([s["expected_dims"] for s in steps], [100 * s["accuracy"] for s in steps],
                  xerr=[s["expected_std"] for s in steps], yerr=[100 * s["accuracy_std"] for s in steps],
                  fmt="o-", ms=4, color=COLOURS[0], label="adaptive", capsize=2)  # fmt: skip
    axes.plot([s["dims"] for s in steps], [100 * s["single"] for s in steps], "s--", ms=4, color=COLOURS[1],
              label="one size for all")  # fmt: skip
    axes.axhline(100 * found["oracle"], color=COLOURS[8], lw=1, ls=":", label="oracle over sizes")
    _sizes(axes, outcome.study.dims)
    axes.set_xlabel("expected dimensions a row")
    axes.set_ylabel("accuracy, %")
    say_above(axes, "Being adaptive gains where it lies above one size for all", outcome.study.name + ", thirty splits")
    _legend(axes)
    save_figure(canvas, path)


def draw_compute(outcome: Outcome, path: Path) -> None:
    """Draw mAP@10 against the work of a query, points named by the dimensions of their first rung: Figure 8."""
    from matplotlib.ticker import NullFormatter

    canvas, axes = new_figure(7.6, 3.8)
    styles = {
        "single": ("s--", "one size, exact"),
        "adaptive": ("o", "adaptive retrieval"),
        "funnel": ("*", "funnel"),
    }
    for colour, (kind, (style, label)) in zip(COLOURS, styles.items(), strict=False):
        rows = [row for row in outcome.extras["searches"] if row["kind"] == kind]
        axes.plot([row["mflops"] for row in rows], [100 * row["map10"] for row in rows], style, color=colour,
                  label=label, ms=10 if kind == "funnel" else 5)  # fmt: skip
        for row in rows:
            first, last = row["rungs"][0][0], row["rungs"][-1][0]
            if kind != "funnel" and last in (first, outcome.study.dims[-1]):
                offset = (0, 5 if kind == "adaptive" else -11)
                axes.annotate(
                    str(first),
                    (row["mflops"], 100 * row["map10"]),
                    offset,
                    textcoords="offset points",
                    ha="center",
                    fontsize=7,
                    color=colour,
                )
    axes.margins(y=0.12)
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("MFLOPs a query (multiply-adds, in millions)")
    say_above(
        axes, "Up and left is better: as accurate for less work", f"{outcome.study.name}; labelled by first dimensions"
    )
    axes.set_ylabel("mAP@10, %")
    _legend(axes)
    save_figure(canvas, path)


def draw_ablation(outcome: Outcome, path: Path) -> None:
    """Draw mAP@10 against the shortlist's length K: appendix K.2."""
    canvas, axes = new_figure(7.6, 3.2)
    rows = outcome.extras["ablation"]
    axes.plot([row["k"] for row in rows], [100 * row["map10"] for row in rows], "o-", color=COLOURS[0])
    axes.set_xscale("log")
    axes.set_xlabel("shortlist K")
    axes.set_ylabel("mAP@10, %")
    say_above(axes, "From some length on, a longer shortlist finds no more", outcome.study.name)
    save_figure(canvas, path)


def draw_relatives(outcome: Outcome, path: Path) -> None:
    """Draw class and superclass accuracy by size: what a coarse prefix confuses stays in the family."""
    canvas, axes = new_figure(7.6, 3.4)
    rows = outcome.relatives()
    sizes = [row["size"] for row in rows]
    for colour, (key, label) in zip(
        COLOURS,
        (("superclass", "superclass right"), ("accuracy", "class right"), ("kin", "errors within the superclass")),
        strict=False,
    ):
        axes.plot(sizes, [100 * row[key] for row in rows], "o-", ms=4, color=colour, label=f"MRL: {label}")
    for colour, figure, label in (
        (COLOURS[0], "superclass", "superclass right"),
        (COLOURS[1], "linear", "class right"),
    ):
        fixed = outcome.sizes(figure, "ff") if outcome.sizes("superclass", "ff") else []
        if fixed:
            axes.plot(fixed, [outcome.mean(figure, "ff", size) for size in fixed], "s--", ms=4, color=colour,
                      mfc="white", label=f"FF-k: {label}")  # fmt: skip
    _sizes(axes, outcome.study.dims)
    axes.set_ylabel("%")
    say_above(axes, "A short prefix knows the superclass before the class", outcome.study.name)
    _legend(axes)
    save_figure(canvas, path)


def draw_example(outcome: Outcome, path: Path) -> None:
    """Draw one picture and, as a heat map, what each size takes it for."""
    found = outcome.extras["example"]
    canvas, axes = new_figure(7, 3.2)
    p = np.array(found["probabilities"])
    axes.imshow(p.T, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(found["sizes"])), [str(size) for size in found["sizes"]])
    axes.set_yticks(range(len(found["classes"])), [short(name) for name in found["classes"]], fontsize=8)
    axes.set_xlabel("dimensions used")
    axes.set_title(f"truth: {short(found['truth'], 40)}", loc="left", fontsize=9)
    for (column, row), value in np.ndenumerate(p):
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7,
                  color="white" if value > 0.6 else "black")  # fmt: skip
    canvas.set_layout_engine("none")
    axes.set_position((0.42, 0.16, 0.56, 0.72))
    beside = canvas.add_axes((0.01, 0.3, 0.15, 0.42))
    if "text" in found:
        lines = "\n".join(textwrap.wrap(found["text"], 17))
        beside.text(0, 0.5, f"“{lines}”", va="center", fontsize=8, transform=beside.transAxes)
    else:
        pixels = np.array(found["pixels"])
        beside.imshow(pixels if pixels.shape[2] == 3 else pixels[:, :, 0], cmap="gray")
    beside.axis("off")
    save_figure(canvas, path)


def draw_shifts(outcome: Outcome, path: Path) -> None:
    """Draw 1-NN accuracy by size on the test part as it is and on each shifted one, MRL beside FF-k: Table 17."""
    canvas, axes = new_figure(7.6, 4.2)
    for colour, shift in zip(COLOURS, ["", *outcome.shifts], strict=False):
        figure, label = f"1-nn~{shift}" if shift else "1-nn", shift or "as they are"
        for method, style, fill in (("mrl", "o-", colour), ("ff", "s--", "white")):
            sizes = [size for size in outcome.sizes(figure, method) if size in outcome.study.dims]
            values = [outcome.mean(figure, method, size) for size in sizes]
            named = label if method == "mrl" else None
            axes.plot(sizes, values, style, color=colour, ms=4, mfc=fill, label=named)
    _sizes(axes, outcome.study.dims)
    axes.set_ylabel(FIGURES["1-nn"])
    say_above(
        axes,
        "Inputs that training did not see: one nested network beside FF-k",
        _figures_of(outcome) + "; MRL ●, FF-k □",
    )
    _legend(axes)
    save_figure(canvas, path)


def draw_conditions(outcome: Outcome, path: Path) -> None:
    """Draw MRL's 1-NN accuracy minus SVD's against the number of classes."""
    canvas, axes = new_figure(7.6, 3.6)
    rows = [row for row in outcome.extras["conditions"] if row["group"] == "classes"]
    counts = [row["classes"] for row in rows]
    for colour, size in zip(COLOURS, rows[0]["gaps"], strict=False):
        middle = np.array([row["gaps"][size]["value"] for row in rows])
        low, high = np.transpose([row["gaps"][size]["interval"] for row in rows])
        spread = np.stack([middle - low, high - middle])
        axes.errorbar(counts, middle, yerr=spread, fmt="o-", ms=4, color=colour, capsize=2, label=f"{size} dimensions")
    axes.axhline(0, color="#777777", lw=1)
    axes.set_xscale("log")
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("classes")
    axes.set_ylabel("MRL minus SVD, points")
    say_above(axes, "Above the line Matryoshka training beats SVD", f"{outcome.study.name}, 1-NN, 95 % intervals")
    _legend(axes)
    save_figure(canvas, path)


def draw_paper(path: Path) -> None:
    """Draw the paper's own linear accuracy by size, in our colours, to compare shapes with."""
    canvas, axes = new_figure(7.6, 4.2)
    colours = dict(zip(METHODS, COLOURS, strict=False))
    for method, values in paper.LINEAR.items():
        ours = "svd-cut" if method == "svd" else method
        axes.plot(paper.SIZES[: len(values)], values, "o-", color=colours[ours], label=METHODS[ours], ms=4)
    _sizes(axes, paper.SIZES)
    axes.set_ylabel(FIGURES["linear"])
    axes.set_title("the paper's: ResNet50 on ImageNet-1K", loc="left", fontsize=10)
    _legend(axes)
    save_figure(canvas, path)


def _legend(axes: Any) -> None:
    axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))


def _figures_of(outcome: Outcome) -> str:
    return f"{outcome.study.name}, {outcome.seeds} seed{'s' * (outcome.seeds > 1)}"


def _sizes(axes: Any, sizes: Sequence[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(sizes), [str(size) for size in sizes])
    axes.set_xlabel("dimensions used")
