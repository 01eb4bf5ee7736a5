"""Write the card of the built-in model: what it is, what it was made from, what was measured, what it is bad at.

imi evaluate --model built-in --model quality --out results.json
python -m recipes.builtin.card results.json
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from imi.embedders.builtin import FOLDER
from recipes.builtin.sources import SOURCES

MODELS = FOLDER.parent
TEXT = """# The built-in model

One small static model for Japanese, English and emoji: {pieces:,} SentencePiece pieces, one int8 row of 512 dimensions
a piece, their sum, one hidden layer of {hidden} units, a unit vector. Its first 32, 64, 128 and 256 dimensions were
trained to be vectors themselves. It was taught by two encoders whose weights are Apache-2.0: Google's
universal-sentence-encoder-multilingual v3 (the model "quality" is this teacher, rotated) and, for English,
all-MiniLM-L6-v2. A second lesson, `recipes/builtin/retrieval.py`, taught it to find: n occurrences of a piece count
n ** .75, the space was made rounder, and questions, sentences and translations learnt to find what belongs to them.
Questions and documents are read alike. Cosines are lower than before that lesson: cat and 猫 have .77 in place of .82,
cat and 車 .15 in place of .25. A third, `recipes/builtin/prefixes.py`, turned the space so that short prefixes find
more; whole vectors keep their cosines. A fourth, `recipes/builtin/contrasts.py`, moved apart what opposites say of the
same thing (quick and slow service). `make model` runs the four in one go; the first one of these weights was trained in
parts. Run whole, it makes a model that lies within .007 of this one on every set but the emoji kept back, and is not
the better one (`docs/LOG.md`). `model.json` names the weights.

## Measured

Development sets, by `imi evaluate`; training saw none of their texts. Similarity is Spearman's correlation, bitext and
emoji top-1 accuracy, retrieval nDCG@10, classification accuracy; in brackets the 95 % interval at full width. "Share"
is the built-in model's value at 512 dimensions divided by the teacher's on the same set.

{table}

{held}

## What it is bad at

- Word order and negation: a sum of rows reads "dog bites man" and "man bites dog" alike.
- Long texts: a page is the mean of its words. Cut texts into passages of a few sentences.
- Exact numbers, codes and rare names: text search or hybrid mode finds those.
- Languages other than Japanese and English: read byte by byte or by loan words, close to meaningless.
- Words that none of the texts below holds.

## Made from

Only data whose licence allows it to be passed on. The weights are an adaptation of share-alike sources and come under
CC BY-SA 4.0; the code is Apache-2.0. Thanks to those who made and shared:

{sources}
"""


def table(results: dict[str, Any]) -> str:
    """Return a Markdown table: sets as rows; built-in at each size, then the teacher, then the share of it."""
    built, teacher = results["built-in"], results.get("quality", {})
    dims = sorted({int(size) for sizes in built.values() for size in sizes}, reverse=True)
    lines = ["| set | measure | " + " | ".join(map(str, dims)) + " | quality (teacher) | share |"]
    lines.append("|---|---|" + "---|" * (len(dims) + 2))
    for name, sizes in built.items():
        full = sizes[str(dims[0])]
        cells = [_value(sizes.get(str(size)), size == dims[0]) for size in dims]
        theirs = teacher.get(name, {}).get("512")
        share = f"{full['value'] / theirs['value']:.3f}" if theirs and theirs["value"] > 0.05 else ""
        lines.append(f"| {name} | {full['metric']} | " + " | ".join(cells) + f" | {_value(theirs, False)} | {share} |")
    return "\n".join(lines)


def _value(score: dict[str, Any] | None, interval: bool) -> str:
    if score is None:
        return ""
    low, high = score["interval"]
    return f"{score['value']:.3f}" + (f" ({low:.3f}–{high:.3f})" if interval else "")


def main(arguments: list[str] | None = None) -> None:
    """Write card.md from a file of results."""
    parser = argparse.ArgumentParser(prog="python -m recipes.builtin.card", description=__doc__)
    parser.add_argument("results", type=Path, help="what `imi evaluate --out FILE.json` wrote")
    parser.add_argument("--held-out", type=Path, help="the same for the model before its held-out emoji got rows")
    parser.add_argument("--folder", type=Path, default=MODELS / "built-in")
    options = parser.parse_args(arguments)
    import numpy as np

    held = ""
    if options.held_out:
        before = next(iter(json.loads(options.held_out.read_text(encoding="utf-8")).values()))
        told = ", ".join(f"{name} {sizes['512']['value']:.3f}" for name, sizes in before.items())
        held = f"Before the emoji that were held out from training got rows of their own: {told}."
    text = TEXT.format(
        pieces=len(np.load(options.folder / "rows.npy", mmap_mode="r")),
        hidden=np.load(options.folder / "hidden.npz")["bias"].shape[0],
        table=table(json.loads(options.results.read_text(encoding="utf-8"))),
        held=held,
        sources="\n".join(f"- {source.name}: {source.licence}; {source.attribution}" for source in SOURCES),
    )
    (options.folder / "card.md").write_text(text.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
