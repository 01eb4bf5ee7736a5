"""Set the built-in model beside its teacher on development sets: values, shares, and what shorter vectors keep.

    python benchmarks/quality.py [--data ../shared/data] [--model built-in] [SET ...]

The share is of the teacher on the same set in the same run, with the 95 % interval of the paired difference. Columns
of dims tell how much of the full width's value a prefix keeps. A model without Matryoshka training, the teacher cut the
same way, stands beside. `floor` is BM25 or character n-grams.
"""

import argparse
from pathlib import Path

import numpy as np

import imi
from imi.embedders.quality import Teacher
from imi.evaluate.datasets import EvaluationSet, Similarity
from imi.evaluate.intervals import Difference, mean_difference, spearman_difference
from imi.evaluate.scores import encode
from imi.evaluate.sets import SETS, load_set

DIMS = (512, 256, 128, 64, 32)


class Published:
    """The teacher as published, without rotation."""

    def __init__(self) -> None:
        self.teacher = Teacher()

    def embed(self, texts: list[str], kind: str = "document") -> np.ndarray:
        """Return unit rows."""
        return imi.normalize(self.teacher.encode(texts))


def gap(one: EvaluationSet, a: np.ndarray, b: np.ndarray) -> Difference:
    if isinstance(one, Similarity):
        return spearman_difference(a, b, one.scores)
    return mean_difference(a, b)


def compare(one: EvaluationSet, model: imi.Embedder, teacher: Published) -> str:
    """Return one line of the table."""
    ours, theirs = (one.measure(encode(each, one.sides()), DIMS) for each in (model, teacher))
    full, other = ours[512], theirs[512]
    difference = gap(one, full.items, other.items)
    floor = None if one.name.startswith("emoji") else one.floor()
    kept = " ".join(f"{ours[d].value / max(full.value, 1e-9):6.3f}" for d in DIMS[1:])
    bare = " ".join(f"{theirs[d].value / max(other.value, 1e-9):6.3f}" for d in DIMS[1:])
    low, high = difference.interval
    least = "" if floor is None else f"{floor[1].value:.3f}"
    return (
        f"{one.name:14}{full.metric:>9}{least:>7}{other.value:9.3f}{full.value:9.3f}"
        f"{full.value / max(other.value, 1e-9):8.3f}  [{low:+.3f}, {high:+.3f}]  {kept} | {bare}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Set the built-in model beside its teacher.")
    parser.add_argument("sets", nargs="*", default=list(SETS))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--model", default="built-in")
    given = parser.parse_args()
    student, published = imi.load(given.model), Published()
    sizes = " ".join(f"{d:>6}" for d in DIMS[1:])
    heads = f"{'set':14}{'metric':>9}{'floor':>7}{'teacher':>9}{'model':>9}{'share':>8}"
    print(f"{heads}  paired difference  {sizes} | {sizes} (teacher cut)")
    for name in given.sets:
        print(compare(load_set(name, given.data), student, published), flush=True)
