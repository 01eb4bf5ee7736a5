"""`imi copy`, and the other verbs on a collection that lies on an engine."""

import pytest


@pytest.fixture
def four(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "four.txt").write_text("AIは素晴らしい！\nうちの猫はタマ\nうちのペット\n金魚は夜は休む\n", "utf-8")
    assert run("add", "four.imi", "four.txt", "--model", "hash", "-q").code == 0
    return tmp_path


def test_a_folder_is_copied_into_another(run, four):
    done = run("copy", "four.imi", "second.imi", "--json")
    assert done.code == 0 and done.json | {"checksum": 0} == {
        "copied": 4, "unchanged": 0, "rows": 4, "checksum": 0, "recall": 1.0,
    }  # fmt: skip
    assert run("copy", "four.imi", "second.imi", "--json").json["unchanged"] == 4
    mine, theirs = (run("search", name, "猫", "--json").json for name in ("second.imi", "four.imi"))
    assert [hit["id"] for hit in mine] == [hit["id"] for hit in theirs]


def test_verbs_work_on_an_engine(run, four):
    pytest.importorskip("qdrant_client", reason="qdrant-client is not installed: pip install 'imi[qdrant]'")
    url = "qdrant:engine?collection=four&prefixes=16,32"
    assert run("copy", "four.imi", url, "--json").json["copied"] == 4
    assert run("search", url, "猫", "--mode", "text", "--json").json[0]["text"] == "うちの猫はタマ"
    assert run("show", url, "--json").json["count"] == 4
    assert run("rm", url, "--where", "line>=3", "--json").json == {"removed": 2}
    assert run("add", url, "four.txt", "--model", "hash", "--json").json["added"] == 2
    assert run("add", url, "four.txt", "--model", "hash", "--json").json["unchanged"] == 4
    assert run("add", url, "four.txt", "--sync").code == 2
    refused = run("verify", url)
    assert refused.code == 2 and "imi copy" in refused.err
    assert run("search", "nosuch://host?collection=c", "猫").code == 2


def test_embedding_on_ray_wants_a_file_and_a_folder(run):
    done = run("embed", "--ray", "local", "in.parquet")
    assert done.code == 2 and "imi embed --ray local in.parquet out/" in done.err
