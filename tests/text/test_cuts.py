"""Halving long texts: the same places as looking at each in turn finds, in a time like the text's length."""

import base64
import json
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from imi.text.blocks import text_lines
from imi.text.chunking import chunk
from imi.text.cuts import Cuts
from imi.text.graphemes import splits_character, splits_number, splits_ruby, splits_word
from imi.text.passages import passages
from imi.text.plain import plain_blocks
from imi.text.readers.pieces import rough_tokens

WRITTEN = """
a word 1 2,345.6 、 ， , ; 猫 言葉（ことば） 東京《とうきょう》 。 _ +/ ² ① ٣ 각 ก ำ 👍🏽 👩‍👩‍👧‍👦 🇯🇵 🇯
"""
SPACES = (" ", "  ", "\t", "\u3000", "\n", ". ", ", ", "｜漢字《か、ん じ》")
MARKED = ("か\u3099", "e\u0301", "\u0301", "\ufe0f", ",\u0301")
PIECES = st.sampled_from([*WRITTEN.split(), *SPACES, *MARKED, "x" * 600, "\u0301" * 700, "1,2" * 300])


def slowly(text, start, end):
    """Return the best place for a cut by looking at each place in turn."""
    middle, reach = (start + end) // 2, max(1, (end - start) // 4)
    outwards = sorted(range(start + 1, end), key=lambda at: (abs(at - middle), at))
    characters = [at for at in outwards if not splits_character(text, at, start)]
    for marks in ("、，,;；:：", " \t\u3000"):
        for at in characters:
            near = max(start, middle - reach) < at <= min(end - 1, middle + reach)
            if near and text[at - 1] in marks and not (splits_number(text, at) or splits_ruby(text, at)):
                return at
    anyhow = None
    for at in characters:
        if not (splits_word(text, at) or splits_number(text, at) or splits_ruby(text, at)):
            return at
        anyhow = at if anyhow is None else anyhow
        if abs(at - middle) > 512:
            break
    return middle if anyhow is None else anyhow


@settings(max_examples=examples(150))
@given(st.lists(PIECES, min_size=1, max_size=40).map("".join), st.randoms(use_true_random=False))
def test_a_text_is_halved_where_looking_at_each_place_would(text, dice):
    cuts, spans = Cuts(text), [(0, len(text))]
    while spans and len(text) > 1:
        start, end = spans.pop()
        (first, middle), (again, last) = cuts.halves(start, end)
        assert (first, last) == (start, end) and middle == again == slowly(text, start, end)
        spans += [span for span in ((start, middle), (middle, end)) if span[1] - span[0] > 1 and dice.random() < 0.7]
        spans = spans[:6]


LINES = {
    "words": lambda size: " ".join(random.Random(1).choices(["alpha", "the", "of", "gamma"], k=size // 5)),
    "one letter": lambda size: "a" * size,
    "Japanese": lambda size: "".join(random.Random(1).choices("日本語の文章はとても長い", k=size // 3)),
    "one kanji": lambda size: "漢" * (size // 3),
    "families": lambda size: "👩‍👩‍👧‍👦" * (size // 25),
    "flags": lambda size: "🇯🇵" * (size // 8),
    "accents": lambda size: "e\u0301" * (size // 3),
    "one letter of many accents": lambda size: "e" + "\u0301" * (size // 2),
    "digits": lambda size: "".join(random.Random(1).choices("0123456789", k=size)),
    "numbers": lambda size: ",".join(map(str, range(size // 6))),
    "json": lambda size: json.dumps([{"a": at, "b": "x y"} for at in range(size // 20)], separators=(",", ":")),
    "script": lambda size: "".join(f"function f{at}(a,b){{return a+b*{at};}}" for at in range(size // 36)),
    "base64": lambda size: base64.b64encode(random.Random(1).randbytes(size * 3 // 4)).decode(),
    "readings": lambda size: "漢字（かんじ）" * (size // 21),
    "tabs": lambda size: "a\t" * (size // 2),
    "tags": lambda size: "<p>a</p>" * (size // 8),
}


@pytest.mark.parametrize("kind", LINES)
def test_one_very_long_line_takes_a_time_like_its_length(kind):
    text = LINES[kind](2**18)
    began = time.process_time()
    found = list(passages(plain_blocks(text_lines(text)), 1000, fits=lambda piece: len(piece) <= 300))
    chunk(text[: 2**16], rough_tokens, size=256, overlap=32)
    assert time.process_time() - began < 1.5
    for one in found:
        assert text[one.start : one.end] == one.text and len(one.text) <= 300
        assert kind == "one letter of many accents" or not splits_character(text, one.end, one.start)
    assert "".join(text.split()) == "".join("".join(one.text for one in found).split()) or kind == "words"


@pytest.mark.parametrize("text", ["a" + " " * 900 + "b", "a " * 3 + " " * 900 + "b c", "b。" + " " * 700 + "c" * 90])
def test_what_is_mostly_white_space_and_does_not_fit_is_cut_between_its_letters(text):
    found = list(passages(plain_blocks(text_lines(text)), 1000, fits=lambda piece: len(piece) <= 50))
    assert "".join("".join(one.text for one in found).split()) == "".join(text.split())
    assert all(len(one.text) <= 50 for one in found)
