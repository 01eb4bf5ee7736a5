"""Semantic_text_search_using_embeddings: search_reviews(df, "delicious beans") and its fellows.

python examples/cookbook/semantic_text_search.py
"""

from fine_food import load

from imi.vectors import top_k

QUESTIONS = ("delicious beans", "whole wheat pasta", "bad delivery", "spoilt", "おいしい豆")


def main():
    """Show the three nearest reviews of each question; the last one is asked in Japanese."""
    reviews = load()
    for question in QUESTIONS:
        print(question)
        scores, rows = top_k(reviews.model.embed([question], "query") @ reviews.z.T, 3)
        for score, row in zip(scores[0], rows[0], strict=True):
            print(f"  {score:.3f}  {reviews.texts[row][:110]}")


if __name__ == "__main__":
    main()
