"""One contract for a folder and every engine: the same verbs, the same answers, the same errors.

The folder's exact search is the oracle. What an engine says it cannot do (`Abilities`) it must refuse.
"""

import itertools

import numpy as np
import pytest

import imi
from imi.backends.engine import Abilities
from imi.embedders.testing import HashEmbedder
from imi.errors import CollectionError, DataError, ModelMismatch, UsageError
from imi.index.exact import Exact

TEXTS = {
    "ai": ("AIは素晴らしい！", {"lang": "ja", "score": 3, "tags": ["tech"], "draft": False}),
    "cat": ("うちの猫はタマと言います", {"lang": "ja", "score": 5, "tags": ["pet", "cat"]}),
    "pet": ("うちのペットはいつも寝ています", {"lang": "ja", "score": 4.5, "tags": ["pet"], "draft": True}),
    "fish": ("金魚は夜は休むのかな？", {"lang": "ja", "score": 1, "note": None}),
    "beans": ("Delicious beans, delivered late", {"lang": "en", "score": 4, "tags": ["food"]}),
    "coffee": (
        "The coffee was bitter but the beans were fresh",
        {"lang": "en", "score": 2, "day": "2024/9/1", "at": "9:30"},
    ),
    "sql": ("SQLiteを使う全文検索エンジン", {"lang": "ja", "score": -1, "odd.key": "x", "day": "令和6年10月1日"}),
    "emoji": (
        "🐱 sleeps all day",
        {"lang": "en", "score": 10**12, "day": "2024-09-01T23:30:00-02:00", "at": "2024-09-01"},
    ),
    "tokyo": ("東京都の天気予報と京都の紅葉", {"lang": "ja", "score": 0, "nested": {"a": [1]}, "day": "soon"}),
}
DOCUMENTS = [imi.Document(id_, text, metadata) for id_, (text, metadata) in TEXTS.items()]


class Other(HashEmbedder):
    """The test embedder under another name: as wide, and not to be mixed with it."""

    info = imi.ModelInfo("other", 64, (16, 32, 64), weights="another")


@pytest.fixture
def filled(place, embedder):
    """Return a collection that a test may change."""
    with imi.open(place.url(), model=embedder) as c:
        assert c.add(DOCUMENTS).to_dict() == {"added": 9, "updated": 0, "unchanged": 0, "removed": 0, "failed": []}
        yield c


@pytest.fixture(scope="module")
def kept(engine, embedder):
    """Return a collection for all tests that only read."""
    with imi.open(engine.url("kept"), model=embedder) as c:
        c.add(DOCUMENTS)
        yield c


@pytest.fixture(scope="module")
def oracle(tmp_path_factory, embedder):
    with imi.open(tmp_path_factory.mktemp("oracle") / "oracle.imi", model=embedder) as c:
        c.add(DOCUMENTS)
        yield c


def able(c) -> Abilities:
    return c.engine.abilities if hasattr(c, "engine") else Abilities()


def found(hits) -> list[tuple[str, float]]:
    return [(hit.id, round(hit.score, 2)) for hit in hits]


def test_rows_come_back_as_they_were_given(kept):
    assert {one.id: one for one in kept.documents()} == {one.id: one for one in DOCUMENTS}
    assert kept.get("cat") == DOCUMENTS[1]
    assert kept.get(["fish", "ai", "fish"]) == [DOCUMENTS[3], DOCUMENTS[0], DOCUMENTS[3]]
    assert len(kept) == kept.count() == 9
    with pytest.raises(UsageError, match="no row with the id 'dog'"):
        kept.get("dog")


def test_ids_vectors_and_documents_are_in_one_order(kept, embedder):
    ids = kept.ids(with_vector=True)
    assert sorted(ids) == sorted(kept.ids()) == sorted(TEXTS)
    assert [one.id for one in kept.documents(with_vector=True)] == ids
    expected = embedder.embed([TEXTS[id_][0] for id_ in ids])
    assert np.abs(kept.vectors() - expected).max() < 1e-3
    assert np.abs(kept.vectors(["cat", "ai"]) - embedder.embed([TEXTS["cat"][0], TEXTS["ai"][0]])).max() < 1e-3
    assert kept.vectors(dims=16).shape == (9, 16)
    with pytest.raises(UsageError, match="no row with the id 'dog'"):
        kept.vectors(["dog"])


@pytest.mark.parametrize("dims", [None, 16])
@pytest.mark.parametrize("query", ["猫", "sleeping cats", "天気", "fresh coffee beans"])
def test_meaning_equals_the_exact_oracle(kept, oracle, query, dims):
    mine = kept.search(query, k=9, mode="meaning", dims=dims)
    theirs = oracle.search(query, k=9, mode="meaning", dims=dims)
    assert np.allclose([hit.score for hit in mine], [hit.score for hit in theirs], atol=2e-3)
    for id_, score in found(mine):  # rows whose scores agree to the rounding may stand in any order
        assert abs(score - dict(found(theirs))[id_]) < 0.011


@pytest.mark.parametrize(
    "query",
    [
        "猫",
        "京都",
        '"全文検索"',
        "ペット 寝て",
        "delicious beans",
        "beans",
        "🐱",
        "タマと言います",
        "no such words here",
    ],
)
def test_words_find_what_the_folder_finds(kept, oracle, query):
    mine, theirs = kept.search(query, mode="text"), oracle.search(query, mode="text")
    assert {hit.id for hit in mine} == {hit.id for hit in theirs}
    assert all(a.score >= b.score for a, b in itertools.pairwise(mine))


@pytest.mark.parametrize("query", ["deliver", "Lite"])
def test_parts_of_words_are_found_or_not_at_all(kept, oracle, query):
    wanted = {hit.id for hit in oracle.search(query, mode="text")} if able(kept).parts else set()
    assert {hit.id for hit in kept.search(query, mode="text")} == wanted


@pytest.mark.parametrize(
    "query", ["the beans were delivered late", "うちの猫はいつも寝ているのかな", "a cat that sleeps all day"]
)
def test_ranking_by_words_is_bm25(kept, oracle, query):
    mine, theirs = kept.search(query, mode="text"), oracle.search(query, mode="text")
    assert mine[0].id == theirs[0].id and {hit.id for hit in mine} == {hit.id for hit in theirs}
    if kept.folder.suffix == ".imi" or kept.engine.name == "postgresql":
        assert [hit.id for hit in mine] == [hit.id for hit in theirs]
        assert np.allclose([hit.score for hit in mine], [hit.score for hit in theirs], rtol=1e-5)


@pytest.mark.parametrize("query", ["猫", "the beans were delivered late", "寝ている"])
def test_both_together_find_what_the_folder_finds(kept, oracle, query):
    mine, theirs = kept.search(query, k=5), oracle.search(query, k=5)
    assert mine.mode == "hybrid"
    assert mine[0].id == theirs[0].id
    assert len({hit.id for hit in mine} & {hit.id for hit in theirs}) >= 4


WHERES = [
    {"lang": "ja"},
    {"score": {">=": 4}},
    {"score": {"<": 3, ">": -2}},
    {"score": 4.5},
    {"score": 10**12},
    {"lang": {"in": ["en", "fr"]}},
    {"score": {"in": [1, 4.5, "4"]}},
    {"lang": {"!=": "ja"}},
    {"draft": True},
    {"draft": {"!=": True}},
    {"note": None},
    {"draft": {"in": [None, True]}},
    {"tags": {"contains": "pet"}},
    {"or": [{"score": 5}, {"not": {"lang": "ja"}}]},
    {"and": [{"lang": "ja"}, {"tags": {"contains": "pet"}}]},
    {"odd.key": "x"},
    {"lang": {"in": []}},
    {"score": "5"},
    {"tags": "pet"},
    {"day": {">=": "2024-09-02"}},
    {"day": {"<": "2024年10月"}},
    {"day": {">": "2024-09-01", "<=": "2024-10"}},
    {"day": "2024-09-01"},
    {"day": {"!=": "2024-09-01"}},
    {"day": {"in": ["2024-10-01", "soon"]}},
    {"not": {"day": {">=": "2024-09-02"}}},
    {"at": {">=": "09:00"}},
    {"at": {"<": "10:00 pm"}},
    {"at": {"<": "2024-10"}},
]


@pytest.mark.parametrize("where", WHERES, ids=str)
def test_filters_pass_the_rows_that_the_folder_passes(kept, oracle, where):
    wanted = {one.id for one in oracle.documents(where)}
    assert {one.id for one in kept.documents(where)} == wanted
    assert kept.count(where) == len(wanted)
    assert {hit.id for hit in kept.search("猫", k=9, mode="meaning", where=where)} == wanted
    words = oracle.search("beans were late", mode="text", where=where)
    assert {hit.id for hit in kept.search("beans were late", mode="text", where=where)} == {hit.id for hit in words}


@pytest.mark.parametrize("where", [{"lang": {">=": "j"}}, {"lang": {"contains": "j"}}], ids=str)
def test_filters_an_engine_cannot_do_are_refused(kept, oracle, where):
    may = able(kept).text_order if ">=" in where["lang"] else able(kept).substrings
    if may:
        assert kept.count(where) == oracle.count(where)
    else:
        with pytest.raises(UsageError, match="cannot"):
            kept.count(where)


def test_wrong_filters_are_errors_in_the_same_words(kept, oracle):
    for where in ({}, {"score": {"~": 1}}, {"nothing": 1}, {"score": {">": None}}, {"or": []}, {"a": {"in": "x"}}):
        with pytest.raises(UsageError) as mine:
            kept.count(where)
        with pytest.raises(UsageError) as theirs:
            oracle.count(where)
        assert mine.value.message.split("field")[-1] == theirs.value.message.split("field")[-1]


def test_adding_again_changes_what_changed_and_nothing_else(filled):
    changed = [
        DOCUMENTS[0],
        imi.Document("cat", DOCUMENTS[1].text, {"lang": "ja", "score": 6}),
        imi.Document("pet", "うちの犬", {"lang": "ja"}),
        imi.Document("new", "a new row", {"fresh": True}),
        imi.Document("new", "the last of an id wins", {"fresh": True}),
    ]
    assert filled.add(changed).to_dict() | {"failed": 0} == {
        "added": 1, "updated": 2, "unchanged": 1, "removed": 0, "failed": 0,
    }  # fmt: skip
    assert filled.get("cat").metadata == {"lang": "ja", "score": 6}
    assert filled.get(["pet", "new"]) == changed[2:3] + changed[4:]
    assert len(filled) == 10
    assert filled.search("うちの犬", k=1, mode="meaning")[0].id == "pet"
    assert [hit.id for hit in filled.search("うちの犬", mode="text")] == ["pet"]
    assert filled.count({"fresh": True}) == 1


def test_deleted_rows_are_gone_from_everything(filled):
    assert filled.delete("cat") == 1
    assert filled.delete(["cat", "dog", "ai"]) == 1
    assert filled.delete(where={"lang": "en"}) == 3
    assert sorted(filled.ids()) == ["fish", "pet", "sql", "tokyo"]
    assert len(filled) == 4
    assert not filled.search("猫", mode="text")
    assert "cat" not in {hit.id for hit in filled.search("猫", mode="meaning")}
    with pytest.raises(UsageError, match="either ids or where"):
        filled.delete()


def test_similar_leaves_the_row_itself_out(kept, oracle):
    mine, theirs = kept.similar("pet", k=3), oracle.similar("pet", k=3)
    assert [hit.id for hit in mine] == [hit.id for hit in theirs]
    assert {hit.id for hit in kept.similar("pet", k=9, where={"lang": "en"})} == {"beans", "coffee", "emoji"}
    with pytest.raises(UsageError, match="is not there"):
        kept.similar("dog")


def test_pages_and_least_scores(kept):
    whole = kept.search("猫", k=9, mode="meaning")
    assert found(kept.search("猫", k=4, mode="meaning", offset=3)) == found(whole[3:7])
    least = whole[2].score - 1e-4
    assert [hit.id for hit in kept.search("猫", k=9, mode="meaning", min_score=least)] == [hit.id for hit in whole[:3]]


def test_facets_are_counted_or_refused(kept, oracle):
    if not able(kept).facets:
        with pytest.raises(UsageError, match="cannot count facets"):
            kept.search("猫", facets=["lang"])
        return
    for where in (None, {"score": {">": 1}}):
        mine = kept.search("猫", mode="meaning", where=where, facets=["lang", "score", "draft", "tags"])
        theirs = oracle.search("猫", mode="meaning", where=where, facets=["lang", "score", "draft", "tags"])
        assert mine.facets == theirs.facets
        assert [list(counts) for counts in mine.facets.values()] == [list(counts) for counts in theirs.facets.values()]
    assert kept.search("beans", mode="text", facets=["lang"]).facets == {"lang": {"en": 2}}


def test_another_model_is_refused_with_the_remedy(filled, place):
    fingerprint = filled.info.fingerprint
    filled.close()
    with pytest.raises(ModelMismatch, match="fingerprint") as error:
        imi.open(place.url(), model=Other())
    assert "leave the model out" in error.value.hint
    with imi.open(place.url(), mode="r") as again:
        assert again.info.fingerprint == fingerprint == HashEmbedder.info.fingerprint
        with pytest.raises(CollectionError, match="given as an object"):
            again.search("猫", mode="meaning")


def test_what_is_written_stays_when_it_is_opened_again(place, embedder):
    with imi.open(place.url(), model=embedder) as c:
        c.add(DOCUMENTS)
    with imi.open(place.url(), model=embedder, mode="r") as c:
        assert len(c) == 9
        assert c.info.dims == 64 and c.info.fields == tuple(
            sorted({"at", "day", "lang", "score", "tags", "draft", "note", "odd.key", "nested"})
        )
        assert c.info.to_dict()["model"] == "hash"
        assert c.search("猫", k=1, mode="text")[0].id == "cat"
        with pytest.raises(CollectionError, match="reading only"):
            c.add(DOCUMENTS)
        with pytest.raises(CollectionError, match="reading only"):
            c.delete("cat")


def test_a_missing_collection_is_an_error_for_readers(place):
    with pytest.raises(UsageError, match="there is no collection"):
        imi.open(place.url("none"), mode="r")


def test_an_empty_collection_answers(place, embedder):
    with imi.open(place.url(), model=embedder) as c:
        assert len(c) == 0 and c.ids() == [] and list(c.documents()) == []
        for mode in ("text", "meaning", "hybrid"):
            assert len(c.search("猫", mode=mode)) == 0
        assert c.delete("x") == 0
        with pytest.raises(UsageError):
            c.get("x")


def test_vectors_of_ones_own(place):
    random = np.random.default_rng(5)
    z = random.standard_normal((40, 24)).astype(np.float32)
    with imi.open(place.url()) as c:
        documents = [imi.Document(f"v{at:02}", None, {"part": at % 2}) for at in range(40)]
        assert c.add(documents, vectors=z).added == 40
        assert c.add(documents, vectors=z).unchanged == 40
        assert c.add(documents[:1], vectors=z[1:2]).updated == 1
        c.add(documents[:1], vectors=z[:1])
        order = [int(id_[1:]) for id_ in c.ids()]
        held, given = c.vectors(), z[order]
        if not able(c).raw_vectors:
            given = imi.normalize(given)
        assert np.allclose(held, given, atol=2e-3)
        query = random.standard_normal(24).astype(np.float32)
        scores, rows = Exact(z).search(query[None], 5)
        hits = c.search(query, k=5)
        assert [hit.id for hit in hits] == [f"v{row:02}" for row in rows[0]]
        assert np.allclose([hit.score for hit in hits], scores[0], atol=2e-3)
        assert c.search(query, k=40, where={"part": 1})[0].id in {one.id for one in documents[1::2]}
        c.add([imi.Document("words", "only words here")])
        assert [hit.id for hit in c.search("only words here")] == ["words"]
        assert c.ids(with_vector=True) and "words" not in c.ids(with_vector=True) and len(c.vectors()) == 40
        with pytest.raises(CollectionError, match="vectors of your own"):
            c.search("words", mode="meaning")
        with pytest.raises(UsageError, match="25 dimensions"):
            c.add([imi.Document("wide")], vectors=np.ones((1, 25)))
        with pytest.raises(UsageError, match="shape"):
            c.search(np.ones(25))


def test_bad_rows_stop_or_are_named(place, embedder):
    bad = [DOCUMENTS[0], imi.Document("", "no id"), imi.Document("x", None), DOCUMENTS[1]]
    with imi.open(place.url(), model=embedder) as c:
        with pytest.raises(DataError) as error:
            c.add(bad)
        assert len(error.value.failures) == 2 and len(c) == 0
        added = c.add(bad, on_error="skip")
        assert added.added == 2 and [one.source for one in added.failed] == ["row 2", "row 3"]


def test_wrong_use_is_refused(kept):
    for bad in ({"k": 0}, {"offset": -1}, {"mode": "magic"}, {"dims": 0}, {"dims": 65}):
        with pytest.raises(UsageError):
            kept.search("猫", **({"mode": "meaning"} | bad))
    with pytest.raises(UsageError, match="empty"):
        kept.search("  ")
    with pytest.raises(UsageError, match="cannot be searched by text"):
        kept.search(np.ones(64), mode="text")


def test_chunks_keep_their_place(place, embedder):
    piece = imi.Document("p#1", "a piece of it", {"page": 3}, parent="p", start=10, end=23)
    with imi.open(place.url(), model=embedder) as c:
        c.add([piece])
        assert c.get("p#1") == piece
        moved = imi.Document("p#1", "a piece of it", {"page": 3}, parent="p", start=11, end=24)
        assert c.add([moved]).updated == 1
        assert c.get("p#1") == moved


def test_hostile_ids_texts_and_fields(place, embedder):
    nasty = [
        "'; DROP TABLE x; --",
        '"quoted"',
        "%s %(a)s {b}",
        "back\\slash",
        "a/b?c=d&e",
        "🐱" * 20,
        " ",
        "$1",
        "\n\t",
    ]
    documents = [imi.Document(id_, f"text of {id_} end", {id_: id_, "n": at}) for at, id_ in enumerate(nasty)]
    with imi.open(place.url(), model=embedder) as c:
        c.add(documents)
        assert sorted(c.ids()) == sorted(nasty)
        for at, id_ in enumerate(nasty):
            assert c.get(id_) == documents[at]
            assert c.count({id_: id_}) == 1
            assert c.count({"n": {"in": [at]}, id_: {"!=": "other"}}) == 1
            assert c.search(f'"{id_}" end', mode="text").mode == "text"
        assert c.delete(nasty) == len(nasty)
