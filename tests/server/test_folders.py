"""A plain folder is served as a collection, follows its files, and takes no rows but theirs."""

import time

import pytest

from imi.errors import Damaged


@pytest.fixture(scope="module")
def notes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "my notes"
    folder.mkdir()
    (folder / "plan.md").write_text("# Plan\n\nthe deadline is on Friday\n", "utf-8")
    (folder / ".gitignore").write_text("secret*\n", "utf-8")
    (folder / "secret.md").write_text("the deadline is a secret\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("one-home")


@pytest.fixture(autouse=True)
def one_home(own_home, home, monkeypatch):
    """All tests of this file share the cache that the server writes to."""
    monkeypatch.setenv("IMI_HOME", str(home))
    monkeypatch.setenv("IMI_MODEL", "hash")


@pytest.fixture(scope="module")
def served(start, notes, home):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMI_HOME", str(home))
        patch.setenv("IMI_MODEL", "hash")
        return start(collections=(str(notes),))


def texts(served, query):
    reply = served.http.post("/api/v1/collections/my-notes/search", json={"query": query, "k": 5, "mode": "text"})
    assert reply.status_code == 200, reply.text
    return [hit["text"] for hit in reply.json()["hits"]]


def test_it_is_found_by_its_name_and_leaves_out_what_is_ignored(served):
    assert [one["name"] for one in served.http.get("/api/v1/collections").json()["collections"]] == ["my-notes"]
    found = texts(served, "deadline")
    assert len(found) == 1 and "Friday" in found[0]


def test_what_is_written_changed_and_deleted_is_found_within_seconds(served, notes):
    def within_seconds(condition):
        until = time.monotonic() + 20  # two, on a machine with nothing else to do
        while not condition():
            assert time.monotonic() < until
            time.sleep(0.05)

    (notes / "new.md").write_text("a zebra came by\n", "utf-8")
    within_seconds(lambda: texts(served, "zebra"))
    (notes / "new.md").write_text("a giraffe came by\n", "utf-8")
    within_seconds(lambda: texts(served, "giraffe") and not texts(served, "zebra"))
    (notes / "new.md").unlink()
    within_seconds(lambda: not texts(served, "giraffe"))


def test_an_index_that_a_search_finds_damaged_is_made_again(served, notes, home):
    file = next(home.rglob("collection.sqlite"))
    served.state.registry.mirrors[0].suspect(Damaged("a page does not agree"))
    until = time.monotonic() + 20
    before = file.stat().st_ctime_ns
    while served.state.registry.mirrors[0].suspected or not file.exists() or file.stat().st_ctime_ns == before:
        assert time.monotonic() < until
        time.sleep(0.05)
    while not texts(served, "deadline"):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_rows_of_its_own_are_refused_and_no_path_of_the_cache_is_told(served):
    reply = served.http.post("/api/v1/collections/my-notes/documents", json={"documents": [{"id": "1", "text": "x"}]})
    assert reply.status_code in (403, 409), reply.text
    assert "folders/" not in reply.text and "home" not in reply.text


def test_a_folder_with_nothing_to_read_is_served_and_followed(start, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    served = start(collections=(str(empty),))

    def hits():
        reply = served.http.post("/api/v1/collections/empty/search", json={"query": "tea", "mode": "text"})
        assert reply.status_code == 200, reply.text
        return reply.json()["hits"]

    assert hits() == []
    (empty / "note.txt").write_text("a note about tea\n", "utf-8")
    until = time.monotonic() + 20
    while not hits():
        assert time.monotonic() < until
        time.sleep(0.05)
