import numpy as np
import pytest

from imi.errors import UsageError
from imi.evaluate import ByWords, hybrid, retrieval
from imi.evaluate.questions import answers
from imi.fusion import expected_score, fuse
from imi.text.bm25 import BM25
from imi.text.lexical import index_tokens, ranking_terms

DOCUMENTS = [
    "京都の寺は古い町にある",
    "東京の天気は晴れ",
    "the old temples of Kyoto",
    "weather in Tokyo today",
    "猫が好き",
]
QUERIES = ["京都にはどんな古い寺がありますか", "what is the weather like in Tokyo", "猫とはどんな生き物なのですか"]
RELEVANT = [{0: 1.0, 2: 1.0}, {1: 1.0, 3: 1.0}, {4: 1.0}]


def test_retrieval_ranks_by_truncated_cosine(embedder):
    found = retrieval(embedder, QUERIES, DOCUMENTS, RELEVANT, dims=[16, 64])
    assert list(found) == [64, 16]
    for dims, score in found.items():
        cosines = embedder.embed(QUERIES, "query", dims) @ embedder.embed(DOCUMENTS, "document", dims).T
        ranks = [[1 + int((row > row[at]).sum()) for at in right] for row, right in zip(cosines, RELEVANT, strict=True)]
        assert score.also["mrr"] == pytest.approx(np.mean([1 / min(r) for r in ranks]))
        assert score.metric == "ndcg@10" and score.value == score.also["ndcg@10"]
        assert score.items.shape == (3,) and score.items.mean() == pytest.approx(score.value)
    assert retrieval(embedder, QUERIES, DOCUMENTS, RELEVANT, metric="top1")[64].metric == "top1"
    with pytest.raises(UsageError, match="the metric is 'ndcg'"):
        retrieval(embedder, QUERIES, DOCUMENTS, RELEVANT, metric="ndcg")


def test_the_fused_ranking_is_that_of_fusing_complete_arms(embedder):
    words = ByWords(QUERIES, DOCUMENTS)
    asked, given = embedder.embed(QUERIES, "query"), embedder.embed(DOCUMENTS)
    rows = words.fused(asked, given, 0.4)
    index = BM25([index_tokens(text) for text in DOCUMENTS])
    for at, query in enumerate(QUERIES):
        scores = index.scores([ranking_terms(query)])[0]
        hits = np.flatnonzero(scores)
        order = hits[np.argsort(-scores[hits], kind="stable")]
        expected = float(index.expected([ranking_terms(query)])[0])
        meaning = (np.arange(5), given @ asked[at])
        slow = fuse((order, scores[order]), meaning, 0.4, expected=expected)[0]
        assert rows[at][:5].tolist() == slow.tolist() and (rows[at][5:] == -1).all()


def test_hybrid_goes_from_words_alone_to_meaning_alone(embedder):
    words = ByWords(QUERIES, DOCUMENTS)
    vectors = (embedder.embed(QUERIES, "query"), embedder.embed(DOCUMENTS))
    text, meaning = words.score(RELEVANT), retrieval(embedder, QUERIES, DOCUMENTS, RELEVANT)[64]
    # With weight 0 the texts without any word of the query follow; BM25 alone leaves them out.
    assert hybrid(words, vectors, RELEVANT, weight=0)[64].value >= text.value
    assert hybrid(words, vectors, RELEVANT, weight=1)[64].value == pytest.approx(meaning.value)


def test_expected_scores_agree_with_those_of_the_store():
    documents = [["a", "b"], ["a"], *([["c"]] * 98)]
    ours = BM25(documents).expected([["a", "zzz"], []])
    assert ours[0] == pytest.approx(expected_score([2, 0], 100), rel=0.01) and ours[1] == 0
    assert answers([3, 1]) == [{3: 1.0}, {1: 1.0}]
