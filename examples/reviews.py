"""Part 2 of the seminar: the review notebook, from the CSV to `search_reviews`, on this machine.

    python examples/reviews.py [fine_food_reviews_1k.csv]

Without a file it takes the sixty reviews that travel with the repository. It reads the CSV (with its Id column or
without), combines title and text, counts tokens, keeps the newest thousand, embeds them, writes
…_with_embeddings.csv with literal lists, reads it back, and searches. Needs the extra `tables` (pandas).
"""

import sys
import tempfile
import time
from pathlib import Path

from imi.cookbook import count_tokens, embed_reviews, load_embeddings, load_reviews, save_embeddings, search_reviews
from imi.errors import MissingExtra

OWN = Path(__file__).resolve().parent.parent / "tests" / "data" / "reviews.csv"
QUESTIONS = ("delicious beans", "spoilt", "bad delivery")


def main(path: Path) -> None:
    reviews = load_reviews(path)
    print(f"{len(reviews)} reviews of {path.name}; the first:")
    print(f"  {reviews.combined.iloc[0][:100]}…")
    print(f"tokens of the built-in model: {reviews.n_tokens.sum():,}, at most {reviews.n_tokens.max()} a review")
    try:
        print(f"tokens of cl100k_base:        {sum(count_tokens(reviews.combined.tolist(), 'cl100k_base')):,}")
    except MissingExtra as missing:
        print(f"({missing.hint} counts those of cl100k_base too)")

    start = time.perf_counter()
    embedded = embed_reviews(reviews)
    print(f"embedded in {time.perf_counter() - start:.2f} s, {len(embedded.embedding.iloc[0])} numbers each")
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / f"{path.stem}_with_embeddings.csv"
        save_embeddings(embedded, written)
        print(f"{written.name}: {written.stat().st_size / 1e6:.1f} MB with literal lists, read back")
        embedded = load_embeddings(written)

    for question in QUESTIONS:
        print(f"\nsearch_reviews(df, {question!r}, n=3)\n")
        search_reviews(embedded, question, n=3)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else OWN)
