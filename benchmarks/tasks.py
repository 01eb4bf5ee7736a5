"""Every task's figure with its interval, beside TF-IDF under the same head and the cookbook's published figure.

    python benchmarks/tasks.py ../shared/data                 # writes docs/tasks.md, goes on where it was cut
    python benchmarks/tasks.py ../shared/data --only zero_shot --again

Reviews: the cookbook's own split of its 1,000 reviews, then five-fold cross-validation repeated twice, once with
folds drawn at random, as the cookbook draws them, and once with copies of a review kept in one fold (239 of the
thousand stand in it twice, under another product). Differences are paired by review. Heads and phrasings were chosen
by cross-validation of the cookbook's training rows. Banking77: its train split cut in two. CoSQA: the dev questions.
"""

import argparse
import csv
import gzip
import json
import sys
from pathlib import Path

import numpy as np
import tasks_public as public
from recording import Record
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import average_precision_score, v_measure_score
from sklearn.model_selection import train_test_split

import imi
from imi import tasks
from imi.tasks.anomalies import METHODS
from imi.tasks.classifier_heads import train_head
from imi.tasks.code import Function, as_words
from imi.tasks.code_index import CodeIndex
from imi.tasks.dedupe import likeness
from imi.tasks.intervals import bootstrap, wilson
from imi.tasks.parts import in_parts
from imi.tasks.regress import fit_numbers
from imi.vectors import normalize

REPEATS = 2
EARLIER = ", earlier weights"
STARS = [1, 2, 3, 4, 5]
COOKBOOK = {label: f"An Amazon review with a {label} sentiment." for label in ("positive", "negative")}
PHRASINGS = {
    "positive": [
        *("great", "love", "delicious", "excellent", "best"),
        *("I love it", "highly recommended", "great product", "tastes great", "my favorite", "perfect"),
    ],
    "negative": [
        *("terrible", "awful", "disappointed", "disgusting", "worst"),
        *("I hate it", "not recommended", "bad product", "tastes bad", "a waste of money", "disappointed"),
    ],
}
COLUMNS = {
    "ours": ".3f",
    "95 %": "",
    "floor": ".3f",
    "difference": "+.3f",
    "95 % of it": "",
    "3-small": "",
    "n": ",d",
}


def line(ours, floor, published="", interval=True):
    """Return one row of the table from values by case, whose means are compared: floor may be None."""
    ours = np.asarray(ours, float)
    row = {"ours": float(ours.mean()), "3-small": published, "n": len(ours)}
    if interval:
        row["95 %"] = span(bootstrap(ours))
    if floor is not None:
        floor = np.asarray(floor, float)
        row |= {"floor": float(floor.mean()), "difference": float(ours.mean() - floor.mean())}
        row["95 % of it"] = span(bootstrap(ours - floor)) if interval else ""
    return row


def span(interval):
    """Return an interval as text."""
    return f"{interval[0]:.3f} to {interval[1]:.3f}"


def tfidf(texts, others=()):
    """Return dense unit TF-IDF rows over the 4,000 commonest words and pairs of words; of `others`, too."""
    maker = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), max_features=4000).fit(texts)
    rows = normalize(maker.transform(texts).toarray() + 1e-6)
    # A phrase of which no word is known is a zero row: near to nothing.
    return (rows, maker.transform(others).toarray()) if len(others) else rows


class Reviews:
    """The cookbook's thousand reviews: texts, stars, vectors of the whole, in parts, and TF-IDF's."""

    def __init__(self, data, model):
        with (data / "fine_food/fine_food_reviews_1k.csv").open(encoding="utf-8", newline="") as file:
            self.rows = list(csv.DictReader(file))
        self.texts = [f"Title: {row['Summary'].strip()}; Content: {row['Text'].strip()}" for row in self.rows]
        self.y = np.array([int(row["Score"]) for row in self.rows])
        self.z, self.tfidf = model.embed(self.texts), tfidf(self.texts)
        self.parts = in_parts(self.texts, model, whole=self.z)
        self.train, self.test = train_test_split(np.arange(len(self.y)), test_size=0.2, random_state=42)


def labels_right(z, y, train, test, head="kernel", seed=0):
    """Return 1 for each test row whose stars are foretold."""
    return train_head(z[train], y[train] - 1, STARS, head, seed=seed).predict(z[test]) == y[test]


def squared_errors(z, y, train, test, _head="", seed=0):
    """Return the squared error of each test row's stars."""
    return (fit_numbers(z[train], y[train].astype(float), seed=seed).predict(z[test]) - y[test]) ** 2


def cross_validated(score, z, reviews, together):
    """Return each row's mean score over the repeats; `together` keeps equal texts in one fold."""
    same = np.unique(reviews.texts, return_inverse=True)[1] if together else np.arange(len(reviews.y))
    scores = np.zeros(len(reviews.y))
    for repeat in range(REPEATS):
        fold = (np.random.default_rng(repeat).permutation(same.max() + 1) % 5)[same]
        for held in range(5):
            scores[fold == held] += score(z, reviews.y, fold != held, fold == held, seed=repeat)
    return scores / REPEATS


def stars(record, data, model):
    """Foretell stars: as labels and as a number."""
    reviews = Reviews(data, model)
    for name, score, published in (
        ("classification", labels_right, ".78"),
        ("regression, MSE", squared_errors, ".65"),
    ):
        for head in ("kernel", "logistic", "knn") if score is labels_right else ("kernel",):
            floor = score(reviews.tfidf, reviews.y, reviews.train, reviews.test, head)
            for kind, z in (("vectors", reviews.z), ("in parts", reviews.parts)):
                ours = score(z, reviews.y, reviews.train, reviews.test, head)
                record(f"{name}, cookbook's split, {head}, {kind}", line(ours, floor, published))
        for together in (False, True):
            floor = cross_validated(score, reviews.tfidf, reviews, together)
            how = "copies together" if together else "folds at random"
            variants = {"vectors, 512 dimensions": reviews.z, "in parts, 512": reviews.parts}
            if together:
                variants |= {f"in parts, {dims}": imi.truncate(reviews.parts, 3 * dims) for dims in (128, 32)}
            for kind, z in variants.items():
                ours = cross_validated(score, z, reviews, together)
                record(f"{name}, cross-validated, {how}: {kind}", line(ours, floor))


def zero_shot(record, data, model):
    """Tell praise from complaint by what the words mean."""
    reviews = Reviews(data, model)
    kept = np.flatnonzero(reviews.y != 3)
    truth = np.where(reviews.y[kept] > 3, "positive", "negative")
    texts = [reviews.texts[row] for row in kept]
    for name, described, published in (
        ("bare labels", {"positive": ["positive"], "negative": ["negative"]}, ".87"),
        ("the cookbook's descriptions", COOKBOOK, ".95"),
        ("eleven phrasings a label", PHRASINGS, ".95"),
    ):
        lists = {label: [told] if isinstance(told, str) else told for label, told in described.items()}
        rows, meant = tfidf(texts, [one for told in lists.values() for one in told])
        half = len(lists["positive"])
        leaning = rows @ (meant[:half].mean(axis=0) - meant[half:].mean(axis=0))
        floor = (leaning > -1e-4) == (truth == "positive")  # without a word in common: the commoner label
        for sentences, method, kind in (
            (False, "descriptions", "vectors"),
            (True, "descriptions", "in parts"),
            (True, "rows", "in parts, rows teach"),
        ):
            said = tasks.zero_shot(texts, lists, model, truth=truth, sentences=sentences, method=method)
            right = np.array(said.predictions) == truth
            record(f"zero-shot, {name}, {kind}", line(right, floor, published))
            # Six in seven reviews are praise: the mean over the two labels does not reward saying nothing else.
            weight = np.where(truth == "positive", (truth == "positive").mean(), (truth == "negative").mean())
            record(f"– each label counted alike, {kind}", line(right / weight / 2, floor / weight / 2))
    record("– always saying positive", {"ours": float((truth == "positive").mean())})
    with gzip.open(data / "japanese_pairs/jrte_pn.tsv.gz", "rt", encoding="utf-8") as file:
        rows = [one.rstrip("\n").split("\t") for one in file]
    hotels = [(one[2], "ポジティブ" if one[1] == "1" else "ネガティブ") for one in rows if one[1] in ("1", "-1")]
    with gzip.open(data / "cookbook/AG_news_samples.csv.gz", "rt", encoding="utf-8", newline="") as file:
        news = [(f"{row['title']}. {row['description']}", row["label"]) for row in csv.DictReader(file)]
    topics = {"World": "world", "Sports": "sports", "Business": "business", "Sci/Tech": "science and technology"}
    five = [str(star) for star in STARS]
    for name, cases, labels in (
        ("praise or complaint, reviews", list(zip(texts, truth.tolist(), strict=True)), ["positive", "negative"]),
        ("praise or complaint, hotel sentences (Japanese)", hotels, ["ポジティブ", "ネガティブ"]),
        ("one to five stars, reviews", list(zip(reviews.texts, map(str, reviews.y), strict=True)), five),
        ("four kinds of news, by a word each", news, topics),
    ):
        asked, true = [text for text, _ in cases], [label for _, label in cases]
        found = tasks.zero_shot(asked, labels, model, truth=true)
        record(f"as the command does it: {name} (floor: always the commonest)", told_of(found, true))
        plain = {one.method: one for one in found.baselines}
        row = {"ours": found.macro_f1, "floor": plain["commonest"].macro_f1, "n": found.n}
        record("– macro F1", row | {"difference": row["ours"] - row["floor"]})
        record("– by the descriptions alone", {"ours": plain["descriptions"].accuracy, "n": found.n})
        record("– confidence, off by on average", {"ours": found.certainty.error, "n": found.n})


def told_of(found, true):
    """Return the row of the table for labels found without examples, beside always the commonest."""
    right = np.array(found.predictions, dtype=object) == np.array(true, dtype=object)
    commonest = max(set(true), key=true.count)
    return line(right, np.array([one == commonest for one in true]))


def gained(rows):
    """Return by how much the second column's correlation with the first is above the third's."""
    with np.errstate(invalid="ignore"):  # a draw of one number only has no correlation, and does not count
        table = np.corrcoef(rows.T)
    return table[0, 1] - table[0, 2]


def profiles(record, data, model):
    """Foretell a review's stars from its user's and product's other reviews."""
    reviews = Reviews(data, model)
    by = [[row["UserId"] for row in reviews.rows], [row["ProductId"] for row in reviews.rows]]
    for copies in (True, False):
        how = "" if copies else ", copies left out"
        for kind, z in (("vectors", reviews.z), ("in parts", reviews.parts)):
            ours, floor = (
                tasks.profiles(one, by, reviews.y.tolist(), copies=copies, method="texts") for one in (z, reviews.tfidf)
            )
            row = {"ours": ours.correlation, "95 %": span(ours.interval), "floor": floor.correlation, "n": ours.n}
            row |= {"difference": ours.correlation - floor.correlation, "3-small": ".296"}
            if ours.n == floor.n:  # without copies, which are told by vectors, the rows may differ
                pairs = np.stack([ours.truth, ours.predicted, floor.predicted], axis=1)
                row["95 % of it"] = span(bootstrap(pairs, gained))
            record(f"user and product, correlation{how}, {kind}", row)
            row = {"ours": ours.cosine, "floor": floor.cosine, "3-small": ".296", "n": ours.n}
            record(f"– the cookbook's cosine of profiles{how}, {kind}", row)
            both = tasks.profiles(z, by, reviews.y.tolist(), copies=copies)
            row = {"ours": both.correlation, "95 %": span(both.interval), "floor": both.baseline["correlation"]}
            row["difference"] = row["ours"] - row["floor"]
            record(f"– with the owners' other stars{how}, {kind} (floor: their mean)", row | {"n": both.n})


def banking(record, data, model):
    """Run classification and clustering on Banking77's train split, cut in two."""
    texts, kinds = map(list, zip(*public.banking(data), strict=True))
    names, codes = np.unique(kinds, return_inverse=True)
    z, floor = model.embed(texts), tfidf(texts)
    half = np.random.default_rng(0).permutation(len(codes)) % 2 == 0
    for head in ("knn", "logistic", "kernel"):
        right = [
            train_head(one[half], codes[half], list(names), head).confidences(one[~half]).argmax(axis=1) == codes[~half]
            for one in (z, floor)
        ]
        record(f"Banking77, accuracy, {head}", line(*right))
    for name, read in public.SETS.items():
        clusters(record, name, *map(list, zip(*read(data), strict=True)), model)


def clusters(record, name, texts, kinds, model):
    """Group texts into as many groups as there are kinds, beside the public ways on the same vectors."""
    from sklearn.cluster import AgglomerativeClustering, KMeans

    z, codes = model.embed(texts), np.unique(kinds, return_inverse=True)[1]
    count = int(codes.max()) + 1
    found = tasks.cluster(z, count)
    ours = v_measure_score(codes, found.labels)
    for how, groups in (
        ("k-means (scikit-learn, best of three)", KMeans(count, n_init=3, random_state=0).fit_predict(z)),
        ("our k-means on the vectors as they are", tasks.cluster(z, count, method="plain").labels),
        ("Ward's method", AgglomerativeClustering(count).fit_predict(z)),
        ("k-means of TF-IDF", tasks.cluster(tfidf(texts), count, method="plain").labels),
        ("HDBSCAN, its noise a group", tasks.cluster(z, method="hdbscan").labels),
    ):
        plain = v_measure_score(codes, groups)
        row = {"ours": ours, "floor": plain, "difference": ours - plain, "n": len(codes)}
        record(f"{name}, clusters, V-measure beside {how}", row)
    record(f"{name}, clusters, the same by other seeds (adjusted Rand)", {"ours": found.stability, "n": len(codes)})


def planted(record, data, model):
    """Find planted odd rows and planted copies among reviews."""
    with (data / "fine_food/Reviews_first1000.csv").open(encoding="utf-8", newline="") as file:
        texts = sorted({row["Text"] for row in csv.DictReader(file)})
    with gzip.open(data / "english_text/banking77_train.csv.gz", "rt", encoding="utf-8") as file:
        bank = [row["text"] for row in csv.DictReader(file)]
    counts = {}
    for start in range(0, 1000, 100):
        odd = bank[start::1000][:10]
        for name, rows in (("ours", model.embed(texts + odd)), ("floor", tfidf(texts + odd))):
            for how, share in (("share given", len(odd) / len(rows)), ("threshold of its own", None)):
                found = tasks.anomalies(rows, share=share).flagged
                sums = counts.setdefault((how, name), np.zeros(3, int))
                sums += [int(found[len(texts) :].sum()), int(found.sum()), len(odd)]
    for how in ("share given", "threshold of its own"):
        (hits, flagged, planted_rows), floor = counts[how, "ours"], counts[how, "floor"]
        name = f"ten bank questions among {len(texts)} reviews, ten times, {how}"
        row = {"ours": hits / planted_rows, "floor": floor[0] / planted_rows, "n": int(planted_rows)}
        record(f"{name}: recall", row | {"95 %": span(wilson(hits, planted_rows))})
        row = {"ours": hits / max(1, flagged), "floor": floor[0] / max(1, floor[1]), "n": int(flagged)}
        record(f"{name}: precision", row)
    anomalies(record, data, model)
    duplicates(record, data, model)


def anomalies(record, data, model):
    """Rank what is planted by our views, by the mean of nearest distances, an isolation forest and outlier factors."""
    deep = imi.load("deep")
    for name, texts, topic, foreign in planted_sets(data):
        z = model.embed(texts)
        sums, totals = {}, {}
        for draw in range(2):
            rng = np.random.default_rng(draw)
            cases = {
                "another topic": drawn(topic, 30, draw + 10),
                "another language": drawn(foreign, 20, draw + 10),
                "thirty texts in one": [
                    " ".join(texts[row] for row in rng.integers(0, len(texts), 30)) for _ in range(8)
                ],
                "no language": ["".join(rng.choice(list("qwxzkjv; "), 24)) for _ in range(20)],
            }
            for case, strange in cases.items():
                both = texts + strange
                odd = np.repeat([0, 1], [len(texts), len(strange)])
                rows = np.vstack([z, model.embed(strange)])
                ways = {how: (rows, both, how) for how in (("views", "mean") if draw else METHODS)}
                if case == "another topic" and draw == 0:
                    ways["views of deep"] = (deep.embed(both), both, "views")
                for how, (vectors, told, method) in ways.items():
                    score = tasks.anomalies(vectors, texts=told, method=method).score
                    sums.setdefault((case, how), []).append(float(average_precision_score(odd, score)))
                totals[case] = len(strange)
        values = {one: float(np.mean(found)) for one, found in sums.items()}
        for case, count in totals.items():
            row = {"ours": values[case, "views"], "floor": values[case, "mean"], "n": 2 * count}
            row["difference"] = row["ours"] - row["floor"]
            record(f"{count} of {case} among {name}, two draws: average precision", row)
            others = f"isolation forest {values[case, 'iforest']:.3f}, local outlier factor {values[case, 'lof']:.3f}"
            finer = f", our views of deep {values[case, 'views of deep']:.3f}" if case == "another topic" else ""
            record(f"– {others}{finer}", {})
        row = {how: float(np.mean([values[case, how] for case in totals])) for how in ("views", "mean")}
        all_four = {"ours": row["views"], "floor": row["mean"], "difference": row["views"] - row["mean"]}
        record(f"– all four among {name}", all_four)


def planted_sets(data):
    """Return the sets: name, up to 3,000 texts, texts of another topic, and texts in another language."""
    with gzip.open(data / "english_text/banking77_train.csv.gz", "rt", encoding="utf-8") as file:
        bank = drawn([row["text"] for row in csv.DictReader(file)], 3000)
    with gzip.open(data / "japanese_pairs/jrte_pn.tsv.gz", "rt", encoding="utf-8") as file:
        # Fragments such as "(^_^)" are odd themselves.
        hotels = drawn([one.split("\t")[2] for one in file if len(one.split("\t")[2]) >= 10], 3000)
    with gzip.open(data / "english_text/abc_headlines.txt.gz", "rt", encoding="utf-8") as file:
        news = drawn([one.strip() for one in file], 3000)
    with gzip.open(data / "jaquad/dev_corpus.jsonl.gz", "rt", encoding="utf-8") as file:
        wiki = [json.loads(one)["text"][:80] for one in file]
    with gzip.open(data / "queries/clinc150.tsv.gz", "rt", encoding="utf-8") as file:
        rows = [one.rstrip("\n").split("\t") for one in file]
    other = [one[0].strip('"') for one in rows if one[1] in ("weather", "recipe", "play_music")]
    with gzip.open(data / "jglue/jsts-train.jsonl.gz", "rt", encoding="utf-8") as file:
        captions = drawn([json.loads(one)["sentence1"] for one in file], 3000)
    with (data / "fine_food/fine_food_reviews_1k.csv").open(encoding="utf-8", newline="") as file:
        reviews = drawn([f"Title: {one['Summary']}; Content: {one['Text']}" for one in csv.DictReader(file)], 3000)
    return (
        ("bank requests", bank, other, hotels),
        ("hotel sentences (Japanese)", hotels, wiki, news),
        ("headlines", news, other, hotels),
        ("reviews", reviews, news, hotels),
        ("captions (Japanese)", captions, hotels, news),
    )


def drawn(texts, count, seed=0):
    """Return so many different texts, drawn."""
    different = sorted(set(texts))
    return [different[at] for at in np.random.default_rng(seed).permutation(len(different))[:count]]


def duplicates(record, data, model):
    """Say what a threshold means: precision and recall on pairs that people judged, and planted edits."""
    with gzip.open(data / "english_pairs/quora_dev.tsv.gz", "rt", encoding="utf-8") as file:
        pairs = [one.rstrip("\n").split("\t") for one in list(file)[1:]]
    questions = likeness([one[1] for one in pairs], [one[2] for one in pairs], model)
    same = np.array([one[0] == "1" for one in pairs])
    with gzip.open(data / "jglue/jsts-train.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(one) for one in file]
    captions = likeness([one["sentence1"] for one in rows], [one["sentence2"] for one in rows], model)
    alike = np.array([one["label"] >= 4 for one in rows])
    for name, values, truth in (("Quora, questions", questions, same), ("JSTS, captions (Japanese)", captions, alike)):
        for threshold in (0.8, 0.85, 0.9, 0.95, 0.98):
            found = values >= threshold
            row = {"ours": float(truth[found].mean()), "n": int(found.sum())}
            record(f"duplicates at {threshold:g}, {name}: precision", row)
            record("– recall", {"ours": float(found[truth].mean()), "n": int(truth.sum())})
    with gzip.open(data / "english_text/banking77_train.csv.gz", "rt", encoding="utf-8") as file:
        texts = drawn([row["text"].strip() for row in csv.DictReader(file) if len(row["text"].split()) > 4], 500)
    with gzip.open(data / "parallel_ja_en/tatoeba_jpn-eng.tsv.gz", "rt", encoding="utf-8") as file:
        translated = [one.split("\t")[:2] for one in list(file)[:20_000:40]]
    edits = {
        "capitals without the mark": (texts, [text.upper().rstrip("?") for text in texts]),
        "other marks": (texts, [text.rstrip("?.!") + " !!" for text in texts]),
        "two words swapped": (texts, [swapped(text.split(), " ") for text in texts]),
        "two letters swapped": (texts, [swapped(list(text), "") for text in texts]),
        "translated": tuple(zip(*translated, strict=True)),
    }
    for name, (left, right) in edits.items():
        own = likeness(left, right, model)
        cosines = model.embed(list(left)) @ model.embed(list(right)).T
        for threshold in (0.6, 0.7, 0.8, 0.95) if name == "translated" else (0.95,):
            found = int((own >= threshold).sum())
            wrong = int((cosines >= threshold).sum() - (np.diag(cosines) >= threshold).sum())
            record(f"duplicates at {threshold:g}, {name}: recall", {"ours": found / len(own), "n": len(own)})
            if found + wrong:
                record("– precision, each beside all others", {"ours": found / (found + wrong), "n": found + wrong})


def swapped(parts, between):
    """Return the parts joined with the two in the middle swapped."""
    middle = len(parts) // 2
    return between.join([*parts[: middle - 1], parts[middle], parts[middle - 1], *parts[middle + 1 :]])


def cosqa(record, data, model):
    """Ask CoSQA's dev questions of its functions: mean reciprocal rank, beside BM25."""
    import bm25s

    folder = data / "code_search"
    with gzip.open(folder / "cosqa_corpus.jsonl.gz", "rt", encoding="utf-8") as file:
        corpus = [json.loads(one) for one in file]
    lines = (folder / "cosqa_dev_queries.jsonl").read_text("utf-8").splitlines()
    questions = {one["_id"]: one["text"] for one in map(json.loads, lines)}
    right = dict(row.split("\t")[:2] for row in (folder / "cosqa_dev_qrels.tsv").read_text("utf-8").splitlines()[1:])
    place = {one["_id"]: at for at, one in enumerate(corpus)}
    functions = [Function("", 1, one["text"].partition("(")[0].rpartition(" ")[2], one["text"]) for one in corpus]
    index = CodeIndex(functions, model)
    engine = bm25s.BM25()
    words = [as_words(one["text"]) for one in corpus]
    engine.index(bm25s.tokenize(words, show_progress=False), show_progress=False)
    ours, floor = [], []
    for one in filter(right.__contains__, questions):
        goal = place[right[one]]
        hits = index.search(questions[one], len(functions))
        ours.append(next((1 / rank for rank, hit in enumerate(hits, 1) if hit.function is functions[goal]), 0.0))
        by_words = engine.get_scores(bm25s.tokenize([questions[one]], show_progress=False, return_ids=False)[0])
        floor.append(1 / (1 + (by_words > by_words[goal]).sum()))
    record("CoSQA dev, mean reciprocal rank (floor: BM25)", line(ours, floor))


PARTS = {one.__name__: one for one in (stars, zero_shot, profiles, banking, planted, cosqa)}
PARTS |= {
    one.__name__: one for one in (public.names, public.few_examples, public.recommendations, public.seeds, public.finer)
}


def main():
    """Run what was asked for and is not there yet, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"), help="the public data sets")
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--model", default="built-in")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[1] / "docs", help="a folder")
    parser.add_argument("--again", action="store_true", help="measure all again")
    given = parser.parse_args()
    model = imi.load(given.model)
    kept = given.out / "tasks.json"
    before = json.loads(kept.read_text("utf-8"))["results"] if kept.exists() else {}
    record = Record("tasks", {"weights": model.info.weights, "repeats": REPEATS}, out=given.out)
    for name in given.only or PARTS:
        if name in record and not given.again:
            continue
        rows = []

        def keep(what, row, rows=rows):
            rows.append({"what": what, **row})
            print(
                f"{what:<70} "
                + "  ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items() if v != ""),
                flush=True,
            )

        PARTS[name](keep, given.data, model)
        record.put(name, rows)
    for name, rows in before.items():  # what was not measured again is of the weights before
        part = name.removesuffix(EARLIER)
        if part in record and name.endswith(EARLIER):
            record.results.pop(name, None)
        elif part not in record:
            record.results[part + EARLIER] = rows
    record.write()
    notes = "\n".join((__doc__ or "").splitlines()[:1]) + NOTES
    if any(name.endswith(EARLIER) for name in record.results):
        notes += OLDER
    print(record.page("Tasks", {"what": "", **COLUMNS}, notes))
    return 0


NOTES = """
`floor` is TF-IDF (words and pairs of words) under the same head, BM25 for code; `difference` is ours less the floor's,
paired by case. "In parts" puts the vector of a review beside those of its first sentence and of the mean of its
sentences (`--sentences`). The cookbook's published figures of text-embedding-3-small stand beside ours; its split has
200 rows, so that a figure there is good to about six points. Of anomalies the floor is the mean distance to the twenty
nearest rows, with scikit-learn's isolation forest and local outlier factor in the line below, and what our views find
in vectors of the finer model; weather, recipes and music among headlines are found late by all of them, as headlines
are about everything and lie as far from each other as from these. Of clusters it is named
in the row; of duplicates there is none: the rows say how often a pair at a threshold means the same, and how many that
mean the same are found. SetFit trains an encoder by pairs of a few labelled examples; a static table has no layers to
train, so that a square map of the vectors stands for them, trained by the same pairs, under a logistic head; the
interval is that of five draws of the examples. Names are those of the true groups. Of recommendations the floor is the
rows nearest to the mean of the liked; at a diversity of .3 they give up some of these for others that lie farther
apart, which the line below measures. Predictions from what owners wrote are compared with the same from TF-IDF
vectors; predictions that also know their other stars, with the mean of these, which copies of a review under several
products make hard to beat.
Made by `python benchmarks/tasks.py FOLDER`.
"""

OLDER = """What is marked "earlier weights" was measured with the built-in model's weights before these and has not been
measured again.
"""

if __name__ == "__main__":
    sys.exit(main())
