"""Filters are remembered, and never longer than the rows stay as they are."""

import os
import pickle
import signal

import numpy as np
import pytest

import imi
from imi import Document
from imi.store.store import Store


@pytest.fixture
def asked(monkeypatch):
    """Count how often the file is asked which rows pass."""
    calls = []
    ask = Store.rows_of
    monkeypatch.setattr(Store, "rows_of", lambda self, condition: calls.append(condition) or ask(self, condition))
    return calls


def ids(collection, where, mode="meaning"):
    query = np.ones(4, dtype=np.float32) if mode == "meaning" else "word"
    return sorted(hit.id for hit in collection.search(query, k=50, where=where, mode=mode))


def test_a_filter_asked_again_is_not_read_again_and_a_change_is_seen_at_once(tmp_path, asked):
    z = np.random.default_rng(0).standard_normal((30, 4)).astype(np.float32)
    with imi.open(tmp_path / "c.imi") as c:
        c.add([Document(str(at), "word", {"n": at, "tag": "ab"[at % 2]}) for at in range(20)], z[:20])
        for where in ({"n": {">=": 15}}, {"tag": "a", "n": {"<": 4}}, {"tag": {"in": ["b"]}}):
            first, before = ids(c, where), len(asked)
            assert ids(c, where) == first and len(asked) == before
            assert ids(c, where, "text") == first and len(asked) == before  # words share what meaning read
        c.add([Document("new", "word", {"n": 99, "tag": "a"})], z[20:21])
        assert ids(c, {"n": {">=": 15}}) == ["15", "16", "17", "18", "19", "new"]
        c.delete(["16"])
        assert ids(c, {"n": {">=": 15}}) == ["15", "17", "18", "19", "new"]
        with imi.open(tmp_path / "c.imi") as other:
            other.add([Document("17", "word", {"n": 1, "tag": "a"})], z[21:22])
        assert ids(c, {"n": {">=": 15}}) == ["15", "18", "19", "new"]


def test_values_that_are_equal_only_in_python_are_not_mixed_up(tmp_path):
    z = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    with imi.open(tmp_path / "c.imi") as c:
        c.add(
            [
                Document("one", "word", {"v": 1}),
                Document("true", "word", {"v": True}),
                Document("text", "word", {"v": "1"}),
            ],
            z,
        )
        wanted = {repr(value): list(c.documents(where={"v": value})) for value in (1, True, "1", 1.0)}
        for _ in range(2):
            for value in (1, True, "1", 1.0):
                assert ids(c, {"v": value}) == sorted(one.id for one in wanted[repr(value)])


def test_no_more_filters_are_remembered_than_there_is_room_for(tmp_path, monkeypatch, asked):
    monkeypatch.setattr("imi.collection.filtered._ROWS", 25)
    z = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    with imi.open(tmp_path / "c.imi") as c:
        c.add([Document(str(at), "word", {"n": at}) for at in range(20)], z)
        for _ in range(2):
            for least in range(4):
                assert len(ids(c, {"n": {">=": least}})) == 20 - least
        assert len(asked) == 8  # each filter pushed the one before out


def test_a_filter_over_a_long_list_is_remembered_without_the_list(tmp_path, asked):
    z = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    with imi.open(tmp_path / "c.imi") as c:
        c.add([Document(str(at), "word", {"owner": f"u{at}"}) for at in range(3)], z)
        for end in (20_000, 20_001):
            where = {"owner": {"in": [f"u{at}" for at in range(1, end)]}}
            assert ids(c, where) == ids(c, where) == ["1", "2"]
        assert len(asked) == 2 and len(pickle.dumps(list(c._index.filtered._kept))) < 1000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_child_does_not_wait_for_a_thread_that_its_parent_had(tmp_path):
    z = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    with imi.open(tmp_path / "c.imi") as c:
        c.add([Document(str(at), "word", {"n": at}) for at in range(3)], z)
        ids(c, {"n": 1})
        with c._index.filtered._lock:
            child = os.fork()
            if child == 0:
                signal.alarm(20)
                os._exit(0 if ids(c, {"n": 1}) == ["1"] else 1)
            assert os.waitpid(child, 0)[1] == 0
