"""PostgreSQL killed while rows go in, connections cut while searches run, and secrets that must never be told."""

import logging
import threading
import time

import numpy as np
import pytest

import imi
from imi.errors import CollectionError, DataError, EndpointError, ImiError, UsageError


def documents(start, stop):
    return [imi.Document(f"d{at:05}", f"text {at} 猫", {"n": at}) for at in range(start, stop)]


def test_a_server_killed_during_ingest_loses_and_doubles_nothing(postgres, embedder):
    rows = documents(0, 8192)
    with imi.open(postgres.url("killed", patience=90), model=embedder) as c:
        c.add(rows[:10])
        done, killed = [], threading.Event()

        def progress(count, total):
            done.append(count)
            if count == 2048:
                killed.set()

        def kill():
            killed.wait(60)
            time.sleep(0.1)
            postgres.kill()
            postgres.start()

        killer = threading.Thread(target=kill)
        killer.start()
        c.add(rows, progress=progress)
        killer.join()
        assert done[-1] == 8192
        assert len(c) == c.count({"n": {">=": 0}}) == 8192
        assert c.ids().count("d04000") == 1 and len(set(c.ids())) == 8192
        assert c.add(rows[:2000]).unchanged == 2000
        assert len(c.search("猫", k=10_000, mode="text")) == 8192


def test_a_server_that_stays_away_is_a_clear_error_and_the_same_call_goes_on(postgres, embedder):
    with imi.open(postgres.url("gone", patience=1), model=embedder) as c:
        c.add(documents(0, 500))
        try:
            postgres.kill()
            with pytest.raises(EndpointError, match="cannot be reached") as error:
                c.add(documents(0, 1500))
            assert "not written twice" in error.value.hint
            with pytest.raises(EndpointError):
                c.search("猫", mode="text")
        finally:
            postgres.start()
        time.sleep(0.2)
        added = c.add(documents(0, 1500))
        assert (added.added, added.unchanged) == (1000, 500) and len(c) == 1500


def test_a_connection_dropped_during_search_is_made_again(postgres, embedder):
    import psycopg

    with imi.open(postgres.url("dropped"), model=embedder) as c:
        c.add(documents(0, 200))
        before = [hit.id for hit in c.search("text 17", mode="meaning")]
        stop = threading.Event()

        def cut():
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'imi'"
            with psycopg.connect(postgres._server.get_uri(), autocommit=True) as connection:
                while not stop.is_set():
                    connection.execute(query)
                    time.sleep(0.03)

        cutter = threading.Thread(target=cut)
        cutter.start()
        try:
            for _ in range(30):
                assert [hit.id for hit in c.search("text 17", mode="meaning")] == before
        finally:
            stop.set()
            cutter.join()


def test_two_writers_of_the_same_rows_leave_each_once(postgres, embedder):
    imi.open(postgres.url("two"), model=embedder).close()
    errors = []

    def write(start):
        try:
            with imi.open(postgres.url("two"), model=embedder) as c:
                for at in range(3):
                    c.add(documents(start, start + 300) if at % 2 else documents(start, start + 300)[::-1])
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 100, 200)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert errors == []
    with imi.open(postgres.url("two"), mode="r") as c:
        assert len(c) == len(set(c.ids())) == 500


SECRETS = [
    "postgresql://me:s3cr%23et@127.0.0.1:1/db?collection=c&connect_timeout=1",
    "postgresql://me@127.0.0.1:1/db?collection=c&password=s3cr%23et",
    "qdrant://127.0.0.1:1?collection=c&api_key=s3cr%23et",
    "milvus://root:s3cr%23et@127.0.0.1:1?collection=c",
    "postgresql://me:s3cr%23et@127.0.0.1:notaport/db?collection=c",
    "postgresql://me:s3cr%23et@127.0.0.1/db",
    "qdrant://127.0.0.1:1?collection=c&api_key=s3cr%23et&nonsense=1",
    "nosuch://me:s3cr%23et@host?collection=c",
]


@pytest.mark.parametrize("url", SECRETS)
def test_secrets_are_never_told(url, caplog, capsys, recwarn):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ImiError) as error:
        imi.open(url)
    whole, chain = "", error.value
    while chain is not None:
        whole += f"{chain!r} {chain} "
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
    whole += caplog.text + "".join(capsys.readouterr()) + "".join(str(one.message) for one in recwarn.list)
    assert "s3cr" not in whole
    recwarn.clear()


def test_secrets_are_in_nothing_that_is_shown(postgres, embedder, tmp_path):
    with imi.open(postgres.url("shown") + "&password=s3cret", model=embedder) as c:
        c.add(documents(0, 3))
        shown = f"{c!r} {c.info} {c.engine.label} {c.info.to_dict()} {c.search('text', mode='text').to_dict()}"
        for verb in ("export", "backup"):
            with pytest.raises(UsageError, match="imi copy") as error:
                getattr(c, verb)(tmp_path / "out.csv")
            shown += str(error.value)
        from imi.backends.copying import copy

        with imi.open(tmp_path / "copy.imi") as back:
            copy(c, back)
            back.export(tmp_path / "out.jsonl")
    assert "s3cret" not in shown and "***" in shown
    assert "s3cret" not in (tmp_path / "out.jsonl").read_text()
    assert b"s3cret" not in b"".join(part.read_bytes() for part in (tmp_path / "copy.imi").rglob("*") if part.is_file())


def test_what_postgresql_cannot_hold_is_said(postgres, embedder):
    with imi.open(postgres.url("cannot"), model=embedder) as c:
        for bad in (imi.Document("a\0b", "x"), imi.Document("a", "x\0"), imi.Document("a", "x", {"k": ["\0"]})):
            with pytest.raises(UsageError, match="U\\+0000"):
                c.add([bad])
        assert len(c) == 0
        with pytest.raises((DataError, CollectionError)):
            c.add([imi.Document(np.random.default_rng(0).bytes(5000).hex(), "an id that no index holds")])
        assert c.add([imi.Document("ok", "x", {"big": 10**300, "f": 1e300, "backslash": "\\u0000"})]).added == 1
        assert c.get("ok").metadata == {"big": 10**300, "f": 1e300, "backslash": "\\u0000"}
        with pytest.raises(UsageError):
            c.get("a\0b")
        assert c.delete(["a\0b", "\ud800"]) == 0
        with pytest.raises(UsageError, match="table"):
            imi.open(postgres.url("n" * 41))


def test_wide_and_large_vectors(postgres):
    random = np.random.default_rng(3)
    z = random.standard_normal((200, 1536)).astype(np.float32)
    with imi.open(postgres.url("wide", dtype="float32")) as c:
        rows = [imi.Document(f"v{at}") for at in range(200)]
        c.add(rows, vectors=z)
        assert np.array_equal(c.vectors(["v5"])[0], z[5])
        c.engine.set_ladder("hnsw.binary/1536:100,1536:10")
        hits = c.explain(z[7], k=3)
        assert hits[0].id == "v7" and hits.search["ladder"].startswith("hnsw.binary/1536")
    with imi.open(postgres.url("large")) as c, pytest.raises(UsageError, match="65504"):
        c.add(rows[:1], vectors=np.full((1, 8), 1e6))
