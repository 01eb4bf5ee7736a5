"""String search on the web as the seminar tells it: an inverted index, words counted by map and reduce, PageRank.

python examples/web_search.py [REVIEWS.csv]

The index of a collection of one's own is shown by: imi explain reviews.imi --index coffee
"""

import csv
import re
import sys
from collections import defaultdict
from importlib.resources import files

import numpy as np

from imi.text.lexical import ranking_terms

PAGES = {
    "cats": "cats sleep all day and cats purr",
    "dogs": "dogs bark and dogs run after cats",
    "ねこ": "うちの猫はタマと言います",
    "hub": "a list of pages on cats and dogs",
}
LINKS = {"cats": ["dogs"], "dogs": ["cats"], "ねこ": ["cats"], "hub": ["cats", "dogs", "ねこ"]}


def inverted_index(pages):
    """Return, for each word, the pages that hold it."""
    index = defaultdict(list)
    for page, text in pages.items():
        for word in ranking_terms(text):
            index[word].append(page)
    return index


def count_words(pages):
    """Count words in three steps: map each page to pairs, shuffle the pairs by word, reduce each word to a sum."""
    mapped = [(word, 1) for text in pages.values() for word in re.findall(r"\w+", text.lower())]
    shuffled = defaultdict(list)
    for word, one in mapped:
        shuffled[word].append(one)
    return mapped, shuffled, {word: sum(ones) for word, ones in shuffled.items()}


def page_rank(links, damping=0.85):
    """Return how often a surfer who follows links, and now and then jumps, is on each page (Brin and Page 1998)."""
    names = list(links)
    follow = np.zeros((len(names), len(names)))
    for page, targets in links.items():
        for target in targets:
            follow[names.index(target), names.index(page)] = 1 / len(targets)
    rank = np.full(len(names), 1 / len(names))
    for _ in range(50):
        rank = (1 - damping) / len(names) + damping * follow @ rank
    return dict(zip(names, rank, strict=True))


def reviewed(path):
    """Return the texts of a CSV of reviews by id, and which products share a reviewer, as links between them."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = {row["Id"]: f"{row['Summary']} {row['Text']}" for row in rows}
    bought = defaultdict(list)
    for row in rows:
        if row["ProductId"] not in bought[row["UserId"]]:
            bought[row["UserId"]].append(row["ProductId"])
    links = defaultdict(list)
    for products in bought.values():
        for product in products:
            links[product] += [other for other in products if other != product]
    return texts, {product: sorted(set(others)) for product, others in links.items() if others}


def show(pages, links, words):
    """Print what each step gives: the index, the words counted by map, shuffle and reduce, and the ranks."""
    index = inverted_index(pages)
    print("\ninverted index: word -> pages")
    for word in words:
        print(f"  {word!r} is on {len(index[word])}: {', '.join(index[word][:8])}")
    mapped, shuffled, reduced = count_words(pages)
    print(f"\nmap: {len(pages)} pages -> {len(mapped)} pairs, the first: {mapped[:3]}")
    word = max(shuffled, key=lambda one: len(shuffled[one]))
    print(f"shuffle: {len(shuffled)} words, each with its ones: {word!r} -> {shuffled[word][:5]} …")
    commonest = sorted(reduced.items(), key=lambda pair: (-pair[1], pair[0]))
    print(f"reduce: {commonest[:5]}")
    print(f"\nPageRank: {len(links)} pages, {sum(map(len, links.values()))} links")
    for page, rank in sorted(page_rank(links).items(), key=lambda pair: (-pair[1], pair[0]))[:5]:
        print(f"  {rank:.3f}  {page}, linked from {sum(page in targets for targets in links.values())}")


def main(path=None):
    """Show index, counts and ranks of four pages, then of reviews, where products of one buyer are linked."""
    print("four pages")
    show(PAGES, LINKS, ("cats", "猫"))
    path = path or files("imi.seminar") / "data" / "reviews.csv"
    texts, links = reviewed(path)
    print(f"\nreviews of {path}")
    show(texts, links, ("coffee", "delivery"))


if __name__ == "__main__":
    main(*sys.argv[1:])
