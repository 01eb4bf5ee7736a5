"""Tune the weight of late scoring, `--rerank late`, on training questions with a model that has not learnt them.

    python benchmarks/late.py [--data ../shared/data] [--queries 100] [--paragraphs 700] [--model quality]

For each set the nDCG@10 of the forty passages that hybrid search finds: in its own order, by late scoring alone, and by
both scaled from 0 to 1 and weighed. The default is the weight that is above hybrid by most where it gains least.
Last, the share of questions of whose words no passage among the first five has enough: `auto` orders those once more.
"""

import argparse
import random
import tempfile
from pathlib import Path

import numpy as np

import imi
from imi.evaluate import splits
from imi.evaluate.sets import english_over_japanese
from imi.rag.rerank import Late
from imi.rag.retrieve import LATE, strange
from imi.records import Document

WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
DEPTH = 40
Set = tuple[str, list[str], list[str], list[int]]


def of_paragraphs(name: str, paragraphs: list, questions: list, most: int, queries: int) -> Set:
    kept = paragraphs[:most]
    place = {paragraph.id: at for at, paragraph in enumerate(kept)}
    asked = [one for one in questions if one.paragraph_id in place]
    asked = random.Random(0).sample(asked, min(queries, len(asked)))
    return name, [one.text for one in asked], [p.text for p in kept], [place[one.paragraph_id] for one in asked]


def training_sets(data: Path, most: int, queries: int) -> list[Set]:
    both, asked = splits.squad(data)
    sets = [
        of_paragraphs("jaquad", *map(list, splits.jaquad(data, "train")), most, queries),
        of_paragraphs("squad", list(both.train), list(asked.train), most, queries),
    ]
    across = english_over_japanese(data, "train")
    answers = [next(iter(relevant)) for relevant in across.relevant]
    kept = sorted({*answers, *range(most)})
    place = {row: at for at, row in enumerate(kept)}
    chosen = list(range(0, len(across.queries), max(1, len(across.queries) // queries)))
    texts = [across.documents[row] for row in kept]
    sets.append(("jaquad-en", [across.queries[at] for at in chosen], texts, [place[answers[at]] for at in chosen]))
    return sets


def scaled(scores: np.ndarray) -> np.ndarray:
    return (scores - scores.min()) / max(float(np.ptp(scores)), 1e-9)


def gain(scores: np.ndarray, ids: list[int], answer: int) -> float:
    """Return nDCG@10 where one document is right."""
    if answer not in ids:
        return 0.0
    rank = int((scores > scores[ids.index(answer)]).sum())
    return 1 / np.log2(rank + 2) if rank < 10 else 0.0


def measure(model: imi.Embedder, queries: list[str], texts: list[str], answers: list[int]) -> list[float]:
    """Return nDCG@10 by hybrid, by late scoring, and by each weight, and the share of strange questions."""
    late, gains = Late(model), []
    with tempfile.TemporaryDirectory() as folder, imi.open(Path(folder) / "c.imi", model=model) as collection:
        collection.add([Document(str(at), text) for at, text in enumerate(texts)])
        for query, answer in zip(queries, answers, strict=True):
            hits = collection.search(query, k=DEPTH)
            ids = [int(hit.id) for hit in hits]
            own, second = np.array([hit.score for hit in hits]), late.score(query, [hit.text or "" for hit in hits])
            mixed = [(1 - weight) * scaled(own) + weight * scaled(second) for weight in WEIGHTS]
            found = [gain(scores, ids, answer) for scores in (own, second, *mixed)]
            gains.append([*found, float(strange(query, list(hits)[:5]))])
    return np.mean(gains, axis=0).tolist()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Tune the weight of late scoring on training questions.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--paragraphs", type=int, default=700)
    parser.add_argument("--model", default="quality")
    given = parser.parse_args()
    model = imi.load(given.model)
    print(
        f"{'nDCG@10':12}{'hybrid':>9}{'late':>9}"
        + "".join(f"{weight:>9}" for weight in WEIGHTS)
        + f"  strange   default {LATE}"
    )
    for name, queries, texts, answers in training_sets(given.data, given.paragraphs, given.queries):
        values = measure(model, queries, texts, answers)
        print(f"{name:12}" + "".join(f"{value:9.3f}" for value in values), flush=True)
