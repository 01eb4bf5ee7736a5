"""Public texts for tests that hold tasks to their baselines, read from the folder of shared data."""

import csv
import gzip
from pathlib import Path

import numpy as np


def lines(path: Path) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [line.rstrip("\n") for line in file]


def some(texts, count, seed=0):
    """Return so many different texts, drawn."""
    different = sorted(set(texts))
    return [different[at] for at in np.random.default_rng(seed).permutation(len(different))[:count]]


def banking(data):
    with gzip.open(data / "english_text/banking77_train.csv.gz", "rt", encoding="utf-8") as file:
        return [(row["text"].strip(), row["category"]) for row in csv.DictReader(file)]


def clinc(data):
    return [tuple(line.split("\t")[:2]) for line in lines(data / "queries/clinc150.tsv.gz")]


def hotels(data):
    """Return Japanese sentences from hotel reviews and whether they praise (1), complain (-1) or neither (0)."""
    rows = [line.split("\t") for line in lines(data / "japanese_pairs/jrte_pn.tsv.gz")]
    return [(row[2], int(row[1])) for row in rows]


def reviews(data):
    with (data / "fine_food/fine_food_reviews_1k.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [(f"Title: {row['Summary'].strip()}; Content: {row['Text'].strip()}", int(row["Score"])) for row in rows]


def headlines(data):
    return lines(data / "english_text/abc_headlines.txt.gz")


def paragraphs(data):
    """Return Japanese paragraphs of an encyclopaedia and the articles that they are of."""
    import json

    rows = [json.loads(line) for line in lines(data / "jaquad/dev_corpus.jsonl.gz")]
    return [(row["text"], row["title"]) for row in rows]


def question_pairs(data):
    """Return pairs of English questions and whether they ask the same."""
    rows = [line.split("\t") for line in lines(data / "english_pairs/quora_dev.tsv.gz")[1:]]
    return [(row[1], row[2], row[0] == "1") for row in rows]


def caption_pairs(data):
    """Return pairs of Japanese captions and how alike people found them, 0 to 5."""
    import json

    rows = [json.loads(line) for line in lines(data / "jglue/jsts-train.jsonl.gz")]
    return [(row["sentence1"], row["sentence2"], float(row["label"])) for row in rows]
