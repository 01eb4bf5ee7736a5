"""Copies: whole, without a model at hand, completed after an interruption, and refused where models would mix."""

import itertools

import numpy as np
import pytest

import imi
from imi.backends import copying
from imi.backends.copying import copy
from imi.embedders.testing import HashEmbedder
from imi.errors import CollectionError, ModelMismatch, UsageError

DOCUMENTS = [
    imi.Document(f"r{at:04}", f"row number {at} about {word} と猫{at % 7}", {"n": at, "word": word, "half": at / 2})
    for at, word in zip(range(300), itertools.cycle(["beans", "cats", "寝ている", "京都"]), strict=False)
]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    """Copy 128 rows at a time, so that few rows are several batches."""
    monkeypatch.setattr(copying, "_BATCH", 128)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    with imi.open(tmp_path_factory.mktemp("source") / "source.imi", model=HashEmbedder()) as c:
        c.add(DOCUMENTS)
        yield c


def test_a_copy_there_and_back_is_the_same(source, place, tmp_path):
    with imi.open(place.url()) as there, imi.open(tmp_path / "back.imi") as back:
        done = copy(source, there)
        assert done.to_dict() | {"checksum": ""} == {
            "copied": 300, "unchanged": 0, "rows": 300, "checksum": "", "recall": done.recall,
        }  # fmt: skip
        assert done.recall >= 0.95
        assert there.info.fingerprint == source.info.fingerprint
        again = copy(there, back)
        assert again.checksum == done.checksum and again.recall >= 0.95
        assert {one.id: one for one in back.documents()} == {one.id: one for one in DOCUMENTS}
        assert np.abs(back.vectors(["r0007"]) - source.vectors(["r0007"])).max() < 1e-3
    with imi.open(tmp_path / "back.imi", model=HashEmbedder()) as back:
        assert back.search("猫3", k=3, mode="meaning")[0].id in source_ids(source, "猫3")


def source_ids(source, query):
    return {hit.id for hit in source.search(query, k=10, mode="meaning")}


class Broken(Exception):
    pass


def test_an_interrupted_copy_is_completed_by_the_same_call(source, place):
    def stop(done, total):
        if done >= 128:
            raise Broken

    with imi.open(place.url()) as there:
        with pytest.raises(Broken):
            copy(source, there, progress=stop)
        assert 0 < len(there) < 300
        done = copy(source, there)
        assert done.copied == 300 - done.unchanged == 172
        assert len(there) == 300


def test_what_was_lost_on_the_way_is_noticed(source, place, monkeypatch):
    with imi.open(place.url()) as there:
        add = there.add
        monkeypatch.setattr(there, "add", lambda documents, vectors: add(documents[1:], vectors=vectors[1:]))
        with pytest.raises(CollectionError, match="not whole"):
            copy(source, there)


def test_models_do_not_mix(source, tmp_path):
    class Other(HashEmbedder):
        info = imi.ModelInfo("other", 64, (64,), weights="another")

    with imi.open(tmp_path / "other.imi", model=Other()) as there:
        there.add(DOCUMENTS[:1])
        with pytest.raises(ModelMismatch):
            copy(source, there)
    with imi.open(tmp_path / "empty.imi") as empty, pytest.raises(UsageError, match="no rows"):
        copy(empty, source)
