"""The page of the lab: what was claimed, what held, and each figure with what one should see in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.matryoshka import paper
from experiments.matryoshka.collect import Outcome
from experiments.matryoshka.conditions import sure_of
from experiments.matryoshka.figures import METHODS
from experiments.matryoshka.page import (
    conditions_table,
    table,
)
from experiments.matryoshka.verdicts import Verdict

TABLES = "TABLES.md"
_INTRO = (
    "# The Matryoshka lab\n\n"
    "What the paper ([Kusupati et al. 2022](https://arxiv.org/abs/2205.13147)) measures with ResNet50 on ImageNet, "
    "measured again on data that two cores can carry. Each figure below says what to look at, and sets the paper's "
    "values beside ours. All tables, and what each study was trained on, are in [{tables}]({tables}). `make lab` runs "
    "everything again, `imi lab intents` one study, and `python -m experiments.matryoshka --again` writes both pages "
    "again from `results.json`.\n\n"
    "**What differs from the paper, everywhere.** The networks are hundreds of times smaller, the data a hundred, "
    "and the widest embedding has {width} dimensions instead of 2,048. Ten classes need nine dimensions at most: on "
    "ten-class data everything from 16 dimensions upwards is a tie. Two studies have more: 150 intents of short "
    'requests in ten domains ("intents"), and 240 signs in eight families ("glyphs"). Compare shapes, not levels.'
)
_BY_SIZE = (
    ("linear", "linear", paper.LINEAR, "Linear accuracy by size (Table 1, Figure 2)",
     "**What you should see.** One nested network (MRL) follows the networks trained for each size (FF-k); random "
     "features and, on pictures, a network made narrow (slimmable) fall away at small sizes. The paper's SVD cuts the "
     "classifier of the widest network; a classifier trained again on the SVD of its vectors is the stronger rival."),
    ("1-nn", "1-nn", paper.NEAREST, "1-NN accuracy by size (Table 2, Figure 3)",
     "**What you should see.** The same without any classifier, by the nearest training row: the vectors themselves "
     "are good at every size, and SVD's are not."),
    ("map@10", "map10", paper.MAP10, "Retrieval by size, mAP@10 (Figure 7)",
     "**What you should see.** The paper's point is the gap between MRL and SVD at 16 dimensions and below. Where SVD "
     "is as good, see the next section."),
)  # fmt: skip


_PAPER = (
    " The paper's Figure 2, drawn from its table: SVD and random features lose most of their accuracy below 64 "
    "dimensions, MRL has nearly all of its own at 16. ![the paper's linear accuracy](paper-linear.png)"
)


def write_page(outcomes: Sequence[Outcome], judged: Mapping[str, Sequence[Verdict]]) -> str:
    """Return the page in Markdown.

    Args:
        outcomes: what was run; the figures are those of the first, the study that tells most.
        judged: the verdicts on each study, by its name.
    """
    main = outcomes[0]
    name, others = main.study.name, [outcome.study.name for outcome in outcomes[1:]]
    parts = [_INTRO.format(width=main.study.dims[-1], tables=TABLES), _claims(outcomes, judged)]
    parts.append(f"## The figures, on {name}\nPercent; the paper's are on ImageNet-1K.")
    for figure, file, theirs, heading, text in _BY_SIZE:
        parts.append(f"### {heading}\n{text + _links(others, file)}\n\n{_beside(main, figure, theirs)}")
        parts.append(f"![{heading}]({name}-{file}.png)" + (_PAPER if file == "linear" else ""))
    if "conditions" in main.extras:
        parts.append(_conditions(main, "glyphs" in others))
    parts += [_between(name), _adaptive(main), _retrieval(main)]
    if "relatives" in main.extras:
        parts.append(_relatives(main, others))
    if main.shifts:
        parts.append(_shifts(main, [outcome for outcome in outcomes[1:] if outcome.shifts]))
    return "\n\n".join(parts) + "\n\n" + _rest() + "\n"


def _links(names: Sequence[str], file: str) -> str:
    return " The same on " + ", ".join(f"[{name}]({name}-{file}.png)" for name in names) + "." if names else ""


def _claims(outcomes: Sequence[Outcome], judged: Mapping[str, Sequence[Verdict]]) -> str:
    claims = list(dict.fromkeys(verdict.claim for found in judged.values() for verdict in found))
    names = [outcome.study.name for outcome in outcomes]
    holds = {(name, verdict.claim): verdict.holds for name in names for verdict in judged[name]}
    rows = [[claim, *(holds.get((name, claim)) for name in names)] for claim in claims]
    return (
        "## What the paper claims, and what holds here\n" + table(("claim", *names), rows) + "\n\n"
        '"cannot tell": the 95 % interval, over test rows drawn again, lies on both sides of the bar. '
        f"Empty: not measured there. What was measured for each answer is in [{TABLES}]({TABLES})."
    )


def _beside(outcome: Outcome, figure: str, theirs: Mapping[str, Sequence[float]]) -> str:
    sizes = [size for size in outcome.study.dims if size in paper.SIZES]
    rows: list[list[object]] = []
    svd = ["svd", "svd-cut"] if outcome.sizes(figure, "svd-cut") else ["svd"]
    for method in ("mrl", "ff", *svd):
        name = METHODS[method].split(",")[0]
        rows.append([f"{name}, ours", *(outcome.mean(figure, method, size) for size in sizes)])
        if method == "svd-cut" or svd == ["svd"] or method != "svd":
            by_size = dict(zip(paper.SIZES, theirs[method.removesuffix("-cut")], strict=False))
            rows.append([f"{name}, paper", *(by_size.get(size) for size in sizes)])
    return table(("", *map(str, sizes)), rows)


def _between(name: str) -> str:
    return (
        "### Sizes that nothing was trained for (Figure 5)\n"
        "**What you should see.** The points between the trained sizes lie on the line through them: a vector can be "
        f"cut anywhere. ![sizes between]({name}-between.png)"
    )


def _adaptive(outcome: Outcome) -> str:
    steps = outcome.extras["adaptive"]["steps"]
    count = max(len(steps) - 1, 5)
    ours = [(f"{100 * s['accuracy']:.2f} at {s['expected_dims']:.1f}", f"{100 * s['single']:.2f} at {s['dims']}")
            for s in steps[1:]]  # fmt: skip
    ours += [("", "")] * (count - len(ours))
    theirs = [f"{accuracy} at {size}" for size, accuracy in paper.ADAPTIVE]
    fixed = [f"{accuracy} at {size}" for size, accuracy in zip(paper.SIZES[1:], paper.LINEAR["mrl"][1:], strict=True)]
    rows = [(*mine, paired, alone) for mine, paired, alone in zip(ours, theirs, fixed, strict=False)]
    head = ("adaptive, ours", "fixed size, ours", "adaptive, paper", "fixed size, paper")
    return (
        "### Adaptive classification (Table 3, Figure 6)\n"
        "Few dimensions are used first, and more only for rows that they are not sure of. **What you should see.** "
        "In the paper the adaptive points lie above the line of fixed sizes, and reach full size's accuracy with far "
        "fewer dimensions. Where a fixed size of no more dimensions is as accurate, being adaptive gains nothing: the "
        "table of claims says so for each study.\n\n"
        + table(head, rows)
        + f"\n\n![adaptive]({outcome.study.name}-adaptive.png)"
    )


def _retrieval(outcome: Outcome) -> str:
    name, searches = outcome.study.name, [row for row in outcome.extras["searches"] if row["kind"] != "hnsw"]
    single = max((row for row in searches if row["kind"] == "single"), key=lambda row: row["mflops"])
    rows: list[tuple[object, ...]] = []
    for kind in ("single", "adaptive", "funnel"):
        found = [row for row in searches if row["kind"] == kind]
        near = [row for row in found if row["map10"] >= single["map10"] - 0.01]
        row = single if kind == "single" else min(near, key=lambda row: row["mflops"], default=None)
        if row is not None:
            rungs = " → ".join(f"{dims}:{keep}" for dims, keep in row["rungs"])
            times = (f"{row['micros']:.0f}", f"{row['faster']:.1f}×") if "faster" in row else ("", "")
            rows.append((f"{kind}, ours", rungs, f"{row['mflops']:.3f}", f"{single['mflops'] / row['mflops']:.1f}×",
                         *times, 100 * row["map10"]))  # fmt: skip
    whole, two = paper.RETRIEVAL["single"], paper.RETRIEVAL["adaptive"]
    rows.append(("single, paper", "2048", f"{whole[0]:.0f}", "1.0×", "", "1.0×", whole[1]))
    rows.append(("adaptive, paper", "16:200 → 2048", f"{two[0]:.1f}", f"{whole[0] / two[0]:.1f}×", "", "14×", two[1]))
    return (
        "### Adaptive and funnel retrieval (Figure 8, appendix F)\n"
        "A short prefix finds a shortlist, longer ones order it; of each kind the cheapest way within one point of "
        "full size. **What you should see.** The two-step ways and the funnel lie to the upper left: the mAP of full "
        "size at a small part of its work (MFLOPs are multiply-adds, d for each comparison, as in the paper).\n\n"
        + table(("", "rungs", "MFLOPs a query", "fewer", "µs a query", "times as fast", "mAP@10"), rows)
        + f"\n\n![compute]({name}-compute.png)\n\n"
        "The shortlist's length K: mAP rises with K and is nearly level from a few hundred on. "
        f"![shortlist]({name}-shortlist.png)"
    )


def _conditions(outcome: Outcome, glyphs: bool) -> str:
    rows = outcome.extras["conditions"]
    above, below = sure_of(rows, 16)
    why = " The glyphs' network squeezes too: its last stage has 64 channels, and SVD is ahead." if glyphs else ""
    return (
        "### When MRL beats SVD, and when it does not\n"
        "SVD keeps the directions in which the widest network's vectors differ most, and can only lose where they "
        "differ in many more than are kept. **What you should see.** The more classes, and the longer the training, "
        "the farther MRL is ahead. Early in training, or where the network squeezes everything through a few "
        "dimensions anyway, SVD finds those and keeps up or wins (one seed each). At 16 dimensions MRL is ahead for "
        f"certain under {len(above)} of {len(rows)} conditions ({', '.join(above) or 'none'}), SVD under {len(below)} "
        f"({', '.join(below) or 'none'}).{why}\n\n"
        + conditions_table(outcome)
        + f"\n\n![conditions]({outcome.study.name}-conditions.png)"
    )


def _relatives(outcome: Outcome, others: Sequence[str]) -> str:
    rows = outcome.relatives()
    name, first, last = outcome.study.name, rows[0], rows[-1]
    return (
        "### What a short prefix confuses (superclasses, Tables 24 and 25, Figures 9 and 11)\n"
        "The paper: from large to small sizes the superclass is lost less than the class, with MRL as with FF, and MRL "
        f"is the more accurate. **What you should see.** The superclass falls by "
        f"{100 * (last['superclass'] - first['superclass']):.1f} points from {last['size']} to {first['size']} "
        f"dimensions, the class by {100 * (last['accuracy'] - first['accuracy']):.1f}. Whether the errors themselves "
        f"move into the superclass is another question: {100 * first['kin']:.0f} % of them lie there at "
        f"{first['size']}, {100 * last['kin']:.0f} % at {last['size']}. "
        f"![relatives]({name}-relatives.png)\n\n"
        "One row that the smallest size takes for another class, and what each size says of it: "
        f"![example]({name}-example.png)" + _links([other for other in others if other != "digits"], "example")
    )


def _shifts(outcome: Outcome, others: Sequence[Outcome]) -> str:
    sizes = [size for size in outcome.sizes("1-nn", "ff") if size in (8, 16, 64, outcome.study.dims[-1])]
    text = (
        "### Robustness (Table 17)\n"
        "The paper asks its networks about other collections of photos (ImageNet V2, R, A, Sketch) and finds MRL at "
        "least as robust as FF, on ImageNet-A .6 points better. Here the test rows are changed. **What you should "
        "see.** All lose much. From 16 dimensions up MRL stays within a point of the network that was trained for the "
        "size; at 8 it is behind, a little more than on the rows as they are. The table of claims says what is certain."
        + _links([other.study.name for other in others], "shifts")
        + "".join(map(_worst_shift, others))
        + f" 1-NN accuracy:\n\n{_shift_rows(outcome, sizes)}\n\n![shifts]({outcome.study.name}-shifts.png)"
    )
    if outcome.sizes("outside", "mrl"):
        mrl, ff = (
            ", ".join(f"{outcome.mean('outside', method, size):.1f}" for size in sizes) for method in ("mrl", "ff")
        )
        text += (
            "\n\nRequests that belong to no intent are less sure ones: the area under the curve is "
            f"{mrl} with MRL at {', '.join(map(str, sizes))} dimensions, {ff} with FF-k (50 is chance)."
        )
    return text


def _worst_shift(outcome: Outcome) -> str:
    """Say where MRL is farthest behind FF-k on a shifted input, if it is by more than a point."""
    behind = [
        (mrl - ff, shift, size)
        for shift in outcome.shifts
        for size in outcome.sizes("1-nn", "ff")
        if (mrl := outcome.mean(f"1-nn~{shift}", "mrl", size)) is not None
        and (ff := outcome.mean(f"1-nn~{shift}", "ff", size)) is not None
    ]
    gap, shift, size = min(behind)
    if gap >= -1:
        return ""
    return f" On {outcome.study.name} it does not: {shift} leaves MRL {-gap:.0f} points behind FF-k at {size}."


def _shift_rows(outcome: Outcome, sizes: Sequence[int]) -> str:
    rows: list[list[object]] = []
    for shift in ("", *outcome.shifts):
        figure = f"1-nn~{shift}" if shift else "1-nn"
        rows.append([shift or "as they are"])
        rows[-1] += [outcome.mean(figure, method, size) for size in sizes for method in ("mrl", "ff")]
    return table(("", *(f"{method} at {size}" for size in sizes for method in ("MRL", "FF-k"))), rows)


def _rest() -> str:
    return (
        "## The rest\n"
        f"Index sizes (Table 20), long tails, few shots, storage, the slides' toy and other networks are in "
        f"[{TABLES}]({TABLES})."
    )
