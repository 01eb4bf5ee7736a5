"""Anomalies planted in real texts: what a person would call odd comes first, and never later than by the plain way."""

import numpy as np
import pytest
from tests.tasks import real

import imi
from imi import tasks
from imi.errors import UsageError
from imi.tasks.neighbours import copies_of
from imi.tasks.text_oddness import _tallied, text_oddness
from imi.vectors import normalize


def average_precision(odd, score):
    order = np.argsort(-score, kind="stable")
    return float((np.cumsum(odd[order]) / np.arange(1, len(odd) + 1))[odd[order] == 1].mean())


def not_below(odd, ours, plain):
    """Return whether the 95 % interval of the difference in average precision, over all rows, reaches zero."""
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(200):
        drawn = rng.integers(0, len(odd), len(odd))
        if odd[drawn].any():
            gains.append(average_precision(odd[drawn], ours[drawn]) - average_precision(odd[drawn], plain[drawn]))
    return np.quantile(gains, 0.975) >= 0


GARBAGE = [
    "xkcqwv zzpq jjkx wwvq",
    "asdf;lkj asdf lkjh;;",
    "#################",
    "9f86d081-884c7d65-9a2feaa0",
    "qqqq wwww xxxx",
]


def planted(data, name):
    """Return the texts of a set, and what is planted among them by case."""
    foreign = {"en": [text for text, _ in real.hotels(data)], "ja": real.headlines(data)}
    if name == "banking":
        texts, language = [text for text, _ in real.banking(data)], "en"
        topic = [
            text for text, label in real.clinc(data) if label in ("recipe", "weather", "play_music", "flight_status")
        ]
    elif name == "hotels":
        texts, language = [text for text, _ in real.hotels(data)], "ja"
        topic = [text[:60] for text, _ in real.paragraphs(data)]
    else:
        texts, language = [text for text, _ in real.reviews(data)], "en"
        topic = real.headlines(data)
    texts = real.some(texts, 1500)
    rng = np.random.default_rng(1)
    long = [" ".join(texts[row] for row in rng.integers(0, len(texts), 30)) for _ in range(10)]
    return texts, {
        "topic": real.some(topic, 20, 2),
        "language": real.some(foreign[language], 10, 3),
        "length": long,
        "garbage": GARBAGE,
    }


@pytest.fixture(scope="module")
def model():
    return imi.load()


@pytest.mark.parametrize("name", [pytest.param("banking", marks=pytest.mark.nightly), "hotels", "reviews"])
def test_planted_texts_come_first_and_no_later_than_by_the_mean_of_nearest(shared_data, model, name):
    texts, cases = planted(shared_data, name)
    # Copies are the opposite of odd: a fifth of the rows stand there twice.
    texts = texts + texts[: len(texts) // 5]
    z = model.embed(texts)
    means = {}
    for case, strange in cases.items():
        rows = np.vstack([z, model.embed(strange)])
        odd = np.repeat([0, 1], [len(texts), len(strange)])
        found = tasks.anomalies(rows, texts=texts + strange)
        assert not_below(odd, found.score, found.baseline), case
        # Vectors know nothing of how long a text is.
        assert case == "length" or not_below(odd, tasks.anomalies(rows).score, found.baseline), case
        means[case] = average_precision(odd, found.score)
        copied = found.score[len(texts) - len(texts) // 6 : len(texts)]
        assert copied.mean() < found.score[len(texts) :].mean()
    assert min(means.values()) >= 0.9, means


def test_a_family_of_nineteen_is_found_by_twenty_neighbours(groups):
    z, _ = groups
    rng = np.random.default_rng(5)
    family = normalize(normalize(rng.normal(size=32)) + 0.03 * rng.normal(size=(19, 32)))
    odd = np.repeat([0, 1], [300, 19])
    found = tasks.anomalies(np.vstack([z, family]))
    assert average_precision(odd, found.score) > 0.99 > average_precision(odd, found.baseline)
    assert "all but a few" in found.to_dict()[0]["reason"]


def test_each_way_of_writing_is_named():
    texts = [f"where is the card number {n} that I ordered last week" for n in range(400)]
    strange = ["カードはどこにありますか", "ok", "where is it " * 60, "zxqv wkjp qqxz vvkw zzqp", "!?!?!?!?!?!?!?"]
    found = text_oddness(texts + strange)
    assert found.total[:400].max() == 0
    reasons = [found.reason(400 + at) for at in range(len(strange))]
    assert "Japanese or Chinese script" in reasons[0] and "0.25%" in reasons[0]
    assert "short: 2 characters, usual are 53" in reasons[1]
    assert "long: 719" in reasons[2].replace(",", "")
    assert "spelled like none" in reasons[3]
    assert "holds no word" in reasons[4]
    assert found.reason(0) == ""
    # A collection of two languages finds neither of them strange.
    assert text_oddness([*texts, *["カードはどこにありますか"] * 60]).script.max() == 0
    assert text_oddness(["", " ", "a"]).total.shape == (3,)


def test_every_row_has_its_baseline_and_every_method_ranks(groups):
    z, _ = groups
    rows = np.vstack([z, normalize(np.random.default_rng(3).normal(size=(6, 32)))])
    odd = np.repeat([0, 1], [300, 6])
    for method in ("views", "mean", "iforest", "lof"):
        found = tasks.anomalies(rows, share=0.02, method=method)
        assert average_precision(odd, found.score) > 0.9 and found.flagged.sum() == 6, method
        first = found.to_dict()[0]
        assert first["baseline"]["method"] == "mean" and first["baseline"]["rank"] >= 1 and first["reason"]
    assert found.by_baseline <= 6
    with pytest.raises(UsageError, match="method is 'best', allowed are views, mean, iforest, lof"):
        tasks.anomalies(rows, method="best")


def test_copies_are_rows_that_differ_by_rounding_only():
    rng = np.random.default_rng(0)
    z = normalize(rng.normal(size=(500, 64)).astype(np.float32))
    rounded = z[:100] + rng.uniform(-4e-7, 4e-7, (100, 64)).astype(np.float32)
    near = normalize(z[100:200] + 1e-4 * rng.normal(size=(100, 64)).astype(np.float32))
    first, same = copies_of(np.vstack([z, rounded, near]))
    assert len(first) == 600 and (same[500:600] == np.arange(100)).all() and (first[:500] == np.arange(500)).all()
    assert (same[600:] != np.arange(100, 200)).all()


def test_why_a_row_is_odd_is_said_in_both_languages():
    texts = [f"where is the card number {n} that I ordered last week" for n in range(400)]
    strange = ["カードはどこにありますか", "ok", "where is it " * 60, "zxqv wkjp qqxz vvkw zzqp", "!?!?!?!?!?!?!?"]
    z = np.random.default_rng(0).normal(size=(len(texts) + len(strange), 16))
    found = tasks.anomalies(z / np.linalg.norm(z, axis=1, keepdims=True), texts=texts + strange, share=0.02)
    why = [row[3] for row in found.findings().tables[0].rows]
    assert {said.en for said in why} == {one["reason"] for one in found.to_dict()}
    japanese = " ".join(said.ja for said in why)
    for words in (
        "日本語または中国語の文字",
        "極端に短い",
        "極端に長い",
        "つづりがほかと違う",
        "単語がない",
    ):
        assert words in japanese
    assert not any(english in japanese for english in ("usual", "texts", "rows", "nearest"))


def test_spelling_is_read_the_same_in_parts(monkeypatch):
    texts = [f"where is the card number {n} that I ordered" for n in range(60)] + ["zxqv wkjp qqxz", "", "猫"]
    whole = text_oddness(texts)
    monkeypatch.setattr("imi.tasks.text_oddness._PART", 100)
    np.testing.assert_allclose(text_oddness(texts).bits, whole.bits, rtol=1e-9)


def test_characters_are_counted_beyond_what_float32_counts():
    counted = np.array([2**24, 1], np.int32)
    parts = [(slice(0, 1), ["a"]), (slice(1, 2), ["a"])]
    assert _tallied(parts, counted)[0].max() == 2**24 + 1
