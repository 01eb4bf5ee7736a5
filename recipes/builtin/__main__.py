"""Make the built-in model from the beginning: four lessons, each in a folder of its own.

    python -m recipes.builtin --data FOLDER [--work build/model] [--out src/imi/models/built-in] [--few]

A lesson whose folder is there is skipped, and one that was stopped goes on from its last saved state, so the same
command takes up a run at any place. The whole takes about two hours of an idle core: 17 minutes for the first teacher,
20 for the second, 55 for the steps of the first lesson, four for the other lessons (docs/LOG.md). With --few one text
in four hundred and a few steps of each lesson are taken: to see in minutes that each stage hands over to the next. What
comes out of that goes to the work folder, never to the package.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from imi.embedders.builtin import FOLDER
from recipes.builtin import contrasts, prefixes, retrieval, train

FILES = ("pieces.model", "pieces.index", "rows.npy", "scales.npy", "hidden.npz", "model.json")


def main(arguments: list[str] | None = None) -> None:
    """Run what is left of the four lessons."""
    parser = argparse.ArgumentParser(prog="python -m recipes.builtin", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the public data sets")
    parser.add_argument("--work", type=Path, default=Path("build/model"), help="where stages are kept (build/model)")
    parser.add_argument("--out", type=Path, default=FOLDER, help="the model folder to write")
    parser.add_argument("--few", action="store_true", help="few texts and steps, to see that it runs")
    given = parser.parse_args(arguments)
    work = given.work / "few" if given.few else given.work
    stages = [work / "first", work / "second", work / "third", work / "fourth"]
    for made, lesson in zip(stages, (train, retrieval, prefixes, contrasts), strict=True):
        if (made / "model.json").is_file():
            continue
        # A folder gets its name when it is whole.
        partial = made.with_suffix(".partial")
        options = ["--data", str(given.data), "--work", str(work), "--out", str(partial)]
        if lesson is not train:
            options += ["--start", str(stages[stages.index(made) - 1])]
        if given.few:
            options.append("--few")
        lesson.main(options)
        partial.rename(made)
    if given.few:
        return
    for name in FILES:
        shutil.copyfile(stages[-1] / name, given.out / name)
    if given.out == FOLDER:
        (FOLDER.parent / "quality").mkdir(parents=True, exist_ok=True)
        shutil.copyfile(work / "rotation.npy", FOLDER.parent / "quality" / "rotation.npy")


if __name__ == "__main__":
    main()
