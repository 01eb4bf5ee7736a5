"""A copy of a folder is one state of it, however much is written meanwhile, and brings the finer model's vectors."""

import threading

import numpy as np
import pytest

import imi
from imi.backends.copying import copy
from imi.store.deep_vectors import deep_count, deep_vectors, put_deep_vectors


@pytest.fixture
def source(tmp_path):
    with imi.open(tmp_path / "c.imi", model="hash") as c:
        c.add([imi.Document(f"{n}", f"text {n}") for n in range(3000)])
        yield c


def test_a_copy_beside_a_writer_ends_whole(source, tmp_path):
    stop = threading.Event()

    def write():
        n = 0
        with imi.open(source.folder, model="hash") as mine:
            while not stop.is_set():
                mine.add(
                    [
                        imi.Document(f"{n}", f"changed {n}"),
                        imi.Document(f"new {n}a", "text"),
                        imi.Document(f"new {n}b", "text"),
                    ]
                )
                mine.delete([f"{2999 - n}"])
                n += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for n in range(3):
            with imi.open(tmp_path / f"copy{n}.imi") as target:
                assert copy(source, target).rows == len(target)
    finally:
        stop.set()
        writer.join()
    for n in range(3):
        with imi.open(tmp_path / f"copy{n}.imi", mode="r") as c:
            ids = set(c.ids())
            assert c.verify().ok and all(one[:-1] + "b" in ids for one in ids if one.endswith("a"))


def test_a_copy_brings_second_vectors_of_rows_whose_text_is_the_same(source, tmp_path):
    z = np.random.default_rng(0).standard_normal((2000, 8)).astype("f4")
    with source.store.keeping():
        put_deep_vectors(source.store, range(1, 2001), z, "finer")
    with imi.open(tmp_path / "d.imi") as target:
        copy(source, target)
        with target.store.reading(), source.store.reading():
            assert deep_count(target.store) == 2000 and target.verify().ok
            for store in (target.store, source.store):
                rows = np.array([store.by_ids([f"{n}"])[f"{n}"].row for n in (0, 1999, 7)])
                _, vectors = deep_vectors(store, rows)
                np.testing.assert_allclose(vectors, z[[0, 7, 1999]], atol=2e-3)
    with imi.open(tmp_path / "e.imi", model="hash") as other:
        other.add([imi.Document("1", "text 1")])
        with other.store.keeping():
            put_deep_vectors(other.store, [1], z[:1], "another model")
        copy(source, other)
        with other.store.reading():
            assert deep_count(other.store) == 1  # of two models, those that were there stay


def test_a_copy_onto_itself_changes_nothing(tmp_path):
    with imi.open(tmp_path / "c.imi", model="hash") as c:
        c.add([imi.Document("a", "a text")])
        copied = copy(c, c)
        assert (copied.copied, copied.unchanged) == (0, 1) and c.verify().ok
