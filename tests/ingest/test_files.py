"""Files into a collection from Python: what is added, compared, left out and said."""

import json
import os
import unicodedata
import zipfile
from pathlib import Path

import pytest

import imi
from imi.embedders.testing import HashEmbedder
from imi.errors import DataError, Failure, NotFound, UsageError
from imi.ingest import files, watching
from imi.records import own_facts
from imi.text.readers import READERS


@pytest.fixture
def collection(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with imi.open(tmp_path / "c.imi", model=HashEmbedder()) as opened:
        yield opened


def texts(collection):
    return sorted(one.text for one in collection)


def test_python_adds_files_as_the_command_line_does(collection, tmp_path):
    (tmp_path / "a.csv").write_text("sku,name\nA1,red\nA2,green\n")
    added = collection.add_files("a.csv", imi.ReadOptions(id="sku", template="{name}"))
    assert (added.added, added.summary.columns) == (2, ("sku", "name"))
    assert collection["A1"].text == "red" and collection["A1"].metadata["line"] == 2
    assert collection.add_files(["a.csv"], imi.ReadOptions(id="sku", template="{name}")).unchanged == 2
    assert set(added.to_dict()) == {"added", "updated", "unchanged", "removed", "failed"}


def test_a_bad_row_is_left_out_or_stops_before_anything_is_written(collection, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n[1]\n{"text": "b"}\n')
    with pytest.raises(DataError, match="1 row of 3 cannot be taken") as raised:
        collection.add_files("a.jsonl", on_error="raise")
    assert [failure.line for failure in raised.value.failures] == [2] and len(collection) == 0
    added = collection.add_files("a.jsonl")
    assert added.added == 2 and [failure.line for failure in added.failed] == [2]


def test_reading_without_a_collection(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": "a", "n": 1}\n[1]\n')
    document, failure = imi.read(tmp_path / "a.jsonl")
    assert (document.text, document.metadata["n"]) == ("a", 1)
    assert failure == Failure(str(tmp_path / "a.jsonl"), 2, "a JSON array, an object is needed")


def test_a_table_that_is_small_is_read_once(collection, tmp_path, monkeypatch):
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    calls = []

    def counted(path, options):
        calls.append(path)
        return READ(path, options)

    READ = READERS[".jsonl"]
    monkeypatch.setitem(READERS, ".jsonl", counted)
    assert collection.add_files("a.jsonl").added == 1
    assert calls == ["a.jsonl"]


@pytest.mark.parametrize("room", [0, 2_000, 1_000_000])
def test_rows_that_take_much_memory_are_read_again_instead(collection, monkeypatch, room):
    monkeypatch.setattr(files, "_ROOM", room)
    Path("a.csv").write_text("sku,name\n" + "".join(f"A{at},red {at}\n" for at in range(9)))
    Path("b.csv").write_text("sku,name\nB1,green\n")
    ingest = files.Ingest(["a.csv", "b.csv"])
    ingest.look(None)
    assert len(ingest._kept) == (2 if room > 10_000 else 0)
    assert ingest.write(collection, collection.store, None).added == 10


def test_ids_that_occur_twice_are_said_with_their_lines(collection, tmp_path):
    (tmp_path / "a.csv").write_text("sku,text\nA1,red\nA1,blue\nA2,green\nA1 ,yellow\n")
    (tmp_path / "b.csv").write_text("sku,text\nA2,black\n")
    added = collection.add_files(["a.csv", "b.csv"], imi.ReadOptions(id="sku"))
    assert {one.id: one.places for one in added.summary.repeated} == {
        "A1": (("a.csv", 2), ("a.csv", 3), ("a.csv", 5)),
        "A2": (("a.csv", 4), ("b.csv", 2)),
    }
    assert texts(collection) == ["black", "yellow"]
    assert added.to_dict()["summary"]["repeated"][0]["places"][0] == {"source": "a.csv", "line": 2}


def test_what_no_reader_knows_and_what_is_dropped_is_said(collection, tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a.csv").write_text("text,imi\nhello,x\n")
    (folder / "b.xyz").write_text("?")
    summary = collection.add_files("d").summary
    assert summary.ignored == ("d/b.xyz",)
    assert summary.dropped == {"imi": "imi keeps its own facts under this name"}
    assert summary.columns == ("text",)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_one_bad_file_of_a_folder_stops_nothing(collection, tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "good.txt").write_text("good\n")
    (folder / "gone.txt").symlink_to("nowhere.txt")
    (folder / "zero.txt").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.txt")
    (folder / "cut.csv.gz").write_bytes(b"\x1f\x8b\x08\x00 not gzip")
    (folder / "x.json").write_text("{broken")
    added = collection.add_files("d")
    assert texts(collection) == ["good"]
    assert {Path(failure.source).name for failure in added.failed} == {
        "gone.txt", "zero.txt", "pipe.txt", "cut.csv.gz", "x.json",
    }  # fmt: skip


def test_a_file_that_cannot_be_read_now_keeps_its_rows(collection, tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "a.json").write_text('[{"text": "a"}]')
    (folder / "b.txt").write_text("b\n")
    (folder / "c.jsonl").write_text('{"text": "c"}\n{"text": "d"}\n{"text": "e"}\n')
    collection.add_files("d", sync=True)
    (folder / "a.json").write_text('[{"text": ')
    (folder / "b.txt").unlink()
    (folder / "b.txt").symlink_to("nowhere")
    (folder / "c.jsonl").write_text('{"text": "c"}\n{"text": \n')
    added = collection.add_files("d", sync=True)
    # The row that line 2 held stays, since it cannot be read; that of line 3 is gone.
    assert texts(collection) == ["a", "b", "c", "d"] and added.removed == 1
    (folder / "a.json").unlink()
    (folder / "b.txt").unlink()
    assert collection.add_files("d", sync=True).removed == 2


def test_members_of_archives_come_and_go_with_them(collection, tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()

    def pack(**members):
        with zipfile.ZipFile(folder / "z.zip", "w") as archive:
            for name, text in members.items():
                archive.writestr(f"{name}.txt", text)

    pack(a="one\n", b="two\n")
    assert collection.add_files("d", sync=True).added == 2
    assert collection.add_files("d", sync=True).unchanged == 2
    pack(a="one\n")
    assert collection.add_files("d", sync=True).removed == 1
    (folder / "z.zip").unlink()
    (folder / "c.txt").write_text("three\n")
    collection.add_files("d", sync=True)
    assert texts(collection) == ["three"]


def test_names_of_members_in_other_encodings(collection, tmp_path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("xxxx/yyyy.txt", "one\n")
        archive.writestr("__MACOSX/._a.txt", "not a text\n")
    raw = (tmp_path / "z.zip").read_bytes()
    name = "資料/メモ.txt".encode("cp932")
    (tmp_path / "z.zip").write_bytes(raw.replace(b"xxxx/yyyy.txt", name))
    collection.add_files("z.zip")
    assert [own_facts(one.metadata)["source"] for one in collection] == ["z.zip/資料/メモ.txt"]


def test_decomposed_names_are_found_composed(collection, tmp_path):
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / unicodedata.normalize("NFD", "ガイド.txt")).write_text("京都の案内\n", "utf-8")
    collection.add_files("d", sync=True)
    assert [one.id for one in collection] == ["d/ガイド.txt:1"]
    assert collection.count({"source": {"contains": "ガイド"}}) == 1
    assert collection.add_files("d", sync=True).to_dict()["unchanged"] == 1


def test_other_options_read_again_and_take_what_they_made_away(collection, tmp_path):
    (tmp_path / "a.csv").write_text("sku,text\nA1,red\nA2,blue\n")
    collection.add_files("a.csv")
    added = collection.add_files("a.csv", imi.ReadOptions(id="sku"))
    assert (added.added, added.removed) == (2, 2)
    assert sorted(collection.ids()) == ["A1", "A2"]


def test_watching_ends_when_it_is_asked_to(collection, tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("one\n")
    said = []

    def later(_):
        (tmp_path / "a.txt").write_text("one\ntwo\nthree\n" if not said else "{")

    monkeypatch.setattr(watching.time, "sleep", later)
    collection.add_files("a.txt", watch=lambda added: said.append(added) or False)
    assert [added.added for added in said] == [2]


def test_standard_input_cannot_be_watched_or_given_twice(collection):
    with pytest.raises(UsageError, match="given twice"):
        collection.add_files(["-", "-"])


def test_a_collection_is_a_container_of_documents(collection):
    collection.add([imi.Document(str(at), f"text {at}", {"n": at}) for at in range(5)])
    assert "3" in collection and "9" not in collection and 3 not in collection
    assert collection["3"].text == "text 3"
    with pytest.raises(NotFound, match="no row with the id '9'"):
        collection["9"]
    with pytest.raises(KeyError):
        collection.get("9")
    assert collection.get("9", None) is None
    assert [one and one.id for one in collection.get(["1", "9"], None)] == ["1", None]
    assert [one.id for one in collection] == ["0", "1", "2", "3", "4"]
    assert [one.id for one in collection.documents(offset=1, limit=2)] == ["1", "2"]
    assert [one.id for one in collection.documents({"n": {">": 0}}, offset=3)] == ["4"]
    assert list(collection.documents(limit=0)) == []
    with pytest.raises(UsageError, match="offset is -1"):
        collection.documents(offset=-1)
    collection.wait()


def test_the_summary_is_json(collection, tmp_path):
    (tmp_path / "a.csv").write_text("売上\n\nid,text\n1,tea\n,\n", "utf-8")
    added = collection.add_files("a.csv")
    assert json.loads(json.dumps(added.to_dict()))["summary"]["notices"] == [
        {"source": "a.csv", "line": 1, "text": "the line is above the header and not a row: '売上'"},
        {"source": "a.csv", "line": 5, "text": "1 row is blank: 5"},
    ]


@pytest.mark.parametrize("name", ["zero.txt", "zero", "pipe.csv"])
def test_a_file_without_an_end_is_refused_by_name_too(tmp_path, name):
    from imi.ingest.sources import file_digest

    if name.startswith("zero"):
        os.symlink("/dev/zero", tmp_path / name)
    else:
        os.mkfifo(tmp_path / name)
    with pytest.raises(OSError, match="not a regular file"):
        file_digest(str(tmp_path / name), "")
    with (
        pytest.raises(DataError, match=r"not a regular file|without a suffix"),
        imi.open(tmp_path / "c.imi", model="hash") as c,
    ):
        c.add_files(tmp_path / name)
