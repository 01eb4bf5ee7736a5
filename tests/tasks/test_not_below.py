"""Each task on three public sets, in both languages: not below the plain way of doing it, as far as intervals tell."""

import csv
import gzip
import itertools
import re

import numpy as np
import pytest
from sklearn.metrics import v_measure_score
from tests.tasks import real

import imi
from imi import tasks
from imi.tasks.intervals import bootstrap
from imi.tasks.keywords import distinctive_words, nearest_in_meaning, words_of
from imi.tasks.parts import in_parts

pytestmark = pytest.mark.nightly
_YEAR = re.compile(r"(?<!\d)(1\d{3}|20[0-2]\d)年")
KINDS = ["banking", "clinc", "paragraphs"]


def kinds_of(name, data):
    """Return some texts and of which kind each is."""
    rows = {"banking": real.banking, "clinc": real.clinc, "paragraphs": real.paragraphs}[name](data)
    rows = [(text, kind) for text, kind in rows if kind != "oos"]
    some = [rows[at] for at in np.random.default_rng(0).permutation(len(rows))[:1500]]
    return map(list, zip(*some, strict=True))


def news(data):
    with gzip.open(data / "cookbook/AG_news_samples.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return [(f"{row['title']}. {row['description']}", row["label"]) for row in csv.DictReader(file)]


def test_zero_shot_of_news_is_above_the_plain_ways(shared_data, model):
    texts, truth = map(list, zip(*news(shared_data), strict=True))
    labels = {"World": "world", "Sports": "sports", "Business": "business", "Sci/Tech": "science and technology"}
    found = tasks.zero_shot(texts, labels, model, truth=truth)
    assert all(plain.interval[1] < 0 for plain in found.baselines)


@pytest.mark.parametrize("name", ["reviews", "hotels", "older reviews"])
def test_regression_is_not_below_words_or_the_mean(shared_data, model, name):
    rows = real.hotels(shared_data)[:1500] if name == "hotels" else real.reviews(shared_data)
    if name == "older reviews":
        with (shared_data / "fine_food/Reviews_first1000.csv").open(encoding="utf-8", newline="") as file:
            rows = [
                (f"Title: {row['Summary']}; Content: {row['Text']}", int(row["Score"])) for row in csv.DictReader(file)
            ]
    texts, numbers = map(list, zip(*rows, strict=True))
    found = tasks.regress(in_parts(texts, model), numbers, texts=texts)
    # The plain way's squared error less ours.
    assert all(plain["interval"][1] >= 0 for plain in found.baselines), found.baselines


@pytest.mark.parametrize("name", KINDS)
def test_groups_are_nearer_to_the_true_ones_than_those_of_plain_kmeans(shared_data, model, name):
    texts, kinds = kinds_of(name, shared_data)
    z, count = model.embed(texts), len(set(kinds))
    ours, plain = (
        [v_measure_score(kinds, tasks.cluster(z, count, seed=seed, method=method).labels) for seed in range(3)]
        for method in ("kmeans", "plain")
    )
    assert np.mean(ours) > np.mean(plain)


@pytest.mark.parametrize("name", KINDS)
def test_names_hold_no_less_of_the_label_than_those_by_class_tfidf(shared_data, model, name):
    texts, kinds = kinds_of(name, shared_data)
    labels, groups = np.unique(kinds, return_inverse=True)
    z = model.embed(texts)
    ours = [
        nearest_in_meaning(words, z[groups == group].mean(axis=0) - z.mean(axis=0), model)
        for group, words in enumerate(distinctive_words(texts, groups, len(labels), words=12))
    ]
    counts = [{} for _ in labels]
    for text, group in zip(texts, groups, strict=True):
        for word in words_of(text):
            counts[group][word] = counts[group].get(word, 0) + 1
    total = {}
    for word, times in itertools.chain.from_iterable(one.items() for one in counts):
        total[word] = total.get(word, 0) + times
    average = sum(total.values()) / len(labels)
    plain = [
        sorted(own, key=lambda word: -own[word] / sum(own.values()) * np.log(1 + average / total[word]))[:3]
        for own in counts
    ]

    def held(label, name):
        wanted = words_of(label.replace("_", " "))
        return np.mean([any(one[:4] in other or other[:4] in one for other in name) for one in wanted] or [0])

    gains = [held(label, a) - held(label, b) for label, a, b in zip(labels, ours, plain, strict=True)]
    assert bootstrap(np.array(gains))[1] >= 0, np.mean(gains)


@pytest.mark.parametrize("name", [*KINDS[:2], "hotels"])
def test_a_subset_is_farther_apart_than_rows_drawn_at_random(shared_data, model, name):
    if name == "hotels":
        texts = [text for text, _ in real.hotels(shared_data)][:1500]
    else:
        texts, _ = kinds_of(name, shared_data)
    z = model.embed(texts)
    drawn = [np.random.default_rng(seed).choice(len(z), 20, False) for seed in range(20)]
    ours = tasks.diversity(z[tasks.subset(z, 20)]).mean_distance
    assert ours > max(tasks.diversity(z[rows]).mean_distance for rows in drawn)


@pytest.mark.parametrize("name", [*KINDS, "news"])
@pytest.mark.parametrize(("likes", "dislikes"), [(1, 0), (1, 1), (3, 2)])
def test_recommendations_are_no_fewer_of_the_kind_liked_than_the_nearest(shared_data, model, name, likes, dislikes):
    texts, kinds = map(list, zip(*news(shared_data), strict=True)) if name == "news" else kinds_of(name, shared_data)
    z, codes = model.embed(texts), np.unique(kinds, return_inverse=True)[1]
    middles = np.stack([z[codes == code].mean(axis=0) for code in range(codes.max() + 1)])
    many = np.flatnonzero(np.bincount(codes) >= likes + 5)
    rng, gains, avoided = np.random.default_rng(0), [], []
    for _ in range(200):
        kind = rng.choice(many)
        other = np.argsort(-(middles @ middles[kind]))
        other = other[other != kind][0]  # dislikes are of the kind that is most like the liked one
        like = rng.choice(np.flatnonzero(codes == kind), likes, False)
        dislike = rng.permutation(np.flatnonzero(codes == other))[:dislikes]
        near = z @ z[like].mean(axis=0)
        near[[*like, *dislike]] = -1
        plain = np.argsort(-near, kind="stable")[:10]
        ours = tasks.recommend(z, like, dislike, diversity=0).rows
        gains.append((codes[ours] == kind).mean() - (codes[plain] == kind).mean())
        avoided.append((codes[plain] == other).mean() - (codes[ours] == other).mean())
    assert bootstrap(np.array(gains))[1] >= 0, np.mean(gains)
    assert not dislikes or np.mean(avoided) > 0


@pytest.mark.parametrize("name", ["reviews", "older reviews", "articles", "pages"])
def test_what_profiles_foretell_is_no_farther_off_than_the_owners_mean(shared_data, model, name):
    texts, owners, numbers = owned(name, shared_data)
    z = model.embed(texts)
    ours, plain = (tasks.profiles(z, owners, numbers, method=method) for method in ("profiles", "mean"))
    cases = np.stack([ours.truth, ours.predicted, plain.predicted], axis=1)

    def gain(rows):
        table = np.corrcoef(rows.T)
        return table[0, 1] - table[0, 2]

    assert bootstrap(cases, gain)[1] >= 0, (ours.correlation, plain.correlation)
    assert ours.correlation >= plain.correlation - 0.05 and ours.baseline["correlation"] == plain.correlation


def owned(name, data):
    """Return texts, who owns each by one or two columns, and a number each."""
    if name.endswith("reviews"):
        file_name = "fine_food_reviews_1k.csv" if name == "reviews" else "Reviews_first1000.csv"
        with (data / "fine_food" / file_name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        texts = [f"Title: {row['Summary']}; Content: {row['Text']}" for row in rows]
        return texts, [[row[by] for row in rows] for by in ("UserId", "ProductId")], [int(row["Score"]) for row in rows]
    if name == "articles":  # which years a paragraph is about (Japanese), the years taken out
        found = [
            (_YEAR.sub("", text), title, float(np.mean(years)))
            for text, title in real.paragraphs(data)
            if (years := [int(year) for year in _YEAR.findall(text)])
        ]
    else:  # how long the English of a message of documentation is (Japanese)
        lines = [line.split("\t") for line in real.lines(data / "docs_ja_en/web_docs.tsv.gz")]
        some = (lines[at] for at in np.random.default_rng(0).permutation(len(lines))[:1500])
        found = [(one[2], one[0], float(np.log(len(one[1])))) for one in some if len(one[2]) > 10]
    texts, titles, numbers = map(list, zip(*found[:600], strict=True))
    return texts, [titles], numbers


@pytest.mark.parametrize("name", KINDS)
def test_how_many_groups_there_are_does_not_depend_on_the_seed(shared_data, model, name):
    texts, _ = kinds_of(name, shared_data)
    z = model.embed(texts)
    found = [tasks.cluster(z, seed=seed) for seed in range(3)]
    assert len({len(one.clusters) for one in found}) == 1
    from sklearn.metrics import adjusted_rand_score

    alike = np.mean([adjusted_rand_score(a.labels, b.labels) for a, b in itertools.combinations(found, 2)])
    said = [any("stable" in phrase.en for phrase in one.findings().says) for one in found]
    assert alike >= 0.75 or any(said), (alike, [one.stability for one in found])


@pytest.fixture(scope="module")
def model():
    return imi.load()
