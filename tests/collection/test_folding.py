"""Copies folded: one hit for rows that say the same, pages that do not move, counts that stay true."""

import pytest

import imi
from imi.collection.folding import fold, search_folded
from imi.collection.several import search_several
from imi.embedders.testing import HashEmbedder
from imi.errors import UsageError
from imi.records import Document, Hit

LONG = (
    "We have bought several of the vitality canned dog food products and have found them all to be of good quality; "
    "the product looks more like a stew than a processed meat and it smells better, "
    "while my labrador, who is rather finicky "
    "about everything that comes from a tin, appreciates this one most "
)


def hits(*texts):
    return [Hit(str(at), 1.0 - at / 100, text) for at, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Good beans!", "good  beans", True),
        ("Good beans", "Bad beans", False),
        ("豆がおいしい。", "豆がおいしい", True),
        (LONG * 2, LONG * 2 + "indeed", True),
        (LONG + "in 2023, all of the year round", LONG + "in 2024, all of the year round", False),
        (LONG + "a b c d", "another text " * 20, False),
        ("ＡＢＣ", "abc", True),
        ("", "", True),
        ("!!!", "???", False),
    ],
)
def test_what_is_a_copy(one, other, same):
    assert (len(fold(hits(one, other))) == 1) == same


def test_the_first_of_copies_stays_and_names_the_others():
    found = fold(hits("a b", "c d", "A, b!", "a b"))
    assert [(one.id, one.copies) for one in found] == [("0", ("2", "3")), ("1", ())]
    assert found[0].to_dict()["copies"] == ["2", "3"] and "copies" not in found[1].to_dict()


@pytest.fixture
def reviews(tmp_path):
    with imi.open(tmp_path / "c.imi", model=HashEmbedder()) as collection:
        rows = [
            Document(f"{n}-{m}", f"review number {n} of good coffee", {"n": n}) for n in range(12) for m in range(3)
        ]
        collection.add(rows)
        yield collection


def test_pages_of_folded_hits_follow_one_another(reviews):
    def found(k):
        return reviews.search("good coffee", k=k, facets=["n"])

    whole = search_folded(found, 12)
    assert len(whole) == 12 and all(len(hit.copies) == 2 for hit in whole)
    assert sum(whole.facets["n"].values()) == 36, "facets count rows"
    pages = [hit.id for at in range(0, 12, 4) for hit in search_folded(found, 4, at)]
    assert pages == [hit.id for hit in whole]


def test_several_collections_are_ranked_by_their_ranks(reviews, tmp_path):
    with imi.open(tmp_path / "d.imi", model=HashEmbedder()) as other:
        other.add([Document("x", "good coffee elsewhere"), Document("y", "tea")])
        found = search_several([reviews, other], lambda one, k: one.search("good coffee", k=k), 4)
        assert [hit.collection for hit in found[:2]] == [str(reviews.info.path), str(other.info.path)]
        assert found[1].id == "x" and found[0].score == found[1].score == 1.0
        assert found[0].to_dict()["collection"] == str(reviews.info.path)
        later = search_several([reviews, other], lambda one, k: one.search("good coffee", k=k), 2, 2)
        assert list(later) == list(found[2:])
        with pytest.raises(UsageError, match="twice"):
            search_several([other, other], lambda one, k: one.search("x", k=k), 1)
        with pytest.raises(UsageError, match="no collection"):
            search_several([], lambda one, k: one.search("x", k=k), 1)


def test_hybrid_pages_beyond_the_first_hundred_do_not_move(tmp_path):
    with imi.open(tmp_path / "c.imi", model=HashEmbedder()) as collection:
        collection.add([Document(str(n), f"good coffee {n % 7} and tea {n % 11}, number {n}") for n in range(700)])
        whole = [hit.id for hit in collection.search("good coffee and tea number 3", k=450)]
        assert len(set(whole)) == 450
        for offset in (0, 90, 100, 150, 390):
            page = collection.search("good coffee and tea number 3", k=60, offset=offset)
            assert [hit.id for hit in page] == whole[offset : offset + 60]
