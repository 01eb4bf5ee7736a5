"""Question_answering_using_embeddings: answers from passages that were found, with their sources.

python examples/cookbook/question_answering.py     (with IMI_LLM a language model writes; without one, imi quotes)
"""

import os
import tempfile
from pathlib import Path

from fine_food import load

import imi
from imi.rag.answer import answer

QUESTIONS = ("Which beans are good in burritos?", "What went wrong with the delivery?")


def main():
    """Keep the reviews as a collection and ask it."""
    reviews = load()
    documents = [
        imi.Document(str(at), text, {"Score": int(stars)})
        for at, (text, stars) in enumerate(zip(reviews.texts, reviews.stars, strict=True))
    ]
    with tempfile.TemporaryDirectory() as folder, imi.open(Path(folder) / "reviews.imi") as collection:
        collection.add(documents)
        for question in QUESTIONS:
            found = answer(collection, question)
            print(f"{question}\n  {' '.join(found.answer.split())[:200]}")
            for citation in found.citations[:2]:
                print(f"  [{citation.n}] review {citation.id}")
    if not os.environ.get("IMI_LLM"):
        print("IMI_LLM names no language model, so the passages themselves were quoted")


if __name__ == "__main__":
    main()
