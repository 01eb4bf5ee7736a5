"""Words: the same rows and scores as the oracle in memory, whatever was added, removed, filtered, merged or damaged."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imi.errors import Damaged
from imi.index import maxscore
from imi.index.words import Words
from imi.text.bm25 import BM25
from tests.examples import examples


def made(count, seed=0, vocabulary=400):
    """Texts whose words are as unevenly frequent as those of languages, some of them empty."""
    random = np.random.default_rng(seed)
    chance = 1 / np.arange(1, vocabulary + 1)
    lengths = random.poisson(12, count) * (random.random(count) > 0.02)
    drawn = random.choice(vocabulary, int(lengths.sum()), p=chance / chance.sum())
    return [[f"w{word}" for word in row] for row in np.split(drawn, np.cumsum(lengths)[:-1])]


def check(words, texts, queries, k=10, allowed=None):
    """The best k are the oracle's over the live texts; `texts` maps row to tokens."""
    rows = np.array(sorted(texts))
    oracle = BM25([texts[row] for row in rows.tolist()])
    every = oracle.scores(queries)
    passing = np.ones(len(rows), bool) if allowed is None else np.isin(rows, allowed)
    for query, scores in zip(queries, every, strict=True):
        scores = np.where(passing, scores, 0)
        found, got = words.search(query, k, allowed)
        assert len(found) == min(k, np.count_nonzero(scores))
        assert len(set(found.tolist())) == len(found)
        np.testing.assert_allclose(got, np.sort(scores)[::-1][: len(found)], rtol=2e-5)
        np.testing.assert_allclose(got, scores[np.searchsorted(rows, found)], rtol=2e-5)
        assert all(a < b for a, b, s, t in zip(found, found[1:], got, got[1:], strict=False) if s == t)
        assert words.matching(query, allowed).tolist() == rows[scores > 0].tolist()
        assert words.expected(query) == pytest.approx(float(oracle.expected([query])[0]), rel=1e-5)


def asked(texts, count, seed=1, longest=20):
    random = np.random.default_rng(seed)
    pool = [token for text in texts for token in text]
    queries = [random.choice(pool, random.integers(1, longest)).tolist() for _ in range(count)]
    return [*queries, ["nowhere"], ["w0", "w0", "nowhere", "w17"]]


@pytest.fixture(scope="module")
def many():
    return made(2400)


@pytest.mark.parametrize("probe", [16, 4096])
@pytest.mark.parametrize("lookup", [0.01, 12, 10_000])
def test_the_best_are_those_of_the_oracle(many, monkeypatch, probe, lookup):
    monkeypatch.setattr(maxscore, "_FIRST_PROBE", probe)
    monkeypatch.setattr(maxscore, "_LOOKUP", lookup)
    monkeypatch.setattr(maxscore, "_WORTH", 0 if probe == 16 else 1_000_000)
    monkeypatch.setattr(maxscore, "_GROUP", 4)
    words = Words().add(range(1, 2401), many)
    for k in (1, 10, 100, 3000):
        check(words, dict(enumerate(many, 1)), asked(many, 6, seed=k), k)


def test_what_long_terms_add_is_remembered_and_short_ones_are_read_at_once_and_both_change_nothing(many, monkeypatch):
    texts, queries = dict(enumerate(many, 1)), asked(many, 8)
    monkeypatch.setattr(maxscore, "_RUN", 1)
    plain = Words().add(range(1, 2401), many)
    expected = [plain.search(query, 10) for query in queries]
    monkeypatch.setattr(maxscore, "_RUN", 300)
    monkeypatch.setattr(maxscore, "_LONG", 50)
    monkeypatch.setattr(maxscore, "_KEPT", 1500)
    words = Words().add(range(1, 2001), many[:2000]).add(range(2001, 2401), many[2000:], join=False)
    for allowed in (None, np.arange(1, 2401, 3), None):
        check(words, texts, queries, 10, allowed)
    for query, (rows, scores) in zip(queries, expected, strict=True):
        found = words.search(query, 10)
        np.testing.assert_array_equal(found[0], rows)
        np.testing.assert_array_equal(found[1], scores)
    parts = words._field.parts
    assert 0 < parts._postings == sum(len(documents) for documents, _ in parts._kept.values()) <= 1500
    fewer = words.remove([1, 3, 5])
    check(fewer, {row: text for row, text in texts.items() if row not in (1, 3, 5)}, queries)


def test_filters_that_are_remembered_are_not_mixed_up_and_end_with_the_state(many):
    words = Words().add(range(1, 2401), many)
    texts = dict(enumerate(many, 1))
    queries, first, second = asked(many, 3), np.arange(1, 2401, 2), np.arange(5, 2000, 3)
    for rows in (first, second):
        rows.setflags(write=False)
    for rows in (first, first, second, first):
        check(words, texts, queries, 10, rows)
    fewer = words.remove([1, 3, 5])
    check(fewer, {row: text for row, text in texts.items() if row not in (1, 3, 5)}, queries, 10, first)
    check(words, texts, queries, 10, first)  # a state is a value: what was removed later is still in it


def test_no_more_words_of_questions_are_remembered_than_a_server_can_hold(many, monkeypatch):
    monkeypatch.setattr("imi.index.words._REMEMBERED", 8)
    words = Words().add(range(1, 2401), many)
    for at in range(40):
        words.search([f"nowhere{at}", f"w{at}"], 5)
    assert len(words._known) <= 8 and len(words._read) <= 8
    check(words, dict(enumerate(many, 1)), asked(many, 6))


def test_most_postings_of_common_words_are_never_read(many, monkeypatch):
    monkeypatch.setattr(maxscore, "_FIRST_PROBE", 16)
    monkeypatch.setattr(maxscore, "_WORTH", 0)
    words = Words().add(range(1, 2401), many)
    read = []
    whole = maxscore._add_all
    monkeypatch.setattr(
        maxscore,
        "_add_all",
        lambda f, terms, *rest: (read.extend(term.postings for term in terms), whole(f, terms, *rest)),
    )
    query = ["w0", "w1", "w2", "w3", "w200", "w201", "w202"]
    found, _ = words.search(query, 5)
    assert len(found) == 5
    assert sum(read) < 0.3 * sum(words.counts(query).values())


def test_segments_removals_and_filters_change_nothing(many, tmp_path):
    random = np.random.default_rng(3)
    words, texts = Words(), {}
    for start, end in ((0, 1200), (1200, 1500), (1500, 1510), (1510, 2000), (2000, 2400)):
        words = words.add(range(start + 1, end + 1), many[start:end])
        texts |= {row + 1: many[row] for row in range(start, end)}
        gone = random.choice(sorted(texts), len(texts) // 20, replace=False)
        words = words.remove(np.append(gone, 10**9))
        for row in gone.tolist():
            del texts[row]
        if start in (1200, 1510):
            words = words.save(tmp_path, "f")
        assert len(words) == len(texts)
        check(words, texts, asked(many, 4, seed=start))
        for share in (0.5, 0.1, 0.01, 0.001):
            some = random.choice(2400, int(2400 * share), replace=False)
            check(words, texts, asked(many, 2, seed=start), 10, some)
    check(words.remove(np.array(sorted(texts)[:1000])), dict(sorted(texts.items())[1000:]), asked(many, 6))
    words = words.remove(np.array(sorted(texts)[:1000])).save(tmp_path, "f")
    assert len(words.segments) == 1, "when a fifth is dead, all is written anew"
    check(words, dict(sorted(texts.items())[1000:]), asked(many, 6))
    nothing = words.remove(np.arange(10_000))
    assert len(nothing.search(["w0"], 5)[0]) == 0 and len(nothing) == 0
    again = nothing.save(tmp_path, "f")
    assert again.segments == () and len(again.search(["w0"], 5)[0]) == 0
    check(again.add([7000], [["w1", "猫"]]), {7000: ["w1", "猫"]}, [["猫"], ["w1", "w2"]])


@settings(max_examples=examples(40))
@given(
    st.lists(st.lists(st.sampled_from("abcdefg猫京"), max_size=6), min_size=1, max_size=30),
    st.lists(st.integers(0, 29), max_size=10),
    st.integers(1, 29),
    st.lists(st.sampled_from("abcdefg猫京z"), min_size=1, max_size=5),
    st.integers(1, 8),
)
def test_any_history_answers_as_the_oracle(documents, dead, cut, query, k):
    words = Words().add(range(min(cut, len(documents))), documents[:cut])
    words = words.add(range(cut, len(documents)), documents[cut:], join=False).remove(np.array(dead, dtype=np.int64))
    texts = {row: tokens for row, tokens in enumerate(documents) if row not in dead}
    if texts:
        check(words, texts, [query], k)
        check(words._merged(), texts, [query], k)


def test_many_saves_keep_few_segments_and_files(tmp_path, many):
    words = Words()
    for start in range(0, 1200, 40):
        words = words.add(range(start, start + 40), many[start : start + 40]).save(tmp_path, "f")
    assert len(words.segments) <= 7
    assert len(list(tmp_path.iterdir())) == len(words.segments) + 2
    check(words, dict(enumerate(many[:1200])), asked(many, 5))
    check(Words.open(tmp_path, "f"), dict(enumerate(many[:1200])), asked(many, 5))


@pytest.mark.parametrize("how", ["flip", "cut", "missing"])
def test_damage_is_noticed_before_anything_is_searched(tmp_path, many, how):
    Words().add(range(500), many[:500]).remove(np.array([3])).with_about({"row": 500}).save(tmp_path, "f")
    assert Words.open(tmp_path, "f").about == {"row": 500}
    with pytest.raises(Damaged, match="another collection"):
        Words.open(tmp_path, "g")
    for path in list(tmp_path.iterdir()):
        sound = path.read_bytes()
        for at in np.random.default_rng(0).integers(0, len(sound), 8):
            if how == "missing":
                path.unlink()
            elif how == "cut":
                path.write_bytes(sound[:at])
            else:
                path.write_bytes(sound[:at] + bytes([sound[at] ^ 4]) + sound[at + 1 :])
            with pytest.raises(Damaged):
                Words.open(tmp_path, "f")
            path.write_bytes(sound)
    assert len(Words.open(tmp_path, "f")) == 499


def test_a_word_that_fills_a_row_counts_to_its_limit():
    words = Words().add([1, 2], [["a"] * 70_000, ["a", "b"]])
    assert words.search(["a"], 2)[0].tolist() == [1, 2]
    assert words.counts(["a", "b", "c"]) == {"a": 2, "b": 1, "c": 0}
