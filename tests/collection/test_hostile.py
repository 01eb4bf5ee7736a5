"""SQL, JSON paths and full-text syntax in ids, queries, fields and texts are data, never code."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import imi
from imi.embedders.testing import HashEmbedder
from imi.errors import UsageError
from imi.records import Document
from tests.examples import examples

SYNTAX = [
    "'; DROP TABLE documents; --",
    '" OR 1=1 --',
    'cat" OR "dog',
    "cat AND dog",
    "cat OR",
    "NOT cat",
    "cat NEAR dog",
    "tokens:cat",
    "tokens : cat",
    "-cat",
    "+cat",
    "cat*",
    "^cat",
    "{tokens}",
    "(cat",
    "cat)",
    '""',
    '"',
    '"cat',
    "$.a",
    '$."a"',
    "a\x00b",
    "%s %d",
    "\\",
    "…at",
    "cat + dog",
    "C++",
    "#",
    "'' UNION SELECT 1",
    "NEAR(cat dog, 5)",
    "imi.source",
    "imi.A",
]
strings = st.sampled_from(SYNTAX) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=15)


@pytest.fixture(scope="module")
def c(tmp_path_factory: pytest.TempPathFactory):
    with imi.open(tmp_path_factory.mktemp("hostile") / "c.imi", HashEmbedder()) as collection:
        collection.add([Document(f"id {text}", f"the cat and {text}", {text: text}) for text in SYNTAX])
        yield collection


@given(query=strings, mode=st.sampled_from(["text", "meaning", "hybrid"]))
@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_query_is_words(c: imi.Collection, query: str, mode: str) -> None:
    try:
        hits = c.search(query, k=5, mode=mode)  # type: ignore[arg-type]
    except UsageError as empty:
        assert "empty" in str(empty) and not query.strip()
        return
    assert all(hit.id.startswith("id ") for hit in hits) and len(c) == len(SYNTAX)


@given(text=strings)
@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_id_text_field_and_value_comes_back(tmp_path_factory, text: str) -> None:
    with imi.open(tmp_path_factory.mktemp("h") / "c.imi", HashEmbedder()) as c:
        c.add([Document(text, text, {text: text}), Document("other ", "other", {"n": 1})])
        assert c.get(text) == Document(text, text, {text: text})
        if "\0" not in text:  # a JSON path of SQLite ends at a NUL
            assert c.count({text: text}) == 1
            assert text == "not" or c.count({text: {"contains": text}}) == 1  # {"not": {…}} is what it says
            assert c.search("other", facets=[text]).facets == {text: {text: 1}}
        assert c.delete(text) == 1 and c.ids() == ["other "]


def test_words_of_the_query_language_are_looked_for(tmp_path: Path) -> None:
    with imi.open(tmp_path / "c.imi", HashEmbedder()) as c:
        c.add([Document("1", "to be or not to be"), Document("2", "near and far"), Document("3", "cats")])
        assert [hit.id for hit in c.search("OR", mode="text")] == ["1"]
        assert [hit.id for hit in c.search("NOT", mode="text")] == ["1"]
        assert [hit.id for hit in c.search('"near AND far"', mode="text")] == ["2"]
