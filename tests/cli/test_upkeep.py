import errno
import json
import os
import sqlite3
import time

import numpy as np
import pytest

import imi


def test_export_and_back(reviews, run):
    with imi.open("reviews", mode="r") as collection:
        ids, z = collection.ids(), collection.vectors()
    for name in ("out.csv", "out.jsonl", "out.npy"):
        assert run("export", "reviews", name, "--json").json == {"rows": 60, "out": name}
        done = run("add", f"back-{name[4:]}", name, "--json")
        assert done.code == 0 and done.json["added"] == 60, done.err
        with imi.open(f"back-{name[4:]}.imi", mode="r") as back:
            assert back.ids() == ids and back.info.model == "hash"
            np.testing.assert_array_equal(back.vectors(), z)
            assert back.get("7").metadata["Score"] == 1
    np.testing.assert_array_equal(np.load("out.npy"), z)
    assert run("export", "reviews", "plain.csv", "--no-vectors").code == 0
    assert "[" not in (reviews / "plain.csv").read_text("utf-8").splitlines()[1]
    done = run("export", "reviews", "out.xls")
    assert done.code == 2 and ".csv" in done.err and "Traceback" not in done.err


def test_export_to_parquet(reviews, run):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert run("export", "reviews", "out.parquet").code == 0
    table = parquet.read_table("out.parquet").to_pydict()
    with imi.open("reviews", mode="r") as collection:
        assert table["id"] == collection.ids()
        np.testing.assert_array_equal(np.array(table["embedding"], np.float32), collection.vectors())
    assert table["Score"][:3] == [5, 5, 4]


def test_backup_is_a_collection(reviews, run):
    assert run("backup", "reviews", "monday.imi", "--json").json == {"rows": 60, "out": "monday.imi"}
    assert run("search", "monday", "beans", "--json").out == run("search", "reviews", "beans", "--json").out
    assert run("backup", "reviews", "monday.imi").code == 2


def test_verify_and_repair(reviews, run):
    assert run("verify", "reviews", "--json").json["ok"] is True
    with sqlite3.connect(reviews / "reviews.imi" / "collection.sqlite") as connection:
        connection.execute("UPDATE vectors SET vector = zeroblob(length(vector)) WHERE row = 3")
    connection.close()
    done = run("verify", "reviews", "--json")
    assert done.code == 1 and done.json["ok"] is False and "imi repair reviews" in done.err
    assert run("repair", "reviews", "--json").json["kept"] == 60
    assert run("verify", "reviews").rows[0][0] == "ok"


def test_migrate(reviews, run):
    assert run("migrate", "reviews", "--dims", "32", "--estimate", "--json").json["rows"] == 60
    assert run("show", "reviews", "--json").json["dims"] == 64
    done = run("migrate", "reviews", "--dims", "32", "--json").json
    assert done["dims"] == 32 and 0 < done["overlap"] <= 1
    assert run("show", "reviews", "--json").json["dims"] == 32
    assert run("migrate", "reviews", "--dims", "100").code == 2


@pytest.mark.parametrize("verb", ["verify", "repair", "migrate", "export", "backup"])
def test_none_of_them_makes_a_collection(here, run, verb):
    arguments = [*(["x.csv"] if verb in ("export", "backup") else []), *(["--dims", "8"] if verb == "migrate" else [])]
    done = run(verb, "nowhere", *arguments)
    assert done.code == 2 and "there is no collection nowhere" in done.err
    assert [path.name for path in here.iterdir()] == ["reviews.csv"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_with_a_way_on_by_verbs_that_write_plain_files(here, run, monkeypatch, number):
    def full(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("imi.server.http.keys.Keys._write", full)
    done = run("keys", "add", "alice")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("imi: no room left on the disk; ") and "\ntry: free disk space\n" in done.err


def test_keys_are_listed_with_the_local_time_and_with_seconds_for_programs(here, run, monkeypatch):
    assert run("keys", "add", "alice", "--keys", "keys.json").code == 0
    made = json.loads((here / "keys.json").read_text("utf-8"))
    made["keys"][0]["created"] = 1_700_000_000
    (here / "keys.json").write_text(json.dumps(made), "utf-8")
    for zone, said in (("UTC0", "2023-11-14 22:13"), ("JST-9", "2023-11-15 07:13")):
        with monkeypatch.context() as there:
            there.setenv("TZ", zone)
            time.tzset()
            assert run("keys", "ls", "--keys", "keys.json").rows == [["alice", "read every collection", said]]
    time.tzset()
    assert run("keys", "ls", "--keys", "keys.json", "--json").json[0]["created"] == 1_700_000_000
