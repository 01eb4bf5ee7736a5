"""The third lesson of the built-in model: prefixes that find. It begins at what `recipes.builtin.retrieval` made.

    python -m recipes.builtin.prefixes --data FOLDER

The space is turned (`recipes.turning`), so that its first dimensions keep which text a question finds. Every cosine of
whole vectors stays what it was, but for the rounding of rows to int8. The turn is left in the work folder.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from imi.embedders.builtin import FOLDER, BuiltIn
from imi.errors import UsageError
from imi.train.export import Layer, write_model
from imi.train.student import DIMS
from recipes.builtin.asked import gather
from recipes.builtin.retrieval import Say, begin, turn
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
            hint="this lesson follows recipes.builtin.retrieval, once; make model runs all three",
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
    inward, bias, outward = (tensor.detach().numpy() for tensor in (student.inward, student.bias, student.outward))
    layer = Layer(inward, bias, outward, model.repeats)
    pieces, licence = start / "pieces.model", about["licence"]
    write_model(
        out, about["name"], student.rows.numpy(), layer, pieces, dims=about["dims"], licence=licence, source=SOURCE
    )


def main(arguments: list[str] | None = None) -> None:
    """Run the lesson; progress goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m recipes.builtin.prefixes", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data sets")
    parser.add_argument("--work", type=Path, default=Path("build/model"), help="where the turn is kept (build/model)")
    parser.add_argument("--start", type=Path, default=FOLDER, help="the model folder to begin with")
    parser.add_argument("--out", type=Path, default=FOLDER, help="the model folder to write")
    parser.add_argument("--steps", type=int, default=TURN.steps)
    parser.add_argument("--few", action="store_true", help="five steps: does it run?")
    options = parser.parse_args(arguments)
    options.work.mkdir(parents=True, exist_ok=True)

    def say(line: str) -> None:
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        sys.stderr.flush()

    made = replace(TURN, steps=5 if options.few else options.steps)
    learn(options.start, options.out, options.data, options.work, made, say)
    say(f"wrote {options.out}")


if __name__ == "__main__":
    main()
