"""Emoji as words, for a model that knows words better."""

import time

import numpy as np
import pytest

import imi
from imi.embedders.deep import installed
from imi.embedders.emoji_names import spelled_out


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


@pytest.mark.skipif(not installed(), reason="the model's files are not in this clone")
def test_the_finer_model_knows_what_an_emoji_asks_for():
    model = imi.load("deep")
    said = model.embed(
        ["a cat on the sofa", "sushi for dinner", "the airplane was late", "寿司を食べた", "猫が寝ている"]
    )
    asked = model.embed(["🐱", "🍣", "✈️"], kind="query")
    near = asked @ said.T
    assert set(np.argsort(-near[0])[:2].tolist()) == {0, 4} and set(np.argsort(-near[1])[:2].tolist()) == {1, 3}
    assert int(near[2].argmax()) == 2
