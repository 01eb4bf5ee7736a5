import math

import apsw
import numpy as np
import pytest

from imi.errors import UsageError
from imi.text.bm25 import BM25
from imi.text.lexical import FTS5_TOKENIZE, index_tokens, ranking_terms

TEXTS = [
    "京都の寺は古い。京都の庭も古い。",
    "東京都の天気",
    "The old temples of Kyoto and its gardens",
    "the weather in Tokyo, the weather in Osaka",
    "",
    "SQLiteで全文検索エンジンを作る",
]
QUERIES = ["京都の古い寺", "the weather", "SQLite 検索エンジンの作り方", "zzz qqq"]


def by_hand(documents, query, k1, b):
    """Score documents by the formula, one at a time."""
    average = sum(map(len, documents)) / len(documents)
    out = []
    for document in documents:
        score = 0.0
        for term in query:
            n = sum(term in other for other in documents)
            idf = math.log(1 + (len(documents) - n + 0.5) / (n + 0.5))
            f = document.count(term)
            score += idf * f * (k1 + 1) / (f + k1 * (1 - b + b * len(document) / average)) if f else 0
        out.append(score)
    return out


@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (0.9, 0.0), (0.0, 1.0), (2.0, 1.0)])
def test_scores_are_those_of_the_formula(k1, b):
    documents = [index_tokens(text) for text in TEXTS]
    queries = [ranking_terms(query) for query in QUERIES]
    expected = [by_hand(documents, query, k1, b) for query in queries]
    assert np.allclose(BM25(documents, k1=k1, b=b).scores(queries), expected, atol=1e-5)


def test_scores_agree_with_bm25s():
    bm25s = pytest.importorskip("bm25s")
    documents = [index_tokens(text) for text in TEXTS]
    peer = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    peer.index(documents, show_progress=False)
    ours = BM25(documents, k1=1.5, b=0.75).scores([ranking_terms(q) for q in QUERIES])
    for row, query in zip(ours, QUERIES, strict=True):
        # bm25s leaves out the constant k1 + 1, which ranks nothing differently.
        assert np.allclose(row, 2.5 * peer.get_scores(ranking_terms(query)), atol=1e-4)


def test_the_best_come_first_and_what_does_not_match_is_missing():
    index = BM25(index_tokens(text) for text in TEXTS)
    scores, rows = index.search([ranking_terms(q) for q in QUERIES], k=3)
    assert rows[0, 0] == 0 and rows[1].tolist() == [3, 2, -1] and rows[3].tolist() == [-1] * 3
    assert (np.diff(scores, axis=1) <= 0).all() and (scores[rows < 0] == 0).all()
    assert index.search([["the"]], k=99)[1].shape == (1, len(TEXTS))


def test_the_order_is_that_of_fts5():
    db = apsw.Connection(":memory:")
    db.execute(f'create virtual table f using fts5(t, tokenize="{FTS5_TOKENIZE}")')
    # FTS5 has no idf for a term in half of the documents and more, so rare terms are asked for among many others.
    texts = TEXTS * 3 + [f"unrelated filler number {i} 無関係な文" for i in range(60)]
    db.executemany(
        "insert into f(rowid, t) values (?, ?)", [(i, " ".join(index_tokens(t))) for i, t in enumerate(texts)]
    )
    index = BM25([index_tokens(text) for text in texts], k1=1.2, b=0.75)
    for query in QUERIES[:3]:
        expression = " OR ".join(f'"{t}"' for t in ranking_terms(query))
        stored = dict(db.execute("select rowid, -bm25(f) from f where f match ?", (expression,)))
        ours = index.scores([ranking_terms(query)])[0]
        found = sorted(stored)
        assert found == np.flatnonzero(ours).tolist()
        assert np.allclose([stored[i] for i in found], ours[found], rtol=0.06)


def test_common_terms_are_named():
    index = BM25([["a", "b"], ["a"], ["a", "c"], []])
    assert index.common(0.5) == {"a"} and index.common(0.9) == frozenset() and len(index) == 4


def test_empty_collections_and_queries_are_answered():
    assert BM25([]).scores([["a"]]).shape == (1, 0)
    assert BM25([[], []]).scores([["a"], []]).tolist() == [[0, 0], [0, 0]]
    assert BM25([["a"]]).search([], k=2)[0].shape == (0, 1)


def test_bad_parameters_are_refused():
    with pytest.raises(UsageError, match="b from 0 to 1"):
        BM25([["a"]], b=2)
