"""Recommendation_using_embeddings: what is like this one, and not the same thing again.

python examples/cookbook/recommendation.py
"""

from fine_food import load

from imi import tasks


def main():
    """Recommend from one review that is liked, then from one liked and one disliked."""
    reviews = load()
    liked = int(reviews.stars.argmax())
    disliked = int(reviews.stars.argmin())
    print(f"liked:    {reviews.texts[liked][:100]}")
    for diversity in (0.0, 0.5):
        print(f"recommended, diversity {diversity}:")
        found = tasks.recommend(reviews.z, [liked], k=3, diversity=diversity)
        for row in found.rows:
            print(f"  {reviews.z[row] @ reviews.z[liked]:.3f}  {reviews.texts[row][:100]}")
    print(f"disliked: {reviews.texts[disliked][:100]}")
    for row in tasks.recommend(reviews.z, [liked], [disliked], k=3).rows:
        print(f"  {reviews.stars[row]} stars  {reviews.texts[row][:100]}")


if __name__ == "__main__":
    main()
