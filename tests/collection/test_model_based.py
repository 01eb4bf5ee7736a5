"""A collection against a dictionary: any order of writes, reads, reopenings and crashes agrees with it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import imi
from imi.collection import Collection
from imi.embedders.testing import HashEmbedder
from imi.records import Document

IDS = st.sampled_from(["a", "b", "c", "d", "猫", "e'", "f"])
TEXTS = st.sampled_from(["cat and dog", "猫がいる", "京都の検索", "dog", "電車で京都へ", "", "cat cat cat", "🐱"])
NUMBERS = st.integers(0, 3)
MODEL = HashEmbedder()
_VECTORS: dict[str, np.ndarray] = {}


def vector(text: str) -> np.ndarray:
    if text not in _VECTORS:
        _VECTORS[text] = MODEL.embed([text])[0]
    return _VECTORS[text]


class CollectionMachine(RuleBasedStateMachine):
    """The dictionary is the oracle; searching is brute force over it."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="imi-model-"))
        self.c: Collection = imi.open(self.folder / "c.imi", MODEL)
        self.have: dict[str, tuple[str, int]] = {}

    def teardown(self) -> None:
        if hasattr(self, "c"):
            self.c.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    @rule(rows=st.lists(st.tuples(IDS, TEXTS, NUMBERS), max_size=5))
    def add(self, rows: list[tuple[str, str, int]]) -> None:
        last = {id_: (text, n) for id_, text, n in rows}
        expected = {
            "added": sum(id_ not in self.have for id_ in last),
            "updated": sum(id_ in self.have and self.have[id_] != value for id_, value in last.items()),
            "unchanged": sum(self.have.get(id_) == value for id_, value in last.items()),
        }
        added = self.c.add([Document(id_, text, {"n": n}) for id_, text, n in rows])
        assert {name: getattr(added, name) for name in expected} == expected
        self.have |= last

    @rule(wanted=st.lists(IDS, max_size=3))
    def delete(self, wanted: list[str]) -> None:
        assert self.c.delete(wanted) == len(set(wanted) & self.have.keys())
        for id_ in wanted:
            self.have.pop(id_, None)

    @rule(n=NUMBERS)
    def delete_by_filter(self, n: int) -> None:
        if self.have:
            gone = [id_ for id_, (_, m) in self.have.items() if m == n]
            assert self.c.delete(where={"n": n}) == len(gone)
            for id_ in gone:
                del self.have[id_]

    @rule()
    def reopen(self) -> None:
        self.c.close()
        self.c = imi.open(self.folder / "c.imi")
        self.c = imi.open(self.folder / "c.imi", MODEL)

    @rule()
    def crash(self) -> None:
        """Copy the files as they lie, log and all, which is what a killed process leaves; go on with the copy."""
        copy = self.folder / f"crash-{os.urandom(4).hex()}.imi"
        shutil.copytree(self.folder / "c.imi", copy, ignore=shutil.ignore_patterns("*-shm"))
        self.c.close()
        shutil.rmtree(self.folder / "c.imi")
        copy.rename(self.folder / "c.imi")
        self.c = imi.open(self.folder / "c.imi", MODEL)

    @rule(query=TEXTS.filter(bool), n=st.none() | NUMBERS, k=st.integers(1, 8), dims=st.sampled_from([None, 16, 64]))
    def search_by_meaning(self, query: str, n: int | None, k: int, dims: int | None) -> None:
        if not self.have:
            return
        where = None if n is None else {"n": {">=": n}}
        rows = {id_: text for id_, (text, m) in self.have.items() if n is None or m >= n}
        hits = self.c.search(query, k=k, mode="meaning", where=where, dims=dims)
        width = dims or 64
        asked = imi.truncate(vector(query), width)
        score = {id_: float(imi.truncate(vector(text), width) @ asked) for id_, text in rows.items()}
        assert [hit.score for hit in hits] == pytest.approx(sorted(score.values(), reverse=True)[:k], abs=1e-5)
        for hit in hits:
            assert hit.score == pytest.approx(score[hit.id], abs=1e-5)
            assert (hit.text, hit.metadata) == (self.have[hit.id][0], {"n": self.have[hit.id][1]})

    @rule(word=st.sampled_from(["猫", "京都", "dog", "cat", "🐱", "検索", "犬"]))
    def search_by_text(self, word: str) -> None:
        found = {hit.id for hit in self.c.search(word, k=50, mode="text")}
        assert found == {id_ for id_, (text, _) in self.have.items() if word in text}

    @invariant()
    def it_is_the_dictionary(self) -> None:
        if hasattr(self, "c"):
            assert len(self.c) == len(self.have)
            assert {one.id: (one.text, one.metadata["n"]) for one in self.c.documents()} == self.have


def _run(examples: int, steps: int) -> None:
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        CollectionMachine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, suppress_health_check=checks, database=None
        ),
    )


def test_a_collection_is_a_dictionary_that_can_be_searched() -> None:
    _run(examples=12, steps=25)


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_a_collection_is_a_dictionary_for_long() -> None:
    _run(examples=500, steps=60)
