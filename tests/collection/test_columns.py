"""Filters by columns beside the same filters by SQL, whatever was written in between."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imi
import imi.collection.columns as columns_module
from imi import Document
from imi.collection.columns import FieldColumns
from imi.store.filters import compile_where
from imi.store.store import Store
from tests.examples import examples
from tests.store.test_filters import filters, metadata

EDGES = [
    2**53, 2**53 + 1, 2**62, -(2**53), 0.1, 1e300, -0.0, 10**30, "2024-05-01", "2024/5/2", "令和6年5月3日", "2024",
    {"a": 1}, ["a", 1], True, None, "1", 1, 1.0,
]  # fmt: skip
ASKED = [
    {"v": {">=": 2**53}}, {"v": {">": 2**53}}, {"v": 2**53 + 1}, {"v": {"<": 0.5}}, {"v": {">=": "2024-05-02"}},
    {"v": "2024"}, {"v": {"in": [1, "1", True, None]}}, {"v": {"!=": 1}}, {"v": {"=": 10**18}}, {"v": -0.0},
    {"v": {"contains": "a"}}, {"not": {"v": {"<": 3}}}, {"v": {">": 0, "<=": 1e299}}, {"or": [{"v": 1}, {"w": 2}]},
    {"w": {">": 1}, "v": {"!=": None}}, {"not": {"or": [{"w": 2}, {"v": {"<": 5}}]}}, {"missing": None},
]  # fmt: skip


VECTOR = np.ones((1, 2), dtype=np.float32)


def put(collection, rows):
    documents = [Document(id, "word", row) for id, row in rows.items()]
    collection.add(documents, np.repeat(VECTOR, len(documents), axis=0))


def agree(store, columns, wheres):
    for where in wheres:
        condition = compile_where(where)
        with store.reading():
            np.testing.assert_array_equal(columns.rows_of(store, condition), store.rows_of(condition), str(where))


@pytest.fixture(params=[0, 1000], ids=["sorted", "few"])
def collection(request, monkeypatch, tmp_path):
    monkeypatch.setattr(columns_module, "_FEW", request.param)
    with imi.open(tmp_path / "c.imi") as c:
        yield c


def test_columns_agree_with_sql_after_rows_come_go_and_change(collection):
    random, columns, store = np.random.default_rng(0), FieldColumns(), collection._store
    put(collection, {f"start{at}": {"v": value, "w": at % 4} for at, value in enumerate(EDGES)})
    for _ in range(2):
        agree(store, columns, ASKED)
    read = dict(columns._fields)
    for turn in range(6):
        put(collection, {f"{turn}-{at}": {"v": int(random.integers(0, 9)), "w": 2} for at in range(3)})
        agree(store, columns, ASKED)
        collection.delete([f"{turn}-0", f"start{turn}"])
        agree(store, columns, ASKED)
    assert columns._fields["v"].state == read["v"].state  # what was known was brought up to date
    put(collection, {"start9": {"v": "changed in place"}, "start10": {"w": 3}})
    agree(store, columns, [*ASKED, {"v": "changed in place"}])
    assert columns._fields["v"].state != read["v"].state


@given(st.lists(metadata, min_size=1, max_size=8), st.lists(filters, min_size=1, max_size=4))
@settings(max_examples=examples(20))
def test_any_filter_over_any_metadata_agrees(tmp_path_factory, rows, wheres):
    with imi.open(tmp_path_factory.mktemp("any") / "c.imi") as c:
        put(c, {str(at): row for at, row in enumerate(rows)})
        agree(c._store, FieldColumns(), [*wheres, *wheres])


def test_a_writer_that_counts_no_edits_is_taken_for_one_that_edits(collection):
    put(collection, {"a": {"v": 1}, "b": {"v": 2}})
    columns, store = FieldColumns(), collection._store
    agree(store, columns, [{"v": 1}, {"v": 1}])
    with store.reading():
        before = store.edits
    connection = store.connection  # as an earlier imi writes
    connection.execute("UPDATE meta SET value = CAST(value AS INTEGER) + 1 WHERE key = 'changes'")
    with store.reading():
        assert store.edits is None
        assert len(columns.rows_of(store, compile_where({"v": 1}))) == 1
    put(collection, {"c": {"v": 1}})
    with store.reading():
        assert store.edits == before + 1
    agree(store, columns, [{"v": 1}])


def test_a_reader_of_an_older_state_is_answered_from_its_own(collection):
    put(collection, {"a": {"v": 1}, "b": {"v": 2}})
    columns, store = FieldColumns(), collection._store
    condition, seen, ready, written = compile_where({"v": 1}), [], threading.Event(), threading.Event()

    def older():
        with store.reading():
            store.count()
            ready.set()
            written.wait(10)
            seen.append(len(columns.rows_of(store, condition)))
        store.release()

    reader = threading.Thread(target=older)
    reader.start()
    ready.wait(10)
    put(collection, {"c": {"v": 1}})
    agree(store, columns, [{"v": 1}, {"v": 1}])
    written.set()
    reader.join()
    assert seen == [1]


def test_a_collection_asks_for_every_row_once_for_each_field(tmp_path, monkeypatch):
    monkeypatch.setattr("imi.collection.filtered._COLUMNS_FROM", 3)
    whole = []
    ask, read = Store.rows_of, Store.raw_values
    monkeypatch.setattr(
        Store,
        "rows_of",
        lambda self, by, among=None: whole.append("all" if among is None else "some") or ask(self, by, among),
    )
    monkeypatch.setattr(
        Store, "raw_values", lambda self, field, after=0: whole.append((field, after)) or read(self, field, after)
    )
    with imi.open(tmp_path / "c.imi") as c:
        put(c, {str(at): {"n": at, "tag": "ab"[at % 2]} for at in range(20)})
        for least in range(5):
            found = c.search(VECTOR[0], k=50, mode="meaning", where={"n": {">=": least}, "tag": "a"})
            assert len(found) == len([at for at in range(least, 20) if at % 2 == 0])
        put(c, {"new": {"n": 50, "tag": "a"}})
        assert len(c.search(VECTOR[0], k=50, mode="meaning", where={"n": {">=": 40}, "tag": "a"})) == 1
    assert whole.count("all") == 1  # for the first filter
    assert [one for one in whole if one not in ("some", "all")] == [
        ("n", 0),
        ("tag", 0),
        ("n", 20),
        ("tag", 20),
    ]
