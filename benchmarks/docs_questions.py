"""Ask sixty plain requests of Python's own documentation by meaning and count right entries in the first five.

    python benchmarks/docs_questions.py [--model built-in] [--split dev|final|all] [--mode meaning]

The requests and their right entries (names, `*` for any ending) were written before any model had answered them;
36 of them, `final`, are for the end. Entries are those that `imi demo` indexes, from the running Python.
"""

import argparse
import csv
import fnmatch
from pathlib import Path

import imi
from imi.evaluate.questions import ByWords
from imi.evaluate.ranking import nearest
from imi.text.pydocs import entries

REQUESTS = Path(__file__).parent.parent / "tests" / "data" / "docs_questions.tsv"
FIRST = 5


def requests(split: str) -> list[dict[str, str]]:
    with REQUESTS.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return [row for row in rows if split in ("all", row["split"])]


def right(name: str, patterns: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns.split())


def answer(model: imi.Embedder, split: str, mode: str) -> list[tuple[dict[str, str], list[str], int]]:
    """Return each request with the names of its first entries and the rank of the first right one, 0 for none."""
    documents = list(entries())
    names = [str(one.metadata["name"]) for one in documents]
    asked = requests(split)
    texts, queries = [one.text or "" for one in documents], [row["request"] for row in asked]
    z, q = model.embed(texts), model.embed(queries, kind="query")
    rows = nearest(q, z, 100)[1] if mode == "meaning" else ByWords(queries, texts).fused(q, z)
    out = []
    for row, found in zip(asked, rows, strict=True):
        ranks = [at for at, entry in enumerate(found, 1) if entry >= 0 and right(names[entry], row["right"])]
        out.append((row, [names[entry] for entry in found[:FIRST] if entry >= 0], ranks[0] if ranks else 0))
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Ask plain requests of Python's own documentation.")
    parser.add_argument("--model", default="built-in")
    parser.add_argument("--split", choices=("dev", "final", "all"), default="dev")
    parser.add_argument("--mode", choices=("meaning", "hybrid"), default="meaning")
    given = parser.parse_args()
    answered = answer(imi.load(given.model), given.split, given.mode)
    for row, names, rank in answered:
        print(f"{rank or '-':>3}  {row['request']:<50} {', '.join(names)}")
    for language in ("ja", "en", "emoji", ""):
        ranks = [rank for row, _, rank in answered if language in ("", row["language"])]
        hits = sum(0 < rank <= FIRST for rank in ranks)
        print(f"{language or 'together':10} {hits} of {len(ranks)} with a right entry among the first {FIRST}")
