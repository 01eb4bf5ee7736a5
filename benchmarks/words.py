"""The index of words beside the oracle: building, bytes, time a question, and whether it finds what the oracle finds.

    python benchmarks/words.py --rows 20000           half a minute
    python benchmarks/words.py --rows 100000,500000   a few minutes, 3 GB

Texts are sentences of the public data sets, questions are others of them, at least 60 letters or 20 Japanese characters
long. `benchmarks/collection.py` times the same through a collection, with FTS5 below ten thousand rows and the meaning
beside it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from recording import DOCS, Record, say
from vector_data import real_texts

from imi.index.words import Words
from imi.text.bm25 import BM25
from imi.text.lexical import index_tokens, ranking_terms

COLUMNS = {
    "rows": ",d", "build s": ".1f", "bytes a row": ".0f", "postings a question": ",.0f", "median ms": ".2f",
    "95 % ms": ".2f", "median ms, k=100": ".2f", "median ms, 1 % pass": ".2f", "recall@10 of the oracle": ".4f",
    "oracle's median ms": ".1f",
}  # fmt: skip


def built(texts: list[str], folder: Path) -> tuple[Words, float]:
    started = time.perf_counter()
    words = Words()
    for start in range(0, len(texts), 20_000):
        part = texts[start : start + 20_000]
        words = words.add(range(start, start + len(part)), [index_tokens(text) for text in part], join=False)
    words = words.save(folder, "benchmark")
    return words, time.perf_counter() - started


def times(words: Words, questions: list[list[str]], k: int, allowed: np.ndarray | None = None) -> list[float]:
    words.search(questions[0], k, allowed)
    out = []
    for terms in questions:
        started = time.perf_counter()
        words.search(terms, k, allowed)
        out.append(1e3 * (time.perf_counter() - started))
    return out


def measure(rows: int, texts: list[str], questions: list[list[str]]) -> dict:
    with tempfile.TemporaryDirectory() as scratch:
        words, seconds = built(texts[:rows], Path(scratch))
        size = sum(path.stat().st_size for path in Path(scratch).iterdir())
        some = np.random.default_rng(0).choice(rows, rows // 100, replace=False)
        ten = times(words, questions, 10)
        found = {
            "rows": rows, "build s": seconds, "bytes a row": size / rows,
            "postings a question": float(np.median([sum(words.counts(terms).values()) for terms in questions])),
            "median ms": float(np.median(ten)), "95 % ms": float(np.percentile(ten, 95)),
            "median ms, k=100": float(np.median(times(words, questions, 100))),
            "median ms, 1 % pass": float(np.median(times(words, questions, 10, some))),
        }  # fmt: skip
        say("  ", found)
        oracle = BM25(index_tokens(text) for text in texts[:rows])
        shared, spent = [], []
        for terms in questions[:100]:
            started = time.perf_counter()
            scores = oracle.scores([terms])[0]
            spent.append(1e3 * (time.perf_counter() - started))
            last = np.partition(scores, rows - 10)[-10]
            hits = words.search(terms, 10)[0]
            # Ties with the tenth are as good as the tenth.
            shared.append(np.mean(scores[hits] >= last * (1 - 1e-5)))
        return found | {
            "recall@10 of the oracle": float(np.mean(shared)),
            "oracle's median ms": float(np.median(spent)),
        }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", default="20000")
    options.add_argument("--again", action="store_true", help="measure again what an earlier run has measured")
    options.add_argument("--out", type=Path, default=DOCS)
    asked = options.parse_args()
    sizes = [int(one) for one in asked.rows.split(",")]
    say("texts")
    texts = real_texts()
    order = np.random.default_rng(0).permutation(len(texts))
    long = (texts[at] for at in order[::-1] if len(texts[at]) >= (60 if texts[at].isascii() else 20))
    questions = [ranking_terms(text) for _, text in zip(range(300), long, strict=False)]
    record = Record("words", {"questions": len(questions)}, asked.again, asked.out)
    for rows in sizes:
        if f"{rows:,}" not in record:
            say(f"{rows:,} rows")
            record.put(f"{rows:,}", [measure(rows, [texts[at] for at in order[:rows]], questions)])
            say("  ", record.results[f"{rows:,}"][0])
    notes = (
        f"`python benchmarks/words.py --rows {asked.rows}`: {len(questions)} whole sentences as questions, one thread. "
        "The oracle is BM25 in memory over all rows (`imi.text.bm25`)."
    )
    say("written", record.page("Ranking by words", COLUMNS, notes))


if __name__ == "__main__":
    main()
