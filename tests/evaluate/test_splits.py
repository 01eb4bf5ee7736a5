"""The split of public rows: deterministic, and no measured text among those that train."""

from __future__ import annotations

import pytest

from imi.evaluate import splits


def test_the_split_is_a_hash_that_never_changes():
    held = [number for number in range(200) if splits.held_out(f"row {number}", 8)]
    assert held == [number for number in range(200) if splits.held_out(f"row {number}", 8)]
    assert 12 <= len(held) <= 40
    assert [splits.emoji_held_out(char) for char in "🐱🔒🚗"] == [
        splits.emoji_held_out(char) for char in ("🐱x", "🔒", "🚗🏽")
    ]


def test_texts_that_differ_by_width_case_and_final_mark_are_the_same():
    assert splits.same("Ｉ am a cat. ") == splits.same("i am a CAT")
    assert splits.same("猫です。") == splits.same("猫です")
    assert splits.same("cat") != splits.same("cats")


def test_sentences_linked_by_translations_stand_together():
    pairs = [splits.TranslationPairs(*pair) for pair in (("a", "1"), ("b", "1"), ("b", "2"), ("c", "3"), ("A.", "4"))]
    chains = sorted(sorted(pair.en for pair in chain) for chain in splits._chains(pairs))
    assert chains == [["A.", "a", "b", "b"], ["c"]]


def test_one_to_one_keeps_a_single_right_answer():
    pairs = [splits.TranslationPairs(*pair) for pair in (("a", "1"), ("A", "2"), ("b", "1"), ("c", "3"))]
    assert [(pair.en, pair.ja) for pair in splits._one_to_one(pairs)] == [("a", "1"), ("c", "3")]


def texts_of(rows):
    return {splits.same(text) for row in rows for text in (row.en, row.ja)}


@pytest.mark.parametrize("name", ["tatoeba", "python_docs"])
def test_no_sentence_of_a_held_out_translation_trains(shared_data, name):
    split = getattr(splits, name)(shared_data)
    assert len(split.dev) >= 1000
    assert not texts_of(split.dev) & texts_of(split.train)


def test_no_sentence_of_a_held_out_scored_pair_trains(shared_data):
    split = splits.jsts(shared_data)
    assert len(split.dev) >= 2500
    measured = {splits.same(text) for pair in split.dev for text in (pair.a, pair.b)}
    assert not any(splits.same(text) in measured for pair in split.train for text in (pair.a, pair.b))


def test_paragraphs_and_their_questions_stand_on_one_side(shared_data):
    paragraphs, questions = splits.squad(shared_data)
    held = {paragraph.id for paragraph in paragraphs.dev}
    assert len(held) >= 200
    assert all(question.paragraph_id in held for question in questions.dev)
    assert not any(question.paragraph_id in held for question in questions.train)


def test_about_a_tenth_of_the_emoji_is_held_out(shared_data):
    split = splits.emoji(shared_data)
    assert 0.05 < len(split.dev) / (len(split.dev) + len(split.train)) < 0.15


@pytest.mark.nightly
def test_what_trains_is_never_measured(shared_data):
    from recipes.builtin.sources import ALLOWED, SOURCES, read_all

    assert all(
        part.strip().split(": ")[-1].startswith(ALLOWED) for source in SOURCES for part in source.licence.split(";")
    )
    corpus = read_all(shared_data)
    banned = splits.evaluation_texts(shared_data)
    assert len(corpus.texts) > 1_000_000
    assert not any(splits.same(text) in banned for text in corpus.texts[::7])
