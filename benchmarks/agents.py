"""What an agent reads until the answer is in sight: imi beside grep-and-read and BM25, over a hundred notes.

    python benchmarks/agents.py [--data ../shared/data] [--notes 100] [--seed 0]

Half of the notes are Japanese (JaQuAD's development articles), half English (SQuAD), five paragraphs each, in files
whose names say nothing. One question of each note is asked. Printed are Recall@5, the share of questions with a hit
from the right paragraph among the first five, and the tokens that were read until that paragraph was in sight: for
imi and BM25 the hits as `imi mcp` shows them, and the right one whole; for grep the list of files that hold any content
word of the question, and these files whole, those with most of the words first. Who does not find it reads the right
note on top. Then questions that no note answers, of paragraphs left out: how many of these `imi ask` refuses, and of
the answerable ones.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imi.bridges.agent_sources import AgentSource, shown, tokens
from imi.mirror import Mirror, open_mirror
from imi.rag.answer import answer

PARAGRAPHS = 5
WORD = re.compile(r"[a-z]{4,}|[一-鿿々]{2,}|[ァ-ヺー]{2,}|[0-9]{2,}")


@dataclass(frozen=True)
class Question:
    """A question, the file that answers it, and the paragraph there; no file where none answers it."""

    text: str
    file: str
    paragraph: str


def lines(path: Path) -> list[Any]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def articles(folder: Path, part: str) -> tuple[dict[str, list[Any]], dict[str, list[str]]]:
    """Return paragraphs by title and questions by paragraph."""
    by_title: dict[str, list[Any]] = defaultdict(list)
    for one in lines(folder / f"{part}corpus.jsonl.gz"):
        by_title[one["title"]].append(one)
    queries = lines(folder / f"{part}queries.jsonl.gz")
    asked = {one["_id"]: one["text"] for one in queries if one.get("answerable") != "no"}
    questions: dict[str, list[str]] = defaultdict(list)
    with gzip.open(folder / f"{part}qrels.tsv.gz", "rt", encoding="utf-8") as file:
        for line in file:
            query, paragraph, *_ = line.split("\t")
            if query in asked:
                questions[paragraph].append(asked[query])
    return by_title, questions


def notes_of(data: Path, count: int, seed: int) -> tuple[dict[str, list[str]], list[Question], list[str]]:
    """Return notes by file name, a question of each, and questions of paragraphs that are in none."""
    chance = random.Random(seed)
    notes: dict[str, list[str]] = {}
    asked: list[Question] = []
    outside: list[str] = []
    for folder, part in ((data / "jaquad", "dev_"), (data / "squad", "")):
        by_title, questions = articles(folder, part)
        groups = [held[at : at + PARAGRAPHS] for held in by_title.values() for at in range(0, len(held), PARAGRAPHS)]
        chance.shuffle(groups)
        for group in groups[: count // 2]:
            own = [one for one in group if questions[one["_id"]]]
            name = f"note-{len(notes):03}.md"
            notes[name] = [one["text"].replace("\n", " ") for one in group]
            if own:
                one = chance.choice(own)
                asked.append(Question(chance.choice(questions[one["_id"]]), name, one["text"].replace("\n", " ")))
        held = [one for group in groups[count // 2 : count] for one in group if questions[one["_id"]]]
        outside += [chance.choice(questions[one["_id"]]) for one in chance.sample(held, min(len(held), count // 4))]
    return notes, asked, outside


def by_hits(source: AgentSource, question: Question, mode: Any) -> tuple[bool, int]:
    """Return whether the right paragraph was among five hits, and the tokens read until then."""
    read = 0
    for hit in source.collection.search(question.text, k=5, mode=mode):
        value = shown(hit, source, several=False, whole=False)
        read += tokens(json.dumps(value, ensure_ascii=False))
        text = " ".join((hit.text or "").split())
        right = " ".join(question.paragraph.split())
        overlap = text[-60:] in right or right[:60] in text or right[-60:] in text
        if overlap and hit.metadata["source"] == question.file:
            return True, read + value.get("tokens", 0)
    return False, read


def by_grep(notes: dict[str, list[str]], question: Question) -> tuple[bool, int]:
    """Return whether the right file was among the first five that grep names, and the tokens read until it was."""
    words = set(WORD.findall(question.text.lower()))
    whole = {name: "\n".join(held) for name, held in notes.items()}
    found = {name: sum(word in text.lower() for word in words) for name, text in whole.items()}
    ranked = sorted((name for name, many in found.items() if many), key=lambda name: -found[name])
    read = sum(tokens(name) for name in ranked)
    for at, name in enumerate(ranked, 1):
        read += tokens(whole[name])
        if name == question.file:
            return at <= 5, read
    return False, read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--notes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    notes, asked, outside = notes_of(options.data, options.notes, options.seed)
    with tempfile.TemporaryDirectory() as made:
        os.environ["IMI_HOME"] = str(Path(made, "home"))
        root = Path(made, "notes")
        root.mkdir()
        for name, held in notes.items():
            (root / name).write_text("\n\n".join(held) + "\n", "utf-8")
        mirror = Mirror.of(root)
        collection, _ = open_mirror(mirror)
        source = AgentSource.of("notes", collection, mirror)
        ways: dict[str, Callable[[Question], tuple[bool, int]]] = {
            "imi, hybrid": lambda one: by_hits(source, one, "hybrid"),
            "imi, text (BM25)": lambda one: by_hits(source, one, "text"),
            "grep and read": lambda one: by_grep(notes, one),
        }
        print(f"{len(notes)} notes, {len(collection)} rows, {len(asked)} questions")
        for name, way in ways.items():
            told = []
            for one in asked:
                found, read = way(one)
                told.append((found, read if found else read + tokens("\n".join(notes[one.file]))))
            recall, read = np.mean([found for found, _ in told]), np.array([read for _, read in told])
            print(f"{name:<18} Recall@5 {recall:.3f}   tokens: mean {read.mean():,.0f}, median {np.median(read):,.0f}")
        refused = [not answer(collection, one).answer for one in outside]
        wrongly = [not answer(collection, one.text).answer for one in asked]
        print(f"refused: {np.mean(refused):.2f} of {len(refused)} unanswerable, {np.mean(wrongly):.2f} of the others")
        collection.close()


if __name__ == "__main__":
    main()
