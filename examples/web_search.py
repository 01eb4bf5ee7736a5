"""String search on the web as the seminar tells it: an inverted index, words counted by map and reduce, PageRank.

python examples/web_search.py

The index of a collection of one's own is shown by: imi explain reviews.imi --index coffee
"""

from collections import defaultdict

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
    mapped = [(word, 1) for text in pages.values() for word in text.split()]
    shuffled = defaultdict(list)
    for word, one in mapped:
        shuffled[word].append(one)
    return {word: sum(ones) for word, ones in shuffled.items()}


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


def main():
    """Show the index, the counts and the ranks."""
    index = inverted_index(PAGES)
    for word in ("cats", "猫"):
        print(f"{word!r} is on: {', '.join(index[word])}")
    counts = count_words(PAGES)
    print("the commonest words:", sorted(counts.items(), key=lambda pair: -pair[1])[:3])
    for page, rank in sorted(page_rank(LINKS).items(), key=lambda pair: -pair[1]):
        print(f"{rank:.3f}  {page}")


if __name__ == "__main__":
    main()
