"""What `tasks.py` measures beside public ways: names of groups, heads of few examples, the finer model, other seeds."""

import csv
import gzip
import itertools
import json

import numpy as np
from sklearn.metrics import adjusted_rand_score, v_measure_score

import imi
from imi import tasks
from imi.tasks.classifier_heads import train_head
from imi.tasks.intervals import bootstrap
from imi.tasks.keywords import distinctive_words, nearest_in_meaning, words_of
from imi.vectors import normalize

DRAWS = 5
FEW = 16


def banking(data):
    """Return Banking77's requests and what they want."""
    with gzip.open(data / "english_text/banking77_train.csv.gz", "rt", encoding="utf-8") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def requests(data):
    """Return 9,000 of CLINC's requests and what they want."""
    with gzip.open(data / "queries/clinc150.tsv.gz", "rt", encoding="utf-8") as file:
        rows = [one.rstrip("\n").split("\t")[:2] for one in file]
    rows = [(text, kind) for text, kind in rows if kind != "oos"]
    return [rows[at] for at in np.random.default_rng(0).permutation(len(rows))[:9000]]


def articles(data):
    """Return paragraphs of Japanese articles and the titles of these."""
    with gzip.open(data / "jaquad/dev_corpus.jsonl.gz", "rt", encoding="utf-8") as file:
        return [(one["text"], one["title"]) for one in map(json.loads, file)]


def hotels(data):
    """Return Japanese sentences of hotel reviews and whether they praise, complain or neither."""
    with gzip.open(data / "japanese_pairs/jrte_pn.tsv.gz", "rt", encoding="utf-8") as file:
        return [(row[2], row[1]) for row in (one.rstrip("\n").split("\t") for one in file)]


def news(data):
    """Return news and of which of four kinds they are."""
    with gzip.open(data / "cookbook/AG_news_samples.csv.gz", "rt", encoding="utf-8", newline="") as file:
        return [(f"{row['title']}. {row['description']}", row["label"]) for row in csv.DictReader(file)]


SETS = {
    "Banking77": banking,
    "CLINC150": requests,
    "JaQuAD's paragraphs by article (Japanese)": articles,
}


def names(record, data, model):
    """Name the true groups, beside class TF-IDF as BERTopic names them: how much of a group's label a name holds."""
    for name, read in SETS.items():
        texts, kinds = map(list, zip(*read(data), strict=True))
        labels, groups = np.unique(kinds, return_inverse=True)
        z = model.embed(texts)
        middle = z.mean(axis=0)
        candidates = distinctive_words(texts, groups, len(labels), words=12)
        ours = [
            nearest_in_meaning(words, z[groups == group].mean(axis=0) - middle, model)
            for group, words in enumerate(candidates)
        ]
        public = class_tfidf(texts, groups, len(labels))
        for what, measure in (("words of the label in its name", held), ("cosine of label and name", None)):
            if measure:
                values = [
                    [measure(label, words) for label, words in zip(labels, one, strict=True)] for one in (ours, public)
                ]
            else:
                said = model.embed([str(label).replace("_", " ") for label in labels])
                values = [
                    np.einsum("nd,nd->n", said, model.embed([", ".join(words) for words in one])).tolist()
                    for one in (ours, public)
                ]
            row = {"ours": float(np.mean(values[0])), "floor": float(np.mean(values[1])), "n": len(labels)}
            gain = np.subtract(*values)
            row |= {"difference": float(gain.mean()), "95 % of it": "{:.3f} to {:.3f}".format(*bootstrap(gain))}
            record(f"{name}, {what} (floor: class TF-IDF, as BERTopic names)", row)
        some = np.random.default_rng(0).choice(len(labels), 3, replace=False)
        for group in some:
            said = f"{', '.join(ours[group])} (class TF-IDF: {', '.join(public[group])})"
            record(f"– {str(labels[group]).replace('_', ' ')}: {said}", {})


def class_tfidf(texts, groups, count, words=3):
    """Return each group's words with the highest class TF-IDF (Grootendorst 2022), over the same words as ours."""
    place, counts = {}, [{} for _ in range(count)]
    for text, group in zip(texts, groups, strict=True):
        for word in words_of(text):
            counts[group][word] = counts[group].get(word, 0) + 1
            place[word] = place.get(word, 0) + 1
    average = sum(place.values()) / count
    found = []
    for own in counts:
        total = sum(own.values())
        weight = {word: times / total * np.log(1 + average / place[word]) for word, times in own.items()}
        found.append(sorted(weight, key=lambda word: (-weight[word], word))[:words])
    return found


def held(label, words):
    """Return the share of a label's words that a name has in any form: four letters alike, or one in the other."""
    wanted = words_of(str(label).replace("_", " "))
    if not wanted:
        return 0.0

    def same(one, other):
        return one[:4] == other[:4] if one.isascii() else one in other or other in one

    return float(np.mean([any(same(one, other) for other in words) for one in wanted]))


def few_examples(record, data, model):
    """Learn from a few examples a label, beside logistic regression and SetFit's way on the same vectors."""
    with (data / "fine_food/fine_food_reviews_1k.csv").open(encoding="utf-8", newline="") as file:
        reviews = [(f"Title: {row['Summary']}; Content: {row['Text']}", row["Score"]) for row in csv.DictReader(file)]
    for name, cases in (
        ("four kinds of news", news(data)),
        ("hotel sentences (Japanese)", hotels(data)),
        ("stars of reviews", reviews),
    ):
        texts, kinds = map(list, zip(*cases, strict=True))
        labels, codes = np.unique(kinds, return_inverse=True)
        z = model.embed(texts)
        right = {}
        for draw in range(DRAWS):
            rng = np.random.default_rng(draw)
            train = np.concatenate(
                [rng.choice(np.flatnonzero(codes == code), FEW, False) for code in range(len(labels))]
            )
            test = np.setdiff1d(np.arange(len(codes)), train)
            for head in ("kernel", "logistic", "knn"):
                said = train_head(z[train], codes[train], list(labels), head).confidences(z[test]).argmax(axis=1)
                right.setdefault(head, []).append((said == codes[test]).mean())
            turned = contrasted(z, train, codes[train], draw)
            said = train_head(turned[train], codes[train], list(labels), "logistic").confidences(turned[test])
            right.setdefault("SetFit", []).append((said.argmax(axis=1) == codes[test]).mean())
        for head in ("kernel", "logistic", "knn"):
            gain = np.subtract(right[head], right["SetFit"])
            row = {"ours": float(np.mean(right[head])), "floor": float(np.mean(right["SetFit"])), "n": len(codes)}
            row |= {"difference": float(gain.mean()), "95 % of it": f"{gain.min():.3f} to {gain.max():.3f}"}
            record(f"{name}, {FEW} examples a label, {head} head (floor: SetFit's way on the same vectors)", row)


def contrasted(z, train, codes, seed, steps=300, rate=1e-3):
    """Return all rows turned by a square map that draws examples of a label together and parts others.

    SetFit (Tunstall et al. 2022) trains the whole encoder by the cosines of such pairs; a static table of vectors has
    no layers to train, so that the map stands for them.
    """
    import torch

    torch.manual_seed(seed)
    rows = torch.tensor(z[train])
    same = torch.tensor((codes[:, None] == codes).astype(np.float32))
    free = 1 - torch.eye(len(rows))
    # As many pairs of one label as of two.
    weight = torch.where(same > 0, 1 / (same * free).sum(), 1 / (1 - same).sum()) * free
    change = torch.zeros((rows.shape[1],) * 2, requires_grad=True)
    optimizer = torch.optim.AdamW([change], lr=rate)
    for _ in range(steps):
        turned = torch.nn.functional.normalize(rows + rows @ change, dim=1)
        loss = (weight * (turned @ turned.T - same) ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return normalize(z + z @ change.detach().numpy())


def recommendations(record, data, model, asked=200):
    """Recommend rows of the kind of some liked ones, beside the nearest; dislikes are of the kind most like it."""
    for name, read in {**SETS, "four kinds of news": news}.items():
        texts, kinds = map(list, zip(*read(data), strict=True))
        some = np.random.default_rng(0).permutation(len(texts))[:2000]
        z = model.embed([texts[at] for at in some])
        codes = np.unique([kinds[at] for at in some], return_inverse=True)[1]
        middles = np.stack([z[codes == code].mean(axis=0) for code in range(codes.max() + 1)])
        for likes, dislikes in ((1, 0), (1, 1), (3, 2)):
            found = [
                recommended(z, codes, middles, (likes, dislikes), np.random.default_rng(draw)) for draw in range(asked)
            ]
            for diversity in (0, 0.3):
                right, plain, apart, plain_apart = np.array([one[diversity] for one in found]).T
                gain = right - plain
                row = {"ours": float(right.mean()), "floor": float(plain.mean()), "difference": float(gain.mean())}
                row |= {"95 % of it": "{:.3f} to {:.3f}".format(*bootstrap(gain)), "n": asked}
                how = f"{likes} liked, {dislikes} disliked, diversity {diversity:g}"
                record(f"{name}, {how}, share of ten of the liked kind (floor: the nearest rows)", row)
            row = {"ours": float(apart.mean()), "floor": float(plain_apart.mean()), "n": asked}
            row["difference"] = row["ours"] - row["floor"]
            record(f"– mean distance between the ten, diversity {diversity:g}", row)


def recommended(z, codes, middles, how, rng):
    """Return, by diversity: the shares of the liked kind, ours and of the nearest, and how far apart their rows are."""
    likes, dislikes = how
    kind = rng.choice(np.flatnonzero(np.bincount(codes) >= likes + 5))
    order = np.argsort(-(middles @ middles[kind]))
    other = order[order != kind][0]
    like = rng.choice(np.flatnonzero(codes == kind), likes, False)
    dislike = rng.permutation(np.flatnonzero(codes == other))[:dislikes]
    near = z @ z[like].mean(axis=0)
    near[[*like, *dislike]] = -1
    plain = np.argsort(-near, kind="stable")[:10]
    found = {}
    for diversity in (0, 0.3):
        rows = tasks.recommend(z, like, dislike, diversity=diversity).rows
        far = [tasks.diversity(z[one]).mean_distance for one in (rows, plain)]
        found[diversity] = [(codes[rows] == kind).mean(), (codes[plain] == kind).mean(), *far]
    return found


def seeds(record, data, model):
    """Find the number of groups with five seeds: how many, and how alike the groups are."""
    for name, read in {**SETS, "hotel sentences (Japanese)": hotels, "four kinds of news": news}.items():
        z = model.embed([text for text, _ in read(data)])
        found = [tasks.cluster(z, seed=seed) for seed in range(DRAWS)]
        alike = [adjusted_rand_score(a.labels, b.labels) for a, b in itertools.combinations(found, 2)]
        said = [one.stability for one in found]
        counts = ", ".join(str(len(one.clusters)) for one in found)
        steady = sum(
            not any("not stable" in says.en or "no number" in says.en for says in one.findings().says) for one in found
        )
        row = {"ours": float(np.mean(alike)), "n": len(z)}
        record(f"{name}, groups found by five seeds ({counts}): adjusted Rand index between them", row)
        record(f"– as it says itself; {steady} of 5 times called stable", {"ours": float(np.mean(said))})


def finer(record, data, model):
    """Do the tasks with vectors of the finer model, beside those of the built-in one, on some rows of each set."""
    deep = imi.load("deep")
    with (data / "fine_food/fine_food_reviews_1k.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    reviews = [f"Title: {row['Summary']}; Content: {row['Text']}" for row in rows]
    stars = np.array([int(row["Score"]) for row in rows])
    bank = [banking(data)[at] for at in np.random.default_rng(0).permutation(9974)[:2000]]
    sentences = [one for one in hotels(data) if one[1] != "0"][:1000]
    paragraphs = articles(data)[:400]

    def both(what, measure, texts):
        ours, floor = (measure(one.embed(texts)) for one in (deep, model))
        record(
            f"{what}: deep (floor: built-in)",
            {"ours": ours, "floor": floor, "difference": ours - floor, "n": len(texts)},
        )

    both("stars of reviews, accuracy, copies together", lambda z: judged(z, stars, reviews), reviews)
    both("stars of reviews, mean squared error", lambda z: tasks.regress(z, stars, texts=reviews).mse, reviews)
    by = [[row["UserId"] for row in rows], [row["ProductId"] for row in rows]]
    both("profiles, correlation", lambda z: tasks.profiles(z, by, stars.tolist()).texts, reviews)
    texts, kinds = map(list, zip(*bank, strict=True))
    both("Banking77, accuracy", lambda z: judged(z, kinds, texts), texts)
    both("Banking77, clusters, V-measure", lambda z: v_measure_score(kinds, tasks.cluster(z, 77).labels), texts)
    texts, kinds = map(list, zip(*paragraphs, strict=True))
    count = len(set(kinds))
    both(
        "JaQuAD's paragraphs, clusters, V-measure",
        lambda z: v_measure_score(kinds, tasks.cluster(z, count).labels),
        texts,
    )
    texts, kinds = map(list, zip(*sentences, strict=True))
    both("praise or complaint, hotel sentences, accuracy", lambda z: judged(z, kinds, texts), texts)
    for name, asked, truth, labels in (
        (
            "reviews",
            [text for text, star in zip(reviews, stars, strict=True) if star != 3],
            ["positive" if star > 3 else "negative" for star in stars if star != 3],
            ["positive", "negative"],
        ),
        (
            "hotel sentences",
            texts,
            ["ポジティブ" if one == "1" else "ネガティブ" for one in kinds],
            ["ポジティブ", "ネガティブ"],
        ),
    ):
        ours, floor = (tasks.zero_shot(asked, labels, one, truth=truth).accuracy for one in (deep, model))
        row = {"ours": ours, "floor": floor, "difference": ours - floor, "n": len(asked)}
        record(f"praise or complaint without examples, {name}: deep (floor: built-in)", row)


def judged(z, labels, texts):
    """Return the accuracy on the rows that are held out."""
    return tasks.classify(z, labels, texts=texts).accuracy
