"""Emoji as words, for a model that knows words better."""

import time

import pytest

from imi.text.emoji_names import spelled_out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("🍣", "sushi"),
        ("✈️", "airplane"),
        ("I love 🍞🧈!", "I love bread butter !"),
        ("👩🏽‍🚀が好き", "woman rocket が好き"),
        ("∫ x²", "integral x²"),
        ("C++ → a<b ■ ● ™ © 100 ℃", "C++ → a<b ■ ● ™ © 100 ℃"),
        ("🇯🇵", "🇯🇵"),
        ("猫", "猫"),
        ("  spaces   stay  ", "  spaces   stay  "),
    ],
)
def test_pictures_are_named_and_what_stands_between_words_is_not(text, said):
    assert spelled_out(text) == said


def test_a_long_text_takes_linear_time():
    began = time.process_time()
    assert len(spelled_out("🍣👍🏽 " * 50_000)) > 500_000
    assert time.process_time() - began < 2
