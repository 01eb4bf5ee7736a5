"""Chunks: exact offsets, no chunk above the limit, nothing lost, sentence ends in every script."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.examples import examples

from imi.errors import UsageError
from imi.text.chunking import chunk
from imi.text.sentences import sentence_spans, sentences


def by_bytes(texts):
    """Count as byte-level vocabularies do in their worst case."""
    return np.array([len(text.encode("utf-8", "replace")) for text in texts], np.int64)


def by_words(texts):
    """Count so that a whole may have more tokens than the sum of its parts, as no good vocabulary does."""
    return np.array([len(text.split()) + len(text) // 7 for text in texts], np.int64)


PIECES = st.sampled_from(
    [
        "猫である。",
        "「何だ？」",
        "A cat. ",
        "# Title\n",
        "## 見出し\n",
        "\n\n",
        "x" * 40,
        "、",
        "🐱👍🏽",
        " ",
        "ก",
        "\u3000",
        "!?",
    ]
)


@settings(max_examples=examples(150))
@given(st.lists(PIECES, max_size=30).map("".join), st.integers(8, 60), st.sampled_from([by_bytes, by_words]))
@example("\n\nก\n\n猫である。", 20, by_bytes)
@example("ก\n\n\n\nก\n\n猫である。猫である。", 20, by_bytes)
@example(" \u3000A cat. \n\nก\n\n猫である。", 24, by_bytes)
@example("A cat. A cat. 猫である。", 16, by_words)
def test_offsets_are_exact_nothing_is_lost_and_nothing_is_too_long(text, size, count):
    chunks = chunk(text, count, size=size, overlap=size // 4)
    covered = set()
    for one in chunks:
        piece = text[one.start : one.end]
        assert piece and piece == piece.strip()
        assert int(count([piece])[0]) <= size or one.end - one.start == 1
        covered |= set(range(one.start, one.end))
    assert all(at in covered or char.isspace() for at, char in enumerate(text))
    starts = [one.start for one in chunks]
    assert starts == sorted(set(starts))
    ends = [one.end for one in chunks]
    assert ends == sorted(set(ends)), "each chunk holds something new"


@given(st.text(max_size=300), st.integers(1, 20))
@settings(max_examples=examples(100))
def test_any_text_at_all(text, size):
    for one in chunk(text, lambda texts: np.array([len(t) for t in texts], np.int64), size=size, overlap=0):
        assert 0 < one.end - one.start <= size


def test_sentences_end_where_japanese_sentences_end():
    text = "「もう帰る？」と聞いた。はい！（本当に。）Then U.S. rules apply. 3.14 is pi? Yes."
    assert sentences(text) == [
        "「もう帰る？」", "と聞いた。", "はい！", "（本当に。）", "Then U.S. rules apply.", "3.14 is pi?", "Yes.",
    ]  # fmt: skip
    assert "".join(text[a:b] for a, b in sentence_spans(text)) == text


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("The vet is Dr. Lind. Call him.", "The vet is Dr. Lind."),
        ("Mr. and Mrs. Smith came. They ate.", "Mr. and Mrs. Smith came."),
        ("J. K. Rowling wrote it. Good.", "J. K. Rowling wrote it."),
        ("See fig. 3 first. It shows it.", "See fig. 3 first."),
        ("It opens at 9 a.m. on Monday. Come.", "It opens at 9 a.m. on Monday."),
        ("Apple Inc. makes phones. Yes.", "Apple Inc. makes phones."),
        ("犬です。Mr. 田中は来た。", "犬です。"),
        ("Apples, pears etc. The shop is open.", "Apples, pears etc."),
        ("The answer is no. Then go.", "The answer is no."),
        ("He has vitamin C. The cat does not.", "He has vitamin C."),
        ("It was Dr.\n\nA new paragraph.", "It was Dr."),
        ("Why? Because.", "Why?"),
    ],
)
def test_a_shortened_word_ends_no_sentence(text, first):
    assert sentences(text)[0] == first
    assert "".join(text[a:b] for a, b in sentence_spans(text)) == text


def test_chunks_break_at_sentence_ends_and_repeat_whole_sentences():
    text = "一つ目の文です。二つ目の文です。三つ目の文です。四つ目の文です。"
    pieces = [text[c.start : c.end] for c in chunk(text, lambda t: np.array([len(x) for x in t]), size=16, overlap=8)]
    assert pieces == [
        "一つ目の文です。二つ目の文です。",
        "二つ目の文です。三つ目の文です。",
        "三つ目の文です。四つ目の文です。",
    ]


def test_a_heading_begins_a_chunk_and_is_told():
    text = "intro\n# A\nfirst\n## B\nsecond\n```\n# no heading\n```\n# C\nthird\n"
    found = [(c.heading, text[c.start : c.end]) for c in chunk(text, by_bytes, size=100, overlap=0)]
    assert [heading for heading, _ in found] == ["", "A", "A > B", "C"]
    assert "# no heading" in found[2][1]


def test_sizes_that_cannot_be():
    with pytest.raises(UsageError, match="overlap"):
        chunk("a", by_bytes, size=4, overlap=4)


@pytest.mark.parametrize(
    "text",
    [
        "👨‍👩‍👧‍👦" * 300,
        "か\u3099" * 900,
        "🇯🇵🇫🇷" * 200,
        "e\u0301\u0323" * 300,
        "👍🏽" * 300,
        "각" * 300,
    ],
)
@pytest.mark.parametrize("size", [30, 64, 101])
def test_no_cut_inside_what_is_seen_as_one_character(text, size):
    import unicodedata

    whole = text[: len(text) // 2 * 2]
    for one in chunk(whole, by_bytes, size=size, overlap=0):
        piece = whole[one.start : one.end]
        after = whole[one.end : one.end + 1]
        assert not (piece[-1] == "\u200d" or (after and (after == "\u200d" or unicodedata.combining(after))))
        assert not ("\U0001f3fb" <= after <= "\U0001f3ff") and not ("\u1160" <= after <= "\u11ff")
        assert sum("\U0001f1e6" <= char <= "\U0001f1ff" for char in piece) % 2 == 0


@pytest.mark.parametrize(
    ("unit", "never"),
    [
        ("1,234,567.89と", (r"\d$", r"^[\d.,]*\d")),
        ("東京《とうきょう》の", (r"[^》の]$", r"^[ぁ-ん]*》")),
        ("言葉（ことば）を", (r"言$", r"^[ぁ-ん]*）")),
        ("semantically ", (r"seman$", r"^tically")),
    ],
)
def test_numbers_readings_and_words_are_not_taken_apart(unit, never):
    import re

    text = unit * 60
    for one in chunk(text, by_bytes, size=97, overlap=0):
        piece = text[one.start : one.end]
        assert not re.search(never[1], piece) or piece.startswith(unit[:3])
        assert piece.startswith(unit.strip()[0]) or piece[0] in "とのを"


def test_a_heading_of_many_spaces_takes_linear_time():
    import time

    began = time.process_time()
    found = chunk("# a" + " " * 20000 + "x\n\ncats\n", by_bytes, size=60000, overlap=0)
    assert found[0].heading.startswith("a ") and time.process_time() - began < 2
