"""What rounding to eight bits costs: the model as it was trained, in float32, beside the folder written of it.

    python benchmarks/rounding.py [--work build/model] [--model src/imi/models/built-in] [--data ../shared/data]

After `make model`, whose work folder holds the weights before rounding. Prints by set and dims how much the folder's
value is above; negative is a loss. Claim: at most .002 on every set.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from imi.embedders.builtin import FOLDER, BuiltIn
from imi.embedders.pieces import Pieces
from imi.evaluate.scores import encode
from imi.evaluate.sets import load_set
from imi.train.prepared import split_all
from imi.train.student import DIMS, Student
from imi.vectors import normalize

SETS = ("stsb-en", "stsb-ja", "jsick", "jsts", "tatoeba", "docs", "jaquad", "squad", "cranfield")
BATCH = 4096


def embed(student: Student, pieces: Pieces, texts: list[str]) -> np.ndarray:
    """Return (n, 512) unit rows."""
    parts = []
    for first in range(0, len(texts), BATCH):
        ids, offsets = split_all(pieces, texts[first : first + BATCH])
        with torch.no_grad():
            parts.append(normalize(student.forward(ids, offsets[:-1])[0].numpy()))
    return np.concatenate(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/model"))
    parser.add_argument("--model", type=Path, default=FOLDER)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    options = parser.parse_args()
    state = torch.load(options.work / "finished.pt", weights_only=True)
    student = Student(state["rows"].numpy(), state["layer"][0].shape[1])
    student.resume(state)
    rounded, pieces = BuiltIn(options.model), Pieces(options.model / "pieces.model")
    print(f"{'set':<12}" + "".join(f"{dims:>9}" for dims in DIMS))
    for name in SETS:
        one = load_set(name, options.data)
        ours = one.measure(encode(rounded, one.sides()), DIMS)
        whole = one.measure([embed(student, pieces, list(texts)) for texts, _ in one.sides()], DIMS)
        print(f"{name:<12}" + "".join(f"{ours[dims].value - whole[dims].value:>+9.4f}" for dims in DIMS))


if __name__ == "__main__":
    main()
