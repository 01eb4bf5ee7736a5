"""Codes for rows that pass a filter, beside the exact oracle."""

import os

import numpy as np
import pytest

import imi.index.passing as passing_rows
from imi.errors import Damaged
from imi.index.codes import Code, RowCodes, codes_to_try
from imi.index.exact import Exact
from imi.index.filter_plan import choose_filtering, code_for, growth_for
from imi.index.ladder import Ladder, ladder_parts
from imi.index.manifest import vector_parts, write_files
from imi.index.measure import Prefix
from imi.index.passing import Filtering, Passing
from imi.index.questions import unlike
from imi.index.rungs import Rung
from imi.index.saved import load_index

CODE = Code(128, 64)
DEAR = Filtering(None, 1.0, CODE, packing=1e-9, base=0.0, coded=1e-9)
"""Every other way is said to take long, so that codes are packed at once."""


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(passing_rows, "_WHOLE", 64)


BUILT = {}


def ladder_over(rows, metric, filtering=DEAR):
    """Return a ladder over the first rows of `nested`; its graph is built once."""
    if (len(rows), metric) not in BUILT:
        BUILT[len(rows), metric] = Ladder.build(rows, (Rung(128, 40, "float32", "hnsw"), Rung(128, 10)), metric)
    plain = BUILT[len(rows), metric]
    plain.latency = 1.0
    return plain.with_filtering(filtering, plain.code_rows(filtering.code))


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
def test_packed_codes_find_what_the_oracle_finds_among_rows_that_pass(nested, metric):
    rows, queries = nested
    index, exact, found = ladder_over(rows, metric), Exact(rows, metric), []
    random = np.random.default_rng(3)
    for query in queries[:12]:
        products = rows @ query
        for mask in (
            random.random(3000) < 0.3,
            products < np.median(products),
            products < 0,
            random.random(3000) < 0.04,
        ):
            passing = Passing(mask)
            scores, hits, steps = index.explain(query[None], 10, passing)
            assert [step.rung for step in steps] == ["codes/128"] and passing.packed is not None
            assert mask[hits[0]].all() and len(set(hits[0])) == 10 and (np.diff(scores[0]) <= 0).all()
            bar = exact.search(query[None], 10, passing.rows)[0][0, -1]
            found.append((scores[0] >= bar - 1e-4 * max(1, abs(bar))).mean())
    assert np.mean(found) >= 0.99


def test_many_queries_at_once_find_what_single_ones_find(nested):
    rows, queries = nested
    index, passing = ladder_over(rows, "cosine"), Passing(np.arange(3000) % 3 == 0)
    together = index.search(queries, 10, passing)[1]
    alone = [index.search(query[None], 10, passing)[1][0] for query in queries]
    np.testing.assert_array_equal(together, alone)
    assert (index.search(queries[:2], 1000, passing)[1][:, :900] >= 0).all()
    assert (index.search(queries[:2], 999, passing)[1] >= 0).all()


def test_codes_are_packed_when_searches_have_lost_as_much_time_as_packing_takes(nested):
    rows, queries = nested
    index = ladder_over(rows, "cosine", Filtering(None, 2e-6, CODE, packing=5e-6, base=0.0, coded=0.0, masked=1.0))
    passing = Passing(np.arange(3000) % 3 == 0)
    steps = [index.explain(queries[:1], 10, passing)[2][0].rung for _ in range(4)]
    assert [one.partition("/")[0] for one in steps] == ["scan", "scan", "codes", "codes"]
    assert passing.nbytes > 3000 + 1000 * CODE.bytes
    free = ladder_over(rows, "cosine", Filtering(None, 1e-12, CODE, packing=0.0, base=1e-3))
    assert free.explain(queries[:1], 10, Passing(passing.mask))[2][0].rung == "scan/128"  # nothing is gained


def test_a_filter_against_the_query_is_remembered(nested):
    rows, queries = nested
    timed = Filtering(None, 1e-3, CODE, packing=1e-9, base=0.0, coded=1e-6, masked=1.0)
    index = ladder_over(rows, "cosine", timed)
    index.latency = 1e-5
    passing = Passing(rows @ queries[0] < np.quantile(rows @ queries[0], 0.3))
    ways = [[step.rung.partition("/")[0] for step in index.explain(queries[:1], 10, passing)[2]] for _ in range(3)]
    assert ways[0][0].startswith("hnsw") and ways[0][-1] == "codes"
    assert (passing.asked, passing.against) == (1, 1)
    assert ways[1] == ways[2] == ["codes"]  # the graph is not asked again


def test_codes_are_kept_with_the_ladder_and_checked(nested, tmp_path):
    rows, queries = nested
    index, mask = ladder_over(rows, "cosine"), np.arange(3000) % 2 == 0
    index.save(tmp_path / "ladder")
    again = load_index(tmp_path / "ladder")
    assert isinstance(again, Ladder) and again.codes is not None and again.filtering == DEAR
    np.testing.assert_array_equal(again.codes.codes, index.codes.codes)
    np.testing.assert_array_equal(again.search(queries, 10, mask)[1], index.search(queries, 10, mask)[1])
    again.with_filtering(again.filtering).save(tmp_path / "plain")  # codes that were left out are not looked for
    assert load_index(tmp_path / "plain").codes is None
    path = next((tmp_path / "ladder").glob("codes-*"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(Damaged, match="codes"):
        load_index(tmp_path / "ladder")
    with pytest.raises(Damaged, match="3001 rows"):
        RowCodes.load(path, CODE, "cosine", 3001)


def test_the_shortest_code_that_is_enough_is_chosen_and_fits_the_memory(nested):
    rows, queries = nested
    plain = Ladder.build(rows, (Rung(128, 40, "float32", "flat"), Rung(128, 10)))
    random = np.random.default_rng(0)
    groups = [queries, unlike(queries, rows, random)]
    code = code_for(plain, groups, 10, random)
    assert code in codes_to_try(128)
    assert code_for(plain, groups, 10, random, room=code.bytes * 3000 - 1) != code
    assert code_for(plain, groups, 10, random, room=1000) is None
    chosen = choose_filtering(plain, [Prefix(64, 0.9, 0.1, 20)], groups, 10, random)
    assert chosen.filtering.code is not None and chosen.codes is not None and len(chosen.codes) == 3000
    assert Filtering.from_dict(chosen.filtering.to_dict()) == chosen.filtering
    none = choose_filtering(plain, [], groups, 10, random, room=0)
    assert none.filtering.code is None and none.codes is None


def test_among_many_rows_a_code_half_as_long_is_chosen_where_it_is_enough(nested, monkeypatch):
    monkeypatch.setattr("imi.index.codes._MANY", 3000)
    rows, queries = nested
    plain = Ladder.build(rows, (Rung(128, 40, "float32", "flat"), Rung(128, 10)))
    code = code_for(plain, [queries], 10, np.random.default_rng(0))
    assert code == codes_to_try(128, 3000)[0] == Code(64, 16, 800)
    assert codes_to_try(128, 2999)[0] == codes_to_try(128)[0] == Code(64, 32)
    scan = plain.with_filtering(Filtering(None, None, code), plain.code_rows(code)).scan_of_passing
    random, exact = np.random.default_rng(1), Exact(rows)
    for k in (10, 100):
        passing = Passing(random.random(len(rows)) < 0.5)
        scores, found = scan.search_masked(queries, k, passing, scan.codes)
        assert passing.mask[found].all()
        assert (scores >= exact.search(queries, k, passing.rows)[0][:, -1:] - 1e-5).mean() > 0.97


def test_a_code_is_chosen_where_all_rows_are_of_one_topic():
    random = np.random.default_rng(0)
    rows = np.outer(random.random(400) + 0.1, random.standard_normal(64)).astype(np.float32)
    plain = Ladder.build(rows, (Rung(64, 40, "float32", "flat"), Rung(64, 10)))
    assert code_for(plain, [rows[:20], -rows[:20]], 10, random) in [None, *codes_to_try(64)]


@pytest.mark.parametrize("width", [1, 7, 63, 64, 100, 384, 1024])
def test_codes_fit_every_width(width):
    for code in codes_to_try(width):
        assert code.dims <= width and code.dims % code.parts == 0 and code.bytes * 2 >= code.parts


def test_rows_of_no_use_are_coded_and_never_found():
    rows = np.random.default_rng(0).standard_normal((1000, 64)).astype(np.float32)
    rows[5], rows[6] = 0, np.nan
    codes = RowCodes.build(rows, Code(64, 32), "dot")
    packed = codes.packed(np.arange(400))
    found = packed.nearest(rows[:3], 500)
    assert found.shape == (3, 400) and (np.sort(found) == np.arange(400)).all()


@pytest.fixture(scope="module")
def masked(nested):
    """Ladders that compare the codes of all rows by a mask, as every other way is said to take long."""
    timed = Filtering(None, 1.0, CODE, packing=1.0, base=0.0, coded=1.0, masked=1e-9)
    return {metric: ladder_over(nested[0], metric, timed) for metric in ("cosine", "dot", "l2")}


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
def test_a_mask_over_all_codes_finds_what_the_oracle_finds(nested, masked, metric):
    rows, queries = nested
    index, exact, found = masked[metric], Exact(rows, metric), []
    random = np.random.default_rng(3)
    for query in queries[:12]:
        products = rows @ query
        for mask in (
            random.random(3000) < 0.5,
            random.random(3000) < 0.04,
            products < np.median(products),
            products < np.quantile(products, 0.9),
            np.arange(3000) >= 2900,
            np.arange(3000) != 17,
        ):
            passing = Passing(mask)
            scores, hits, steps = index.explain(query[None], 10, passing)
            assert [step.rung for step in steps] == ["masked/128"] and passing.packed is None
            assert mask[hits[0]].all() and len(set(hits[0])) == 10 and (np.diff(scores[0]) <= 0).all()
            bar = exact.search(query[None], 10, passing.rows)[0][0, -1]
            found.append((scores[0] >= bar - 1e-4 * max(1, abs(bar))).mean())
    assert np.mean(found) >= 0.99


def test_a_mask_serves_many_queries_many_hits_and_any_count_of_rows(nested, masked):
    rows, queries = nested
    index, passing = masked["cosine"], Passing(np.arange(3000) % 3 == 0)
    together = index.search(queries, 10, passing)[1]
    alone = [index.search(query[None], 10, passing)[1][0] for query in queries]
    np.testing.assert_array_equal(together, alone)
    for k in (999, 1000, 1500):  # as many as pass, and more
        scores, hits = index.search(queries[:2], k, passing)
        assert ((hits >= 0).sum(axis=1) == min(k, 1000)).all() and (hits[hits >= 0] % 3 == 0).all()
        assert (scores[hits < 0] == -np.inf).all()
    for count in (0, 1, 10, 11, 65):  # few are compared by all dimensions
        mask = np.arange(3000) < count
        hits = index.search(queries[:3], 10, mask)[1]
        assert ((hits >= 0).sum(axis=1) == min(count, 10)).all() and (hits < count).all()
    for size in (301, 330, 352):  # blocks of 32 that are not full
        small = ladder_over(np.ascontiguousarray(rows[:size]), "cosine", index.filtering)
        mask = np.arange(size) >= size - 100
        exact = Exact(rows[:size], "cosine").search(queries, 10, np.flatnonzero(mask))[0]
        assert (small.search(queries, 10, mask)[0] >= exact[:, -1:] - 1e-5).mean() > 0.99


def test_packed_codes_of_all_rows_are_kept_and_checked_and_made_for_indexes_of_before(nested, masked, tmp_path):
    _, queries = nested
    mask = np.arange(3000) % 2 == 0
    for metric, index in masked.items():
        index.save(tmp_path / metric)
        again = load_index(tmp_path / metric)
        assert again.codes._table is not None and again.filtering == index.filtering
        np.testing.assert_array_equal(again.search(queries, 10, mask)[1], index.search(queries, 10, mask)[1])
        other = load_index(tmp_path / metric)
        other.codes._table = None  # what an earlier imi wrote has none
        np.testing.assert_array_equal(other.search(queries, 10, mask)[1], index.search(queries, 10, mask)[1])
        assert other.codes._table is not None
    path = next((tmp_path / "l2").glob("packed-*"))
    with pytest.raises(Damaged, match="3000 rows"):
        fewer = ladder_over(nested[0][:500], "l2").codes
        fewer.table.save(tmp_path / "fewer")
        again.codes.load_table(tmp_path / "fewer")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(Damaged, match="packed"):
        load_index(tmp_path / "l2")


def test_an_index_of_before_is_read_without_packed_codes(nested, masked, tmp_path):
    masked["cosine"].save(tmp_path / "new")
    description, writers = ladder_parts(masked["cosine"])
    del description["packed"], writers["packed"], description["filtering"]["masked"], description["filtering"]["growth"]
    table = {"shape": [3000, 128], "dtype": "<f4"}
    write_files(tmp_path / "old", {"ladder": description, "table": table}, writers | vector_parts(nested[0]))
    old, mask = load_index(tmp_path / "old"), np.arange(3000) % 2 == 0
    assert old.codes._table is None and old.filtering.masked == Filtering().masked and old.filtering.growth is None
    np.testing.assert_array_equal(old.search(nested[1], 10, mask)[1], masked["cosine"].search(nested[1], 10, mask)[1])


def test_a_filter_met_for_the_first_time_is_not_packed(nested):
    rows, queries = nested
    timed = Filtering(None, 1e-6, CODE, packing=1e-6, base=0.0, coded=1e-9, masked=1e-8)
    index = ladder_over(rows, "cosine", timed)
    index.latency = 1e-6
    passing = Passing(rows @ queries[0] < np.quantile(rows @ queries[0], 0.7))
    ways = [[step.rung.partition("/")[0] for step in index.explain(queries[:1], 10, passing)[2]] for _ in range(200)]
    assert ways[0][0].startswith("hnsw") and ways[0][-1] == "masked"  # the graph found few
    assert ways[1] == ["masked"]  # and is not asked again
    assert ways[-1] == ["codes"] and passing.packed is not None  # packed when that has become worth its time


def test_the_effort_under_a_filter_is_measured(nested):
    rows, queries = nested
    plain = Ladder.build(rows, (Rung(128, 20, "float32", "hnsw", effort=30), Rung(128, 10)))
    plain.latency = 1e-9
    groups = [queries, unlike(queries, rows, np.random.default_rng(0))]
    power = growth_for(plain, groups, 10, 0.9, np.random.default_rng(1))
    assert power is not None and 0.2 <= power <= 0.8
    most = growth_for(plain, groups, 10, 1.01, np.random.default_rng(1))
    assert most is not None and most >= power  # no more is asked for than is found without a filter
    flat = Ladder.build(rows, (Rung(128, 20, "float32", "flat"), Rung(128, 10)))
    assert growth_for(flat, groups, 10, 0.9, np.random.default_rng(1)) is None
    asked = plain.with_filtering(Filtering(growth=power))
    random, found = np.random.default_rng(2), []
    for share in (0.5, 0.25):
        passing = Passing(random.random(3000) < share)
        exact = Exact(rows, "cosine").search(queries, 10, passing.rows)[0]
        found.append((asked.widened(queries, 10, passing) >= exact[:, -1:] - 1e-5).mean())
    assert np.mean(found) >= 0.87
    little = plain.with_filtering(Filtering(growth=0.2)).explain(queries, 10, passing)[2][0]
    much = plain.with_filtering(Filtering(growth=0.8)).explain(queries, 10, passing)[2][0]
    assert little.numbers < much.numbers


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_packs_and_asks_by_a_mask(nested, masked):
    """With what the parent had already, and where it must make it itself."""
    _, queries = nested
    index, mask = masked["cosine"], np.arange(3000) % 2 == 0
    expected = index.search(queries[:3], 10, mask)[1]
    other = index.with_filtering(index.filtering, RowCodes(CODE, "cosine", index.codes.centres, index.codes.codes))
    child = os.fork()
    if child == 0:
        same = False
        try:
            same = all(np.array_equal(one.search(queries[:3], 10, mask)[1], expected) for one in (index, other))
        finally:
            os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0
