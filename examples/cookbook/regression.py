"""Regression_using_embeddings: the stars of a review as a number.

python examples/cookbook/regression.py
"""

import numpy as np
from fine_food import beside, cookbook_split, load

from imi import tasks
from imi.tasks.parts import in_parts
from imi.tasks.regress import fit_numbers


def main():
    """Learn from the cookbook's four fifths, then from others; always saying the mean is what must be beaten."""
    reviews = load()
    train, held = cookbook_split(len(reviews.stars))
    truth, mean = reviews.stars[held], reviews.stars[train].mean()
    parts = in_parts(reviews.texts, reviews.model, whole=reviews.z)
    print("on the cookbook's split: copies of a tested review may be among those learnt from")
    beside("always the mean, squared error", ((truth - mean) ** 2).mean(), "1.73")
    for name, z in (("one vector a review", reviews.z), ("read by sentences too", parts)):
        off = fit_numbers(z[train], reviews.stars[train]).predict(z[held]) - truth
        beside(f"squared error, {name}", (off**2).mean(), ".65")
        beside(f"absolute error, {name}", np.abs(off).mean(), ".52")
    apart = tasks.regress(parts, reviews.stars)
    print("on a split that keeps copies on one side: harder, not comparable with the cookbook's")
    print(f"always the mean {apart.dummy['mse']:.3f}, read by sentences too {apart.mse:.3f}")


if __name__ == "__main__":
    main()
