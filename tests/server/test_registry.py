"""The collections that a server lends: only so many are open, and a file that changed hands is noticed."""

import os
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import imi
from imi.embedders.testing import HashEmbedder
from imi.errors import CollectionError
from imi.server.http.responses import ApiError
from imi.server.models import Models
from imi.server.registry import Registry
from imi.server.settings import Limits
from tests.server.conftest import Running, error_of

API = "/api/v1/collections"


def make(folder: Path, *ids: str) -> None:
    with imi.open(folder, model=HashEmbedder()) as made:
        made.add([imi.Document(one, f"text number {one}") for one in ids])


def ids(served: Running, name: str) -> list[str]:
    found = served.http.post(f"{API}/{name}/search", json={"query": "text", "k": 50})
    assert found.status_code == 200, found.text
    return sorted(hit["id"] for hit in found.json()["hits"])


@pytest.fixture
def served(start, tmp_path) -> Running:
    make(tmp_path / "pets.imi", "1", "2")
    make(tmp_path / "other.imi", "9")
    return start(collections=(str(tmp_path / "pets.imi"),), root=tmp_path / "made")


def rebuild(folder: Path) -> None:
    shutil.rmtree(folder / "pets.imi")
    make(folder / "pets.imi", "3")


def rename_over(folder: Path) -> None:
    make(folder / "new.imi", "3")
    shutil.rmtree(folder / "pets.imi")
    os.rename(folder / "new.imi", folder / "pets.imi")


def swap(folder: Path) -> None:
    make(folder / "new.imi", "3")
    os.rename(folder / "pets.imi", folder / "old.imi")
    os.rename(folder / "new.imi", folder / "pets.imi")


def restore(folder: Path) -> None:
    make(folder / "source.imi", "3")
    with imi.open(folder / "source.imi", model=HashEmbedder()) as source:
        source.backup(folder / "backup.imi")
    shutil.rmtree(folder / "pets.imi")
    shutil.copytree(folder / "backup.imi", folder / "pets.imi")


@pytest.mark.parametrize("change", [rebuild, rename_over, swap, restore])
def test_a_collection_that_was_replaced_is_read_and_written_anew(served, tmp_path, change):
    assert ids(served, "pets") == ["1", "2"]
    change(tmp_path)
    assert ids(served, "pets") == ["3"]
    document = {"id": "7", "text": "text from the server"}
    assert served.http.post(f"{API}/pets/documents", json={"documents": [document]}).json()["added"] == 1
    assert ids(served, "pets") == ["3", "7"]
    assert served.http.get(f"{API}/pets").json()["count"] == 2
    assert served.http.post(f"{API}/pets/look", json={"query": "text"}).status_code == 200
    with imi.open(tmp_path / "pets.imi", model=HashEmbedder()) as kept:
        assert sorted(kept.ids()) == ["3", "7"]
        assert kept.verify().ok


def test_what_was_deleted_or_moved_is_not_there_until_it_is_again(served, tmp_path):
    assert ids(served, "pets") == ["1", "2"]
    os.rename(tmp_path / "pets.imi", tmp_path / "away.imi")
    for _ in range(2):
        for method, path, body in (
            ("GET", "", None),
            ("POST", "/search", {"query": "x"}),
            ("POST", "/documents", {"documents": [{"id": "7", "text": "x"}]}),
            ("POST", "/tasks/cluster", {}),
            ("GET", "/map", None),
            ("GET", "/columns", None),
        ):
            gone = served.http.request(method, f"{API}/pets{path}", json=body)
            assert gone.status_code == 404
            assert error_of(gone)["code"] == "collection_not_found"
    assert served.http.get(API).json()["collections"] == []
    assert not (tmp_path / "pets.imi").exists()
    with imi.open(tmp_path / "away.imi", model=HashEmbedder()) as kept:
        assert sorted(kept.ids()) == ["1", "2"]
    os.rename(tmp_path / "away.imi", tmp_path / "pets.imi")
    assert ids(served, "pets") == ["1", "2"]


def test_a_deleted_collection_can_be_made_again_through_the_server(served, tmp_path):
    assert served.http.post(API, json={"name": "new"}).status_code == 201
    shutil.rmtree(tmp_path / "made" / "new.imi")
    assert served.http.get(f"{API}/new").status_code == 404
    assert served.http.post(API, json={"name": "new"}).status_code == 201
    assert served.http.post(API, json={"name": "new"}).status_code == 409


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are not listed here")
@pytest.mark.parametrize("count", [12, pytest.param(40, marks=pytest.mark.nightly)])
def test_only_so_many_collections_are_open_and_all_answer(start, tmp_path, count):
    served = start(root=tmp_path / "made", limits=Limits(collections=4))
    before = open_files()
    for at in range(count):
        assert served.http.post(API, json={"name": f"c{at}"}).status_code == 201
        rows = [{"id": str(at), "text": f"text {at}"}]
        assert served.http.post(f"{API}/c{at}/documents", json={"documents": rows}).status_code == 200
    for at in range(count):
        assert ids(served, f"c{at}") == [str(at)]
        assert served.state.registry.open_count <= 5
    assert len(served.http.get(API).json()["collections"]) == count
    assert open_files() - before < 5 * 24


def test_a_collection_in_use_is_not_closed_under_its_user(start, tmp_path):
    served = start(root=tmp_path / "made", limits=Limits(collections=2))
    for at in range(6):
        make(tmp_path / "made" / f"c{at}.imi", str(at)) if at > 3 else served.http.post(API, json={"name": f"c{at}"})
    faults = []

    def ask(name: str) -> None:
        import httpx

        with httpx.Client(base_url=served.url, timeout=30, verify=False) as client:
            for at in range(6):
                reply = client.post(f"{API}/{name}/documents", json={"documents": [{"id": str(at), "text": f"t {at}"}]})
                more = client.post(f"{API}/{name}/search", json={"query": "t"})
                if (reply.status_code, more.status_code) != (200, 200):
                    faults.append((name, reply.text, more.text))

    threads = [threading.Thread(target=ask, args=(f"c{at}",)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert served.state.registry.open_count <= 4


def test_replacing_while_requests_run_answers_old_or_new(served, tmp_path):
    done, faults = threading.Event(), []

    def ask() -> None:
        import httpx

        with httpx.Client(base_url=served.url, timeout=30, verify=False) as client:
            while not done.is_set():
                reply = client.post(f"{API}/pets/search", json={"query": "text", "k": 5})
                seen = sorted(hit["id"] for hit in reply.json().get("hits", ()))
                if reply.status_code not in (200, 404) or (
                    reply.status_code == 200 and seen not in (["1", "2"], ["3"])
                ):
                    faults.append(reply.text)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(12):
        make(tmp_path / f"n{turn}.imi", *(["3"] if turn % 2 else ["1", "2"]))
        os.rename(tmp_path / "pets.imi", tmp_path / f"o{turn}.imi")
        os.rename(tmp_path / f"n{turn}.imi", tmp_path / "pets.imi")
    done.set()
    for thread in threads:
        thread.join()
    assert faults == []


class _Meanwhile:
    """A lock before which somebody else has it once, and does something."""

    def __init__(self, lock, act) -> None:
        self._lock, self._act = lock, act

    def __enter__(self) -> None:
        self._lock.acquire()
        act, self._act = self._act, None
        if act is not None:
            act()

    def __exit__(self, *_) -> None:
        self._lock.release()


def test_what_is_closed_as_idle_just_before_it_is_lent_is_opened_again(tmp_path):
    make(tmp_path / "a.imi", "1")
    models = Models({"hash": HashEmbedder()}, {}, ThreadPoolExecutor(1), lambda *_: None)
    registry = Registry((str(tmp_path / "a.imi"),), None, models)
    place = registry._places["a"]
    registry._changing = _Meanwhile(registry._changing, lambda: registry._retire(place))
    with registry.use("a") as collection:
        registry._closer.submit(int).result()  # what was to be closed is
        assert not place.opened.retired and collection.get("1") is not None
    registry.close()


def test_names_are_listed_while_a_collection_is_made(tmp_path, monkeypatch):
    make(tmp_path / "a.imi", "1")
    models = Models({"hash": HashEmbedder()}, {}, ThreadPoolExecutor(1), lambda *_: None)
    registry = Registry((str(tmp_path / "a.imi"),), None, models)
    place = registry._places["a"]

    def state(path):
        registry._places[f"b{len(registry._places)}"] = place
        return path.stat()

    monkeypatch.setattr("imi.server.registry._state", state)
    assert registry.names() == ["a"]
    registry.close()


@pytest.mark.parametrize("back", [True, False])
def test_a_file_that_is_moved_while_it_is_opened_is_no_fault_of_the_collection(tmp_path, monkeypatch, back):
    make(tmp_path / "a.imi", "1")
    make(tmp_path / "b.imi", "2", "3")
    models = Models({"hash": HashEmbedder()}, {}, ThreadPoolExecutor(1), lambda *_: None)
    registry = Registry((str(tmp_path / "a.imi"),), None, models)
    registry._retire(registry._places["a"])
    opened = imi.open

    def moved(*args, **kwargs):
        monkeypatch.setattr(imi, "open", opened)
        os.rename(tmp_path / "a.imi", tmp_path / "c.imi")
        if back:
            os.rename(tmp_path / "b.imi", tmp_path / "a.imi")
        raise CollectionError("it cannot be opened")

    monkeypatch.setattr(imi, "open", moved)
    if back:
        with registry.use("a") as collection:
            assert len(collection) == 2
    else:
        with pytest.raises(ApiError, match="no collection"), registry.use("a"):
            pass
    registry.close()
