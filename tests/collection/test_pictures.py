import sqlite3

import numpy as np
import pytest

import imi
from imi.embedders.testing import HashEmbedder
from imi.errors import CollectionError, DataError, ModelMismatch, UsageError
from imi.pictures import open_picture
from imi.store import database, schema
from tests.drawn import album, draw


@pytest.fixture
def pictures(tmp_path):
    return album(tmp_path / "photos")


@pytest.fixture
def shapes(tmp_path, pictures):
    """Return a collection of nine drawings, tagged by shape."""
    made = imi.open(tmp_path / "shapes.imi", model="pixels")
    made.add([imi.Document(name, metadata={"shape": name.split()[0]}, picture=path) for name, path in pictures.items()])
    yield made
    made.close()


def test_a_picture_finds_itself_and_then_its_like(shapes, pictures):
    path = pictures["disc red"]
    asked = {"path": path, "bytes": path.read_bytes(), "image": draw(), "array": np.asarray(draw())}
    for what, query in asked.items():
        hits = shapes.search(query, k=9)
        assert hits.mode == "meaning" and hits[0].id == "disc red", what
        assert hits[0].score == pytest.approx(1, abs=1e-5)
    oracle = shapes.vectors(["disc red"])[0] @ shapes.vectors().T
    ids = shapes.ids()
    assert [hit.id for hit in hits] == [ids[at] for at in np.argsort(-oracle)]
    assert [hit.id for hit in shapes.similar("disc red", k=8)] == [hit.id for hit in hits][1:]


def test_a_picture_and_words_are_asked_together(tmp_path):
    class Plain(HashEmbedder):
        """Pictures by their mean colour, words by the colour that they name: a space that can be told by heart."""

        picture_fingerprint = "plain"

        def embed(self, texts, kind="document", dims=None, *, progress=None):
            z = np.zeros((len(texts), self.info.width), np.float32)
            for at, text in enumerate(texts):
                z[at, :3] = [text == "red", text == "green", text not in ("red", "green")]
            return z / np.linalg.norm(z, axis=1, keepdims=True)

        def embed_images(self, pictures, dims=None, *, progress=None):
            z = np.zeros((len(pictures), self.info.width), np.float32)
            for at, one in enumerate(pictures):
                z[at, :3] = open_picture(one).pixels.reshape(-1, 3).mean(axis=0)
            return z / np.linalg.norm(z, axis=1, keepdims=True)

    def plain(*colour):
        return np.full((8, 8, 3), colour, np.uint8)

    with imi.open(tmp_path / "colours.imi", model=Plain()) as colours:
        colours.add(
            [imi.Document(name, picture=plain(*rgb)) for name, rgb in (
                ("red", (255, 0, 0)), ("green", (0, 255, 0)), ("yellow", (255, 255, 0)), ("blue", (0, 0, 255))
            )]
        )  # fmt: skip
        assert colours.search((plain(255, 0, 0), "green"), k=1)[0].id == "yellow"
        assert colours.search((plain(0, 0, 255), "blue"), k=1)[0].id == "blue"
        with pytest.raises(UsageError, match="a picture, both as a pair, or a vector, not by tuple"):
            colours.search(("red", "green"))
        with pytest.raises(UsageError, match="cannot be searched by text"):
            colours.search((plain(255, 0, 0), "green"), mode="text")


def test_tags_narrow_likeness(shapes):
    hits = shapes.search(draw("disc", "red"), k=3, where={"shape": "box"})
    assert {hit.id for hit in hits} == {"box red", "box green", "box blue"}
    assert hits[0].id == "box red"


def test_words_and_pictures_are_told_apart(shapes):
    with pytest.raises(UsageError, match="pixels reads pictures, no words"):
        shapes.search("red")
    with pytest.raises(UsageError, match="a vector or a picture cannot be searched by text"):
        shapes.search(draw(), mode="text")
    with pytest.raises(DataError, match="no such file"):
        shapes.search(shapes.folder / "absent.png")


def test_a_caption_is_found_by_its_words_and_the_vector_is_the_picture(shapes):
    shapes.add([imi.Document("caption", "a red disc of ours", picture=draw("disc", "red"))])
    assert [hit.id for hit in shapes.search("red disc", mode="text")] == ["caption"]
    np.testing.assert_allclose(shapes.vectors(["caption"]), shapes.vectors(["disc red"]), atol=1e-6)


def test_adding_again_changes_nothing_and_another_picture_is_an_update(shapes, pictures):
    same = [imi.Document(name, metadata={"shape": name.split()[0]}, picture=path) for name, path in pictures.items()]
    assert shapes.add(same).unchanged == 9
    changed = imi.Document("disc red", metadata={"shape": "disc"}, picture=draw("cross", "blue"))
    assert shapes.add([changed]).updated == 1
    assert {hit.id for hit in shapes.search(draw("cross", "blue"), k=2)} == {"disc red", "cross blue"}
    retagged = imi.Document("disc red", metadata={"shape": "cross"}, picture=draw("cross", "blue"))
    assert shapes.add([retagged]).updated == 1
    assert shapes.get("disc red").metadata == {"shape": "cross"}


def test_thumbnails_are_kept_and_go_with_their_rows(shapes, pictures):
    assert shapes.thumbnail("disc red")[:3] == b"\xff\xd8\xff"
    with pytest.raises(UsageError, match="no row with the id 'absent'"):
        shapes.thumbnail("absent")
    shapes.delete(["disc red"])
    count = shapes._store.connection.execute("SELECT count(*) FROM pictures").get
    assert count == 8 == len(shapes)


def test_bad_pictures_are_told_by_row_and_skipped_when_asked(shapes, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG broken")
    rows = [imi.Document("good", picture=draw("box")), imi.Document("bad", picture=tmp_path / "broken.png")]
    with pytest.raises(DataError, match="1 of rows 1 to 2 cannot be taken"):
        shapes.add(rows)
    assert "good" not in shapes.ids(), "a batch is taken whole or not at all"
    added = shapes.add(rows, on_error="skip")
    assert added.added == 1 and len(added.failed) == 1
    assert "broken.png: " in added.failed[0].reason


def test_a_model_that_reads_no_pictures_is_named(tmp_path):
    with imi.open(tmp_path / "words.imi", model=HashEmbedder()) as words:
        with pytest.raises(UsageError, match="the model hash reads no pictures"):
            words.add([imi.Document("a", picture=draw())])
        words.add([imi.Document("b", "text")])
        with pytest.raises(UsageError, match="the model hash reads no pictures"):
            words.search(draw())
        assert words.thumbnail("b") is None


def test_vectors_of_ones_own_go_with_pictures(tmp_path):
    with imi.open(tmp_path / "own.imi") as own:
        own.add([imi.Document("a", picture=draw())], vectors=[[1.0, 0.0]])
        assert own.thumbnail("a") and own.vectors().tolist() == [[1.0, 0.0]]
        with pytest.raises((UsageError, CollectionError)):
            own.search(draw())


def test_another_picture_tower_is_not_mixed_in(shapes):
    with shapes._store.writing():
        shapes._store.set_meta("picture_fingerprint", "f" * 32)
    with pytest.raises(ModelMismatch, match="another picture tower"):
        shapes.add([imi.Document("new", picture=draw())])
    with pytest.raises(ModelMismatch, match="another picture tower"):
        shapes.search(draw())


def test_pictures_of_an_older_tower_are_read_again_by_migrating_to_the_same_model(shapes):
    kept = shapes.vectors()
    with pytest.raises(UsageError, match="has vectors of pixels at 576 dimensions already"):
        shapes.migrate(model="pixels")
    with shapes._store.writing():
        shapes._store.set_meta("picture_fingerprint", "f" * 32)
    with pytest.raises(ModelMismatch) as refused:
        shapes.search(draw())
    assert refused.value.hint == f"imi migrate {shapes.folder} --model pixels embeds the kept pictures again"
    assert shapes.migrate(model="pixels").rows == 9
    assert (shapes.vectors() * kept).sum(axis=1).min() > 0.97, "from the small pictures that are kept"
    assert shapes.search(draw("box", "blue"), k=1)[0].id == "box blue"
    shapes.add([imi.Document("new", picture=draw(shift=4))])


def test_texts_beside_pictures_keep_their_vectors_then(tmp_path):
    with imi.open(tmp_path / "both.imi") as both:
        both.add([imi.Document("note", "a note"), imi.Document("disc", picture=draw())])
        note = both.vectors(["note"])[0]
        with both._store.writing():
            both._store.set_meta("picture_fingerprint", "f" * 32)
        assert both.search("a note", k=1)[0].id == "note", "old pictures are there, and words find them"
        both.migrate(model="built-in")
        np.testing.assert_array_equal(both.vectors(["note"])[0], note)
        assert both.search(draw(), k=1)[0].id == "disc"


def test_migrating_embeds_the_kept_pictures_again(shapes):
    shapes.migrate(model="pixels:bits")
    assert shapes.info.dims == 4096
    fresh = imi.load("pixels:bits").embed_images([draw("cross", "green")])[0]
    assert shapes.vectors(["cross green"])[0] @ fresh > 0.97
    assert shapes.search(draw("cross", "green"), k=1)[0].id.startswith("cross")


def test_damage_to_a_picture_is_found_and_repair_keeps_the_rest(shapes):
    assert shapes.verify().ok
    with shapes._store.writing():
        shapes._store.connection.execute("UPDATE pictures SET thumbnail = x'00' WHERE row = 2")
    problems = shapes.verify().problems
    assert [(one.check, one.where) for one in problems] == [("pictures", "row 2")]
    repaired = shapes.repair()
    assert repaired.kept == 9 and repaired.lost == (f"the picture of id {shapes.ids()[1]!r}",)
    assert shapes.verify().ok
    assert shapes.thumbnail(shapes.ids()[0]) and shapes.thumbnail(shapes.ids()[1]) is None


def test_a_damaged_vector_of_a_picture_is_embedded_again(shapes):
    kept = shapes.vectors(["disc red"])[0]
    with shapes._store.writing():
        shapes._store.connection.execute("UPDATE vectors SET checksum = 0 WHERE row = 1")
    repaired = shapes.repair()
    assert repaired.embedded_again == 1 and repaired.lost == ()
    assert shapes.vectors(["disc red"])[0] @ kept > 0.97, "from the small picture that is kept"


def test_a_backup_has_the_pictures(shapes, tmp_path):
    shapes.backup(tmp_path / "copy.imi")
    with imi.open(tmp_path / "copy.imi", mode="r") as copy:
        assert copy.thumbnail("disc red") == shapes.thumbnail("disc red")
        assert copy.search(draw("disc", "red"), k=1)[0].id == "disc red"


def test_a_file_of_the_first_format_is_read_and_grows_when_written(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "FORMAT", 1)
    with imi.open(tmp_path / "old.imi", model=HashEmbedder()) as old:
        old.add([imi.Document("a", "text")])
    monkeypatch.setattr(database, "FORMAT", schema.FORMAT)
    with imi.open(tmp_path / "old.imi", model=HashEmbedder(), mode="r") as old:
        assert old.thumbnail("a") is None and old.verify().ok
        assert old.search("text", k=1)[0].id == "a"
    with sqlite3.connect(tmp_path / "old.imi" / "collection.sqlite") as plain:
        assert plain.execute("PRAGMA user_version").fetchone() == (1,)
    with imi.open(tmp_path / "old.imi", model=HashEmbedder()) as old:
        old.add([imi.Document("b", "text two")])
        assert old.verify().ok and len(old) == 2
    with sqlite3.connect(tmp_path / "old.imi" / "collection.sqlite") as plain:
        assert plain.execute("PRAGMA user_version").fetchone() == (schema.FORMAT,)


def test_batches_of_pictures_stay_small(shapes, monkeypatch):
    from imi.collection import adding

    monkeypatch.setattr(adding, "_PICTURES", 4)
    sizes = []
    rows = [imi.Document(f"n{at}", picture=np.full((4, 4, 3), at, np.uint8)) for at in range(10)]
    shapes.add(rows, progress=lambda done, total: sizes.append(done))
    assert sizes == [4, 8, 10]
