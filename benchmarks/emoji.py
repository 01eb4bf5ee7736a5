"""What emoji and symbols find among ordinary texts, by the built-in model alone and where the finer one read all rows.

    python benchmarks/emoji.py [--data ../shared/data]

Texts: the thousand reviews, the documentation of this Python, and every third paragraph of JaQuAD's development part.
An emoji is asked for alone, and in a sentence; right are the texts that hold its name (CLDR's, one word in English), if
at least three do and at most a tenth. Last: JaQuAD's questions with emoji that say nothing of them, the share whose
paragraph comes first. It takes some five minutes of one core.
"""

import argparse
import csv
import gzip
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import imi
from imi.evaluate.datasets import Questions
from imi.evaluate.sets import load_set
from imi.text.pydocs import entries

SENTENCES = {
    "en": ("{}", "I love {}", "I am looking for a good {} for my family, which one is the best?"),
    "ja": ("{}", "{}が好き", "{}について教えてください"),
}
DECORATED = ("{}", "{}😊", "📚 {} 🤔❓")
K = 10


def emoji_of(data: Path, language: str, texts: Sequence[str]) -> list[tuple[str, set[str]]]:
    """Return the emoji whose name some of the texts hold, and the ids of these texts."""
    with gzip.open(data / "emoji/cldr_annotations_en_ja.tsv.gz", "rt", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["derived"] == "0" and row["char"] > "\u21ff"]
    found = []
    for row in rows:
        name = row[f"{language}_name"].lower()
        english = language == "en" and re.fullmatch("[a-z]{3,}", name)
        if row["char"].isalnum() or not (english or (language == "ja" and len(name) > 1)):
            continue
        holds = re.compile(rf"\b{name}s?\b" if english else re.escape(name))
        right = {str(at) for at, text in enumerate(texts) if holds.search(text)}
        if 3 <= len(right) <= len(texts) / 10:
            found.append((row["char"], right))
    return found


def gain(ids: Sequence[str], right: set[str]) -> float:
    """Return nDCG@10."""
    worth = 1 / np.log2(np.arange(2, K + 2))
    return float(sum(w for w, id_ in zip(worth, ids, strict=False) if id_ in right) / worth[: len(right)].sum())


def both(collection: imi.Collection, score: Callable[[], float]) -> str:
    """Return a score without and with the finer model."""
    cells = []
    for by in ("none", "deep"):
        collection.rerank = imi.Rerank(by, 0)
        cells.append(f"{score():.3f}")
    return f"built-in {cells[0]}   all rows deep {cells[1]}"


def show(name: str, language: str, texts: Sequence[str], data: Path, asked: Questions | None = None) -> None:
    """Print the rows of one set of texts."""
    emoji = emoji_of(data, language, [text.lower() for text in texts])
    print(f"\n{name}: {len(texts):,} texts, {len(emoji)} emoji, nDCG@10")
    with tempfile.TemporaryDirectory() as folder, imi.open(f"{folder}/c.imi", model="built-in") as c:
        c.add([imi.Document(str(at), text) for at, text in enumerate(texts)])
        c.deepen()
        for sentence in SENTENCES[language]:

            def score(sentence: str = sentence) -> float:
                found = (([hit.id for hit in c.search(sentence.format(char), K)], right) for char, right in emoji)
                return float(np.mean([gain(ids, right) for ids, right in found]))

            print(f"{sentence:66} {both(c, score)}", flush=True)
        places = {text: str(at) for at, text in enumerate(texts)}
        pairs = [] if asked is None else zip(asked.queries, asked.relevant, strict=True)
        questions = [(q, {places.get(asked.documents[row]) for row in rows}) for q, rows in pairs]
        questions = [(q, right) for q, right in questions if right != {None}][::9]
        for sentence in DECORATED if questions else ():

            def first(sentence: str = sentence) -> float:
                return float(np.mean([c.search(sentence.format(q), 1)[0].id in right for q, right in questions]))

            print(f"{'first of ' + str(len(questions)) + ' questions, ' + sentence:66} {both(c, first)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Ask ordinary texts by emoji.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    given = parser.parse_args().data
    with open(given / "fine_food/fine_food_reviews_1k.csv", encoding="utf-8") as file:
        reviews = [f"{row['Summary']}: {row['Text']}" for row in csv.DictReader(file)]
    show("reviews", "en", reviews, given)
    jaquad = load_set("jaquad", given)
    show("JaQuAD", "ja", list(dict.fromkeys(jaquad.documents))[::3], given, jaquad)
    show("Python's documentation", "en", [one.text for one in entries()], given)
