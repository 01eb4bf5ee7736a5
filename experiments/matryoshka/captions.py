"""The page of the lab: what was claimed, what held, and each figure with what one should see in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.matryoshka import paper
from experiments.matryoshka.collect import Outcome
from experiments.matryoshka.figures import METHODS
from experiments.matryoshka.page import table, what_was_run
from experiments.matryoshka.verdicts import Verdict

TABLES = "TABLES.md"
_INTRO = """# The Matryoshka lab

What the paper ([Kusupati et al. 2022](https://arxiv.org/abs/2205.13147)) measures with ResNet50 on ImageNet, measured
again on data that two cores can carry. Each figure below says what to look at, and sets the paper's values beside ours.
All tables are in [{tables}]({tables}); `make lab` runs everything again, and
`python -m experiments.matryoshka --again` writes both pages again from `results.json`.

**What differs from the paper, everywhere.** The networks are hundreds of times smaller, the data a hundred times, and
the widest embedding has {width} dimensions instead of 2,048. Ten classes need nine dimensions at most: on ten-class
data everything from 16 dimensions upwards is a tie, and only the smallest sizes can tell methods apart. The signs
("glyphs") have 240 classes in eight families for that reason. SVD after training is kinder here than in the paper: with
few classes a trained network already lives in few directions, and SVD finds them; a classifier is also trained again on
each SVD size, where the paper cuts the trained one. Compare shapes, not levels."""
_BY_SIZE = (
    ("linear", "linear", paper.LINEAR, "Linear accuracy by size (Table 1, Figure 2)",
     "**What you should see.** One nested network (MRL) follows the networks trained for each size (FF-k); a network "
     "made narrow (slimmable) or random features fall away at small sizes. In the paper SVD falls away too; where it "
     "does not here, see above."),
    ("1-nn", "1-nn", paper.NEAREST, "1-NN accuracy by size (Table 2, Figure 3)",
     "**What you should see.** The same without any classifier, by the nearest training picture: the vectors "
     "themselves are good at every size."),
    ("map@10", "map10", paper.MAP10, "Retrieval by size, mAP@10 (Figure 7)",
     "**What you should see.** The paper's point is the gap between MRL and SVD at 16 dimensions. Read the two rows: "
     "where SVD is as good or better here, this data does not show the paper's finding."),
)  # fmt: skip


def write_page(outcomes: Sequence[Outcome], judged: Mapping[str, Sequence[Verdict]]) -> str:
    """Return the page in Markdown.

    Args:
        outcomes: what was run; the figures are those of the first, the study that tells most.
        judged: the verdicts on each study, by its name.
    """
    main = outcomes[0]
    name, others = main.study.name, [outcome.study.name for outcome in outcomes[1:]]
    parts = [_INTRO.format(width=main.study.dims[-1], tables=TABLES), what_was_run(outcomes), _claims(outcomes, judged)]
    parts.append(f"## The figures, on {name}\n\nPercent; the paper's are on ImageNet-1K.")
    for figure, file, theirs, heading, text in _BY_SIZE:
        parts.append(f"### {heading}\n\n{text + _links(others, file)}\n\n{_beside(main, figure, theirs)}")
        parts.append(f"![{heading}]({name}-{file}.png)")
    parts += [_paper_figure(), _between(name), _adaptive(main), _retrieval(main)]
    if "relatives" in main.extras:
        parts.append(_relatives(main))
    return "\n\n".join(parts) + "\n\n" + _rest() + "\n"


def _links(names: Sequence[str], file: str) -> str:
    return " The same on " + ", ".join(f"[{name}]({name}-{file}.png)" for name in names) + "." if names else ""


def _claims(outcomes: Sequence[Outcome], judged: Mapping[str, Sequence[Verdict]]) -> str:
    claims = list(dict.fromkeys(verdict.claim for found in judged.values() for verdict in found))
    names = [outcome.study.name for outcome in outcomes]
    holds = {(name, verdict.claim): verdict.holds for name in names for verdict in judged[name]}
    rows = [[claim, *(holds.get((name, claim)) for name in names)] for claim in claims]
    return (
        "## What the paper claims, and what holds here\n\n" + table(("claim", *names), rows) + "\n\n"
        '"cannot tell": the 95 % interval, over test pictures drawn again, lies on both sides of the bar. '
        f"What was measured for each answer is in [{TABLES}]({TABLES})."
    )


def _beside(outcome: Outcome, figure: str, theirs: Mapping[str, Sequence[float]]) -> str:
    sizes = [size for size in outcome.study.dims if size in paper.SIZES]
    rows: list[list[object]] = []
    for method in ("mrl", "ff", "svd"):
        by_size = dict(zip(paper.SIZES, theirs[method], strict=False))
        rows.append([f"{METHODS[method].split(',')[0]}, ours", *(outcome.mean(figure, method, size) for size in sizes)])
        rows.append([f"{METHODS[method].split(',')[0]}, paper", *(by_size.get(size) for size in sizes)])
    return table(("", *map(str, sizes)), rows)


def _paper_figure() -> str:
    return (
        "### The paper's Figure 2, drawn from its table\n\n"
        "**What you should see.** SVD and random features lose most of their accuracy below 64 dimensions; MRL has "
        "nearly all of its own at 16.\n\n![the paper's linear accuracy](paper-linear.png)"
    )


def _between(name: str) -> str:
    return (
        "### Sizes that nothing was trained for (Figure 5)\n\n"
        "**What you should see.** The points between the trained sizes lie on the line through them: a vector can be "
        f"cut anywhere.\n\n![sizes between]({name}-between.png)"
    )


def _adaptive(outcome: Outcome) -> str:
    steps = outcome.extras["adaptive"]["steps"]
    count = max(len(steps) - 1, len(paper.ADAPTIVE))
    ours = [(f"{100 * s['accuracy']:.2f} at {s['expected_dims']:.1f}", f"{100 * s['single']:.2f} at {s['dims']}")
            for s in steps[1:]]  # fmt: skip
    ours += [("", "")] * (count - len(ours))
    theirs = [f"{accuracy} at {size}" for size, accuracy in paper.ADAPTIVE] + [""] * (count - len(paper.ADAPTIVE))
    fixed = [f"{accuracy} at {size}" for size, accuracy in zip(paper.SIZES[1:], paper.LINEAR["mrl"][1:], strict=True)]
    rows = [(*mine, paired, alone) for mine, paired, alone in zip(ours, theirs, fixed, strict=False)]
    head = ("adaptive, ours", "fixed size, ours", "adaptive, paper", "fixed size, paper")
    return (
        "### Adaptive classification (Table 3, Figure 6)\n\n"
        "Few dimensions are used first, and more only for pictures that they are not sure of. **What you should see.** "
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
            rows.append((f"{kind}, ours", rungs, f"{row['mflops']:.3f}", f"{single['mflops'] / row['mflops']:.1f}×",
                         100 * row["map10"]))  # fmt: skip
    whole, two = paper.RETRIEVAL["single"], paper.RETRIEVAL["adaptive"]
    rows.append(("single, paper", "2048", f"{whole[0]:.0f}", "1.0×", whole[1]))
    rows.append(("adaptive, paper", "16:200 → 2048", f"{two[0]:.1f}", f"{whole[0] / two[0]:.1f}×", two[1]))
    return (
        "### Adaptive and funnel retrieval (Figure 8, appendix F)\n\n"
        "A short prefix finds a shortlist, longer ones order it; of each kind the cheapest way within one point of "
        "full size. **What you should see.** The two-step ways and the funnel lie to the upper left: the mAP of full "
        "size at a small part of its work (MFLOPs are multiply-adds, d for each comparison, as in the paper).\n\n"
        + table(("", "rungs", "MFLOPs a query", "fewer", "mAP@10"), rows)
        + f"\n\n![compute]({name}-compute.png)\n\n"
        "The shortlist's length K: mAP rises with K and is level from a few hundred on.\n\n"
        f"![shortlist]({name}-shortlist.png)"
    )


def _relatives(outcome: Outcome) -> str:
    first, last = outcome.extras["relatives"][0], outcome.extras["relatives"][-1]
    return (
        "### What a short prefix confuses (the paper's superclasses)\n\n"
        "**What you should see.** The superclass is right far more often than the class, above all at the smallest "
        f"size: {100 * first['superclass']:.1f} against {100 * first['accuracy']:.1f} at {first['size']} dimensions, "
        f"{100 * last['superclass']:.1f} against {100 * last['accuracy']:.1f} at {last['size']}. The paper's snakes, "
        "taken for other snakes first, ask for more: that the share of errors inside the superclass is higher at "
        f"small sizes. Here it is {100 * first['kin']:.0f} % at {first['size']} and {100 * last['kin']:.0f} % at "
        f"{last['size']}.\n\n![relatives]({outcome.study.name}-relatives.png)\n\n"
        "One picture that the smallest size takes for another, and what each size says of it:\n\n"
        f"![example]({outcome.study.name}-example.png)"
    )


def _rest() -> str:
    return (
        "## The rest\n\n"
        f"Index sizes (Table 20), long tails, few shots, storage, the slides' toy and other networks are in "
        f"[{TABLES}]({TABLES}). Robustness to shifted and noised inputs was not measured."
    )
