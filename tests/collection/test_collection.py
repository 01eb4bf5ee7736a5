"""What a user of a collection relies on, each on a real file."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import apsw
import numpy as np
import pytest

import imi
from imi.collection import Collection
from imi.embedders.testing import HashEmbedder
from imi.errors import CollectionError, Damaged, DataError, Locked, ModelMismatch, TooNew, UsageError
from imi.records import Document, ModelInfo

FOUR = ["AIは素晴らしい！", "うちの猫はタマと言います", "うちのペットはいつも寝ています", "金魚は夜は休むのかな？"]


class Other(HashEmbedder):
    """The same numbers under another name: a model of equal width that must not be mixed in."""

    info = ModelInfo(id="other", width=64, dims=(16, 32, 64), weights="blake2b-1")


class Counting(HashEmbedder):
    """Counts the texts that it is asked to embed."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts, kind="document", dims=None, *, progress=None):
        if kind == "document":
            self.texts += texts
        return super().embed(texts, kind, dims, progress=progress)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "c.imi"


@pytest.fixture
def four(path: Path, embedder: HashEmbedder):
    with imi.open(path, embedder) as c:
        c.add([Document(str(at), text, {"n": at, "even": at % 2 == 0}) for at, text in enumerate(FOUR)])
        yield c


def ids(hits: imi.Hits) -> list[str]:
    return [hit.id for hit in hits]


def test_the_slides_text_search(four: Collection) -> None:
    assert ids(four.search("猫", mode="text")) == ["1"]
    assert ids(four.search("ねこ", mode="text")) == []
    assert ids(four.search("寝ている", mode="text")) == []
    assert ids(four.search("AI", mode="text")) == ["0"]
    assert ids(four.search("寝てい", mode="text")) == ["2"]


def test_meaning_is_the_brute_force_cosine(four: Collection, embedder: HashEmbedder) -> None:
    z, q = embedder.embed(FOUR), embedder.embed(["うちの猫"], kind="query")
    expected = (z @ q.T)[:, 0]
    hits = four.search("うちの猫", mode="meaning")
    assert ids(hits) == [str(at) for at in np.argsort(-expected, kind="stable")]
    assert [hit.score for hit in hits] == pytest.approx(sorted(expected, reverse=True), abs=1e-6)
    short = imi.truncate(z, 16) @ imi.truncate(q, 16).T
    hits = four.search("うちの猫", mode="meaning", dims=16)
    assert [hit.score for hit in hits] == pytest.approx(sorted(short[:, 0], reverse=True), abs=1e-6)
    assert ids(four.search(q[0])) == ids(four.search("うちの猫", mode="meaning"))


def test_filters_narrow_every_mode_and_lose_nothing(four: Collection) -> None:
    for mode in ("text", "meaning", "hybrid"):
        assert set(ids(four.search("うち", mode=mode, where={"n": {">=": 2}}))) <= {"2", "3"}
    assert sorted(ids(four.search("x", k=10, mode="meaning", where={"even": True}))) == ["0", "2"]
    assert ids(four.search("x", mode="meaning", where={"n": 99})) == []
    assert four.count({"not": {"n": 0}}) == 3


def test_pages_scores_and_facets(four: Collection) -> None:
    whole = four.search("うちの猫", mode="meaning")
    assert ids(four.search("うちの猫", k=2, mode="meaning", offset=1)) == ids(whole)[1:3]
    least = whole[1].score
    assert ids(four.search("うちの猫", mode="meaning", min_score=least)) == ids(whole)[:2]
    assert four.search("うち", mode="text", facets=["even"]).facets == {"even": {"false": 1, "true": 1}}
    faceted = four.search("うち", mode="text", facets=["n"])
    assert faceted.facets == {"n": {"1": 1, "2": 1}}
    assert four.search("うち", mode="meaning", facets=["n"], where={"n": {"<": 2}}).facets == {"n": {"0": 1, "1": 1}}
    assert set(faceted.to_dict()) == {"hits", "facets", "search"}


def test_similar_leaves_the_row_itself_out(four: Collection) -> None:
    hits = four.similar("1", k=2)
    assert len(hits) == 2 and "1" not in ids(hits)
    assert ids(four.similar("1", where={"n": {">": 1}})) == ids(
        [hit for hit in four.similar("1") if hit.metadata["n"] > 1]
    )


def test_adding_again_embeds_nothing_and_changes_nothing(path: Path) -> None:
    model = Counting()
    with imi.open(path, model) as c:
        documents = [Document("a", "one"), Document("b", "two")]
        assert c.add(documents).to_dict() == {"added": 2, "updated": 0, "unchanged": 0, "removed": 0, "failed": []}
        assert c.add(documents).unchanged == 2
        assert model.texts == ["one", "two"]
        changed = c.add([Document("a", "one", {"x": 1}), Document("b", "three")])
        assert (changed.updated, changed.unchanged) == (2, 0)
        assert model.texts == ["one", "two", "three"]
        assert c.get("a").metadata == {"x": 1}
        assert c.search("two", mode="text", k=5) == imi.Hits([]) and ids(c.search("three", mode="text")) == ["b"]


def test_the_last_row_of_an_id_wins_as_if_they_came_one_by_one(path: Path, embedder: HashEmbedder) -> None:
    with imi.open(path, embedder) as c:
        c.add([Document("a", "old"), Document("b", "between"), Document("a", "new")])
        assert (c.count(), c.get("a").text, c.ids()) == (2, "new", ["b", "a"])


def test_deleted_rows_never_return_and_others_stay(four: Collection, path: Path, embedder: HashEmbedder) -> None:
    assert four.delete(["1", "nowhere"]) == 1
    assert four.delete(where={"n": 3}) == 1
    for collection in (four, imi.open(path, embedder, "r")):
        assert collection.ids() == ["0", "2"] and len(collection) == 2
        assert ids(collection.search("猫", mode="text")) == []
        assert sorted(ids(collection.search("猫", mode="meaning"))) == ["0", "2"]
    four.add([Document("1", FOUR[1])])
    assert ids(four.search("猫", mode="text")) == ["1"]


def test_another_reader_sees_commits_at_once(four: Collection, path: Path, embedder: HashEmbedder) -> None:
    with imi.open(path, embedder, "r") as reader:
        assert len(reader.search("犬", mode="meaning")) == 4
        four.add([Document("dog", "犬")])
        assert ids(reader.search("犬", mode="meaning"))[0] == "dog"
        four.add([Document("dog", "電車")])
        assert ids(reader.search("犬", mode="text")) == [] and len(reader) == 5
        four.delete("dog")
        assert "dog" not in ids(reader.search("電車", mode="meaning"))


def test_vectors_of_ones_own_with_and_without_text(path: Path) -> None:
    z = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    with imi.open(path) as c:
        c.add([Document("s1"), Document("s2", "a signal"), Document("s3", metadata={"kind": "user"})], z)
        np.testing.assert_array_equal(c.vectors(), z)
        np.testing.assert_array_equal(c.vectors(["s3", "s1"]), z[[2, 0]])
        np.testing.assert_allclose(c.vectors(dims=2), imi.truncate(z, 2))
        assert ids(c.search(z[2], k=1)) == ["s3"] and ids(c.search("signal")) == ["s2"]
        with pytest.raises(CollectionError, match="vectors of your own"):
            c.search("signal", mode="meaning")
        with pytest.raises(UsageError, match="4 dimensions"):
            c.add([Document("x")], z[:1, :4])
        c.add([Document("text only", "no vector here")])
        assert c.ids(with_vector=True) == ["s1", "s2", "s3"] and len(c) == 4
        assert [one.id for one in c.documents(with_vector=True)] == ["s1", "s2", "s3"]
        assert c.add([Document("s1")], z[:1]).unchanged == 1
        assert c.add([Document("s1")], z[1:2]).updated == 1


def test_another_model_is_refused_though_the_width_agrees(four: Collection, path: Path) -> None:
    with pytest.raises(ModelMismatch, match=r"hash .*other"):
        imi.open(path, Other())
    assert len(four) == 4


def test_a_later_version_of_the_same_model_says_how_to_go_on(four: Collection, path: Path) -> None:
    class Later(HashEmbedder):
        info = replace(HashEmbedder.info, weights="later")

    with pytest.raises(ModelMismatch, match="another version of hash") as error:
        imi.open(path, Later())
    assert f"imi migrate {path} --model hash" in str(error.value.hint)
    four.migrate(model=Later())
    with imi.open(path, Later()) as again:
        assert len(again.search("cat", mode="meaning")) == 4


def test_a_model_given_as_an_object_is_asked_for_again(four: Collection, path: Path) -> None:
    with imi.open(path) as c:
        assert ids(c.search("猫", mode="text")) == ["1"]
        with pytest.raises(CollectionError, match="given as an object"):
            c.search("猫", mode="meaning")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_is_stored_comes_back(tmp_path: Path, embedder: HashEmbedder, dtype: str) -> None:
    odd = {
        "id": "'; DROP TABLE documents; --",
        "deep": {"a": [1, None, {"b": "猫"}]},
        "": "empty key",
        "f": 1.5,
        "t": True,
    }
    text = "NUL \0, 🐱‍👤, \u202eright to left, " + "long " * 100_000
    with imi.open(tmp_path / "x", embedder, dtype=dtype) as c:
        c.add([Document("🐱'\"\0", text, odd, parent="p", start=3, end=9), Document("empty", "")])
        assert c.get("🐱'\"\0") == Document("🐱'\"\0", text, odd, "p", 3, 9)
        tolerance = 1e-6 if dtype == "float32" else 1e-3
        np.testing.assert_allclose(c.vectors(["empty"]), embedder.embed([""]), atol=tolerance)
        assert c.info.dtype == dtype


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (Document("", "x"), "id is ''"),
        (Document("a"), "neither a text nor a vector"),
        (Document("a", "\ud800"), "lone surrogate"),
        (Document("a", "x", {"n": float("nan")}), "not a JSON"),
        (Document("a", "x", {"n": object()}), "not a JSON"),
        (Document("a", 5), "text is int"),  # type: ignore[arg-type]
        ("text", "allowed is imi.Document"),
    ],
)
def test_a_bad_row_is_named_and_can_be_skipped(
    path: Path, embedder: HashEmbedder, document: Document, said: str
) -> None:
    good = [Document("g1", "good"), document, Document("g2", "good too")]
    with imi.open(path, embedder) as c:
        with pytest.raises(DataError, match=said) as caught:
            c.add(good)
        assert len(caught.value.failures) == 1 and len(c) == 0
        added = c.add(good, on_error="skip")
        assert added.added == 2 and said in added.failed[0].reason and c.ids() == ["g1", "g2"]


def test_rows_before_a_bad_one_stay_in_whole_batches(path: Path, embedder: HashEmbedder) -> None:
    rows = [Document(str(at), "x") for at in range(2500)]
    rows[2400] = Document("bad")
    with imi.open(path, embedder) as c:
        with pytest.raises(DataError, match="the 2048 rows before"):
            c.add(rows)
        assert len(c) == 2048
        assert c.add([row for row in rows if row.id != "bad"]).to_dict()["unchanged"] == 2048


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda c: c.search(""), "empty"),
        (lambda c: c.search("  \n"), "empty"),
        (lambda c: c.search("x", k=0), "k is 0"),
        (lambda c: c.search("x", k=True), "k is True"),
        (lambda c: c.search("x", offset=-1), "offset is -1"),
        (lambda c: c.search("x", mode="fuzzy"), "text, meaning, hybrid"),
        (lambda c: c.search("x", where={"nope": 1}), r"no row .* has the field 'nope'"),
        (lambda c: c.search("x", facets=["nope"]), r"fields here: even, n"),
        (lambda c: c.search("x", mode="meaning", dims=65), "65"),
        (lambda c: c.search("x", mode="meaning", dims=0), "0"),
        (lambda c: c.search(np.ones(3)), r"\(64,\)"),
        (lambda c: c.search(np.full(64, np.nan)), "NaN"),
        (lambda c: c.search(np.ones(64), mode="text"), "by text"),
        (lambda c: c.get("nope"), "no row with the id 'nope'"),
        (lambda c: c.get(["1", "nope"]), "'nope'"),
        (lambda c: c.similar("nope"), "'nope'"),
        (lambda c: c.vectors(["nope"]), "'nope'"),
        (lambda c: c.delete(), "either ids or where"),
        (lambda c: c.delete(["1"], where={"n": 1}), "either ids or where"),
        (lambda c: c.delete(where={"nope": 1}), "'nope'"),
        (lambda c: c.add([], on_error="ignore"), "'raise' and 'skip'"),
        (lambda c: c.add([Document("a")], np.ones((2, 64))), "1 documents came with 2 vectors"),
        (lambda c: c.add([Document("a")], [["x"]]), "rectangular"),
    ],
)
def test_wrong_use_is_one_clear_sentence_and_changes_nothing(four: Collection, call, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        call(four)
    assert len(four) == 4


def test_a_vector_that_is_none_is_a_failed_row(four: Collection) -> None:
    z = np.ones((3, 64), np.float32)
    z[1, 5], z[2] = np.inf, 0
    added = four.add([Document("a"), Document("b"), Document("c")], z, on_error="skip")
    assert [one.reason for one in added.failed] == [
        "its vector holds NaN or infinite numbers",
        "its vector is all zeros, which has no direction",
    ]
    assert added.added == 1


def test_what_is_no_collection(tmp_path: Path, embedder: HashEmbedder) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x").write_text("x")
    (tmp_path / "alien").mkdir()
    apsw.Connection(str(tmp_path / "alien" / "collection.sqlite")).execute("CREATE TABLE t (a)")
    (tmp_path / "noise").mkdir()
    (tmp_path / "noise" / "collection.sqlite").write_bytes(b"not a database " * 5000)
    for name, kind, said in [
        ("file", UsageError, "is a file"),
        ("folder", UsageError, "no collection of imi"),
        ("alien", UsageError, "no collection of imi"),
        ("noise", Damaged, "not a collection of imi, or its first page is damaged"),
    ]:
        with pytest.raises(kind, match=said):
            imi.open(tmp_path / name, embedder)
    with pytest.raises(UsageError, match="no collection"):
        imi.open(tmp_path / "absent", embedder, "r")
    assert not (tmp_path / "absent").exists()
    with pytest.raises(UsageError, match="engine 'redis'"):
        imi.open("redis://here")
    with pytest.raises(UsageError, match="'rw' and 'r'"):
        imi.open(tmp_path / "new", mode="w")  # type: ignore[arg-type]


def test_the_suffix_may_be_left_off(four: Collection, path: Path) -> None:
    assert len(imi.open(path.with_suffix(""), mode="r")) == 4


def test_reading_only_writes_nothing(four: Collection, path: Path, embedder: HashEmbedder) -> None:
    with imi.open(path, embedder, "r") as reader, pytest.raises(CollectionError, match="reading only"):
        reader.delete("1")
    assert len(four) == 4


def test_a_newer_file_is_refused_with_a_sentence(four: Collection, path: Path) -> None:
    four.close()
    connection = apsw.Connection(str(path / "collection.sqlite"), vfs="cksmvfs")
    connection.pragma("user_version", 99)
    connection.close()
    with pytest.raises(TooNew, match="format 99, this imi understands up to"):
        imi.open(path)


def test_a_second_writer_waits_and_is_then_told(four: Collection, path: Path, embedder, monkeypatch) -> None:
    monkeypatch.setattr("imi.store.database.WAIT_MS", 200)
    with imi.open(path, embedder) as second:
        with four._store.writing(), pytest.raises(Locked, match="being written by another"):
            second.delete("1")
        assert second.delete("1") == 1


def test_a_damaged_row_is_named_and_never_given_for_a_right_one(four: Collection, path: Path, embedder) -> None:
    connection = apsw.Connection(str(path / "collection.sqlite"), vfs="cksmvfs")
    connection.execute("UPDATE documents SET text = 'forged' WHERE id = '1'")
    connection.execute("UPDATE vectors SET vector = zeroblob(256) WHERE row = 3")
    connection.close()
    with imi.open(path, embedder, "r") as c:
        with pytest.raises(Damaged, match="document of row 2"):
            c.get("1")
        with pytest.raises(Damaged, match="vector of row 3"):
            c.vectors()
        assert c.get("0").text == FOUR[0]


def test_threads_share_a_collection(four: Collection) -> None:
    problems: list[BaseException] = []
    expected = ids(four.search("うちの猫", mode="meaning", where={"n": {"<": 4}}))

    def read() -> None:
        try:
            for _ in range(30):
                assert ids(four.search("うちの猫", mode="meaning", where={"n": {"<": 4}})) == expected
        except BaseException as problem:
            problems.append(problem)

    def write() -> None:
        try:
            for at in range(20):
                four.add([Document(f"t{at}", f"new {at}", {"n": 100 + at})])
        except BaseException as problem:
            problems.append(problem)

    threads = [threading.Thread(target=read) for _ in range(4)] + [threading.Thread(target=write)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == [] and len(four) == 24


def test_similarity_takes_texts_lists_and_vectors(embedder: HashEmbedder) -> None:
    one = imi.similarity("cat", "cat", embedder)
    assert isinstance(one, float) and one == pytest.approx(1.0)
    matrix = imi.similarity(["cat", "dog"], ["cat", "cats", "bird"], embedder)
    z = embedder.embed(["cat", "dog", "cats", "bird"])
    np.testing.assert_allclose(matrix, z[:2] @ z[[0, 2, 3]].T, atol=1e-6)
    assert imi.similarity(z[0], z[1], embedder) == pytest.approx(float(z[0] @ z[1]), abs=1e-6)
