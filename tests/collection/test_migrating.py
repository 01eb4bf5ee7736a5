"""Migrations: to fewer dimensions without embedding, to another model while searching goes on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import imi
from imi.collection import Collection
from imi.collection.migrating import Migrator
from imi.embedders.testing import HashEmbedder
from imi.errors import CollectionError, ModelMismatch, UsageError
from imi.records import Document, ModelInfo

TEXTS = [f"row {at} 猫 {'dog' * (at % 3)} {at * 7 % 11}" for at in range(40)]


class Mirror(HashEmbedder):
    """Another model: the same numbers backwards."""

    info = ModelInfo(id="mirror", width=64, dims=(64,), weights="blake2b-1")
    asked = 0

    def embed(self, texts, kind="document", dims=None, *, progress=None):
        self.asked += len(texts)
        z = super().embed(texts, kind)[:, ::-1]
        return z if dims is None else imi.truncate(z, dims)


@pytest.fixture
def c(tmp_path: Path, embedder: HashEmbedder):
    with imi.open(tmp_path / "c.imi", embedder) as collection:
        collection.add([Document(str(at), text) for at, text in enumerate(TEXTS)])
        yield collection


def test_fewer_numbers_are_the_prefix_and_nothing_is_embedded(c: Collection, tmp_path: Path, embedder) -> None:
    full = c.vectors()
    done = c.migrate(dims=16)
    np.testing.assert_allclose(c.vectors(), imi.truncate(full, 16), atol=1e-6)
    assert (done.rows, done.dims) == (40, 16) and 0.3 < done.overlap < 1
    asked = embedder.embed(["row 3"], dims=16)[0]
    expected = np.sort(imi.truncate(full, 16) @ asked)[::-1][:10]
    assert [hit.score for hit in c.search("row 3", mode="meaning")] == pytest.approx(expected, abs=1e-6)
    c.add([Document("new", "a new row")])
    np.testing.assert_allclose(c.vectors(["new"]), embedder.embed(["a new row"], dims=16), atol=1e-6)
    with imi.open(tmp_path / "c.imi", embedder) as again:
        assert again.info.dims == 16 and len(again.search("row")) == 10
    with pytest.raises(UsageError, match="cannot come back"):
        c.migrate(dims=64)


def test_another_model_answers_after_the_switch(c: Collection, tmp_path: Path, embedder) -> None:
    with imi.open(tmp_path / "c.imi", embedder, "r") as reader:
        assert len(reader.search("猫", mode="meaning")) == 10
        mirror = Mirror()
        done = c.migrate(model=mirror)
        assert mirror.asked >= 40 and done.model == "mirror" and done.overlap == pytest.approx(1.0)
        np.testing.assert_allclose(c.vectors(), mirror.embed(TEXTS), atol=1e-6)
        assert len(c.search("猫", mode="meaning")) == 10
        with pytest.raises(ModelMismatch):
            reader.search("猫", mode="meaning")
    with pytest.raises(ModelMismatch):
        imi.open(tmp_path / "c.imi", embedder)


def test_an_interrupted_migration_goes_on_and_old_vectors_answer_meanwhile(c: Collection, monkeypatch) -> None:
    monkeypatch.setattr("imi.collection.migrating._BATCH", 8)
    before = c.vectors()
    mirror = Mirror()

    def stop(done: int, total: int) -> None:
        if done >= 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        c.migrate(model=mirror, progress=stop)
    np.testing.assert_array_equal(c.vectors(), before)
    c.add([Document("late", "came in between")])
    asked = mirror.asked
    c.migrate(model=mirror)
    assert mirror.asked - asked == 41 - 16
    np.testing.assert_allclose(c.vectors(["late"]), mirror.embed(["came in between"]), atol=1e-6)


def test_rows_that_change_while_it_runs_are_migrated_too(c: Collection) -> None:
    mirror = Mirror()
    changed = []

    def change(done: int, total: int) -> None:
        if not changed:
            changed.append(c.add([Document("0", "changed"), Document("extra", "extra")]))
            c.delete("1")

    c.migrate(model=mirror, progress=change)
    assert c.verify().ok and len(c) == 40
    texts = [one.text for one in c.documents()]
    np.testing.assert_allclose(c.vectors(), mirror.embed(texts), atol=1e-6)


def test_an_estimate_writes_nothing(c: Collection) -> None:
    estimate = c.migrate(model=Mirror(), estimate=True)
    assert estimate.rows == 40 and estimate.seconds > 0 and estimate.overlap is None
    assert c.info.model == "hash" and c._store.meta("next_model") is None


def test_what_cannot_be_is_said(c: Collection, tmp_path: Path, embedder) -> None:
    with pytest.raises(UsageError, match="needs dims or a model"):
        c.migrate()
    with pytest.raises(UsageError, match="already"):
        c.migrate(model=embedder)
    with pytest.raises(UsageError, match="1 to 64"):
        c.migrate(dims=0)
    with imi.open(tmp_path / "own.imi") as own:
        with pytest.raises(UsageError, match="no vectors yet"):
            own.migrate(dims=2)
        own.add([Document("a"), Document("b")], np.eye(2, 8) + 1)
        with pytest.raises(CollectionError, match="nothing to embed"):
            own.migrate(model=embedder)
        assert Migrator(own._store, None, 4).run().dims == 4
        np.testing.assert_allclose(own.vectors(), imi.truncate(np.eye(2, 8)[:, :8] + 1, 4), atol=1e-6)
