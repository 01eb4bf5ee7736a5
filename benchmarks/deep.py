"""What the model `deep` is worth, alone and beside the built-in one in a collection that is deepened.

    python benchmarks/deep.py [--data ../shared/data] [--tune] [--speed] [--out docs/benchmarks] [--cache FOLDER]

Without options: development sets. First table: meaning alone, both models, and the share that prefixes keep. Second:
words, both models, today's hybrid, and the same with its first rows ordered by deep: all rows read before, none read
before (the first asking, where as many rows are read as `--read` says), and the second asking.
--tune prints how the weight of the finer model was chosen, on training questions that it did not learn from, short
queries, names and codes among them. --speed: tokens a second on one core, a short question, and what a deepened
collection of 100,000 rows adds to a search.
"""

import argparse
import hashlib
import json
import random
import re
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

import imi
from imi.embedders.base import Embedder
from imi.evaluate import splits
from imi.evaluate.datasets import Questions
from imi.evaluate.questions import DEPTH, answers, summary
from imi.evaluate.ranking import gains_of_lists, nearest
from imi.evaluate.sets import load_set
from imi.fusion import DEEP_WEIGHT, FIRST, deepened, fuse
from imi.text.lexical import in_other_script, index_tokens

ALONE = ("jaquad", "squad", "docs-en-ja", "tatoeba", "jaquad-en", "cranfield", "stsb-en", "stsb-ja", "jsts")
BOTH = ("jaquad", "squad", "cranfield", "jaquad-en", "docs-en-ja")
DIMS = (384, 256, 128, 64, 32)
OTHERS = 6
"""Of the paragraphs of JaQuAD's training part that deep learnt from, one in so many is searched as well."""
WEIGHTS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class Kept:
    """An embedder whose vectors are kept in a folder, as long as model and texts are the same."""

    def __init__(self, name: str, folder: Path) -> None:
        self.model: Embedder = imi.load(name)
        self.info, self.folder = self.model.info, folder
        folder.mkdir(parents=True, exist_ok=True)

    def embed(self, texts: list[str], kind: str = "document", progress: object = None) -> np.ndarray:
        """Return unit rows."""
        said = json.dumps([self.info.fingerprint, kind, list(texts)]).encode()
        path = self.folder / f"{hashlib.blake2b(said, digest_size=16).hexdigest()}.npy"
        if not path.is_file():
            np.save(path, self.model.embed(list(texts), kind=kind))
        return np.load(path)


class Lists:
    """One set's shortlists: words and the built-in model fused, and everything that orders them."""

    def __init__(self, one: Questions, plain: Kept, deep: Kept) -> None:
        self.one, self.words = one, one.words
        self.plain = plain.embed(one.queries, "query"), plain.embed(one.documents)
        self.deep = deep.embed(one.queries, "query"), deep.embed(one.documents)
        _, self.near = nearest(*self.plain, DEPTH)

    def fused(self, at: int) -> tuple:
        """Return the shortlist of a question, and what it was fused from."""
        found = self.words.rows[at] >= 0
        text = self.words.rows[at][found], self.words.scores[at][found]
        rows = np.union1d(text[0], self.near[at])
        meaning = rows, self.plain[1][rows] @ self.plain[0][at]
        return fuse(text, meaning, expected=float(self.words.expected[at])), text, meaning

    def order(self, at: int, read: int | None, weight: float, first: int = FIRST) -> np.ndarray:
        """Return the rows of a question, the first `read` of its shortlist read by the finer model; None for all."""
        shortlist, text, meaning = self.fused(at)
        rows = shortlist[0][:read]
        finer = rows, self.deep[1][rows] @ self.deep[0][at]
        expected = float(self.words.expected[at])
        nearer = (
            meaning if in_other_script(self.one.queries[at], [self.one.documents[row] for row in rows[:8]]) else None
        )
        return deepened(shortlist, text, finer, nearer=nearer, weight=weight, first=first, expected=expected)[0]

    def score(self, rankings: list[np.ndarray]) -> float:
        """Return nDCG@10."""
        table = np.full((len(rankings), DEPTH), -1, np.int64)
        for at, rows in enumerate(rankings):
            table[at, : len(rows[:DEPTH])] = rows[:DEPTH]
        return summary(gains_of_lists(table, self.one.relevant)).value

    def hybrid(self) -> float:
        """Return nDCG@10 of words and the built-in model."""
        return self.score([self.fused(at)[0][0] for at in range(len(self.one.queries))])

    def deepened(self, read: int | None, weight: float = DEEP_WEIGHT, first: int = FIRST) -> float:
        """Return nDCG@10 with the first rows ordered by words and deep."""
        return self.score([self.order(at, read, weight, first) for at in range(len(self.one.queries))])

    def alone(self, of: str) -> float:
        """Return nDCG@10 of words, the built-in model or deep."""
        if of == "words":
            return self.words.score(self.one.relevant).value
        return self.score(list(nearest(*(self.plain if of == "built-in" else self.deep), DEPTH)[1]))


def alone(data: Path, plain: Kept, deep: Kept) -> list[dict]:
    print(f"\n{'':14}{'built-in':>9} | deep {'':>2}" + "".join(f"{dims:>8}" for dims in DIMS) + "   128     64 of it")
    rows = []
    for name in ALONE:
        one = load_set(name, data)
        figures = {}
        for model, sizes in ((plain, None), (deep, list(DIMS))):
            made = one.measure([model.embed(list(t), k) for t, k in one.sides()], sizes)
            figures[model.info.id] = {size: score.value for size, score in made.items()}
        built = next(iter(figures[plain.info.id].values()))
        own = figures[deep.info.id]
        print(f"{name:14}{built:9.3f} |        " + "".join(f"{own[dims]:8.3f}" for dims in DIMS), end="")
        print(f"{own[128] / own[384]:8.3f}{own[64] / own[384]:8.3f}")
        rows.append({"set": name, "built-in": built, "deep": own})
    return rows


def beside(data: Path, plain: Kept, deep: Kept, read: int) -> list[dict]:
    print(f"\nnDCG@10, first {FIRST} ordered, weight {DEEP_WEIGHT}; {read} rows read at a first asking")
    columns = ("words", "built-in", "deep", "hybrid", "all deep", "first", "second", "kept")
    print(f"{'':14}" + "".join(f"{column:>10}" for column in columns))
    rows = []
    for name in BOTH:
        lists = Lists(load_set(name, data), plain, deep)
        row = {of: lists.alone(of) for of in ("words", "built-in", "deep")}
        row |= {"hybrid": lists.hybrid(), "all deep": lists.deepened(None)}
        row |= {"first": lists.deepened(read), "second": lists.deepened(2 * read)}
        row["kept"] = (row["first"] - row["hybrid"]) / (row["all deep"] - row["hybrid"])
        print(f"{name:14}" + "".join(f"{row[column]:10.3f}" for column in columns))
        rows.append({"set": name} | row)
    return rows


def training_sets(data: Path, beside: int, most: int = 800) -> list[Questions]:
    """Return questions that neither the finer model nor this tuning shares with what measures.

    Args:
        data: the folder of data sets.
        beside: of the paragraphs that deep learnt from, one in so many is searched as well; 0 for none of either set.
        most: questions of a set.
    """
    paragraphs, questions = splits.jaquad(data, "train")
    both, asked = splits.squad(data)
    back = [{p.id for p in some if splits.held_out(f"deep {p.title}", 16)} for some in (paragraphs, both.train)]
    others = {p.id for p in paragraphs[::beside]} if beside else set()
    english = [p for p in both.train if beside or p.id in back[1]]
    sets = []
    for name, corpus, wanted, pool in (
        ("jaquad", [p for p in paragraphs if p.id in back[0] | others], back[0], questions),
        ("squad", english, back[1], asked.train),
    ):
        place = {p.id: at for at, p in enumerate(corpus)}
        picked = [q for q in pool if q.paragraph_id in wanted]
        picked = random.Random(0).sample(picked, min(most, len(picked)))
        texts = [p.text for p in corpus]
        right = answers([place[q.paragraph_id] for q in picked])
        sets.append(Questions(name, [q.text for q in picked], texts, right))
        sets.append(_titles(f"{name} titles", corpus, wanted))
        sets.append(_codes(f"{name} codes", texts))
    return sets


def _titles(name: str, corpus: list, wanted: set[str]) -> Questions:
    """Ask for an article by its title: a short query, mostly a name; every paragraph of it is right."""
    homes: dict[str, list[int]] = {}
    for at, paragraph in enumerate(corpus):
        homes.setdefault(paragraph.title.replace("_", " "), []).append(at)
    asked = {p.title.replace("_", " ") for p in corpus if p.id in wanted}
    titles = sorted(title for title in asked if title)[:300]
    return Questions(name, titles, [p.text for p in corpus], [{at: 1.0 for at in homes[title]} for title in titles])


def _codes(name: str, texts: list[str]) -> Questions:
    """Ask by a word with a digit that one text alone has."""
    tokens = [set(index_tokens(text)) for text in texts]
    counts = Counter(token for own in tokens for token in own)
    picked = [
        (at, next((t for t in sorted(own) if counts[t] == 1 and re.fullmatch(r"[a-z]+[0-9]+|[0-9]{3,}", t)), None))
        for at, own in enumerate(tokens)
    ]
    found = [(at, token) for at, token in picked if token][:300]
    return Questions(name, [token for _, token in found], texts, [{at: 1.0} for at, _ in found])


def tune(data: Path, plain: Kept, deep: Kept, beside: int) -> None:
    sets = [Lists(one, plain, deep) for one in training_sets(data, beside) if one.queries]
    print("training questions: " + ", ".join(f"{s.one.name} {len(s.one.queries)}" for s in sets))
    print(f"{'nDCG@10':24}" + "".join(f"{s.one.name:>16}" for s in sets) + f"{'mean':>8}")

    def line(label: str, values: list[float]) -> None:
        print(f"{label:24}" + "".join(f"{v:16.3f}" for v in values) + f"{np.mean(values):8.3f}", flush=True)

    for of in ("words", "built-in", "deep"):
        line(of, [s.alone(of) for s in sets])
    line("hybrid", [s.hybrid() for s in sets])
    for weight in WEIGHTS:
        line(f"first {FIRST}, {weight}", [s.deepened(None, weight) for s in sets])
    for first in (10, 20, 100):
        line(f"first {first}, {DEEP_WEIGHT}", [s.deepened(None, DEEP_WEIGHT, first) for s in sets])
    line(f"20 read, {DEEP_WEIGHT}", [s.deepened(20) for s in sets])


def speed(data: Path, rows: int) -> dict:
    """Measure in process time where a floor matters: the machine may be shared."""
    import os

    os.environ["OMP_NUM_THREADS"] = "1"
    model = imi.load("deep")
    passages = [p.text for p in splits.jaquad(data, "dev")[0][:60]] + [p.text for p in splits.squad(data)[0].dev[:60]]
    tokens = int(model.count_tokens(passages).sum())
    model.embed(passages[:4])
    began = time.process_time()
    model.embed(passages)
    rate = tokens / (time.process_time() - began)
    model.embed(["which beans are delicious"], kind="query")
    began = time.process_time()
    for at in range(50):
        model.embed([f"which beans are delicious {at}"], kind="query")
    question = (time.process_time() - began) / 50
    print(f"\none core: {rate:,.0f} tokens a second, a short question {question * 1000:.1f} ms (process time)")
    return {"tokens_a_second": rate, "question_ms": question * 1000} | added_latency(rows)


def added_latency(rows: int) -> dict:
    """Compare searches of one collection with and without its second vectors, one after the other."""
    chance = np.random.default_rng(0)
    words = [f"w{at}" for at in range(5000)]
    texts = [" ".join(words[at] for at in chance.zipf(1.3, 40) % 5000) for _ in range(rows)]
    with tempfile.TemporaryDirectory() as folder, imi.open(Path(folder) / "c.imi") as c:
        c.add([imi.Document(str(at), text) for at, text in enumerate(texts)])
        c._index.wait()
        z = chance.standard_normal((rows, 384)).astype(np.float32)
        fingerprint = imi.load("deep").info.fingerprint
        from imi.store.deep_vectors import put_deep_vectors

        for at in range(0, rows, 1000):
            with c._store.keeping():
                put_deep_vectors(
                    c._store, list(range(at + 1, at + 1001)), imi.normalize(z[at : at + 1000]), fingerprint
                )
        asked = [" ".join(words[at] for at in chance.integers(0, 300, 5)) for _ in range(200)]
        c.rerank = imi.Rerank("deep", 0)
        for question in asked:
            c.search(question)
        taken: dict[str, list[float]] = {"none": [], "deep": []}
        for question in asked:
            for by in taken:
                c.rerank = imi.Rerank(by, 0)
                began = time.process_time()
                c.search(question)
                taken[by].append(time.process_time() - began)
    middle = {by: float(np.median(seconds) * 1000) for by, seconds in taken.items()}
    said = f"{middle['none']:.2f} ms without second vectors, {middle['deep']:.2f} ms with"
    print(f"{rows:,} rows, questions known before: {said} (process time)")
    return {"search_ms": middle}


def main() -> None:
    parser = argparse.ArgumentParser(description="What the model deep is worth.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("build/deep/vectors"))
    parser.add_argument("--read", type=int, default=20)
    parser.add_argument("--tune", action="store_true")
    parser.add_argument("--others", type=int, default=OTHERS, help="that --tune searches as well: one in so many, or 0")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--rows", type=int, default=100_000, help="of the collection that --speed searches")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.speed:
        speed(given.data, given.rows)
        return
    plain, deep = Kept("built-in", given.cache), Kept("deep", given.cache)
    if given.tune:
        tune(given.data, plain, deep, given.others)
        return
    found = {"alone": alone(given.data, plain, deep), "hybrid": beside(given.data, plain, deep, given.read)}
    if given.out:
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
        said = {"commit": commit, "model": deep.info.fingerprint, "read": given.read} | found
        (given.out / "deep.json").write_text(json.dumps(said, indent=1) + "\n")


if __name__ == "__main__":
    main()
