"""Code search on the public bench of semble: nDCG@10, the time of an index from nothing, and of a question.

    python benchmarks/code.py --bench SEMBLE --checkouts FOLDER [--repository NAME …]
    python benchmarks/code.py --time [FOLDER]

SEMBLE is a clone of github.com/MinishLab/semble, whose `benchmarks/repos.json` and `benchmarks/annotations` say which
repositories at which commits, which questions, and which files or lines answer them (MIT licence; none of it is kept
here). FOLDER holds the repositories, each in a folder of its name. Those that are not there are left out and named. The
measure is theirs: a target counts at the rank of the first hit that lies in it. Words alone (BM25 over the same
definitions, as they stand) is printed beside, and semble itself where `--semble PYTHON` has the package and its model;
`--without-model` leaves the model out, which comes from a hub, and weighs meaning with 0. `--time`, as without options,
needs no bench: it indexes the first 500 Python files of a folder, else of this Python's own library, and asks them ten
questions.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import imi
from imi.tasks.code import Function, as_words, definitions
from imi.tasks.code_definitions import read_files
from imi.tasks.code_index import CodeIndex
from imi.text.bm25 import BM25

Place = tuple[str, int, int]
PLAIN = "made, asked = {}, {}"
WITHOUT_MODEL = """
import tempfile
import numpy as np
from model2vec import StaticModel
from tokenizers import Tokenizer, models
blank = tempfile.mkdtemp()
words = Tokenizer(models.WordLevel({"?": 0, "a": 1}, unk_token="?"))
StaticModel(np.ones((2, 8), np.float32), words).save_pretrained(blank)
made, asked = {"model_path": blank}, {"alpha": 0.0}
"""
SEMBLE = """
import json, sys
from semble import SembleIndex
root, questions = sys.argv[1], json.load(sys.stdin)
index = SembleIndex.from_path(root, **made)
for one in questions:
    hits = index.search(one, top_k=10, **asked)
    print(json.dumps([[hit.chunk.file_path, hit.chunk.start_line, hit.chunk.end_line] for hit in hits]))
"""


def ndcg(places: Sequence[Place], targets: Sequence[Any], k: int = 10) -> float:
    """Return nDCG@k, as the bench defines it."""
    gains = [0.0] * k
    for target in targets:
        wanted = {"path": target} if isinstance(target, str) else target
        for rank, (path, first, last) in enumerate(places[:k]):
            same = path == wanted["path"] or path.endswith("/" + wanted["path"])
            if same and ("start_line" not in wanted or not (last < wanted["start_line"] or first > wanted["end_line"])):
                gains[rank] = 1.0
                break
    ideal = sum(1 / math.log2(rank + 2) for rank in range(min(k, len(targets))))
    return sum(gain / math.log2(rank + 2) for rank, gain in enumerate(gains)) / ideal


def by_words(found: Sequence[Function]) -> Callable[[str], list[Place]]:
    index = BM25([as_words(one.text).split() for one in found])

    def search(question: str) -> list[Place]:
        _, rows = index.search([as_words(question).split()], 10)
        return [(found[row].path, found[row].line, found[row].end) for row in rows[0] if row >= 0]

    return search


def ours(index: CodeIndex) -> Callable[[str], list[Place]]:
    def search(question: str) -> list[Place]:
        return [(hit.function.path, hit.function.line, hit.function.end) for hit in index.search(question, 10)]

    return search


def semble(python: str, root: Path, questions: list[str], *, without_model: bool) -> list[list[Place]]:
    script = (WITHOUT_MODEL if without_model else PLAIN) + SEMBLE
    done = subprocess.run(
        [python, "-c", script, str(root)], input=json.dumps(questions), capture_output=True, text=True, check=True
    )
    return [[tuple(one) for one in json.loads(line)] for line in done.stdout.splitlines()]


def measured(name: str, scores: Mapping[str, list[float]]) -> None:
    flat = [score for values in scores.values() for score in values]
    parts = "  ".join(f"{kind} {np.mean(values):.3f}" for kind, values in sorted(scores.items()))
    print(f"{name:<14} nDCG@10 {np.mean(flat):.3f} over {len(flat)} questions   {parts}")


LIBRARY = Path(os.__file__).parent
QUESTIONS = (
    "read a file line by line",
    "parse the headers of a request",
    "open a socket and wait for connections",
    "escape a string for the shell",
    "ファイルを一行ずつ読む",
    "how long a call took",
    "compare two lists and show the differences",
    "compress bytes",
    "walk through a tree of folders",
    "日付を文字列にする",
)


def timed(folder: Path, most: int = 500) -> None:
    """Print what the index of a folder's first files takes, by the clock and in processor time, and a question."""
    gc.set_threshold(100_000, 20, 100)  # as the command line has it
    model = imi.load()
    model.embed(["warm"])
    files = [path for path in sorted(folder.rglob("*.py")) if not {"test", "tests", "site-packages"} & {*path.parts}]
    before, clock = os.times(), time.perf_counter()
    found = read_files(files[:most])
    index = CodeIndex(found, model)
    clock = time.perf_counter() - clock
    built = sum(os.times()[:4]) - sum(before[:4])
    start = time.process_time()
    for question in QUESTIONS:
        index.search(question)
    took = (time.process_time() - start) / len(QUESTIONS)
    size = sum(path.stat().st_size for path in files[:most])
    print(
        f"{len(files[:most])} files, {size / 1e6:.1f} MB, {len(found):,} definitions: "
        f"index {clock:.2f} s by the clock, {built:.2f} s of processor time; a question {took * 1000:.1f} ms of it"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", type=Path)
    parser.add_argument("--checkouts", type=Path)
    parser.add_argument("--time", type=Path, nargs="?", const=LIBRARY, metavar="FOLDER")
    parser.add_argument("--repository", action="append")
    parser.add_argument("--semble", metavar="PYTHON")
    parser.add_argument("--without-model", action="store_true", help="Semble by its words and ranking alone.")
    asked = parser.parse_args()
    if (asked.bench is None) != (asked.checkouts is None):
        parser.error("--bench and --checkouts are needed together")
    if asked.time is not None or asked.bench is None:
        timed(asked.time or LIBRARY)
        return
    model = imi.load()
    model.embed(["warm"])
    total: dict[str, dict[str, list[float]]] = {"words alone": {}, "imi code": {}, "semble": {}}
    for spec in json.loads((asked.bench / "benchmarks" / "repos.json").read_text("utf-8")):
        name = spec["name"]
        notes = asked.bench / "benchmarks" / "annotations" / f"{name}.json"
        root = asked.checkouts / name / (spec.get("benchmark_root") or "")
        if asked.repository and name not in asked.repository:
            continue
        if not notes.exists() or not root.exists():
            print(f"{name}: left out, {'no questions' if not notes.exists() else 'no checkout'} here")
            continue
        questions = json.loads(notes.read_text("utf-8"))
        start = time.process_time()
        found = definitions(root)
        index = CodeIndex(found, model)
        built = time.process_time() - start
        start = time.process_time()
        answers = {"imi code": [ours(index)(one["query"]) for one in questions]}
        took = (time.process_time() - start) / len(questions)
        answers["words alone"] = list(map(by_words(found), [one["query"] for one in questions]))
        if asked.semble:
            answers["semble"] = semble(
                asked.semble, root, [one["query"] for one in questions], without_model=asked.without_model
            )
        files = len({one.path for one in found})
        print(
            f"{name}: {files} files, {len(found):,} definitions, index {built:.2f} s, {took * 1000:.1f} ms a question"
        )
        for method, places in answers.items():
            for one, held in zip(questions, places, strict=True):
                score = ndcg(held, one["relevant"] + one.get("secondary", []))
                total[method].setdefault(one["category"], []).append(score)
    for method, scores in total.items():
        if scores:
            measured(method, scores)


if __name__ == "__main__":
    main()
