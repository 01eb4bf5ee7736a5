"""The inverted index against one made by hand from the same tokens."""

import random

import pytest

import imi
from imi.collection.term_lookup import postings
from imi.errors import UsageError
from imi.text.lexical import index_tokens, phrase_tokens

WORDS = ["cat", "Cats", "猫", "京都", "東京都", "sleeps", "SQLiteを使う", "🐱", "C++"]


def slow_postings(texts, term):
    """Return {id: places} by looking through every text."""
    tokens = list(phrase_tokens(term))
    found = {}
    for name, text in texts.items():
        stream = index_tokens(text)
        places = [at for at in range(len(stream)) if stream[at : at + len(tokens)] == tokens]
        if places:
            found[name] = tuple(places)
    return found


@pytest.fixture
def filled(tmp_path, embedder):
    rng = random.Random(0)
    texts = {str(n): " ".join(rng.choices(WORDS, k=rng.randint(1, 12))) for n in range(120)}
    with imi.open(tmp_path / "c.imi", model=embedder) as collection:
        collection.add([imi.Document(id=name, text=text) for name, text in texts.items()])
        for name in ("3", "40", "77"):
            del texts[name]
            collection.delete(name)
        texts["5"] = "a cat, another cat and 東京都"
        collection.add([imi.Document(id="5", text=texts["5"])])
        yield collection, texts


@pytest.mark.parametrize(
    "term", ["cat", "CATS", "猫", "都", "京都", "東京都", "sqlite", "🐱", "c++", "cat sleeps", "nothing"]
)
def test_lists_are_those_of_the_texts(filled, term):
    collection, texts = filled
    right = slow_postings(texts, term)
    found = postings(collection, term, k=1000)
    assert {one.id: one.positions for one in found.postings} == right
    assert (found.documents, found.total) == (len(right), len(texts))
    assert found.occurrences == sum(map(len, right.values())) == sum(one.count for one in found.postings)
    assert [one.score for one in found.postings] == sorted((one.score for one in found.postings), reverse=True)
    assert all(one.text == texts[one.id] for one in found.postings)


def test_the_best_come_first_and_longer_words_are_named(filled):
    collection, texts = filled
    few = postings(collection, "cat", k=2)
    assert len(few.postings) == 2 and few.documents > 2
    assert few.postings == postings(collection, "cat", k=99).postings[:2]
    assert [one.text for one in few.longer] == ["cats"]
    assert few.longer[0].documents == len(slow_postings(texts, "cats"))


def test_what_holds_nothing_is_refused(filled):
    with pytest.raises(UsageError, match="nothing that is indexed"):
        postings(filled[0], "…!")
    with pytest.raises(UsageError, match="local file"):
        postings(object(), "cat")
