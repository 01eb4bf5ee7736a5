"""What earlier versions wrote is opened by this one, and what a later one will write is refused in a sentence."""

from __future__ import annotations

import json
import shutil
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import imi
import imi.index
from imi.errors import MissingExtra, TooNew
from imi.index.exact import Exact
from imi.store.database import connect
from tests.museum.make import MUSEUM, WHERE, answers, queries

VERSIONS = sorted(path.name for path in MUSEUM.iterdir() if (path / "expected.json").exists())


@pytest.fixture(params=VERSIONS)
def exhibit(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """Return a copy of what a version wrote, and what it answered."""
    folder = tmp_path / request.param
    shutil.copytree(MUSEUM / request.param, folder)
    return folder, json.loads((folder / "expected.json").read_text("utf-8"))


def test_there_is_an_exhibit() -> None:
    assert "0.1.0" in VERSIONS


def check(collection: imi.Collection, expected: dict[str, Any]) -> None:
    assert [[one.id, one.text, one.metadata] for one in collection.documents()] == expected["documents"]
    for name, found in answers(collection).items():
        if name.startswith("text/"):
            assert found == expected["answers"][name], name
        else:
            assert [id_ for id_, _ in found] == [id_ for id_, _ in expected["answers"][name]], name
            assert [score for _, score in found] == pytest.approx([s for _, s in expected["answers"][name]], abs=1e-4)


def test_a_collection_is_read_as_it_was_written(exhibit: tuple[Path, dict[str, Any]]) -> None:
    folder, expected = exhibit
    with imi.open(folder / "collection.imi", mode="r") as collection:
        assert len(collection) == expected["count"] and collection.bound is not None
        assert collection.bound.fingerprint == expected["fingerprint"]
        check(collection, expected)


def test_a_collection_is_taken_over_and_written_to(exhibit: tuple[Path, dict[str, Any]]) -> None:
    folder, expected = exhibit
    with imi.open(folder / "collection.imi") as collection:
        assert collection.verify().ok
        check(collection, expected)
        # Its index was written on another machine: it is not believed, and made again where the rows are many.
        assert collection.info.index["kind"] == "exact"
        collection.add([imi.Document("later", "a later 猫", {"n": 99, "tag": "a"})])
        assert "later" in {hit.id for hit in collection.search("猫", k=100, mode="text", where=WHERE)}
        assert collection.search("a later 猫", k=1, mode="meaning")[0].id == "later"
        collection.delete(["later"])
        check(collection, expected)


def test_an_export_is_read_with_its_vectors(exhibit: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, expected = exhibit
    with imi.open(tmp_path / "again.imi", "hash") as again, imi.open(folder / "collection.imi", mode="r") as was:
        assert again.import_(folder / "export.jsonl").added == expected["count"]
        np.testing.assert_allclose(again.vectors(), was.vectors(), atol=1e-7)
        check(again, expected)


def test_an_index_finds_what_it_found(exhibit: tuple[Path, dict[str, Any]]) -> None:
    folder, expected = exhibit
    names = sorted(path.name for path in (folder / "indexes").iterdir())
    assert {"exact", "flat", "hnsw", "rabitq"} <= set(names)
    for name in names:
        try:
            index = imi.index.load(folder / "indexes" / name)
        except MissingExtra:
            assert name == "symphonyqg"
            continue
        scores, rows = index.search(queries(), 5)
        if isinstance(index, Exact):
            assert rows.tolist() == expected["rows"]
        shared = [len(set(now) & set(then)) for now, then in zip(rows.tolist(), expected["rows"], strict=True)]
        assert min(shared) >= 4, name
        assert np.isfinite(scores).all()


def of_the_future(path: Path) -> None:
    """Let the manifest of an index say a later format, with a checksum that agrees."""
    body = json.loads(path.read_text("utf-8"))["body"] | {"format": 99}
    checksum = zlib.crc32(json.dumps(body, sort_keys=True).encode())
    path.write_text(json.dumps({"body": body, "crc32": checksum}), "utf-8")


def test_a_later_format_is_refused_and_left_alone(exhibit: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, _ = exhibit
    store = folder / "collection.imi" / "collection.sqlite"
    was = store.read_bytes()
    changed = connect(store, write=True).connection
    changed.pragma("user_version", 99)
    changed.close()
    later = store.read_bytes()
    for mode in ("r", "rw"):
        with pytest.raises(TooNew, match="99") as refused:
            imi.open(folder / "collection.imi", mode=mode)
        assert refused.value.hint and "upgrade" in refused.value.hint
    assert store.read_bytes() == later != was, "nothing is written to what is not understood"
    for name in ("exact", "hnsw"):
        of_the_future(folder / "indexes" / name / "manifest.json")
        with pytest.raises(TooNew, match="99"):
            imi.index.load(folder / "indexes" / name)
    lines = (folder / "export.jsonl").read_text("utf-8").replace('"format": 1', '"format": 99')
    assert '"format": 99' in lines
    (folder / "later.jsonl").write_text(lines, "utf-8")
    with imi.open(tmp_path / "again.imi", "hash") as again, pytest.raises(TooNew, match="99"):
        again.import_(folder / "later.jsonl")


def test_an_index_of_a_later_format_is_made_again_from_the_file(exhibit: tuple[Path, dict[str, Any]]) -> None:
    folder, expected = exhibit
    for manifest in (folder / "collection.imi" / "index").rglob("manifest.json"):
        of_the_future(manifest)
    with imi.open(folder / "collection.imi") as collection:
        check(collection, expected)
