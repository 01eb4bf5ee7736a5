import shutil
import threading
from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import imi.index.live as live_module
from imi.errors import Damaged, UsageError
from imi.index.exact import Exact
from imi.index.live import Live
from imi.index.measure import latency
from imi.index.policy import IndexPolicy
from imi.index.rungs import Rung
from tests.examples import examples
from tests.index.conftest import recall


class Model:
    """What the index must agree with: a dict of vectors, searched one pair at a time in float64."""

    def __init__(self):
        self.rows = {}

    def search(self, query, k, allowed=None):
        keys = [key for key in self.rows if allowed is None or key in allowed]
        return sorted(keys, key=lambda key: (-self.score(query, key), key))[:k]

    def score(self, query, key):
        x, q = self.rows[key].astype(np.float64), query.astype(np.float64)
        return float(x @ q / np.linalg.norm(x) / np.linalg.norm(q))


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(st.integers(0, 40), min_size=1, max_size=12, unique=True)),
        st.tuples(st.just("remove"), st.lists(st.integers(0, 45), max_size=8)),
        st.tuples(st.sampled_from(["save", "open", "build"]), st.just([])),
    ),
    max_size=12,
)


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps, st.integers(0, 2**31))
def test_any_history_answers_like_a_dictionary(tmp_path_factory, history, seed):
    random = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("live")
    live, model = Live.create(folder, 6, fingerprint="f"), Model()
    for verb, keys in history:
        if verb == "add":
            vectors = random.standard_normal((len(keys), 6)).astype(np.float32)
            live.add(np.array(keys), vectors, np.full(len(keys), 7))
            model.rows |= dict(zip(keys, vectors, strict=True))
        elif verb == "remove":
            gone = live.remove(np.array(keys, dtype=np.int64))
            assert gone == len(set(keys) & set(model.rows))
            for key in keys:
                model.rows.pop(key, None)
        elif verb == "build":
            live.build()
        else:
            live.save()
            live = Live.open(folder, 6, fingerprint="f") if verb == "open" else live
        query = random.standard_normal(6).astype(np.float32)
        allowed = random.choice(46, 15, replace=False)
        assert len(live) == len(model.rows)
        assert live.keys.tolist() == sorted(model.rows)
        for passing in (None, allowed):
            found = live.search(query, 5, passing)[1][0]
            expected = model.search(query, 5, None if passing is None else set(passing.tolist()))
            assert found[found >= 0].tolist() == expected
        for dims in (None, 3):
            named = dict(zip(*(part.tolist() for part in live.score(query, allowed, dims)[::-1]), strict=True))
            scores, keys = live.search(query, 15, allowed, dims=dims)
            found = zip(keys[0].tolist(), scores[0].tolist(), strict=True)
            assert named == {key: score for key, score in found if key >= 0}


def test_the_store_is_followed_by_difference(tmp_path):
    vectors = np.eye(8, dtype=np.float32)
    live = Live.create(tmp_path, 8)
    live.add(np.arange(6), vectors[:6], np.zeros(6))
    live.save()
    opened = Live.open(tmp_path, 8)
    stamps = np.array([0, 0, 5, 0, 0])
    missing, extra = opened.difference(np.array([7, 1, 2, 3, 4]), stamps)
    assert sorted(missing.tolist()) == [2, 7]
    assert sorted(extra.tolist()) == [0, 5]
    assert opened.difference(np.empty(0, np.int64))[1].tolist() == [0, 1, 2, 3, 4, 5]
    assert Live.create(None, 8).difference(np.array([3]))[0].tolist() == [3]


POLICY = IndexPolicy(exact_rows=1000)


def plan_quickly(monkeypatch):
    monkeypatch.setattr("imi.index.planner.EXACT_NUMBERS", 1000)
    rung = Rung(64, 10, "int8", "hnsw")  # one candidate: choosing is tested elsewhere
    monkeypatch.setattr("imi.index.planner.first_rungs", lambda *_: [rung])
    monkeypatch.setattr("imi.index.measure.latency", partial(latency, seconds=0.002))


@pytest.fixture(scope="module")
def built(nested, tmp_path_factory):
    """Return the folder of an index that outgrew exact search and was built, for tests to copy, beside its home."""
    folder = tmp_path_factory.mktemp("built") / "index"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("IMI_HOME", str(folder.parent / "home"))
        plan_quickly(monkeypatch)
        live = Live.create(folder, 128, policy=POLICY)
        live.add(np.arange(2400) * 3, nested[0][:2400])
        assert "outgrown" in (live.due or "")
        live.build(0.95)
        assert live.due is None
        assert live.info["kind"] == "ladder"
        live.save()
    return folder


@pytest.fixture
def grown(built, monkeypatch, tmp_path):
    """A built ladder, opened, and its folder."""
    plan_quickly(monkeypatch)
    monkeypatch.setenv("IMI_HOME", str(built.parent / "home"))  # whose key sealed the index
    shutil.copytree(built, tmp_path / "index")
    return Live.open(tmp_path / "index", 128, policy=POLICY), tmp_path / "index"


def answers(keys, vectors, queries, allowed=None):
    if allowed is not None:
        good = np.isin(keys, allowed)
        keys, vectors = keys[good], vectors[good]
    rows = Exact(vectors).search(queries, 10)[1]
    return np.where(rows < 0, -1, keys[rows])


def test_recall_stays_when_half_is_deleted_and_a_third_added(nested, grown):
    vectors, queries = nested
    live, folder = grown
    dead = np.random.default_rng(0).choice(2400, 1200, replace=False) * 3
    live.remove(dead)
    live.add(np.arange(600) + 10_000, vectors[2400:])
    keys = np.concatenate([np.setdiff1d(np.arange(2400) * 3, dead), np.arange(600) + 10_000])
    rows = np.where(keys < 10_000, keys // 3, keys - 10_000 + 2400)
    true = answers(keys, vectors[rows], queries)
    assert recall(live.search(queries, 10)[1], true) >= 0.94
    live.save()
    assert recall(Live.open(folder, 128).search(queries, 10)[1], true) >= 0.94
    assert "dead" in (live.due or "")
    live.build(0.95)
    assert live.due is None
    assert recall(live.search(queries, 10)[1], true) >= 0.94
    for share in (0.5, 0.1, 0.01):
        allowed = np.random.default_rng(1).choice(keys, int(share * len(keys)), replace=False)
        found = live.search(queries, 10, allowed)[1]
        assert (found >= 0).all()
        assert recall(found, answers(keys, vectors[rows], queries, allowed)) >= 0.95


def test_exact_dims_and_ladders_can_be_asked_for(nested, grown):
    vectors, queries = nested
    live, _ = grown
    keys = np.arange(2400) * 3
    np.testing.assert_array_equal(live.search(queries, 10, exact=True)[1], answers(keys, vectors[:2400], queries))
    rows = Exact(vectors[:2400], dims=16).search(queries, 10)[1]
    np.testing.assert_array_equal(live.search(queries, 10, dims=16)[1], keys[rows])
    found, story = live.explain(queries[:2], 10, ladder="32:300,128:10")[1:]
    assert recall(found, answers(keys, vectors[:2400], queries[:2])) > 0.8
    assert [step["candidates"] for step in story["steps"]] == [2400, 300]
    assert story["mflops"] == pytest.approx(1e-6 * (2400 * 32 + 300 * 128))  # d·N multiply-adds


def test_rows_that_were_found_otherwise_score_as_in_a_search(nested, grown):
    vectors, queries = nested
    live, _ = grown
    live.remove(np.arange(0, 900, 3))
    live.add(np.arange(50) + 10_000, vectors[2400:2450])
    asked = np.array([0, 3, 900, 903, 7000, 10_001, 10_049, 2, 10_050, 7197])
    for dims in (None, 16):
        for query in queries[:5]:
            scores, keys = live.score(query, asked, dims)
            assert sorted(keys.tolist()) == [900, 903, 7197, 10_001, 10_049]
            expected, named = live.search(query, 10, keys, dims=dims)
            order = np.argsort(-scores)
            assert keys[order].tolist() == named[0][:5].tolist()
            np.testing.assert_allclose(scores[order], expected[0][:5], atol=1e-6)


def test_changes_during_a_build_are_kept(nested, grown, monkeypatch):
    queries = nested[1]
    live, folder = grown
    live.remove(np.arange(1000) * 3)
    gathered, go = threading.Event(), threading.Event()
    original = live_module.gather

    def slow(*arguments):
        result = original(*arguments)
        gathered.set()
        go.wait(30)
        return result

    monkeypatch.setattr(live_module, "gather", slow)
    builder = threading.Thread(target=live.build)
    builder.start()
    assert gathered.wait(30)
    live.remove(np.array([3000, 3003]))
    live.add(np.array([3006, 50_000]), np.stack([queries[0], queries[1]]))
    during = live.search(queries[:2], 1)[1][:, 0].tolist()
    go.set()
    builder.join()
    assert during == [3006, 50_000]
    for index in (live, Live.open(folder, 128)):
        assert index.search(queries[:2], 1)[1][:, 0].tolist() == [3006, 50_000]
        assert not np.isin([3000, 3003], index.keys).any()
        assert len(index) == 1400 - 2 + 1


def test_rows_added_while_a_build_gathers_are_not_joined_to_its_file(tmp_path):
    rng = np.random.default_rng(1)
    z = rng.standard_normal((3000, 16)).astype(np.float32)
    live = Live.create(tmp_path / "index", 16)
    live.add(np.arange(2000), z[:2000])
    gathering = live._rebuild

    def rebuild(*given):
        live.add(np.arange(2000, 3000), z[2000:])  # behind the build's back, as another thread does
        return gathering(*given)

    live._rebuild = rebuild
    live.build()  # too few rows for a ladder: the part that was gathered is searched exactly, as the new one is
    again = Live.open(tmp_path / "index", 16)
    assert len(again) == 3000
    np.testing.assert_array_equal(again.search(z[::100], 1)[1][:, 0], np.arange(3000)[::100])


def test_many_threads_search_while_one_writes(nested, grown):
    vectors, queries = nested
    live, _ = grown
    wrong = []

    def read():
        for _ in range(30):
            keys = live.search(queries[:4], 5)[1]
            wrong.extend(keys[keys < 0].tolist())

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for at in range(60):
        live.add(np.array([20_000 + at]), vectors[2400 + at : 2401 + at])
        live.remove(np.array([3 * at]))
    for reader in readers:
        reader.join()
    assert wrong == []
    assert len(live) == 2400


def test_a_damaged_folder_is_noticed_and_made_again(nested, grown):
    folder = grown[1]
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        changed = bytearray(content)
        changed[len(content) // 2] ^= 16
        path.write_bytes(changed)
        with pytest.raises(Damaged):
            opened = Live.open(folder, 128)
            opened.search(nested[1], 10, exact=True)
        path.write_bytes(content)
    with pytest.raises(Damaged, match="made for"):
        Live.open(folder, 128, fingerprint="other")
    assert Live.generation(folder) > 0
    fresh = Live.create(folder, 128)
    fresh.add(np.array([1]), nested[0][:1])
    fresh.save()
    assert Live.open(folder, 128).keys.tolist() == [1]


def test_wrong_rows_are_named_and_nothing_is_added():
    live = Live.create(None, 3)
    with pytest.raises(UsageError, match="unique"):
        live.add(np.array([1, 1]), np.ones((2, 3)))
    with pytest.raises(UsageError, match=r"\(1, 3\)"):
        live.add(np.array([1]), np.ones((1, 4)))
    with pytest.raises(UsageError, match="NaN"):
        live.add(np.array([1]), np.array([[np.nan, 1, 1]]))
    assert len(live) == 0
    assert live.search(np.ones(3), 2)[1].tolist() == [[-1, -1]]


def test_many_large_parts_stay_apart_and_many_small_ones_are_joined(tmp_path, monkeypatch):
    from imi.index import segment_files

    monkeypatch.setattr(segment_files, "_SMALL", 4)
    monkeypatch.setattr(segment_files, "_MOST_PARTS", 3)
    monkeypatch.setattr(segment_files, "_JOINED_BYTES", 20 * 6 * 4)
    random, model = np.random.default_rng(0), Model()
    live = Live.create(tmp_path, 6)
    sizes = [12] * 6 + [5] * 9
    for at, size in enumerate(sizes):
        keys, vectors = np.arange(size) + 100 * at, random.standard_normal((size, 6)).astype(np.float32)
        live.add(keys, vectors)
        model.rows |= dict(zip(keys.tolist(), vectors, strict=True))
        live.save()
        live = Live.open(tmp_path, 6)
        largest = max(len(part) for part in live._parts)
        assert largest <= 20
        query = random.standard_normal(6).astype(np.float32)
        assert live.search(query, 5)[1][0].tolist() == model.search(query, 5)
    assert len(live._parts) < len(sizes)
