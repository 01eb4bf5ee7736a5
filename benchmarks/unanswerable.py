"""How many questions are refused whose articles are there, and how many whose articles were taken away.

    python benchmarks/unanswerable.py [--data ../shared/data] [--parts train dev] [--questions 250]

Half of the articles (at most sixty) of JaQuAD and SQuAD are added as Markdown; questions to them and to the other half
are asked, and English questions to the Japanese articles (`across`). The limits in `imi.collection.evidence` were
chosen on the training parts: few of the questions whose articles are there lie below them, also with lower cosines, as
the built-in model has learnt these questions.
"""

import argparse
import random
import tempfile
from pathlib import Path

import numpy as np

import imi
from imi.collection.evidence import evidence
from imi.evaluate import splits
from imi.evaluate.sets import ENGLISH_QUESTIONS
from imi.text.blocks import text_lines
from imi.text.markup.markdown import markdown_blocks
from imi.text.readers.pieces import passage_rows
from imi.text.readers.rows import ReadOptions

LANGUAGES = ("ja", "en", "across")


def paragraphs_and_questions(data: Path, language: str, part: str):
    if language == "en":
        paragraphs, questions = splits.squad(data)
        rows = splits.read_json_lines(data / "squad/queries.jsonl.gz")
        answerable = {row["_id"] for row in rows if row["answerable"] == "yes"}
        return getattr(paragraphs, part), [one for one in getattr(questions, part) if one.id in answerable]
    paragraphs, questions = splits.jaquad(data, part)
    if language == "across":
        home = {one.id: one.paragraph_id for one in questions}
        rows = [line.split("\t") for line in splits.read_lines(ENGLISH_QUESTIONS)]
        questions = [splits.Question(row[1], row[2], home[row[1]]) for row in rows if row[0] == part]
    return paragraphs, questions


def filled(paragraphs, folder: Path) -> imi.Collection:
    titles: dict[str, list[str]] = {}
    for one in paragraphs:
        titles.setdefault(one.title, []).append(one.text)
    rows = []
    for title, texts in titles.items():
        blocks = markdown_blocks(text_lines(f"# {title}\n\n" + "\n\n".join(texts)))
        rows += [row.document for row in passage_rows(blocks, title, ReadOptions())]
    collection = imi.open(folder / "articles.imi")
    collection.add(rows)
    collection.rerank = "none"
    return collection


def scores(collection: imi.Collection, questions) -> np.ndarray:
    found = [evidence(collection, one.text, collection.search(one.text, k=5)) for one in questions]
    return np.array([np.inf if one is None else one.score - one.least for one in found])


def show(data: Path, language: str, part: str, most: int) -> None:
    rng = random.Random(1)
    paragraphs, questions = paragraphs_and_questions(data, language, part)
    home = {one.id: one.title for one in paragraphs}
    asked = {home[one.paragraph_id] for one in questions}
    titles = sorted(asked)
    rng.shuffle(titles)
    kept = set(titles[: min(60, len(titles) // 2)])
    others = set(home.values()) - asked if language == "across" else set()
    with tempfile.TemporaryDirectory() as folder:
        collection = filled([one for one in paragraphs if one.title in kept | others], Path(folder))
        with collection:
            there = [one for one in questions if home[one.paragraph_id] in kept]
            gone = [one for one in questions if home[one.paragraph_id] not in kept]
            held = scores(collection, rng.sample(there, min(most, len(there))))
            lost = scores(collection, rng.sample(gone, min(most, len(gone))))
    wrong, right = float(np.mean(held < 0)), float(np.mean(lost < 0))
    two, five = np.quantile(held, (0.02, 0.05))
    print(
        f"{part:6}{language:8} refused: {wrong:6.1%} of {len(held)} that are answered, {right:6.1%} of {len(lost)} "
        f"that are not   (2 % lie {two:+.2f} and 5 % {five:+.2f} from the limit)",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Questions refused, with and without their articles.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--parts", nargs="*", choices=("train", "dev"), default=("train", "dev"))
    parser.add_argument("--questions", type=int, default=250)
    given = parser.parse_args()
    for part in given.parts:
        for language in LANGUAGES:
            show(given.data, language, part, given.questions)
