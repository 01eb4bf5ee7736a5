"""Regression_using_embeddings: the stars of a review as a number.

python examples/cookbook/regression.py
"""

from fine_food import beside, load

from imi import tasks
from imi.tasks.parts import in_parts


def main():
    """Learn from four fifths of the reviews; always saying the mean is what must be beaten."""
    reviews = load()
    whole = tasks.regress(reviews.z, reviews.stars)
    parts = tasks.regress(in_parts(reviews.texts, reviews.model, whole=reviews.z), reviews.stars)
    beside("always the mean, squared error", parts.dummy["mse"], "1.73")
    beside("squared error, one vector a review", whole.mse, ".65")
    beside("squared error, read by sentences too", parts.mse, ".65")
    beside("absolute error, read by sentences too", parts.mae, ".52")


if __name__ == "__main__":
    main()
