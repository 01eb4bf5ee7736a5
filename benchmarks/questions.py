"""Does a plan keep its promise to real questions? Plans without any question, then asks thousands that people wrote.

    python benchmarks/questions.py --rows 250000 --cache FOLDER                        texts of both languages
    python benchmarks/questions.py --rows 150000 --cache FOLDER --rows-in japanese     English questions over Japanese

Rows are the texts of all public data sets and the paragraphs of JaQuAD and SQuAD; questions are those that people wrote
about these paragraphs, the training halves only, so that nothing is tuned on what is tested elsewhere. "by rows alone"
is the ladder that a plan takes which holds rows out and asks for nothing else.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from pathlib import Path

import numpy as np
from recording import DOCS, Record, say
from vector_data import SHARED, real_texts

import imi
from imi.index.exact import Exact
from imi.index.goal import Goal
from imi.index.ladder import Ladder
from imi.index.measure import latency
from imi.index.plan import Plan
from imi.index.rungs import format_ladder

COLUMNS = {
    "questions": "", "recall": ".4f", "below .8": ".3f", "reach the target": ".3f", "promised": "", "µs a query": ".1f",
    "ladder": "",
}  # fmt: skip
_BLOCK = 8192


def lines(name: str) -> list[str]:
    """Return the texts of one of the public question sets."""
    with gzip.open(SHARED / name, "rt", encoding="utf-8") as file:
        return [json.loads(line)["text"] for line in file]


def embedded(texts: list[str], kind: str) -> np.ndarray:
    """Return the built-in model's vectors of these texts."""
    model = imi.load()
    parts = [model.embed(texts[at : at + _BLOCK], kind=kind) for at in range(0, len(texts), _BLOCK)]
    return np.concatenate(parts).astype(np.float32)


def japanese(text: str) -> bool:
    return any("\u3040" <= one <= "\u30ff" or "\u4e00" <= one <= "\u9fff" for one in text)


def data(rows: int, count: int, cache: Path | None, rows_in: str) -> dict[str, np.ndarray]:
    """Return "rows" (n, d) and groups of queries (count, d): texts like the rows, and questions."""
    model = imi.load().info.fingerprint[:12]
    path = None if cache is None else cache / f"questions-{rows}-{count}-{rows_in}-{model}.npz"
    if path is not None and path.exists():
        return dict(np.load(path))
    random = np.random.default_rng(0)
    paragraphs = lines("jaquad/train_corpus.jsonl.gz") + lines("squad/corpus.jsonl.gz")
    texts = list(dict.fromkeys(paragraphs + random.permutation(np.array(real_texts(), dtype=object)).tolist()))
    if rows_in == "japanese":
        texts = [text for text in texts if japanese(text)]
    if len(texts) < rows + count:
        raise SystemExit(f"{rows + count} texts are asked for, {len(texts)} are there")
    asked = {"JaQuAD": "jaquad/train_queries.jsonl.gz", "SQuAD": "squad/queries.jsonl.gz"}
    groups = {"like the rows": embedded(texts[rows : rows + count], "document")}
    for name, file in asked.items():
        groups[f"{name}'s questions"] = embedded(random.permutation(lines(file)).tolist()[:count], "query")
    made = {"rows": embedded(random.permutation(np.array(texts[:rows], dtype=object)).tolist(), "document"), **groups}
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **made)
    return made


def by_rows_alone(plan: Plan, index: Ladder) -> tuple[str, Ladder] | None:
    """Return the quickest ladder of the same structure that reaches the recall when rows alone are asked for."""
    good = [one for one in plan.tried if one.where == "all rows" and one.recall >= plan.target]
    if not good:
        return None
    quickest = max(good, key=lambda one: one.qps)
    return format_ladder(quickest.rungs), index.with_rungs(quickest.rungs)


def asked(index: Ladder | Exact, queries: np.ndarray, bar: np.ndarray, goal: Goal) -> dict:
    """Return what an index finds of the ten nearest to these queries, and its time."""
    index.threads = 1
    recalls = (index.search(queries, 10)[0] >= bar - 4e-6).mean(axis=1)
    reach = (recalls >= goal.recall - 1e-9).mean()
    seconds = latency(index, queries, 10, 0.5)
    return {
        "recall": float(recalls.mean()), "below .8": float((recalls < 0.8).mean()), "reach the target": float(reach),
        "µs a query": seconds * 1e6,
    }  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=20_000)
    options.add_argument("--queries", type=int, default=1000, help="of each kind")
    options.add_argument("--target", type=float, default=0.95)
    options.add_argument("--for", dest="share", type=float, help="share of the queries that must each reach it")
    options.add_argument("--rows-in", choices=("both", "japanese"), default="both")
    options.add_argument("--cache", type=Path, help="folder where the vectors are kept for the next run")
    options.add_argument("--again", action="store_true", help="measure again what an earlier run has measured")
    options.add_argument("--out", type=Path, default=DOCS)
    chosen = options.parse_args()
    goal = Goal(chosen.target, chosen.share)
    say("vectors")
    made = data(chosen.rows, chosen.queries, chosen.cache, chosen.rows_in)
    rows = made.pop("rows")
    tail = "" if chosen.share is None else f"-for-{chosen.share:g}"
    name = f"questions-{chosen.rows}-{chosen.rows_in}-{chosen.target:g}{tail}"
    record = Record(
        name, {"rows": chosen.rows, "target": chosen.target, "share": chosen.share}, chosen.again, chosen.out
    )
    say("planning without any question for", goal)
    started = time.process_time()
    plan = imi.plan(rows, goal, progress=lambda done, total: say(f"  {done}/{total}"))
    say(f"planned in {time.process_time() - started:.0f} s of the processor\n{plan.table}")
    index = plan.build(rows)
    ladders: dict[str, tuple[str, Ladder | Exact]] = {"as planned": (format_ladder(plan.chosen.rungs), index)}
    if isinstance(index, Ladder) and (alone := by_rows_alone(plan, index)) is not None:
        ladders["by rows alone"] = alone
    for kind, queries in made.items():
        bar = Exact(rows).search(queries, 10)[0][:, 9:]
        for way, (text, ladder) in ladders.items():
            outside = kind != "like the rows" and plan.chosen.outside is not None
            promised = f"{plan.chosen.outside if outside else plan.recall:.4f}" if way == "as planned" else ""
            row = {"questions": kind, **asked(ladder, queries, bar, goal), "promised": promised, "ladder": text}
            say(way, row)
            record.put(f"{way}, {kind}", [row])
    command = (
        f"python benchmarks/questions.py --rows {chosen.rows} --rows-in {chosen.rows_in} --target {chosen.target:g}"
    )
    command += "" if chosen.share is None else f" --for {chosen.share:g}"
    notes = (
        f"`{command}`: real texts by the built-in model; planned without any question for {goal}. Promised is what the "
        f"plan verified, of rows held out or of its stand-ins for questions.\n\n```\n{plan.table}\n```"
    )
    say("written", record.page(f"A plan's promise to questions, {chosen.rows:,} rows", COLUMNS, notes))


if __name__ == "__main__":
    main()
