"""When Matryoshka training beats SVD: the same data with fewer classes, a deeper or shallower network, longer training.

SVD keeps the directions in which the vectors of a network that was trained for one size differ most. It can only lose
where they differ in many: with few classes, or early in training, a handful of directions holds nearly everything, and
cutting to them costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from experiments.matryoshka.measure import closest, safe_unit
from experiments.matryoshka.pictures import Pictures
from experiments.matryoshka.saved_results import Shelf
from experiments.matryoshka.studies import Study
from experiments.matryoshka.training import Trained, train
from imi.evaluate.intervals import mean_difference
from imi.types import Floats

SMALL = (8, 16)


def variants(study: Study) -> list[tuple[str, str, Study]]:
    """Return what is varied, each with its group, its name and the study that it changes."""
    counts = [count for count in (10, 20, 40) if not study.classes or count < study.classes]
    return [
        *(("classes", f"{count} classes", replace(study, classes=count)) for count in counts),
        ("classes", "all classes", study),
        ("training", "1 epoch", replace(study, epochs=1)),
        ("training", "3 epochs", replace(study, epochs=3)),
        ("network", "inner layer of 16", replace(study, hidden=(16,))),
        ("network", "no inner layer", replace(study, hidden=())),
        ("network", "two inner layers", replace(study, hidden=(*study.hidden, *study.hidden))),
    ]


def conditions(study: Study, shelf: Shelf, seeds: int) -> list[dict[str, Any]]:
    """Train MRL and the full fixed size under each condition, and return how far MRL's 1-NN lies above SVD's.

    Args:
        study: what is varied.
        shelf: where trainings are kept.
        seeds: how many trainings each.
    """
    out = []
    for group, name, varied in variants(study):
        pictures = varied.pictures(shelf)
        full = varied.dims[-1]
        each = []
        for seed in range(seeds):
            nested, fixed = (train(varied, pictures, method, seed, shelf) for method in ("mrl", f"ff-{full}"))
            each.append(_compared(nested, fixed, pictures))
        gaps = {
            str(size): mean_difference(
                100 * np.mean([one[f"mrl/{size}"] for one in each], axis=0),
                100 * np.mean([one[f"svd/{size}"] for one in each], axis=0),
            ).to_dict()
            for size in SMALL
        }
        row = {key: float(np.mean([one[key] for one in each])) for key in each[0]}
        out.append({"group": group, "name": name, "classes": len(pictures.classes), "gaps": gaps, **row})
    return out


def _compared(nested: Trained, fixed: Trained, pictures: Pictures) -> dict[str, Any]:
    full = fixed.sizes[0]
    train_z, test_z = fixed.z("train", full), fixed.z("test", full)
    _, strength, directions = np.linalg.svd(train_z, full_matrices=False)
    out: dict[str, Any] = {f"ff/{full}": _right(train_z, test_z, pictures)}
    for size in SMALL:
        out[f"mrl/{size}"] = _right(nested.z("train", size), nested.z("test", size), pictures)
        out[f"svd/{size}"] = _right(train_z @ directions[:size].T, test_z @ directions[:size].T, pictures)
    held = np.cumsum(strength**2) / np.sum(strength**2)
    out["directions"] = float(np.searchsorted(held, 0.9) + 1)
    return out


def _right(train_z: Floats, test_z: Floats, pictures: Pictures) -> Any:
    size = train_z.shape[1]
    rows = closest(safe_unit(test_z, size), safe_unit(train_z, size), 1)
    return (pictures.train.y[rows[:, 0]] == pictures.test.y).astype(np.float64)


def sure_of(rows: Sequence[dict[str, Any]], size: int) -> tuple[list[str], list[str]]:
    """Return the names of the conditions under which MRL lies above SVD at a size, and below, for certain."""
    above = [row["name"] for row in rows if row["gaps"][str(size)]["interval"][0] > 0]
    below = [row["name"] for row in rows if row["gaps"][str(size)]["interval"][1] < 0]
    return above, below
