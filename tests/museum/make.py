"""Put an exhibit of this version into the museum: `python -m tests.museum.make`, once for each released version.

An exhibit is never made again: what later versions must be able to open is what this one wrote.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import imi
from imi.embedders.testing import HashEmbedder
from imi.index import IndexPolicy
from imi.index.exact import Exact
from imi.index.ladder import Ladder
from imi.index.plan import Plan, Tried
from imi.index.rungs import parse_ladder

MUSEUM = Path(__file__).parent
WORDS = ("cat", "dog", "river", "bank", "window", "piano", "orange", "猫", "犬", "京都", "窓", "雨", "歌う", "🐱", "🔒")
ROWS = 90
QUERIES = ("the cat by the window of a bank", "京都の猫", "🔒")
PARTS = ("猫", "京都", "cat", "🔒")
WHERE = {"n": {">=": 40}, "tag": {"in": ["a", "b"]}}
# Files begin at sizes that are kept small in a repository.
SMALL = IndexPolicy(saved_rows=20, exact_rows=60, words_from=60, words_saved=20)
LADDERS = {
    "flat": "flat.int8/32:60,64:20",
    "hnsw": "hnsw.int8/32:60,rerank.int8/64:20",
    "rabitq": "flat.rabitq/64:60,64:20",
    "symphonyqg": "symphonyqg.int8/64:60@80,64:20",
}


def documents() -> list[imi.Document]:
    """Return the rows: words of four kinds of script, and metadata of every type."""
    chance = np.random.default_rng(7)
    made = []
    for at in range(ROWS):
        text = " ".join(chance.choice(WORDS, int(chance.integers(3, 9))))
        about: dict[str, Any] = {"n": at, "tag": "abc"[at % 3], "half": at / 2, "even": at % 2 == 0, "none": None}
        made.append(imi.Document(f"r{at}", text, about))
    return made


def answers(collection: imi.Collection) -> dict[str, Any]:
    """Return what searches answer, as JSON values: what no better ranking of words may change."""
    found: dict[str, Any] = {}
    for name, where in (("all", None), ("some", WHERE)):
        for query in QUERIES:
            hits = collection.search(query, k=5, mode="meaning", where=where)
            found[f"meaning/{query}/{name}"] = [[hit.id, round(hit.score, 5)] for hit in hits]
        for query in PARTS:
            hits = collection.search(query, k=ROWS, mode="text", where=where)
            found[f"text/{query}/{name}"] = sorted(hit.id for hit in hits)
    return found


def queries() -> np.ndarray:
    """Return three vectors (3, 64) to ask an index with."""
    return HashEmbedder().embed(QUERIES, "query")


def fill(collection: imi.Collection) -> None:
    """Add, change and delete rows, and build both indexes."""
    collection.add(documents())
    collection.add([imi.Document("r5", "changed 猫", {"n": 5, "tag": "a"})])
    collection.delete([f"r{at}" for at in range(70, 80)])
    collection._index.wait()


def main() -> None:
    """Write the exhibit of this version; refuse where there is one."""
    folder = MUSEUM / imi.__version__
    if folder.exists():
        sys.exit(f"{folder} is there already: what a version wrote is kept as it was")
    folder.mkdir()
    rungs = parse_ladder("hnsw.int8/32:90@120,64:20", 64)
    fixed = Plan(0.95, 10, "cosine", ROWS, 64, Tried(rungs, 1.0, 1.0, 1.0, 1000.0, 1, "all"), (), True, (), "")
    import imi.index.live as live

    live.plan = lambda *_, **__: fixed  # so few rows are best searched exactly; here a ladder is to be kept
    with imi.open(folder / "collection.imi", "hash", policy=SMALL) as collection:
        fill(collection)
        collection.export(folder / "export.jsonl")
    with imi.open(folder / "collection.imi", mode="r") as collection:
        about = {"index": collection.info.index["kind"], "words": collection.info.index["words"]["kind"]}
        about |= {"count": len(collection), "fingerprint": collection.bound.fingerprint, "answers": answers(collection)}
        about["documents"] = [[one.id, one.text, one.metadata] for one in collection.documents()]
        z = collection.vectors()
    for left in ("-shm", "-wal"):
        (folder / "collection.imi" / f"collection.sqlite{left}").unlink(missing_ok=True)
    for name, text in LADDERS.items():
        Ladder.build(z, parse_ladder(text, 64)).save(folder / "indexes" / name)
    Exact(z).save(folder / "indexes" / "exact")
    about["rows"] = Exact(z).search(queries(), 5)[1].tolist()
    (folder / "expected.json").write_text(json.dumps(about, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    main()
