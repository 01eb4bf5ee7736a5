"""Files of others: nothing in them is unpickled or run, and nothing native is fed what nobody has looked at."""

import json
import os
import pickle
import sqlite3
import subprocess
from contextlib import closing

import numpy as np
import pytest

from imi import foreign_sqlite
from imi.collection.faiss_file import read_vectors
from imi.collection.qdrant_store import points_of
from imi.errors import DataError, UsageError

# --- Qdrant: pickles ---


class Evil:
    def __init__(self, call, *arguments):
        self.what = (call, arguments)

    def __reduce__(self):
        return self.what


def store_of(folder, *blobs, vectors=None):
    place = folder / "collection" / "notes"
    place.mkdir(parents=True)
    meta = {"collections": {"notes": {"vectors": vectors or {"size": 4, "distance": "Cosine"}}}, "aliases": {}}
    (folder / "meta.json").write_text(json.dumps(meta))
    (folder / "readme.txt").write_text("some notes about cats\n")
    with closing(sqlite3.connect(place / "storage.sqlite")) as db, db:
        db.execute("CREATE TABLE points (id TEXT PRIMARY KEY, point BLOB)")
        db.executemany("INSERT INTO points VALUES (?, ?)", ((str(at), blob) for at, blob in enumerate(blobs)))
    return folder


@pytest.mark.parametrize("asked", [[], ["--from", "qdrant"]])
@pytest.mark.parametrize(
    "evil",
    [
        lambda proof: Evil(exec, f"open({proof!r}, 'w').write('ran')"),
        lambda proof: Evil(os.system, f"touch {proof}"),
        lambda proof: Evil(subprocess.check_call, ["touch", proof]),
        lambda proof: [{"payload": Evil(open, proof, "w")}],
        lambda proof: Evil(__import__, "antigravity"),
    ],
)
def test_no_pickle_runs(here, run, evil, asked):
    proof = here / "proof"
    store_of(here / "sent", pickle.dumps(evil(str(proof))))
    done = run("add", "notes.imi", "sent", *asked)
    assert not proof.exists()
    if asked:
        assert done.code == 1 and "not among what Qdrant keeps" in done.err
    else:
        # A folder that looks like a store is a folder of files, and one sentence says what else it may be.
        assert done.code == 0 and "--from qdrant" in done.err
        assert "some notes about cats" in [hit["text"] for hit in run("search", "notes.imi", "cats", "--json").json]


def test_a_pickle_that_grows_is_bounded(here, run):
    pytest.importorskip("qdrant_client")
    from qdrant_client.models import PointStruct

    grown = ["x"]
    for _ in range(40):
        grown = [grown, grown]
    point = PointStruct.model_construct(id=1, vector=[1.0, 0, 0, 0], payload={"deep": grown})
    store_of(here / "sent", pickle.dumps(point))
    done = run("add", "notes.imi", "sent", "--from", "qdrant")
    assert done.code == 1 and "holds more than" in done.err


def test_what_qdrant_wrote_is_read_without_it(here, run):
    client = pytest.importorskip("qdrant_client")
    from qdrant_client.models import Distance, PointStruct, VectorParams

    one = client.QdrantClient(path=str(here / "theirs"))
    one.create_collection("notes", VectorParams(size=4, distance=Distance.COSINE))
    z = np.random.default_rng(0).standard_normal((5, 4)).tolist()
    ids = [1, 2, "3f333df6-90a4-4fda-8dd3-9485d27cee36", 4, 5]
    one.upsert("notes", [PointStruct(id=id_, vector=v, payload={"text": f"text {id_}", "n": at, "list": [1, None]})
                         for at, (id_, v) in enumerate(zip(ids, z, strict=True))])  # fmt: skip
    one.upsert("notes", [PointStruct(id=1, vector=z[0], payload={"text": "changed"})])
    said, _ = one.scroll("notes", limit=10, with_vectors=True)
    one.close()
    read = {id_: (payload, vector) for id_, payload, vector in points_of(here / "theirs", "notes")}
    assert set(read) == {str(id_) for id_ in ids}
    for point in said:
        payload, vector = read[str(point.id)]
        assert payload == point.payload and np.allclose(vector, point.vector, atol=1e-6)
    assert run("add", "notes.imi", "theirs", "--from", "qdrant", "--json").json["added"] == 5


# --- faiss ---


def faiss_index(kind, rng):
    faiss = pytest.importorskip("faiss")
    z = rng.standard_normal((300, 8)).astype("f4")
    numbers = rng.permutation(1000)[:300].astype("i8")
    flat = faiss.IndexFlatIP(8) if "ip" in kind else faiss.IndexFlatL2(8)
    if kind == "flat ip":
        flat.add(z)
        return flat, z, np.arange(300)
    if kind.startswith("map"):
        index = faiss.IndexIDMap2(flat) if "2" in kind else faiss.IndexIDMap(flat)
    else:
        index = faiss.IndexIVFFlat(flat, 8, 100 if "sparse" in kind else 10, faiss.METRIC_INNER_PRODUCT)
        index.train(z)
    index.add_with_ids(z, numbers)
    if "sparse" in kind:
        index.remove_ids(numbers[3:])
        z, numbers = z[:3], numbers[:3]
    return index, z, numbers


KINDS = ["flat ip", "map ip", "map2 l2", "lists ip", "lists sparse l2"]


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_are_read_as_faiss_wrote_them(tmp_path, kind):
    faiss = pytest.importorskip("faiss")
    index, z, numbers = faiss_index(kind, np.random.default_rng(0))
    faiss.write_index(index, str(tmp_path / "embeddings"))
    read = read_vectors(tmp_path / "embeddings")
    assert sorted(read) == sorted(numbers.tolist())
    assert all(np.array_equal(read[int(number)], row) for number, row in zip(numbers, z, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_an_altered_faiss_file_is_refused_or_read_within_its_bounds(tmp_path, kind):
    faiss = pytest.importorskip("faiss")
    rng = np.random.default_rng(1)
    faiss.write_index(faiss_index(kind, rng)[0], str(tmp_path / "good"))
    whole = (tmp_path / "good").read_bytes()
    path = tmp_path / "embeddings"
    for turn in range(300):
        raw = bytearray(whole)
        if turn % 3 == 0:
            raw = raw[: rng.integers(0, len(raw))]
        else:
            for at in rng.integers(0, min(len(raw), 200), 4):
                raw[at] = rng.integers(0, 256) if turn % 3 == 1 else 255
        path.write_bytes(bytes(raw))
        try:
            read = read_vectors(path)
        except DataError:
            continue
        assert len(read) <= len(whole)


# --- SQLite ---

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n WHERE x < 0"


def database(path, script):
    with closing(sqlite3.connect(path)) as db:
        db.executescript(script)
    return path


@pytest.mark.parametrize(
    ("made", "asked", "said"),
    [
        (f"CREATE VIEW v AS {ENDLESS};", "SELECT * FROM v", "views"),
        (f"CREATE TABLE t (a); CREATE VIEW v AS {ENDLESS};", "SELECT * FROM t JOIN v", "views"),
        ("CREATE VIRTUAL TABLE v USING fts4(x); INSERT INTO v VALUES ('a');", "SELECT * FROM v", "not run"),
        (
            "CREATE VIRTUAL TABLE v USING fts5(x); INSERT INTO v VALUES ('a');",
            "SELECT * FROM v WHERE v MATCH 'a'",
            "not run",
        ),
        ("CREATE TABLE t (a);", "ATTACH 'other.db' AS o", "not run"),
        ("CREATE TABLE t (a);", "INSERT INTO t VALUES (1)", "not run"),
        ("CREATE TABLE t (a);", "DROP TABLE t", "not run"),
        ("CREATE TABLE t (a);", "PRAGMA writable_schema = 1", "not run"),
        ("CREATE TABLE t (a);", "SELECT load_extension('x')", "cannot be read|not run"),
    ],
)
def test_what_a_file_says_is_not_run(tmp_path, made, asked, said):
    path = database(tmp_path / "x.db", made)
    with foreign_sqlite.opened(path, 2.0) as file, pytest.raises(DataError, match=said):
        list(file.rows(asked))


def test_a_query_without_an_end_is_stopped(tmp_path):
    path = database(tmp_path / "x.db", "CREATE TABLE t (a);")
    with foreign_sqlite.opened(path, 0.3) as file, pytest.raises(DataError, match="stopped"):
        list(file.rows(ENDLESS))


def test_plain_tables_are_read_also_beside_others(here, run):
    script = (
        "CREATE TABLE t (id, text); INSERT INTO t VALUES (1, 'cats are lovely'), (2, 'dogs bark');"
        f"CREATE VIEW v AS {ENDLESS}; CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t; END;"
    )
    database(here / "x.db", script)
    done = run("add", "a.imi", "x.db", "--sql", "SELECT id, text FROM t WHERE id > 0", "--id", "id")
    assert done.code == 0, done.err
    assert run("search", "a.imi", "cats", "-k", "1", "--json").json[0]["id"] == "1"
    refused = run("add", "a.imi", "x.db", "--sql", "SELECT * FROM v")
    assert refused.code == 2 and "views" in refused.err
    assert "its tables: t" in run("add", "a.imi", "x.db", "--sql", "SELECT * FROM nothing").err


@pytest.mark.parametrize("table", ["collections", "embeddings"])
def test_an_llm_database_with_a_view_for_a_table_is_none(here, run, table):
    other = {"collections": "embeddings", "embeddings": "collections"}[table]
    database(here / "x.db", f"CREATE TABLE {other} (id, name, model); CREATE VIEW {table} AS {ENDLESS};")
    done = run("add", "a.imi", "x.db", "--from", "llm")
    assert done.code == 2 and "nothing that was exported" in done.err


def test_a_cut_or_altered_database_is_an_error_of_imi(tmp_path):
    rows = ",".join(f"({n}, '{'x' * 90}')" for n in range(400))
    whole = database(tmp_path / "x.db", f"CREATE TABLE t (a, b); INSERT INTO t VALUES {rows};").read_bytes()
    rng = np.random.default_rng(0)
    for turn in range(100):
        raw = bytearray(whole)
        for at in rng.integers(0, len(raw), 20):
            raw[at] = rng.integers(0, 256)
        (tmp_path / "y.db").write_bytes(bytes(raw[: len(raw) if turn % 2 else rng.integers(1, len(raw))]))
        try:
            with foreign_sqlite.opened(tmp_path / "y.db", 2.0) as file:
                assert len(list(file.rows("SELECT a, b FROM t"))) < 2000
        except (DataError, UsageError):
            pass
