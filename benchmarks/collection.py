"""Fill a collection with short texts and search it: seconds, memory, bytes, medians of each mode and of deepening.

    python benchmarks/collection.py --rows 100000 --data ../shared/data

Texts are read from the public data sets where they are there, else made of Python's own documentation; when there are
fewer than asked for, they are taken again with a number in front. The bars: 100,000 rows in under 60 s and 1.5 GB; a
million in under ten minutes, opened in under a second, in a file of at most 1.3 times text, tokens and vectors.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import imi
from imi.records import Document
from imi.text.lexical import index_tokens
from imi.text.pydocs import entries

FILES = {
    "parallel_ja_en/tatoeba_jpn-eng.tsv.gz": (0, 1),
    "docs_ja_en/python_docs.tsv.gz": (1, 2),
    "docs_ja_en/tldr.tsv.gz": (2,),
    "queries/clinc150.tsv.gz": (0,),
    "english_text/common_voice.txt.gz": (0,),
    "english_text/abc_headlines.txt.gz": (0,),
    "japanese_text/common_voice.txt.gz": (0,),
    "english_text/nlvr2_sentences.txt.gz": (0,),
    "wordnet/oewn_glosses.tsv.gz": (2,),
    "jmdict/jmdict_en_2025-07.tsv.gz": (1, 5),
}
QUERIES = [
    "How do I read the rows of a table from a file on disk?",
    "彼は昨日、駅の近くの図書館で古い本を見つけました。",
    "a cat is sleeping on the sofa in the living room",
    "天気がいいので公園まで散歩に行きましょう。",
]
SEARCHES = 200
"""Of each way: the first ones wait for pages of the files, the median does not."""
# The last reads its first hits by deep within the usual budget: nothing is kept, as this process only reads.
WAYS = [
    ("meaning", "meaning", "none"),
    ("text", "text", "none"),
    ("hybrid", "hybrid", "none"),
    ("deep", "hybrid", None),
]


def texts(data: Path | None) -> Iterator[str]:
    seen: list[str] = []
    for name, columns in FILES.items():
        path = None if data is None else data / name
        if path is None or not path.exists():
            continue
        with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
            for line in file:
                cells = line.rstrip("\n").split("\t")
                for at in columns:
                    if at < len(cells) and 2 < len(cells[at]) < 400:
                        seen.append(cells[at])
                        yield cells[at]
    if not seen:
        seen = [one.text or "" for one in entries()]
        yield from seen
    for turn in count(2):
        yield from (f"{turn} {text}" for text in seen)


def medians(folder: Path, opened: float) -> dict[str, float]:
    """Search in this process, which only reads."""
    with imi.open(folder, mode="r") as c:
        found = {"open_s": time.perf_counter() - opened} | resident("opened")
        for name, mode, rerank in WAYS:
            c.rerank = rerank
            c.search(QUERIES[0], mode=mode)
            times = []
            for at in range(SEARCHES):
                began = time.perf_counter()
                c.search(f"{QUERIES[at % len(QUERIES)]} {at}", mode=mode)
                times.append(time.perf_counter() - began)
            found[f"{name}_ms"] = 1000 * statistics.median(times)
    return found | resident("searched")


def resident(when: str) -> dict[str, float]:
    """Return this process's memory in MB: its own, and pages of files that it maps, which the kernel may take back."""
    status = Path("/proc/self/status").read_text() if Path("/proc/self/status").exists() else ""
    lines = dict(line.split(":", 1) for line in status.splitlines())
    kinds = {"own": "RssAnon", "mapped": "RssFile"}
    return {f"{when}_{kind}_mb": int(lines[name].split()[0]) / 1000 for kind, name in kinds.items() if name in lines}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--folder", type=Path, help="keep the collection here")
    parser.add_argument("--only-search", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only_search:
        print(json.dumps(medians(options.folder, time.perf_counter())))
        return
    scratch = Path(tempfile.mkdtemp(prefix="imi-bench-"))
    folder = options.folder or scratch / "bench.imi"
    size = 0

    def documents() -> Iterator[Document]:
        nonlocal size
        for at, text in enumerate(islice(texts(options.data), options.rows)):
            size += len(text.encode()) + len(" ".join(index_tokens(text)).encode()) + 4 * 512
            yield Document(str(at), text, {"n": at})

    began = time.perf_counter()
    with imi.open(folder) as c:
        c.add(documents())
        added = time.perf_counter() - began
        print(f"{options.rows:,} rows added in {added:.1f} s, {options.rows / added:,.0f} a second")
        c._index.wait()
        print(f"index ready after {time.perf_counter() - began:.1f} s")
    print(f"peak memory of the writer {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
    file = (folder / "collection.sqlite").stat().st_size
    print(f"file {file / 1e6:.0f} MB, {file / size:.2f} times text, tokens and vectors")
    with imi.open(folder, mode="r") as c:
        print(json.dumps(c.info.to_dict() | {"fields": None}, ensure_ascii=False))
    command = [sys.executable, __file__, "--only-search", "--folder", str(folder)]
    print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
