"""Duplicates: typing never hides one, chains are cut, and nothing that the exact text finds is missed."""

import numpy as np
import pytest
from tests.tasks import real

import imi
from imi import tasks
from imi.errors import UsageError
from imi.tasks.same_text import typed_alike
from imi.vectors import normalize


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I reset my PIN?", "HOW DO I RESET MY PIN"),
        ("Great product!!!", "great  product."),
        ("ＡＢＣ　１２３", "abc 123"),
        ("ﾈｺが好き", "ねこが好き"),
        ("「とても良い」です。", "とても良いです"),
        ("don't stop", "Don’t stop…"),
        ("e-mail address", "email address"),
        ("soft\u00adhyphen\u200b", "softhyphen"),
        ("ラーメン、おいしい！", "らーめんおいしい"),
        ("Is it 3.5 kg?", "is it 3.5 kg"),
    ],
)
def test_typing_is_no_difference(one, other):
    assert typed_alike(one) == typed_alike(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3.5 kg", "35 kg"),
        ("it is -5 outside", "it is 5 outside"),
        ("C++", "C"),
        ("C#", "C"),
        ("50% off", "50 off"),
        ("10 20", "1020"),
        ("2024-01-02", "20240102"),
        ("good 👍", "good 👎"),
        ("がくせい", "かくせい"),
        ("???", "!!!"),
        ("a@b.com", "ab.com"),
        ("ビル", "ビール"),
    ],
)
def test_what_changes_the_meaning_stays(one, other):
    assert typed_alike(one) != typed_alike(other)


def test_capitals_without_their_mark_are_found_whatever_their_vectors_say():
    z = normalize(np.random.default_rng(0).normal(size=(5, 16)))
    texts = ["Where is my card?", "WHERE IS MY CARD", "Where was my card?", "", ""]
    found = tasks.dedupe(z, texts=texts)
    assert [(group.keep, group.drop, group.exact) for group in found] == [(0, (1,), 1)]
    assert found.exact == 1 and found.to_dict()[0]["baseline"] == {"method": "exact", "drop": 1}
    assert found.to_dict()[0]["text"] == "Where is my card?"
    assert len(tasks.dedupe(np.ones((4, 8)), texts=["a", "b", "B", "c"], method="exact")) == 1
    with pytest.raises(UsageError, match="method is 'exact' but there are no texts"):
        tasks.dedupe(z, method="exact")
    with pytest.raises(UsageError, match="method is 'fuzzy', allowed are near and exact"):
        tasks.dedupe(z, method="fuzzy")


@pytest.mark.parametrize("keep", ["first", "central"])
def test_a_chain_is_cut_and_every_dropped_row_is_near_its_kept_one(keep):
    angles = np.arange(200) * np.deg2rad(1.7)  # neighbours at cosine .9996, the ends all around
    z = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    found = tasks.dedupe(z, 0.99, keep=keep)
    assert len(found) > 10 and max(len(group.drop) for group in found) <= 9
    assert min(group.similarity for group in found) >= 0.99 - 1e-6
    dropped = set(found.drop)
    kept = [row for row in range(200) if row not in dropped]
    cosines = z[kept] @ z[kept].T - 2 * np.eye(len(kept))
    assert cosines.max() < 0.99


def test_a_table_of_near_copies_is_one_group_in_little_memory():
    rng = np.random.default_rng(0)
    z = normalize(np.ones(64) + 0.01 * rng.normal(size=(20_000, 64))).astype(np.float32)
    found = tasks.dedupe(z, 0.95)
    assert len(found) == 1 and len(found.drop) == 19_999


def planted(name, data):
    """Return texts, and of some of them copies that are typed otherwise."""
    if name == "hotels":
        texts = real.some([text for text, _ in real.hotels(data)], 1000)
        edits = [
            lambda t: t.strip("。！") + "!!",
            lambda t: t.replace("。", "．").replace("ー", "ｰ"),
            lambda t: f" 「{t}」",
        ]
    else:
        made = real.banking(data) if name == "banking" else real.clinc(data)
        texts = real.some([text for text, _ in made], 1000)
        edits = [lambda t: t.upper().rstrip("?"), lambda t: t.rstrip("?.") + " !", lambda t: t.replace(" ", "  ")]
    return texts, [edit(text) for edit in edits for text in texts[:100]]


@pytest.mark.parametrize("name", ["banking", "clinc", "hotels"])
def test_copies_typed_otherwise_are_all_found_and_never_fewer_than_by_exact_text(shared_data, name):
    texts, copies = planted(name, shared_data)
    z = imi.load().embed(texts + copies)
    for method in ("exact", "near"):
        groups = tasks.dedupe(z, texts=texts + copies, method=method)
        group_of = {row: at for at, group in enumerate(groups) for row in (group.keep, *group.drop)}
        joined = [group_of.get(1000 + at, -1) == group_of.get(at % 100, -2) for at in range(len(copies))]
        assert np.mean(joined) >= 0.99, method
    assert len(groups.drop) >= groups.exact >= 297


def test_the_threshold_means_what_the_page_says(shared_data):
    from imi.tasks.dedupe import MEASURED, likeness

    model = imi.load()
    for name, pairs in (
        ("questions", [(a, b, same) for a, b, same in real.question_pairs(shared_data)]),
        ("captions", [(a, b, score >= 4) for a, b, score in real.caption_pairs(shared_data)]),
    ):
        a, b, same = map(list, zip(*pairs, strict=True))
        cosines = likeness(a, b, model)
        for threshold, (precision, recall) in MEASURED[name].items():
            found = cosines >= threshold
            assert np.mean(np.array(same)[found]) == pytest.approx(precision, abs=0.02)
            assert np.mean(found[np.array(same)]) == pytest.approx(recall, abs=0.02)
