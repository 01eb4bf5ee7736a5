"""Get_embeddings_from_dataset: from the CSV to the CSV with vectors, by the notebook's own helpers.

python examples/cookbook/get_embeddings_from_dataset.py     (needs the extra `tables`)
"""

import tempfile
from pathlib import Path

from fine_food import source

from imi.cookbook import embed_reviews, load_embeddings, load_reviews, save_embeddings


def main():
    """Read, combine, count tokens, keep the newest thousand, embed, write, read back."""
    reviews = load_reviews(source())
    print(f"{len(reviews)} reviews, {reviews.n_tokens.sum():,} tokens of the built-in model")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fine_food_reviews_with_embeddings_1k.csv"
        save_embeddings(embed_reviews(reviews), path)
        again = load_embeddings(path)
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB, {len(again.embedding.iloc[0])} numbers a review")
    print(again[["Score", "Summary", "n_tokens"]].head(3).to_string())


if __name__ == "__main__":
    main()
