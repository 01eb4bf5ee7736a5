"""The inverted index, looked into: which documents hold a term, how often and where, and what that is worth."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any

from imi.collection.base import Collection
from imi.collection.folder import FolderCollection
from imi.errors import UsageError
from imi.fusion import expected_score
from imi.store.store import Store
from imi.text.lexical import phrase_tokens

_LONGER = 10


@dataclass(frozen=True, slots=True)
class Posting:
    """One document in a term's list: how often the term is there, at which tokens of the text, and its BM25 score."""

    id: str
    count: int
    positions: tuple[int, ...]
    score: float
    text: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One token of the index and the number of documents in its list."""

    text: str
    documents: int


@dataclass(frozen=True, slots=True)
class Postings:
    """What the index holds for a term: the lists of its tokens, and the documents in which these are adjacent.

    documents: how many of the `total` hold the term; occurrences: how often in all. idf: the weight of a term that this
    many documents hold. postings: the best by BM25. longer: indexed words that begin with it, which searches find too.
    """

    term: str
    tokens: tuple[Entry, ...]
    total: int
    documents: int
    occurrences: int
    idf: float
    postings: tuple[Posting, ...]
    longer: tuple[Entry, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return asdict(self)


def postings(collection: Collection, term: str, k: int = 20) -> Postings:
    """Return what the full-text index of a collection holds for a term.

    A word is one token. Text without spaces is cut into characters and bigrams, so 京都 is a token and 東京都 is two
    adjacent ones: its documents are those in which the lists of both agree.

    Args:
        collection: a collection in a file of ours.
        term: a word or a string; upper and lower case are one.
        k: how many documents to show.

    Raises:
        UsageError: the term holds no letter, digit or symbol that is indexed, or the collection lies elsewhere.
    """
    if not isinstance(collection, FolderCollection):
        raise UsageError("only a collection in a local file shows its index", hint="imi copy URL NAME.imi")
    store = collection._store
    tokens = phrase_tokens(term)
    if not tokens:
        raise UsageError(f"{term!r} holds nothing that is indexed", hint="give a word, such as cat or 猫")
    with store.reading():
        counts = store.term_counts(tokens)
        rows, scores = store.match(f'"{" ".join(tokens)}"', -1)
        places = _in_a_row(store, tokens)
        longer = [pair for pair in store.longer_terms(tokens[0], _LONGER)] if len(tokens) == 1 else []
        total = store.count()
        shown = store.by_rows(rows[:k])
    found = tuple(
        Posting(document.id, len(places[row]), tuple(places[row]), float(score), document.text)
        for row, score in zip(rows[:k].tolist(), scores[:k], strict=True)
        if (document := shown.get(row)) is not None
    )
    return Postings(
        term,
        tuple(Entry(token, counts.get(token, 0)) for token in dict.fromkeys(tokens)),
        total,
        len(rows),
        sum(len(places[row]) for row in rows.tolist()),
        expected_score([len(rows)], total),
        found,
        tuple(Entry(*pair) for pair in longer),
    )


def _in_a_row(store: Store, tokens: tuple[str, ...]) -> dict[int, list[int]]:
    """Return, by document, the positions at which the tokens follow one another."""
    begins: dict[int, set[int]] = {}
    for behind, token in enumerate(tokens):
        here: dict[int, set[int]] = defaultdict(set)
        for row, position in store.occurrences(token):
            here[row].add(position - behind)
        begins = here if behind == 0 else {row: begins[row] & here[row] for row in begins.keys() & here.keys()}
    return defaultdict(list, {row: sorted(positions) for row, positions in begins.items()})
