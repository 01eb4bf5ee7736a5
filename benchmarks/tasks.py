"""Every task's figure with its interval, beside TF-IDF under the same head and the cookbook's published figure.

    python benchmarks/tasks.py ../shared/data
    python benchmarks/tasks.py ../shared/data --only reviews

Reviews: the cookbook's own split of its 1,000 reviews, then five-fold cross-validation repeated five times, in which
copies of one review stay in one fold; differences are paired by review. Banking77: its train split cut in two. CoSQA:
the dev questions.
"""

import argparse
import csv
import gzip
import json
import sys
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import v_measure_score
from sklearn.model_selection import train_test_split

import imi
from imi import tasks
from imi.tasks.code import CodeIndex, Function, as_words
from imi.tasks.heads import train_head
from imi.tasks.intervals import bootstrap
from imi.tasks.regress import fit_ridge
from imi.vectors import normalize


def say(what, ours, floor, published="", interval=None):
    """Print one line: the figure, its interval, TF-IDF's, the published one."""
    between = "" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"
    print(f"{what:<46} {ours:>7.3f} {between:>16} {floor:>8.3f} {published:>10}", flush=True)


def tfidf(texts):
    """Return dense unit TF-IDF rows over the 4,000 commonest words and pairs of words."""
    made = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), max_features=4000).fit_transform(texts)
    return normalize(made.toarray() + 1e-6)


def cross_validated(z, y, texts, kind, repeats=5):
    """Return each row's mean score over the repeats: 1 for a right label, or the squared error."""
    same = np.unique(texts, return_inverse=True)[1]
    scores = np.zeros(len(y))
    for repeat in range(repeats):
        fold = (np.random.default_rng(repeat).permutation(same.max() + 1) % 5)[same]
        for held in range(5):
            train, test = fold != held, fold == held
            if kind == "label":
                head = train_head(z[train], y[train] - 1, [1, 2, 3, 4, 5], "logistic", seed=repeat)
                scores[test] += head.predict(z[test]) == y[test]
            else:
                scores[test] += (fit_ridge(z[train], y[train].astype(float)).predict(z[test]) - y[test]) ** 2
    return scores / repeats


def reviews(data, model):
    """Run the cookbook's tasks on its reviews."""
    with (data / "fine_food/fine_food_reviews_1k.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = [f"Title: {row['Summary'].strip()}; Content: {row['Text'].strip()}" for row in rows]
    y = np.array([int(row["Score"]) for row in rows])
    z, floor = model.embed(texts), tfidf(texts)
    train, test = train_test_split(np.arange(len(y)), test_size=0.2, random_state=42)
    for kind, head in (("classification, logistic", "logistic"), ("classification, kNN", "knn")):
        right = [
            train_head(one[train], y[train] - 1, [1, 2, 3, 4, 5], head).predict(one[test]) == y[test]
            for one in (z, floor)
        ]
        say(f"{kind}: cookbook's split", right[0].mean(), right[1].mean(), ".78", bootstrap(right[0]))
    errors = [(fit_ridge(one[train], y[train].astype(float)).predict(one[test]) - y[test]) ** 2 for one in (z, floor)]
    say("regression MSE: cookbook's split", errors[0].mean(), errors[1].mean(), ".65", bootstrap(errors[0]))
    for kind, name in (("label", "classification"), ("number", "regression MSE")):
        base = cross_validated(floor, y, texts, kind)
        for dims in (512, 128, 32):
            ours = cross_validated(imi.truncate(z, dims), y, texts, kind)
            say(f"{name}: cross-validated, {dims} numbers", ours.mean(), base.mean(), "", bootstrap(ours))
            say("  paired difference to TF-IDF", (ours - base).mean(), 0, "", bootstrap(ours - base))
    kept = y != 3
    truth = np.where(y > 3, "positive", "negative")[kept]
    some = [text for text, keep in zip(texts, kept, strict=True) if keep]
    plain = tasks.zero_shot(some, ["positive", "negative"], model, truth=truth)
    say("zero-shot: bare labels", plain.accuracy, float((truth == "positive").mean()), ".87", plain.interval)
    told = {label: f"An Amazon review with a {label} sentiment." for label in ("positive", "negative")}
    full = tasks.zero_shot(some, told, model, truth=truth)
    say("zero-shot: described labels", full.accuracy, float((truth == "positive").mean()), ".95", full.interval)
    say("  with cross-fitted thresholds", full.calibrated, float((truth == "positive").mean()))
    by = [[row["UserId"] for row in rows], [row["ProductId"] for row in rows]]
    for copies in (True, False):
        ours, base = (tasks.profiles(one, by, y.tolist(), copies=copies) for one in (z, floor))
        name = f"profiles: correlation, n = {ours.n}" + ("" if copies else ", copies left out")
        say(name, ours.correlation, base.correlation, ".296", ours.interval)
        say("  cosine of profiles, the cookbook's way", ours.cosine, base.cosine, ".296")


def banking(data, model):
    """Run classification and clustering on Banking77's train split, cut in two."""
    with gzip.open(data / "english_text/banking77_train.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    texts, labels = [row["text"] for row in rows], [row["category"] for row in rows]
    z, floor = model.embed(texts), tfidf(texts)
    for head in ("knn", "logistic"):
        ours, base = (tasks.classify(one, labels, head, test=0.5) for one in (z, floor))
        say(f"Banking77 accuracy, {head}", ours.accuracy, base.accuracy, "", ours.interval)
    values = [v_measure_score(labels, tasks.cluster(one, 77).labels) for one in (z, floor)]
    say("Banking77 clusters, V-measure", values[0], values[1])


def planted(data, model):
    """Find planted odd rows and planted copies among reviews."""
    with (data / "fine_food/Reviews_first1000.csv").open(encoding="utf-8", newline="") as file:
        texts = sorted({row["Text"] for row in csv.DictReader(file)})
    with gzip.open(data / "english_text/banking77_train.csv.gz", "rt", encoding="utf-8") as file:
        odd = [row["text"] for row in csv.DictReader(file)][::1000]
    for name, rows in (("ours", model.embed(texts + odd)), ("TF-IDF", tfidf(texts + odd))):
        found = tasks.anomalies(rows, share=len(odd) / len(rows)).flagged
        hits = int(found[len(texts) :].sum())
        print(f"planted anomalies, {name}: {hits} of {len(odd)} found among {int(found.sum())} flagged")
    copies = [text.replace("the", "teh", 1) + " !" for text in texts[:100]]
    for name, rows in (("ours", model.embed(texts + copies)), ("TF-IDF", tfidf(texts + copies))):
        groups = tasks.dedupe(rows, 0.95)
        right = sum(
            row + len(texts) in {group.keep, *group.drop}
            for group in groups
            for row in {group.keep, *group.drop}
            if row < 100
        )
        dropped = len(groups.drop)
        print(f"planted duplicates, {name}: recall {right / 100:.2f}, precision {right / max(1, dropped):.2f}")


def cosqa(data, model):
    """Ask CoSQA's dev questions of its functions: mean reciprocal rank, beside BM25."""
    import bm25s

    folder = data / "code_search"
    with gzip.open(folder / "cosqa_corpus.jsonl.gz", "rt", encoding="utf-8") as file:
        corpus = [json.loads(line) for line in file]
    questions = {
        one["_id"]: one["text"] for one in map(json.loads, (folder / "cosqa_dev_queries.jsonl").open(encoding="utf-8"))
    }
    right = dict(line.split("\t")[:2] for line in (folder / "cosqa_dev_qrels.tsv").read_text("utf-8").splitlines()[1:])
    place = {one["_id"]: at for at, one in enumerate(corpus)}
    functions = [Function("", 1, one["text"].partition("(")[0].rpartition(" ")[2], one["text"]) for one in corpus]
    asked = [one for one in questions if one in right]
    index = CodeIndex(functions, model)
    engine = bm25s.BM25()
    words = [as_words(one["text"]) for one in corpus]
    engine.index(bm25s.tokenize(words, show_progress=False), show_progress=False)
    figures = []
    for one in asked:
        goal = place[right[one]]
        hits = index.search(questions[one], len(functions))
        ours = next((1 / rank for rank, hit in enumerate(hits, 1) if hit.function is functions[goal]), 0.0)
        by_words = engine.get_scores(bm25s.tokenize([questions[one]], show_progress=False, return_ids=False)[0])
        figures.append([ours, 1 / (1 + (by_words > by_words[goal]).sum())])
    figures = np.array(figures)
    say("CoSQA dev, MRR (floor: BM25)", figures[:, 0].mean(), figures[:, 1].mean(), "", bootstrap(figures[:, 0]))
    say(
        "  paired difference to BM25",
        np.diff(figures[:, ::-1]).mean(),
        0,
        "",
        bootstrap(np.diff(figures[:, ::-1])[:, 0]),
    )


def main():
    """Run what was asked for."""
    parts = {"reviews": reviews, "banking": banking, "planted": planted, "cosqa": cosqa}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of public data sets")
    parser.add_argument("--only", choices=parts, action="append")
    parser.add_argument("--model", default="built-in")
    given = parser.parse_args()
    model = imi.load(given.model)
    print(f"{'':<46} {'ours':>7} {'95 %':>16} {'TF-IDF':>8} {'3-small':>10}")
    for name in given.only or parts:
        parts[name](given.data, model)
    return 0


if __name__ == "__main__":
    sys.exit(main())
