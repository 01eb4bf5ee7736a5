"""Part 2 of the seminar: searching by string against searching by meaning, over four sentences.

    python examples/search_four_sentences.py

A string finds what is written: 猫 finds one sentence, ねこ and 寝ている find none. Meaning finds what is meant.
The same on the command line: imi search four.imi 猫 --compare
"""

import tempfile
from pathlib import Path

import imi

SENTENCES = (
    "AIは素晴らしい！",
    "うちの猫はタマと言います",
    "うちのペットはいつも寝ています",
    "金魚は夜は休むのかな？",
)
QUESTIONS = ("猫", "ねこ", "寝ている", "cat", "🐱")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, imi.open(Path(folder) / "four.imi") as collection:
        collection.add([imi.Document(id=str(number), text=text) for number, text in enumerate(SENTENCES, start=1)])
        for question in QUESTIONS:
            print(f"\n{question}")
            by_text = collection.search(question, mode="text")
            print("  by string: ", "; ".join(hit.text or "" for hit in by_text) or "nothing")
            for hit in collection.search(question, k=4, mode="meaning"):
                print(f"  by meaning: {hit.score:.3f}  {hit.text}")


if __name__ == "__main__":
    main()
