"""Index files go to native code: only what this user wrote on this machine does, and not a byte of it altered."""

import hashlib
import hmac
import json
import os
import shutil
import stat
import zlib

import numpy as np
import pytest

import imi
from imi import trust
from imi.errors import Damaged
from imi.index import manifest, saved
from imi.index.live import Live
from imi.index.policy import IndexPolicy

RNG = np.random.default_rng(0)
Z = RNG.standard_normal((1000, 16)).astype("f4")


@pytest.fixture
def native(monkeypatch):
    """Return the paths that a native loader was given."""
    given = []
    for kind in ("FaissStructure", "SymphonyQG", "HnswRabitq"):
        found = getattr(saved, kind)
        real = found.load

        def load(path, rung, real=real):
            given.append(path)
            return real(path, rung)

        monkeypatch.setattr(found, "load", staticmethod(load))
    return given


@pytest.fixture
def folder(tmp_path):
    """Return the folder of an index with a native structure, and what it finds."""
    saved.Ladder.build(Z, saved_rungs("16:60,16:10"), "cosine").save(tmp_path / "index")
    return tmp_path / "index"


def saved_rungs(text):
    from imi.index.rungs import parse_ladder

    return parse_ladder(text, 16, "hnsw")


def forged(folder, change, *, seal=None):
    """Alter a manifest, with a right checksum, as anybody can."""
    whole = json.loads((folder / "manifest.json").read_text())
    change(whole["body"])
    whole["crc32"] = zlib.crc32(json.dumps(whole["body"], sort_keys=True).encode())
    if seal is not None:
        whole["seal"] = seal
    (folder / "manifest.json").write_text(json.dumps(whole))


def structure_of(folder):
    entries = json.loads((folder / "manifest.json").read_text())["body"]["files"]
    name = next(name for name in entries if name.startswith(("structure", "linked")))
    return name, folder / entries[name]["path"]


def test_what_i_wrote_is_read(folder, native):
    assert isinstance(saved.load_index(folder), saved.Ladder) and native


def test_a_moved_copy_of_mine_is_read(folder, native, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    saved.load_index(tmp_path / "copy")
    os.rename(folder, tmp_path / "moved")
    saved.load_index(tmp_path / "moved")
    assert len(native) == 2


@pytest.mark.parametrize("kept", ["as it was", "size and time kept", "checksum made right"])
def test_an_altered_structure_never_reaches_native_code(folder, native, kept):
    name, path = structure_of(folder)
    before, raw = path.stat(), bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 255
    path.write_bytes(bytes(raw))
    if kept != "as it was":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    if kept == "checksum made right":

        def change(body):
            digest = hashlib.sha256(bytes(raw)).hexdigest()
            body["files"][name] |= {"crc32": zlib.crc32(bytes(raw)), "digest": digest} | manifest._state(path)

        forged(folder, change)
        found = saved.load_index(folder)  # made again of its vectors
        assert found.search(Z[:5], 1)[1][:, 0].tolist() == [0, 1, 2, 3, 4]
    else:
        with pytest.raises(Damaged):
            saved.load_index(folder)
    assert native == []


@pytest.mark.parametrize("seal", [None, "", "0" * 64, "é", 7, ["x"]])
def test_a_forged_manifest_is_no_seal(folder, native, seal):
    forged(folder, lambda body: body["about"].update(note="x"), seal=seal)
    with pytest.raises(Damaged, match="not written by this user"):
        manifest.read_manifest(folder)
    saved.load_index(folder)
    assert native == []


def test_anothers_index_is_made_again(folder, native, monkeypatch, tmp_path):
    monkeypatch.setenv("IMI_HOME", str(tmp_path / "another"))
    found = saved.load_index(folder)
    assert native == [] and found.search(Z[:5], 1)[1][:, 0].tolist() == [0, 1, 2, 3, 4]


def test_a_received_collection_builds_its_own(tmp_path, native, monkeypatch):
    policy = IndexPolicy(exact_rows=500, tail_rows=200, saved_rows=100)
    docs = [imi.Document(str(n), f"row {n}") for n in range(len(Z))]
    with imi.open(tmp_path / "z.imi", policy=policy) as c:
        c.add(docs, Z)
        c._index.wait()
        expected = [hit.id for hit in c.search(Z[7], mode="meaning")]
    monkeypatch.setenv("IMI_HOME", str(tmp_path / "another"))
    for mode in ("r", "rw"):
        with imi.open(tmp_path / "z.imi", mode=mode, policy=policy) as c:
            assert c.search(Z[7], mode="meaning")[0].id == expected[0] == "7"
            assert native == []
            if mode == "rw":
                c._index.settle()
                c._index.wait()
    Live.open(tmp_path / "z.imi" / "index", 16, "cosine", _fingerprint(tmp_path / "z.imi"))  # by now it is mine


def _fingerprint(path):
    with imi.open(path, mode="r") as c, c._store.reading():
        return c._index._fingerprint(c._store.epoch)


def test_the_secret_is_for_its_user_alone(folder):
    path = trust.home() / "index.key"
    assert len(path.read_bytes()) == 32
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_lost_or_broken_secret_costs_a_build_and_no_more(folder, native):
    path = trust.home() / "index.key"
    path.write_bytes(b"short")
    saved.load_index(folder)
    assert native == []
    path.unlink(missing_ok=True)
    saved.load_index(folder)
    assert native == []
    saved.Ladder.build(Z, saved_rungs("16:60,16:10"), "cosine").save(folder)
    saved.load_index(folder)
    assert native


def test_makers_of_a_secret_agree(own_home):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        seals = set(pool.map(lambda _: trust.seal(b"data"), range(64)))
    assert len(seals) == 1 and trust.is_sealed(b"data", seals.pop())
    # What an earlier version sealed with the same secret, and what nobody did.
    secret = (trust.home() / "index.key").read_bytes()
    assert trust.is_sealed(b"data", hmac.new(secret, b"data", "sha256").hexdigest())
    assert not trust.is_sealed(b"data", hmac.new(b"other", b"data", "sha256").hexdigest())
    assert not trust.is_sealed(b"other", trust.seal(b"data"))
    assert not list(own_home.glob(".*"))
