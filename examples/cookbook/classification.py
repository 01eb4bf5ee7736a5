"""Classification_using_embeddings: the stars of a review as five labels.

python examples/cookbook/classification.py
"""

from fine_food import beside, load

from imi import tasks
from imi.tasks.parts import in_parts


def main():
    """Learn from four fifths of the reviews, judge by the rest."""
    reviews = load()
    labels = reviews.stars.tolist()
    whole = tasks.classify(reviews.z, labels)
    parts = tasks.classify(in_parts(reviews.texts, reviews.model, whole=reviews.z), labels)
    beside("accuracy, one vector a review", whole.accuracy, ".78")
    beside("accuracy, read by sentences too", parts.accuracy, ".78")
    low, high = parts.interval
    print(f"  95 % interval over {parts.n} reviews: {low:.3f} to {high:.3f}")
    for label, row in zip(parts.labels, parts.confusion.tolist(), strict=True):
        print(f"  truly {label} stars, said 1 to 5: {row}")


if __name__ == "__main__":
    main()
