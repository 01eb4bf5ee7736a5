"""The tables of the lab: every figure of every study, and the paper's own at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.matryoshka import paper
from experiments.matryoshka.collect import Outcome
from experiments.matryoshka.figures import FIGURES, METHODS
from experiments.matryoshka.retrieval import ROUNDS, TIMED
from experiments.matryoshka.verdicts import Verdict

_INTRO = """# The Matryoshka lab: all tables

The appendix of [the lab's page](README.md), which says what its figures show. Written by `make lab`; every number below
comes from that run. The same seed gives the same table: each training runs on one thread. The paper's own tables stand
once, at the end.
"""
_PAPER_OF = {"linear": ("Table 1, Figure 2", paper.LINEAR), "1-nn": ("Table 2, Figure 3", paper.NEAREST),
             "map@10": ("Figure 7", paper.MAP10)}  # fmt: skip


def write_tables(outcomes: Sequence[Outcome], judged: Mapping[str, Sequence[Verdict]], notes: Sequence[str]) -> str:
    """Return all tables in Markdown.

    Args:
        outcomes: what was run, the study that tells most first.
        judged: the verdicts on each study, by its name.
        notes: further sections, each whole: other bodies, the toy, what was not run.
    """
    parts = [_INTRO, what_was_run(outcomes)]
    for outcome in outcomes:
        parts.append(_study(outcome, judged[outcome.study.name]))
    parts += [*notes, _the_papers()]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; None is an empty cell, floats have two decimals."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def what_was_run(outcomes: Sequence[Outcome]) -> str:
    """Return the section that names data, networks and seeds of each study."""
    rows = [
        (o.study.name, o.counts["train"], o.counts["held"], o.counts["test"], o.counts["classes"], o.seeds,
         _network(o), o.study.epochs)
        for o in outcomes
    ]  # fmt: skip
    head = ("study", "training", "thresholds", "test", "classes", "seeds", "network", "epochs")
    return "## What was run\n\n" + table(head, rows)


def _network(outcome: Outcome) -> str:
    if outcome.study.stages:
        return "residual " + "-".join(map(str, outcome.study.stages))
    return "mean of tokens, fully connected" if outcome.study.text else "fully connected"


def _study(outcome: Outcome, judged: Sequence[Verdict]) -> str:
    name = outcome.study.name
    parts = [f"## {name}", _bar(judged)]
    for figure, (where, _) in _PAPER_OF.items():
        image = f"![{figure} by size]({name}-{figure.replace('@', '')}.png)"
        parts += [f"### {FIGURES[figure][:-3]} by size ({where})", _by_size(outcome, figure), image]
    parts += [_between(outcome), _adaptive(outcome), _retrieval(outcome), _indexes(outcome), _relatives(outcome)]
    parts += [_conditions(outcome), _shifts(outcome), _outside(outcome), _tails(outcome), _storage(outcome)]
    return "\n\n".join(part for part in parts if part)


def _the_papers() -> str:
    parts = ["## The paper's own, on ImageNet-1K"]
    for figure, (where, theirs) in _PAPER_OF.items():
        parts.append(f"{FIGURES[figure][:-3]} by size ({where}), percent:\n\n{_theirs(theirs)}")
    return "\n\n".join(parts)


def _bar(judged: Sequence[Verdict]) -> str:
    rows = [(verdict.claim, verdict.measured, verdict.holds) for verdict in judged]
    return "What was claimed, and what this run says of it:\n\n" + table(("claim", "measured", "holds"), rows)


def _by_size(outcome: Outcome, figure: str) -> str:
    sizes = outcome.study.dims
    rows = []
    for method, label in METHODS.items():
        if not outcome.sizes(figure, method):
            continue
        cells: list[object] = [label]
        for size in sizes:
            mean = outcome.mean(figure, method, size)
            spread = 100 * outcome.spread.get(f"{figure}/{method}/{size}", 0.0)
            cells.append(None if mean is None else f"{mean:.2f} ± {spread:.2f}" if outcome.seeds > 1 else mean)
        rows.append(cells)
    text = table(("", *map(str, sizes)), rows)
    if outcome.seeds == 1:
        return text + "\n\nOne seed, percent."
    return text + f"\n\nMean ± standard deviation over {outcome.seeds} seeds, percent."


def _theirs(values: dict[str, tuple[float, ...]]) -> str:
    width = len(paper.SIZES)
    rows = [[METHODS[method], *row, *[None] * (width - len(row))] for method, row in values.items()]
    return table(("", *map(str, paper.SIZES)), rows)


def _between(outcome: Outcome) -> str:
    sizes = sorted({*outcome.study.dims, *outcome.study.between})
    rows = [[FIGURES[f], *(outcome.mean(f, "mrl", size) for size in sizes)] for f in ("1-nn", "map@10")]
    head = ["", *(f"*{size}*" if size in outcome.study.between else str(size) for size in sizes)]
    return (
        "### Sizes between (Figure 5)\n\n"
        + table(head, rows)
        + f"\n\nSizes in italics were never trained for.\n\n![between]({outcome.study.name}-between.png)"
    )


def _adaptive(outcome: Outcome) -> str:
    found = outcome.extras["adaptive"]
    rows = [
        (s["dims"], 100 * s["single"], f"{s['expected_dims']:.2f} ± {s['expected_std']:.2f}",
         f"{100 * s['accuracy']:.2f} ± {100 * s['accuracy_std']:.2f}")
        for s in found["steps"]
    ]  # fmt: skip
    theirs = ", ".join(f"{accuracy} at {size}" for size, accuracy in paper.ADAPTIVE)
    return (
        "### Adaptive classification (Table 3, Figure 6)\n\n"
        + table(("up to", "that size alone", "expected size", "accuracy"), rows)
        + f"\n\nThirty random splits of {outcome.counts['held']} rows for the thresholds and {found['n']} for the "
        f"figures, first seed. The oracle that picks a right size for each row: {100 * found['oracle']:.2f}.\n\n"
        f"The paper's: {theirs}; oracle 81.54.\n\n![adaptive]({outcome.study.name}-adaptive.png)"
    )


def _retrieval(outcome: Outcome) -> str:
    searches = outcome.extras["searches"]
    full = max((row for row in searches if row["kind"] == "single"), key=lambda row: row["mflops"])
    kept = [row for row in searches if row["kind"] != "adaptive" or row["rungs"][-1][0] == outcome.study.dims[-1]]
    rows = [
        (row["kind"], " → ".join(f"{dims}:{keep}" for dims, keep in row["rungs"]), f"{row['mflops']:.3f}",
         f"{full['mflops'] / row['mflops']:.1f}×", 100 * row["map10"], 100 * row["p10"],
         100 * row["top1"], row["recall"], *_times(row))
        for row in kept
    ]  # fmt: skip
    more = [
        (" → ".join(f"{dims}:{keep}" for dims, keep in row["rungs"]), *(100 * row["maps"][key] for key in full["maps"]))
        for row in kept
        if row["kind"] == "single"
    ]
    head = ["", "rungs", "MFLOPs", "fewer", "mAP@10", "P@10", "top-1", "recall@10"]
    head += ["µs a query", "times as fast"] if "faster" in full else []
    single, two = paper.RETRIEVAL["single"], paper.RETRIEVAL["adaptive"]
    return (
        "### Adaptive and funnel retrieval (Figure 8, appendix F)\n\n"
        + table(head, rows)
        + f"\n\nThe database is the {outcome.counts['train']} training rows, the queries the test rows; recall "
        f"is of the ten nearest by all dimensions. MFLOPs count an exact first rung, as in the paper. {_timing(full)} "
        "HNSW's MFLOPs are those of the exact "
        f"search it stands in for.\n\nThe paper's: {single[1]} at {single[0]:.0f} MFLOPs with all 2,048 dimensions, "
        f"{two[1]} at {two[0]:.1f} with 16 and a shortlist of 200.\n\n![compute]({outcome.study.name}-compute.png)\n\n"
        + table(("rungs", *full["maps"]), more)
        + "\n\nThe shortlist's length K, smallest size first, then all dimensions:\n\n"
        + table(("K", "mAP@10", "MFLOPs"),
                [(r["k"], 100 * r["map10"], f"{r['mflops']:.3f}") for r in outcome.extras["ablation"]])
        + f"\n\n![shortlist]({outcome.study.name}-shortlist.png)"
    )  # fmt: skip


def _times(row: Mapping[str, Any]) -> tuple[object, ...]:
    return (f"{row['micros']:.1f}", f"{row['faster']:.2f}") if "faster" in row else ()


def _timing(full: Mapping[str, Any]) -> str:
    larger = "`python benchmarks/labelled.py` measures times on larger ones."
    if "faster" not in full:
        return (
            "No times are given: each way was timed once, not in pairs, and over a database that fits into the "
            f"processor's cache; {larger}"
        )
    return (
        f"Times are medians of {ROUNDS} rounds on one thread; in each round all ways answered the same {TIMED} queries "
        "in turn, and `times as fast` is the median of what each round says of full size's time over this one's. The "
        f"database is small: {larger}"
    )


def _indexes(outcome: Outcome) -> str:
    rows = [
        (r["size"], r["exact_bytes"] / 1e6, f"{r['exact_seconds']:.4f}", r["hnsw_bytes"] / 1e6, r["hnsw_seconds"],
         *(paper.INDEX.get(r["size"], (None, None))))
        for r in outcome.extras["indexes"]
    ]  # fmt: skip
    head = ("size", "exact MB", "build s", "HNSW32 MB", "build s", "paper: exact MB", "paper: HNSW32 MB")
    return "### Index size and build time (Table 20)\n\n" + table(head, rows)


def _relatives(outcome: Outcome) -> str:
    if "relatives" not in outcome.extras:
        return ""
    return (
        "### What a coarse prefix confuses\n\n"
        + relatives_table(outcome)
        + f"\n\n![relatives]({outcome.study.name}-relatives.png)\n\nOne row that the smallest size takes for "
        f"another, and what each size says of it:\n\n![example]({outcome.study.name}-example.png)"
    )


def relatives_table(outcome: Outcome) -> str:
    """Return the table of classes, superclasses and errors within them, of MRL and, where measured, of FF-k."""
    both = ("mrl", "ff") if outcome.sizes("superclass", "ff") else ("mrl",)
    by_size = [{row["size"]: row for row in outcome.relatives(method)} for method in both]
    rows: list[list[object]] = []
    for size in outcome.study.dims:
        rows.append([size])
        for found in by_size:
            rows[-1] += [100 * found[size][key] if size in found else None for key in ("accuracy", "superclass", "kin")]
    head = [f"{METHODS[method][:4].strip('-')}: {what}" for method in both for what in
            ("class right", "superclass right", "errors within it")]  # fmt: skip
    return table(("size", *head), rows)


def shifts_table(outcome: Outcome, figure: str, sizes: Sequence[int]) -> str:
    """Return a figure by size on the test part as it is and on each shifted one, MRL above FF-k."""
    rows: list[list[object]] = []
    for shift in ("", *outcome.shifts):
        name = f"{figure}~{shift}" if shift else figure
        for method, label in (("mrl", "MRL"), ("ff", "FF-k")):
            rows.append([f"{shift or 'as they are'}, {label}", *(outcome.mean(name, method, size) for size in sizes)])
    return table(("", *map(str, sizes)), rows)


def conditions_table(outcome: Outcome) -> str:
    """Return the table of the conditions under which MRL's 1-NN accuracy lies above SVD's, and below."""
    rows = []
    for row in outcome.extras["conditions"]:
        cells: list[object] = [row["name"], int(row["directions"])]
        for size, gap in row["gaps"].items():
            low, high = gap["interval"]
            wins = "MRL" if low > 0 else "SVD" if high < 0 else "cannot tell"
            cells += [100 * row[f"mrl/{size}"], 100 * row[f"svd/{size}"], f"{gap['value']:+.1f}: {wins}"]
        rows.append(cells)
    head = ["", "directions of 90 %"]
    for size in outcome.extras["conditions"][0]["gaps"]:
        head += [f"MRL at {size}", f"SVD at {size}", "who wins"]
    return table(head, rows)


def _conditions(outcome: Outcome) -> str:
    if "conditions" not in outcome.extras:
        return ""
    return (
        "### When MRL beats SVD\n\n1-NN accuracy, percent, one seed each, the winner where the 95 % interval tells; "
        "`directions of 90 %`: how many singular directions hold nine tenths of what the full network's vectors are."
        "\n\n" + conditions_table(outcome)
    )


def _shifts(outcome: Outcome) -> str:
    if not outcome.shifts:
        return ""
    parts = [f"### Robustness (Table 17)\n\n![shifts]({outcome.study.name}-shifts.png)"]
    parts += [
        f"{FIGURES[figure][:-3]} on shifted inputs, percent:\n\n{shifts_table(outcome, figure, outcome.study.dims)}"
        for figure in ("linear", "1-nn")
    ]
    return "\n\n".join(parts)


def _outside(outcome: Outcome) -> str:
    if not outcome.sizes("outside", "mrl"):
        return ""
    rows = [
        [label, *(outcome.mean("outside", method, size) for size in outcome.study.dims)]
        for method, label in (("mrl", "MRL"), ("ff", "FF-k"))
    ]
    return (
        "### Inputs of no class\n\nHow often the classifier is surer of a test input than of one that belongs to no "
        "class (area under the curve, percent; 50 is chance):\n\n" + table(("", *map(str, outcome.study.dims)), rows)
    )


def _tails(outcome: Outcome) -> str:
    sizes = outcome.study.dims
    rows: list[Sequence[object]] = []
    for method, found in outcome.extras["long_tail"].items():
        for key in ("all", "head", "tail"):
            rows.append([f"{METHODS[method][:3]}, {key}", *(100 * found[str(size)][key] for size in sizes)])
    text = (
        "### Long tail and few shots\n\nNearest class mean when class after class has fewer examples, down to one:\n\n"
    )
    text += table(("long tail", *map(str, sizes)), rows)
    if "few_shots" in outcome.extras:
        rows = [
            [f"{METHODS[method][:3]}, {count} shots", *(100 * found[str(size)][count] for size in sizes)]
            for method, found in outcome.extras["few_shots"].items()
            for count in found[str(sizes[0])]
        ]
        text += "\n\nClasses that training never saw, nearest mean of a few examples:\n\n"
        text += table(("few shots", *map(str, sizes)), rows)
    return text + "\n\n(FF is the one network of full width, cut to the size.)"


def _storage(outcome: Outcome) -> str:
    n, sizes = outcome.counts["train"], outcome.study.dims
    apart, one = 4 * n * sum(sizes), 4 * n * sizes[-1]
    return (
        "### Storage\n\n"
        f"A database for each size, as separate FF models need: {apart / 1e6:.1f} MB for {n} rows. One nested "
        f"database: {one / 1e6:.1f} MB, {apart / one:.2f} times less, and one pass of one network a row instead of "
        f"{len(sizes)}. For 1.3 million pictures at the paper's sizes: "
        f"{4 * 1.3e6 * sum(paper.SIZES) / 1e9:.1f} GB against {4 * 1.3e6 * paper.SIZES[-1] / 1e9:.1f} GB."
    )
