"""The reviews that these examples read: the cookbook's thousand where they lie beside the repository, else sixty.

The thousand are ../shared/data/fine_food (IMI_SHARED_DATA names another place); the sixty travel with the tests.
"""

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import imi

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("IMI_SHARED_DATA", ROOT.parent / "shared" / "data"))

THOUSAND = DATA / "fine_food" / "fine_food_reviews_1k.csv"


@dataclass(frozen=True)
class Reviews:
    """Reviews with their stars, and what the built-in model makes of "Title: …; Content: …"."""

    rows: list[dict[str, str]]
    texts: list[str]
    stars: np.ndarray
    z: np.ndarray
    model: object


def source():
    """Return the file with the reviews."""
    return THOUSAND if THOUSAND.exists() else ROOT / "tests" / "data" / "reviews.csv"


def cookbook_split(count):
    """Return the rows that the cookbook trains on and those it tests: scikit-learn's split of a fifth by seed 42."""
    order = np.random.RandomState(42).permutation(count)
    held = -(-count // 5)
    return order[held:], order[:held]


def load():
    """Read and embed the reviews."""
    with source().open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = [f"Title: {row['Summary'].strip()}; Content: {row['Text'].strip()}" for row in rows]
    if source() != THOUSAND:
        print(f"note: these are {len(rows)} other reviews, not the cookbook's thousand, and a fifth of them is tested:")
        print("what 3-small reaches on the thousand is no yardstick for them\n")
    model = imi.load()
    stars = np.array([int(row["Score"]) for row in rows])
    return Reviews(rows, texts, stars, model.embed(texts), model)


def beside(what, ours, published):
    """Print a figure beside the cookbook's for text-embedding-3-small over its thousand reviews."""
    where = "" if source() == THOUSAND else " (on its thousand)"
    print(f"{what:<44} ours {ours:.3f}   3-small {published}{where}")
