"""Stores of others, made by their own packages, come over row for row and vector for vector."""

import json
import sqlite3

import faiss
import numpy as np
import pytest

import imi
from imi.collection.importing import kind_of
from imi.collection.other_stores import recognise
from imi.embedders.testing import HashEmbedder
from imi.errors import DataError, ModelMismatch
from imi.records import Document

TEXTS = ["AIは素晴らしい！", "うちの猫はタマと言います", "うちのペットはいつも寝ています", "A cat sleeps."]
IDS = ["d0", "d1", "d2", "d3"]
ROWS = [{"n": n, "tag": "pets", "share": n / 4, "good": n % 2 == 0} for n in range(4)]


def vectors_of(texts):
    return HashEmbedder().embed(texts)


def make_chroma(folder, name="notes"):
    chromadb = pytest.importorskip("chromadb", reason="chromadb is not installed")
    client = chromadb.PersistentClient(str(folder), chromadb.Settings(anonymized_telemetry=False))
    made = client.create_collection(name, embedding_function=None)
    made.add(ids=IDS, embeddings=vectors_of(TEXTS), documents=TEXTS, metadatas=ROWS)


def make_lancedb(folder, name="notes"):
    lancedb = pytest.importorskip("lancedb", reason="lancedb is not installed")
    rows = zip(IDS, TEXTS, vectors_of(TEXTS).tolist(), ROWS, strict=True)
    data = [{"id": id_, "text": text, "vector": z, **row} for id_, text, z, row in rows]
    lancedb.connect(str(folder)).create_table(name, data=data)


def make_qdrant(folder, name="notes"):
    qdrant = pytest.importorskip("qdrant_client", reason="qdrant-client is not installed")
    client = qdrant.QdrantClient(path=str(folder))
    size = qdrant.models.VectorParams(size=64, distance=qdrant.models.Distance.COSINE)
    client.create_collection(name, vectors_config=size)
    points = [
        qdrant.models.PointStruct(id=at + 1, vector=z.tolist(), payload={"page_content": text, "metadata": row})
        for at, (z, text, row) in enumerate(zip(vectors_of(TEXTS), TEXTS, ROWS, strict=True))
    ]
    client.upsert(name, points)
    client.close()


def make_txtai(folder, name="notes"):
    txtai = pytest.importorskip("txtai", reason="txtai is not installed")
    known = dict(zip(TEXTS, vectors_of(TEXTS), strict=True))
    made = txtai.Embeddings(
        method="external", transform=lambda texts: np.array([known[text] for text in texts]), content=True
    )
    made.index([(id_, {"text": text, **row}, None) for id_, text, row in zip(IDS, TEXTS, ROWS, strict=True)])
    made.save(str(folder))


def write_txtai(folder, index, ids=IDS):
    """Write what txtai writes, without it, so that reading it is tested everywhere."""
    folder.mkdir()
    (folder / "config.json").write_text('{"content": true, "backend": "faiss"}')
    faiss.write_index(index, str(folder / "embeddings"))
    with sqlite3.connect(folder / "documents") as connection:
        connection.execute("CREATE TABLE documents (id TEXT PRIMARY KEY, data JSON, tags TEXT, entry DATETIME)")
        connection.execute(
            "CREATE TABLE sections (indexid INTEGER PRIMARY KEY, id TEXT, text TEXT, tags TEXT, entry DATETIME)"
        )
        for at, (id_, text, row) in enumerate(zip(ids, TEXTS, ROWS, strict=True)):
            connection.execute(
                "INSERT INTO documents VALUES (?, ?, NULL, NULL)", (id_, json.dumps(row | {"text": text}))
            )
            connection.execute("INSERT INTO sections VALUES (?, ?, ?, NULL, NULL)", (at, id_, text))
    connection.close()


def check_rows(collection, ids=IDS):
    assert sorted(collection.ids()) == sorted(ids)
    for id_, text, row in zip(ids, TEXTS, ROWS, strict=True):
        document = collection.get(id_)
        assert document.text == text and document.metadata == row
    assert np.allclose(collection.vectors(ids), vectors_of(TEXTS), atol=1e-6)


@pytest.mark.parametrize("kind", ["chroma", "lancedb", "qdrant", "txtai"])
def test_a_store_comes_over_whole(tmp_path, kind):
    globals()[f"make_{kind}"](tmp_path / "store")
    assert kind_of(tmp_path / "store", kind) == kind
    assert kind_of(tmp_path / "store") == (None if kind == "qdrant" else kind)  # pickles: only where asked for
    ids = ["1", "2", "3", "4"] if kind == "qdrant" else IDS
    with imi.open(tmp_path / "own.imi") as own:
        assert own.import_(tmp_path / "store").added == 4
        check_rows(own, ids)
        assert [hit.id for hit in own.search("うちの猫", k=1)] == [ids[1]], "found by its words, for want of a model"
        assert own.search(vectors_of(TEXTS[2:3])[0], k=1)[0].id == ids[2]
        assert own.import_(tmp_path / "store").unchanged == 4
    with imi.open(tmp_path / "known.imi", model=HashEmbedder()) as known:
        known.import_(tmp_path / "store")
        assert known.search(TEXTS[3], k=1, mode="meaning")[0].id == ids[3], "the model that was named made them"


@pytest.mark.parametrize("kind", ["chroma", "lancedb", "qdrant"])
def test_one_of_several_is_named(tmp_path, kind):
    for name in ("first", "second"):
        globals()[f"make_{kind}"](tmp_path / "store", name)
    with imi.open(tmp_path / "c.imi") as collection:
        with pytest.raises(DataError, match="first, second; exactly one") as told:
            collection.import_(tmp_path / "store")
        assert told.value.hint == f"{tmp_path / 'store'}#first"
        assert collection.import_(f"{tmp_path / 'store'}#second").added == 4
        with pytest.raises(DataError, match="'third' is not among them"):
            collection.import_(f"{tmp_path / 'store'}#third")


def flat_index():
    index = faiss.IndexIDMap(faiss.IndexFlatIP(64))
    index.add_with_ids(vectors_of(TEXTS), np.arange(4))
    return index


def inverted_index():
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(64), 64, 2, faiss.METRIC_INNER_PRODUCT)
    index.cp.min_points_per_centroid = 1
    index.train(vectors_of(TEXTS))
    index.add_with_ids(vectors_of(TEXTS), np.arange(4))
    return index


@pytest.mark.parametrize("index", [flat_index, inverted_index])
def test_txtai_is_read_without_its_package(tmp_path, index):
    write_txtai(tmp_path / "store", index())
    assert recognise(tmp_path / "store").kind == "txtai"
    with imi.open(tmp_path / "c.imi") as collection:
        assert collection.import_(tmp_path / "store").added == 4
        check_rows(collection)


def test_compressed_vectors_are_refused(tmp_path):
    index = faiss.IndexIDMap(faiss.IndexScalarQuantizer(64, faiss.ScalarQuantizer.QT_8bit))
    index.train(vectors_of(TEXTS))
    index.add_with_ids(vectors_of(TEXTS), np.arange(4))
    write_txtai(tmp_path / "store", index)
    with imi.open(tmp_path / "c.imi") as collection, pytest.raises(DataError, match="compressed"):
        collection.import_(tmp_path / "store")


def test_vectors_that_the_model_did_not_make_are_refused(tmp_path):
    write_txtai(tmp_path / "store", flat_index())

    class Other(HashEmbedder):
        def embed(self, texts, kind="document", dims=None, *, progress=None):
            return -super().embed(texts, kind, dims)

    with imi.open(tmp_path / "other.imi", model=Other()) as other:
        with pytest.raises(ModelMismatch, match=r"over 4 texts .* is -1\.00"):
            other.import_(tmp_path / "store")
        other.add([Document("a", "text")])
        with pytest.raises(ModelMismatch):
            other.import_(tmp_path / "store")
        assert len(other) == 1
    with (
        imi.open(tmp_path / "built.imi", model="built-in") as built,
        pytest.raises(ModelMismatch, match="512 dimensions"),
    ):
        built.import_(tmp_path / "store")


def test_other_folders_are_no_stores(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "config.json").write_text("{}")
    assert kind_of(tmp_path / "notes") is None
    assert kind_of(tmp_path / "absent#part") is None
    with imi.open(tmp_path / "c.imi"):
        assert kind_of(tmp_path / "c.imi") is None
