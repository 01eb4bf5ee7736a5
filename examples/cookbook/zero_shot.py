"""Zero-shot_classification_with_embeddings: praise or complaint, by what the words mean, without training.

python examples/cookbook/zero_shot.py
"""

import numpy as np
from fine_food import beside, load

from imi import tasks

TOLD = {label: f"An Amazon review with a {label} sentiment." for label in ("positive", "negative")}
SAID = {
    "positive": ["great", "love", "delicious", "excellent", "best", "I love it", "highly recommended", "tastes great"],
    "negative": [
        "terrible",
        "awful",
        "disappointed",
        "disgusting",
        "worst",
        "I hate it",
        "not recommended",
        "tastes bad",
    ],
}


def main():
    """Judge labels as bare words, described as in the notebook, and as reviewers put it."""
    reviews = load()
    kept = np.flatnonzero(reviews.stars != 3)
    texts = [reviews.texts[row] for row in kept]
    truth = np.where(reviews.stars[kept] > 3, "positive", "negative")
    for what, labels, published in (
        ("bare labels", list(TOLD), ".87"),
        ("the notebook's descriptions", TOLD, ".95"),
        ("what reviewers say", SAID, ".95"),
    ):
        found = tasks.zero_shot(texts, labels, reviews.model, truth=truth)
        beside(what, found.accuracy, published)
    print(f"always saying positive: {(truth == 'positive').mean():.3f}")


if __name__ == "__main__":
    main()
