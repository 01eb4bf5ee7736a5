"""Files of the package are compared with their hashes once, and again when anything has written to them."""

import json
import os
import time

import pytest

from imi.embedders import checked, model_folder
from imi.errors import DataError


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with two files that its model.json names, written an hour ago."""
    monkeypatch.setenv("IMI_HOME", str(tmp_path / "home"))
    made = tmp_path / "model"
    made.mkdir()
    for name in ("a", "b"):
        (made / name).write_bytes(name.encode() * 100)
        os.utime(made / name, (time.time() - 3600,) * 2)
    hashes = {name: model_folder.hash_files([made / name]) for name in ("a", "b")}
    (made / "model.json").write_text(json.dumps({"format": 1, "files": hashes}))
    monkeypatch.setattr(checked, "_FRESH_SECONDS", -1)  # what the test itself has just written counts as old
    return made


@pytest.fixture
def reads(monkeypatch):
    """Which files were read whole."""
    seen, plain = [], model_folder.hash_files
    monkeypatch.setattr(model_folder, "hash_files", lambda paths: seen.extend(p.name for p in paths) or plain(paths))
    return seen


def look(folder):
    return model_folder.packaged(folder, 1, "a model", own=False)


def test_what_was_compared_is_not_read_again(folder, reads):
    look(folder)
    look(folder)
    assert reads == ["a", "b"]


def test_a_file_that_was_written_is_read_again_whatever_its_times_say(folder, reads):
    look(folder)
    before = (folder / "b").stat()
    (folder / "b").write_bytes(b"c" * before.st_size)
    os.utime(folder / "b", ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(DataError, match="b was altered or cut"):
        look(folder)


def test_a_file_in_the_place_of_another_is_read(folder, reads):
    look(folder)
    (folder / "new").write_bytes(b"b" * 100)
    os.replace(folder / "new", folder / "b")
    look(folder)
    assert reads == ["a", "b"] * 2


@pytest.mark.parametrize("notes", ["", "[]", "{", '{"x": 1}'])
def test_notes_that_are_spoilt_are_not_believed(folder, reads, notes):
    look(folder)
    checked.notes_path().write_text(notes)
    look(folder)
    assert reads == ["a", "b"] * 2


def test_a_week_later_they_are_read_again(folder, reads):
    look(folder)
    notes = json.loads(checked.notes_path().read_text())
    notes[str(folder)]["checked"] -= 8 * 86400
    checked.notes_path().write_text(json.dumps(notes))
    look(folder)
    assert reads == ["a", "b"] * 2


def test_what_was_written_a_moment_ago_is_not_noted(folder, reads, monkeypatch):
    monkeypatch.setattr(checked, "_FRESH_SECONDS", 3600)
    look(folder)
    assert not checked.notes_path().exists()


def test_without_a_home_folder_they_are_read_each_time(folder, reads, monkeypatch):
    for name in ("IMI_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("pathlib.Path.home", homeless)
    look(folder)
    look(folder)
    assert reads == ["a", "b"] * 2


def test_what_takes_a_file_s_place_while_it_is_read_is_not_noted(folder, reads, monkeypatch):
    plain = model_folder.hash_files

    def swapped(paths):
        found = plain(paths)
        if paths[0].name == "b":
            (folder / "b").write_bytes(b"c" * 100)
        return found

    monkeypatch.setattr(model_folder, "hash_files", swapped)
    look(folder)
    monkeypatch.setattr(model_folder, "hash_files", plain)
    with pytest.raises(DataError, match="b was altered or cut"):
        look(folder)
