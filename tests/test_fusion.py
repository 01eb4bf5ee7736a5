import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imi.errors import UsageError
from imi.fusion import DEEP_WEIGHT, WEIGHT, deepened, expected_score, fuse, lucene_idf


def ranking(pairs):
    rows, scores = zip(*pairs, strict=True) if pairs else ((), ())
    return np.array(rows, np.int64), np.array(scores, np.float32)


def fused(text, meaning, weight=WEIGHT, expected=None):
    rows, scores = fuse(ranking(text), ranking(meaning), weight, expected=expected)
    return dict(zip(rows.tolist(), scores.tolist(), strict=True))


def test_scores_are_those_of_the_formula():
    found = fused([(7, 9.0), (3, 3.0)], [(3, 0.9), (5, 0.6), (7, 0.5)], weight=0.4, expected=12.0)
    assert found == pytest.approx({7: 0.6 * 0.75**2, 3: 0.6 * 0.25**2 + 0.4 * 0.8, 5: 0.4 * 0.2}, abs=1e-6)


def test_rows_come_best_first_and_once():
    rows, scores = fuse(ranking([(2, 5.0), (1, 4.0)]), ranking([(1, 0.9), (9, 0.2), (4, 0.1)]))
    assert rows.tolist()[:2] == [1, 2] and sorted(rows.tolist()) == [1, 2, 4, 9]
    assert (np.diff(scores) <= 0).all() and scores.dtype == np.float32 and rows.dtype == np.int64


def test_a_stray_match_does_not_drown_the_meaning():
    text, meaning = [(1, 2.0)], [(8, 0.8), (9, 0.4), (1, 0.1)]
    assert max(fused(text, meaning, expected=40.0).items(), key=lambda item: item[1])[0] == 8
    # Without knowing how much the query asks for, the best match is the whole answer.
    assert max(fused(text, meaning).items(), key=lambda item: item[1])[0] == 1


@pytest.mark.parametrize(
    ("text", "meaning", "order"),
    [
        ([], [], []),
        ([(4, 1.0)], [], [4]),
        ([], [(4, 0.3)], [4]),
        ([], [(4, 0.3), (5, 0.9)], [5, 4]),
        ([(1, 3.0), (2, 2.0)], [], [1, 2]),
        ([(1, 0.0)], [(1, 0.5)], [1]),
        ([(1, 2.0), (2, 2.0)], [(2, 0.5), (1, 0.5)], [1, 2]),
        ([], [(1, -0.5), (2, -0.2)], [2, 1]),
        ([], [(1, 1.0), (2, 1.0), (3, 1.0)], [1, 2, 3]),
    ],
)
def test_an_arm_may_be_empty_or_bring_one_row(text, meaning, order):
    rows, scores = fuse(ranking(text), ranking(meaning))
    assert rows.tolist() == order and np.isfinite(scores).all()


def test_the_weight_goes_from_text_alone_to_meaning_alone():
    text, meaning = [(1, 3.0), (2, 1.0)], [(2, 0.9), (3, 0.5), (1, 0.1)]
    assert fuse(ranking(text), ranking(meaning), 0.0)[0].tolist() == [1, 2, 3]
    assert fuse(ranking(text), ranking(meaning), 1.0)[0].tolist() == [2, 3, 1]
    with pytest.raises(UsageError, match="weight is 2"):
        fuse(ranking(text), ranking(meaning), 2)


scores = st.dictionaries(st.integers(0, 8), st.floats(0.0, 30.0, width=32), min_size=3)
cosines = st.dictionaries(st.integers(0, 8), st.floats(-1.0, 1.0, width=32), min_size=3)


@given(scores, cosines, st.floats(0, 1), st.sampled_from([None, 25.0]))
def test_what_is_better_in_both_arms_is_never_behind(text, meaning, weight, expected):
    found = fused(list(text.items()), list(meaning.items()), weight, expected)
    for a in found:
        for b in found:
            by_text = text.get(a, 0.0) >= text.get(b, 0.0)
            by_meaning = meaning.get(a, -1.0) >= meaning.get(b, -1.0)
            assert not (by_text and by_meaning) or found[a] >= found[b] - 1e-6


def test_the_expected_score_is_the_sum_of_idf():
    assert expected_score([1, 0], 10) == pytest.approx(math.log(9.5 / 1.5) + math.log(10.5 / 0.5))
    assert expected_score([10], 10) == pytest.approx(1e-6) and expected_score([], 5) == 0.0


def test_lucenes_idf_takes_a_count_or_an_array_and_is_never_negative():
    found = lucene_idf(np.array([0, 3, 10]), 10)
    assert found == pytest.approx([math.log(1 + 10.5 / 0.5), math.log(1 + 7.5 / 3.5), math.log(1 + 0.5 / 10.5)])
    assert float(lucene_idf(3, 10)) == pytest.approx(found[1]) and found.min() > 0


def test_a_text_of_mean_length_with_each_term_once_covers_all():
    import apsw

    db = apsw.Connection(":memory:")
    db.execute("create virtual table f using fts5(t)")
    db.executemany(
        "insert into f values (?)", [(f"red green n{i}" if i == 3 else f"x{i} y{i} n{i}",) for i in range(50)]
    )
    (score,) = db.execute("select -bm25(f) from f where f match 'red OR green'").fetchone()
    assert score == pytest.approx(expected_score([1, 1], 50), rel=1e-3)


def test_a_finer_model_orders_what_it_has_read_and_moves_nothing_else():
    chance = np.random.default_rng(5)
    for _ in range(50):
        count = int(chance.integers(1, 80))
        rows = chance.permutation(200)[:count].astype(np.int64)
        scores = np.sort(chance.random(count).astype(np.float32))[::-1]
        text = chance.permutation(rows)[: count // 2], chance.random(count // 2).astype(np.float32)
        read = np.sort(chance.permutation(rows)[: int(chance.integers(0, count + 1))])
        cosines = chance.random(len(read)).astype(np.float32)
        order, told = deepened((rows, scores), text, (read, cosines), first=20, expected=2.0)
        assert sorted(order) == sorted(rows) and (np.diff(told) <= 0).all()
        np.testing.assert_array_equal(order[20:], rows[20:])
        still = ~np.isin(rows[:20], read)
        np.testing.assert_array_equal(order[:20][still], rows[:20][still])
        moved = order[:20][~still]
        known = np.isin(read, moved)
        among = np.isin(text[0], moved)
        whole = fuse((text[0][among], text[1][among]), (read[known], cosines[known]), DEEP_WEIGHT, expected=2.0)
        np.testing.assert_array_equal(moved, whole[0])


def test_where_words_say_nothing_the_first_model_counts_as_much_as_the_finer_one():
    rows = np.arange(3)
    fused = rows, np.array([0.3, 0.2, 0.1], np.float32)
    finer, nearer = (rows, np.array([0.9, 0.8, 0.1])), (rows[::-1], np.array([0.2, 0.9, 0.1]))
    silent = np.empty(0, np.int64), np.empty(0)
    assert deepened(fused, silent, finer)[0].tolist() == [0, 1, 2]
    assert deepened(fused, silent, finer, nearer=nearer)[0].tolist() == [1, 0, 2]
    whole = np.array([0]), np.array([5.0])
    assert deepened(fused, whole, finer, nearer=nearer, expected=5.0)[0].tolist() == [0, 1, 2]
    # A row that the first model has no vector of is judged by the finer one alone.
    some = rows[1:], np.array([0.9, 0.2])
    assert sorted(deepened(fused, silent, finer, nearer=some)[0].tolist()) == [0, 1, 2]
