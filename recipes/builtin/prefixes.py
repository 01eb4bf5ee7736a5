"""The third lesson of the built-in model: prefixes that find. It begins at what `recipes.builtin.retrieval` made.

    python -m recipes.builtin.prefixes --data FOLDER

The space is turned (`recipes.turning`), so that its first dimensions keep which text a question finds. Every cosine of
whole vectors stays what it was, but for the rounding of rows to int8. The turn is left in the work folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from imi.embedders.builtin import BuiltIn
from imi.errors import UsageError
from imi.train.student import DIMS
from recipes.builtin.asked import gather
from recipes.builtin.lessons import begin, parse, write
from recipes.builtin.retrieval import turn
from recipes.progress import Say, say
from recipes.turning import Turn, Turner

SOURCE = "recipes.builtin.train, recipes.builtin.retrieval, recipes.builtin.prefixes"
TURN = Turn(DIMS[:-1], (0.5, 1.5, 1.5, 0.7), steps=400, rate=6e-3, seed=1)
TURNED: Mapping[str, int] = {"ja": 192, "en": 96, "rest": 128, "across": 96, "translation": 192, "dictionary": 64}
"""Pairs in a batch."""


def learn(start: Path, out: Path, data: Path, work: Path, made: Turn, say: Say) -> None:
    """Turn the model in `start` and write it to `out`.

    Raises:
        UsageError: the model has not had the lesson before this one, or this one already.
    """
    model = BuiltIn(start)
    about = json.loads((start / "model.json").read_text(encoding="utf-8"))
    if model.repeats == 1 or about["source"] == SOURCE:
        raise UsageError(
            f"the model in {start} comes from {about['source']}",
            hint="this lesson follows recipes.builtin.retrieval, once; make model runs all four",
        )
    turned = work / "prefixes.npy"
    if not turned.exists():
        asked = gather(data, model._pieces, seed=0)
        say(f"{len(asked.texts):,} texts, " + ", ".join(f"{len(v):,} {k}" for k, v in asked.pairs.items()))
        matrix = Turner(model.embed(asked.texts), asked.pairs, asked.keep, TURNED, made).train(say)
        np.save(work / "prefixes.partial.npy", matrix)
        (work / "prefixes.partial.npy").rename(turned)
    student = begin(model, model.repeats)
    turn(student, np.load(turned))
    write(student, start, out, SOURCE)


def main(arguments: list[str] | None = None) -> None:
    """Run the lesson; progress goes to standard error."""
    options = parse("recipes.builtin.prefixes", __doc__, "the turn", TURN.steps, arguments)
    learn(options.start, options.out, options.data, options.work, replace(TURN, steps=options.steps), say)
    say(f"wrote {options.out}")


if __name__ == "__main__":
    main()
