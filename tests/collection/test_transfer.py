"""Exports come back exactly, whatever they hold, and never into vectors of another model."""

from __future__ import annotations

import csv
import json
import sqlite3
from ast import literal_eval
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import imi
from imi.collection.exporting import WRITERS
from imi.collection.importing import is_export
from imi.embedders.testing import HashEmbedder
from imi.errors import DataError, ModelMismatch, TooNew, UsageError
from imi.records import Document, ModelInfo
from tests.examples import examples

KINDS = list(WRITERS)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["", '""', '"x"', "null", "5", "[1]", "{}", "a\nb", "a\r\nb", '"', ",", "猫"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
fields = st.sampled_from(["Score", "id", "text", "embedding", "metadata", "metadata.x", "imi_model", "", "a b", "猫"])
documents = st.lists(
    st.builds(
        Document,
        id=texts.filter(bool),
        text=st.none() | texts,
        metadata=st.dictionaries(fields, values, max_size=3),
        parent=st.none() | texts,
        start=st.none() | st.integers(0, 9),
        end=st.none() | st.integers(0, 9),
    ),
    max_size=4,
    unique_by=lambda one: one.id,
)


class Other(HashEmbedder):
    info = ModelInfo(id="other", width=64, dims=(16, 32, 64), weights="blake2b-1")


def holds(c: imi.Collection) -> tuple[list[Document], list[str], np.ndarray]:
    return list(c.documents()), c.ids(with_vector=True), c.vectors()


@pytest.mark.parametrize("kind", KINDS)
@given(rows=documents, bare=st.booleans())
@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trips(tmp_path_factory, kind: str, rows: list[Document], bare: bool) -> None:
    folder = tmp_path_factory.mktemp("t")
    z = np.random.default_rng(len(rows)).normal(size=(len(rows), 5)).astype(np.float32)
    if bare and kind != ".db":
        rows = [*rows, Document("\x00no vector", "text alone")]
    with imi.open(folder / "a.imi") as a:
        a.add([Document("seed", "seed", {"n": 1})], [[1, 2, 3, 4, 5]])
        a.add(rows[: len(z)], z)
        a.add(rows[len(z) :])
        assert a.export(folder / f"out{kind}") == len(a)
        before = holds(a)
    assert is_export(folder / f"out{kind}")
    with imi.open(folder / "b.imi") as b:
        added = b.import_(folder / f"out{kind}")
        assert added.added == len(before[0])
        if kind == ".db":  # llm has no place for parents and offsets, and "no text" is its empty text
            strip = [Document(one.id, one.text, one.metadata) for one in before[0]]
            assert list(b.documents()) == strip
        else:
            assert sorted(b.documents(), key=lambda one: one.id) == sorted(before[0], key=lambda one: one.id)
        order = [before[1].index(id_) for id_ in b.ids(with_vector=True)]
        np.testing.assert_array_equal(b.vectors(), before[2][order])
        assert b.info.fingerprint is not None
        assert b.import_(folder / f"out{kind}").unchanged == len(before[0])


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_carries_its_model(tmp_path: Path, embedder: HashEmbedder, kind: str) -> None:
    with imi.open(tmp_path / "a.imi", embedder) as a:
        a.add([Document("1", "cat"), Document("2", "dog")])
        a.export(tmp_path / f"x{kind}")
        with imi.open(tmp_path / "b.imi", embedder) as b:
            b.import_(tmp_path / f"x{kind}")
            assert b.info.fingerprint == embedder.info.fingerprint and b.search("cat", k=1)[0].id == "1"
        with imi.open(tmp_path / "c.imi", Other()) as c:
            with pytest.raises(ModelMismatch):
                c.import_(tmp_path / f"x{kind}")
            c.add([Document("1", "x")])
            with pytest.raises(ModelMismatch):
                c.import_(tmp_path / f"x{kind}")
        a.migrate(dims=16)
        with pytest.raises(ModelMismatch, match="--dims 16"):
            a.import_(tmp_path / f"x{kind}")


def test_other_programs_read_them(tmp_path: Path, embedder: HashEmbedder) -> None:
    with imi.open(tmp_path / "a.imi", embedder) as a:
        a.add([Document("1", "cat", {"Score": 5}), Document("2", "犬", {"Score": 4, "tags": ["a"]})])
        for kind in KINDS:
            a.export(tmp_path / f"x{kind}")
        z = a.vectors()
    with (tmp_path / "x.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["id"], row["text"], row["Score"]) for row in rows] == [("1", "cat", "5"), ("2", "犬", "4")]
    np.testing.assert_array_equal(np.array([literal_eval(row["embedding"]) for row in rows], np.float32), z)
    lines = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text("utf-8").splitlines()]
    assert lines[1] == {"id": "2", "text": "犬", "metadata": {"Score": 4, "tags": ["a"]}, "embedding": z[1].tolist()}
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy"), z)
    pq = pytest.importorskip("pyarrow.parquet")
    table = pq.read_table(tmp_path / "x.parquet").to_pydict()
    assert table["Score"] == [5, 4] and "tags" not in table
    with sqlite3.connect(tmp_path / "x.db") as llm:
        found = llm.execute("SELECT id, embedding, content FROM embeddings ORDER BY id").fetchall()
    llm.close()
    assert [(id_, text) for id_, _, text in found] == [("1", "cat"), ("2", "犬")]
    np.testing.assert_array_equal(np.frombuffer(found[0][1], "<f4"), z[0])


def test_a_database_of_llm_itself(tmp_path: Path) -> None:
    """As `llm embed-multi` leaves it: no table of ours."""
    with sqlite3.connect(tmp_path / "llm.db") as llm:
        llm.executescript(
            "CREATE TABLE collections (id INTEGER PRIMARY KEY, name TEXT, model TEXT);"
            "CREATE TABLE embeddings (collection_id INTEGER, id TEXT, embedding BLOB, content TEXT, content_blob BLOB,"
            " content_hash BLOB, metadata TEXT, updated INTEGER, PRIMARY KEY (collection_id, id));"
            "INSERT INTO collections VALUES (1, 'docs', '3-small');"
        )
        blob = np.array([3, 4], "<f4").tobytes()
        llm.execute("INSERT INTO embeddings VALUES (1, 'a', ?, 'text', NULL, x'00', '{\"n\": 1}', 0)", (blob,))
    llm.close()
    with imi.open(tmp_path / "a.imi") as a:
        a.import_(tmp_path / "llm.db")
        assert a.get("a") == Document("a", "text", {"n": 1}) and a.info.model == "llm:3-small"
        np.testing.assert_array_equal(a.vectors(), [[3, 4]])


def test_what_cannot_be_read_is_said_with_its_line(tmp_path: Path, embedder: HashEmbedder) -> None:
    with imi.open(tmp_path / "a.imi", embedder) as a:
        a.add([Document("1", "cat"), Document("2", "dog")])
        a.export(tmp_path / "x.jsonl")
        with pytest.raises(UsageError, match=r"allowed are \.csv"):
            a.export(tmp_path / "x.xls")
        lines = (tmp_path / "x.jsonl").read_text("utf-8").splitlines()
        (tmp_path / "cut.jsonl").write_text("\n".join([lines[0], lines[1][:40]]), "utf-8")
        with pytest.raises(DataError, match=r"cut\.jsonl line 2"):
            a.import_(tmp_path / "cut.jsonl")
        (tmp_path / "new.jsonl").write_text(lines[0].replace('"format": 1', '"format": 9'), "utf-8")
        with pytest.raises(TooNew, match="format 9"):
            a.import_(tmp_path / "new.jsonl")
    (tmp_path / "plain.csv").write_text("id,text\n1,cat\n", "utf-8")
    assert not is_export(tmp_path / "plain.csv") and not is_export(tmp_path / "absent.jsonl")
