"""Take questions the whole way, from a file through `imi add` to the passages that `imi ask` reads, and score them.

    python benchmarks/answers.py [--data ../shared/data] [--model NAME] [--queries N] [--deep] [SET ...]

Sets: JaQuAD's development questions over its paragraphs (jaquad), SQuAD's (squad), Cranfield (cranfield), and English
questions over JaQuAD's paragraphs (jaquad-en). Arms: text, meaning, hybrid as `imi ask` reads it, as it is searched,
and ordered again by full-width late scoring, all without the finer model; and hybrid with it where `--deep` let it
read all rows before.
First table: recall@5, nDCG@10, and how often one of the right answers stands in the five passages (where the set has
answers). Second: what hybrid gains over each arm, with the paired 95 % interval. Third, where the language is Japanese:
imi's words against bm25s over Sudachi's words, cut short (A) and long (C), all words or content words alone.
"""

import argparse
import json
import tempfile
import time
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import imi
import imi.cli
from imi.evaluate import splits
from imi.evaluate.datasets import Questions
from imi.evaluate.intervals import mean_difference
from imi.evaluate.ranking import gains_of_lists, ndcg, recall
from imi.evaluate.sets import ENGLISH_QUESTIONS, load_set
from imi.rag.retrieve import Retrieval, find_passages

DEPTH, READ = 10, 5
ARMS = {
    "text": Retrieval(DEPTH, "text"),
    "meaning": Retrieval(DEPTH, "meaning"),
    "hybrid": Retrieval(DEPTH, "hybrid"),
    "hybrid, as searched": Retrieval(DEPTH, "hybrid", rerank="none"),
    "hybrid + late": Retrieval(DEPTH, "hybrid", rerank="late"),
}
DEEP = {"hybrid, all rows deep": Retrieval(DEPTH, "hybrid")}
CONTENT = ("名詞", "動詞", "形容詞", "形状詞", "副詞", "代名詞")


def set_of(name: str, data: Path, most: int | None) -> tuple[Questions, list[list[str]] | None]:
    """Return a set, and the right answers of each question where it has some."""
    found = load_set(name, data)
    if not isinstance(found, Questions):
        raise SystemExit(f"{name} is no retrieval set")
    answers = None
    if name.startswith("jaquad"):
        given = {row["_id"]: row["answers"] for row in splits.read_json_lines(data / "jaquad/dev_queries.jsonl.gz")}
        ids = [question.id for question in splits.jaquad(data, "dev")[1]]
        if name == "jaquad-en":
            rows = (line.split("\t") for line in splits.read_lines(ENGLISH_QUESTIONS))
            ids = [row[1] for row in rows if row[0] == "dev"]
        answers = [given[id_] for id_ in ids]
        assert len(answers) == len(found.queries)
    # Every so many, so that a part asks about all articles.
    step = 1 if most is None else max(1, len(found.queries) // most)
    part = Questions(name, found.queries[::step], found.documents, found.relevant[::step])
    return part, None if answers is None else answers[::step]


def added(one: Questions, folder: Path, model: str | None) -> Path:
    """Put the documents into a new collection as a user would."""
    source, collection = folder / f"{one.name}.jsonl", folder / f"{one.name}.imi"
    lines = (json.dumps({"id": str(at), "text": text}) for at, text in enumerate(one.documents))
    source.write_text("\n".join(lines), "utf-8")
    chosen = ["--model", model] if model else []
    if imi.cli.main(["add", str(collection), str(source), "--id", "id", "--skip-errors", "-q", *chosen]):
        raise SystemExit("the documents could not be added")
    return collection


def plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).lower().split())


class Arm:
    """The passages that one way of searching finds for every question of a set."""

    def __init__(self, search: Callable[[str], Sequence[int]], one: Questions, answers: list[list[str]] | None) -> None:
        began = time.perf_counter()
        rows = np.full((len(one.queries), DEPTH), -1, np.int64)
        for at, question in enumerate(one.queries):
            found = search(question)
            rows[at, : len(found)] = found
        self.seconds = (time.perf_counter() - began) / len(one.queries)
        gains = gains_of_lists(rows, one.relevant)
        self.recall, self.ndcg = recall(gains, READ), ndcg(gains)
        self.answered: float | None = None
        if answers is not None:
            read = [plain("\n".join(one.documents[row] for row in found[:READ] if row >= 0)) for found in rows]
            self.answered = float(
                np.mean([any(plain(a) in text for a in s) for s, text in zip(answers, read, strict=True)])
            )

    def line(self, name: str) -> str:
        """Return the row of the first table."""
        answered = "–" if self.answered is None else f"{self.answered:.3f}"
        return (
            f"{name:24}{self.recall.mean():10.3f}{self.ndcg.mean():10.3f}{answered:>10}{self.seconds * 1000:10.1f} ms"
        )


def gained(name: str, better: Arm, worse: Arm) -> str:
    cells = []
    for metric in ("recall", "ndcg"):
        gap = mean_difference(getattr(better, metric), getattr(worse, metric))
        cells.append(f"{gap.value:+.4f} [{gap.interval[0]:+.4f}, {gap.interval[1]:+.4f}]")
    return f"{name:24}  " + "   ".join(cells)


def by_sudachi(one: Questions, mode: str, content: bool) -> Callable[[str], Sequence[int]]:
    """Return the search of bm25s (Lucene's BM25, its own k1 and b) over Sudachi's normalised words."""
    import bm25s
    from sudachipy import Dictionary, SplitMode

    dictionary = Dictionary(dict="small")
    # Its older releases say create().
    tokenizer = getattr(dictionary, "tokenizer", dictionary.create)(mode=getattr(SplitMode, mode))

    def words(text: str) -> list[str]:
        # Sudachi takes 49,149 bytes at a time.
        parts = [text[start : start + 8000] for start in range(0, len(text), 8000)]
        found = (word for part in parts for word in tokenizer.tokenize(part))
        kept = [word for word in found if not content or word.part_of_speech()[0] in CONTENT]
        return [word.normalized_form().lower() for word in kept if word.surface().strip()]

    index = bm25s.BM25(method="lucene")
    index.index([words(text) for text in one.documents], show_progress=False)

    def search(question: str) -> Sequence[int]:
        asked = words(question)
        if not asked:
            return []
        rows, scores = index.retrieve([asked], k=DEPTH, show_progress=False)
        return [int(row) for row, score in zip(rows[0], scores[0], strict=True) if score > 0]

    return search


def show(name: str, given: argparse.Namespace) -> None:
    one, answers = set_of(name, given.data, given.queries)
    print(f"\n{name}: {len(one.queries)} questions, {len(one.documents)} documents")
    print(f"{'':24}{'recall@5':>10}{'nDCG@10':>10}{'answer':>10}{'a question':>13}")
    with tempfile.TemporaryDirectory() as folder:
        path = added(one, Path(folder), given.model)
        if given.deep and imi.cli.main(["deepen", str(path), "-q"]):
            raise SystemExit("the finer model could not read the documents")
        with imi.open(path, mode="r") as collection:
            arms = {}
            for arm, finding in (ARMS | (DEEP if given.deep else {})).items():
                collection.rerank = imi.Rerank("deep" if arm in DEEP else "none", budget=0)

                def search(question: str, finding: Retrieval = finding) -> list[int]:
                    return [int(hit.id) for hit in find_passages(collection, question, finding)]

                arms[arm] = Arm(search, one, answers)
                print(arms[arm].line(arm), flush=True)
    print(f"{'hybrid over':26}{'recall@5':24}   nDCG@10")
    for arm in ("text", "meaning"):
        print(gained(arm, arms["hybrid"], arms[arm]))
    print(gained("late over hybrid", arms["hybrid + late"], arms["hybrid, as searched"]))
    if given.deep:
        print(gained("deep over hybrid", arms["hybrid, all rows deep"], arms["hybrid"]))
    if name == "jaquad":
        print("imi's words over bm25s with Sudachi")
        for mode in "AC":
            for content in (False, True):
                label = f"bm25s {mode}, {'content' if content else 'all'} words"
                peer = Arm(by_sudachi(one, mode, content), one, answers)
                print(peer.line(label))
                print(gained("  imi over it", arms["text"], peer), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Take questions the whole way and score the passages that they find.")
    parser.add_argument("sets", nargs="*", default=["jaquad", "cranfield", "jaquad-en"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--model", default=None)
    parser.add_argument(
        "--queries", type=int, default=None, help="about how many questions of each set; all by default"
    )
    parser.add_argument("--deep", action="store_true", help="let the finer model read all rows, and add its arm")
    given = parser.parse_args()
    for name in given.sets:
        show(name, given)
