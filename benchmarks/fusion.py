"""Tune the fusion of words and meaning on training questions, and show it on development questions.

    python benchmarks/fusion.py [--data ../shared/data] [--model built-in] [--queries 3000]

The built-in model has learnt from the training questions, so the tuning takes its teacher, which has not.

First table: nDCG@10 on training parts, for both arms, for what is usual (reciprocal ranks, min-max), and for imi's
formula by weight and steepness; `worst` is the smallest gain over the better arm among the sets, which the default is
chosen by. Second table: the default on development parts, with the paired 95 % interval of the gain over each arm.
Nothing is tuned there.
"""

import argparse
import random
from pathlib import Path

import numpy as np

import imi
from imi.embedders.quality import Teacher
from imi.evaluate import splits
from imi.evaluate.datasets import Questions
from imi.evaluate.intervals import mean_difference
from imi.evaluate.questions import ByWords, answers, hybrid, retrieval
from imi.evaluate.ranking import nearest
from imi.evaluate.scores import encode
from imi.evaluate.sets import docs_across, english_over_japanese, load_set
from imi.fusion import WEIGHT

DEPTH = 100


class Untaught:
    """The teacher as published: it never saw the training questions."""

    def __init__(self) -> None:
        self.teacher = Teacher()

    def embed(self, texts: list[str], kind: str = "document") -> np.ndarray:
        """Return unit rows."""
        return imi.normalize(self.teacher.encode(texts))


WEIGHTS = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
DEV = ("jaquad", "jaquad-en", "squad", "cranfield", "docs-en-ja")


def training_sets(data: Path, queries: int) -> list[Questions]:
    paragraphs, questions = splits.jaquad(data, "train")
    place = {p.id: at for at, p in enumerate(paragraphs)}
    asked = random.Random(0).sample(questions, min(queries, len(questions)))
    sets = [
        Questions(
            "jaquad",
            [q.text for q in asked],
            [p.text for p in paragraphs],
            answers([place[q.paragraph_id] for q in asked]),
        )
    ]
    both, found = splits.squad(data)
    place = {p.id: at for at, p in enumerate(both.train)}
    asked = random.Random(0).sample(found.train, min(queries, len(found.train)))
    sets.append(
        Questions(
            "squad",
            [q.text for q in asked],
            [p.text for p in both.train],
            answers([place[q.paragraph_id] for q in asked]),
        )
    )
    sets.append(english_over_japanese(data, "train"))
    across = docs_across(data, "train")
    kept = random.Random(0).sample(range(len(across.queries)), min(queries, len(across.queries)))
    documents = [across.documents[at] for at in kept]
    sets.append(Questions("docs-en-ja", [across.queries[at] for at in kept], documents, answers(range(len(kept)))))
    return sets


class Candidates:
    """Both arms' scores for the candidates of every query, padded to one width, for trying many formulas at once."""

    def __init__(
        self, words: ByWords, queries: np.ndarray, documents: np.ndarray, relevant: list[dict[int, float]]
    ) -> None:
        _, near = nearest(queries, documents, DEPTH)
        n, width = len(queries), 2 * DEPTH
        self.real, self.right = np.zeros((n, width), bool), np.zeros((n, width), bool)
        self.text, self.cosine = np.zeros((n, width)), np.full((n, width), -np.inf)
        self.text_rank, self.near_rank = np.full((n, width), np.inf), np.full((n, width), np.inf)
        for at in range(n):
            hits = words.rows[at][words.rows[at] >= 0]
            rows = np.union1d(hits, near[at])
            self.real[at, : len(rows)] = True
            self.right[at, : len(rows)] = np.isin(rows, list(relevant[at]))
            self.text[at, np.searchsorted(rows, hits)] = words.scores[at][: len(hits)]
            self.text_rank[at, np.searchsorted(rows, hits)] = np.arange(len(hits))
            self.cosine[at, : len(rows)] = documents[rows] @ queries[at]
            self.near_rank[at, np.searchsorted(rows, near[at])] = np.arange(len(near[at]))
        self.coverage = self.text / np.maximum(words.expected, 1e-9)[:, None]
        low = np.where(self.real, self.cosine, np.inf).min(axis=1, keepdims=True)
        self.nearness = np.where(self.real, (self.cosine - low) / (1 - low), 0)

    def ndcg(self, fused: np.ndarray) -> float:
        """Each query has one right document: nDCG@10 follows from its rank."""
        fused = np.where(self.real, fused, -np.inf)
        own = np.where(self.right, fused, -np.inf).max(axis=1)
        rank = (fused > own[:, None]).sum(axis=1)
        return float(np.where(np.isfinite(own) & (rank < 10), 1 / np.log2(rank + 2), 0).mean())

    def own(self, weight: float, steepness: float) -> float:
        """Return imi's formula."""
        return self.ndcg((1 - weight) * self.coverage**steepness + weight * self.nearness)

    def reciprocal(self) -> float:
        """Return reciprocal rank fusion, k = 60, equal weights."""
        return self.ndcg(1 / (61 + self.text_rank) + 1 / (61 + self.near_rank))

    def min_max(self, weight: float) -> float:
        """Return the sum of scores over the best found, which min-max is where the lowest of an arm is 0."""
        best = np.maximum(self.text.max(axis=1, keepdims=True), 1e-9)
        return self.ndcg(
            (1 - weight) * self.text / best + weight * self.nearness / self.nearness.max(axis=1, keepdims=True)
        )


def line(label: str, values: list[float], best: list[float]) -> None:
    worst = min(value - bar for value, bar in zip(values, best, strict=True))
    print(f"{label:28}" + "".join(f"{value:12.4f}" for value in values) + f"{worst:+12.4f}")


def tune(model: Untaught, data: Path, queries: int) -> None:
    sets = training_sets(data, queries)
    print(f"training parts: {', '.join(f'{s.name} {len(s.queries)} x {len(s.documents)}' for s in sets)}")
    print(f"{'nDCG@10':28}" + "".join(f"{s.name:>12}" for s in sets) + f"{'worst':>12}")
    made, text, meaning = [], [], []
    for one in sets:
        vectors = encode(model, one.sides())
        made.append(Candidates(one.words, vectors[0], vectors[1], list(one.relevant)))
        text.append(one.floor()[1].value)
        meaning.append(one.measure(vectors, None)[vectors[0].shape[1]].value)
    best = [max(pair) for pair in zip(text, meaning, strict=True)]
    line("words", text, best)
    line("meaning", meaning, best)
    line("reciprocal ranks", [c.reciprocal() for c in made], best)
    for weight in WEIGHTS[1::2]:
        line(f"min-max {weight}", [c.min_max(weight) for c in made], best)
    for steepness in (1.0, 1.5, 2.0):
        for weight in WEIGHTS:
            line(f"imi {weight} ^{steepness}", [c.own(weight, steepness) for c in made], best)


def show(model: imi.Embedder, data: Path) -> None:
    print(f"\ndevelopment parts, weight {WEIGHT}")
    print(f"{'':12}{'words':>8}{'meaning':>9}{'fused':>8}   gain over words            gain over meaning")
    for name in DEV:
        one = load_set(name, data)
        if not isinstance(one, Questions):
            raise SystemExit(f"{name} is no retrieval set")
        asked, given = encode(model, one.sides())
        words = one.words.score(one.relevant)
        near = next(iter(retrieval((asked, given), (), (), one.relevant).values()))
        both = next(iter(hybrid(one.words, (asked, given), one.relevant).values()))
        print(f"{name:12}{words.value:8.3f}{near.value:9.3f}{both.value:8.3f}", end="")
        for other in (words, near):
            gap = mean_difference(both.items, other.items)
            print(f"   {gap.value:+.4f} [{gap.interval[0]:+.4f}, {gap.interval[1]:+.4f}]", end="")
        print()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Tune the fusion on training questions, show it on development ones.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--model", default="built-in")
    parser.add_argument("--queries", type=int, default=3000)
    given = parser.parse_args()
    tune(Untaught(), given.data, given.queries)
    show(imi.load(given.model), given.data)
