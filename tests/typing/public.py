"""The public face as two type checkers see it: never run, only checked by tests/typing/test_typing.py."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import imi
import imi.evaluate
import imi.index
import imi.tasks
from imi.errors import ImiError, TooNew

Floats = NDArray[np.float32]


def models(texts: list[str]) -> None:
    model = imi.load()
    assert_type(model, imi.Embedder)
    z = model.embed(texts, kind="document", dims=64)
    assert_type(z, Floats)
    assert_type(model.info, imi.ModelInfo)
    assert_type(model.info.width, int)
    model.embed(texts, kind="other")  # error: arg-type


def vectors(z: Floats) -> None:
    assert_type(imi.truncate(z, 64), Floats)
    assert_type(imi.normalize(z), Floats)


def collections(path: Path) -> None:
    with imi.open(path, mode="r", policy=imi.index.IndexPolicy(exact_rows=100)) as notes:
        assert_type(notes, imi.Collection)
        assert_type(len(notes), int)
        hits = notes.search("a question", k=3, mode="hybrid", where={"n": {">=": 4}})
        assert_type(hits, imi.Hits)
        for hit in hits:
            assert_type(hit, imi.Hit)
            assert_type(hit.score, float)
            assert_type(hit.id, str)
            assert_type(hit.text, str | None)
        assert_type(hits[0], imi.Hit)
        assert_type(notes.get("1"), imi.Document)
        assert_type(notes.get(["1", "2"]), list[imi.Document])
        assert_type(notes.ids(), list[str])
        assert_type(notes.documents(), Iterator[imi.Document])
        assert_type(notes.add([imi.Document("1", "text", {"n": 1})]), imi.Added)
        assert_type(notes.delete("1"), int)
        notes.search("a question", mode="fuzzy")  # error: arg-type
        notes.add(["no document"])  # error: list-item
    imi.open(path, mode="w")  # error: arg-type


def tasks(z: Floats, labels: Sequence[Any]) -> None:
    found = imi.tasks.classify(z, labels, head="knn", seed=1)
    assert_type(found.accuracy, float)
    groups = imi.tasks.cluster(z, 4)
    assert_type(groups.labels, NDArray[np.int64])


def errors() -> None:
    try:
        imi.open("absent", mode="r")
    except TooNew as newer:
        assert_type(newer.hint, str | None)
    except ImiError as error:
        assert_type(error.exit_code, int)
    except ValueError:
        pass
