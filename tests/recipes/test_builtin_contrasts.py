"""The fourth lesson: opposites are said of one thing, and the lesson moves them apart."""

from __future__ import annotations

import json
import random
import shutil
from itertools import islice

import numpy as np
import pytest
from tests.needs import needs

from imi.embedders.builtin import FOLDER, BuiltIn
from imi.errors import UsageError
from imi.evaluate.splits import Emoji

pytestmark = needs("torch")


def setup_module():
    global Asked, Contrasts, Field
    global contrasts, fields, lesson, prefixes
    global KEPT_BACK
    from recipes.builtin import contrasts as lesson
    from recipes.builtin import prefixes
    from recipes.builtin.asked import Asked
    from recipes.builtin.contrasts import Contrasts
    from recipes.builtin.opposites import KEPT_BACK, Field, contrasts, fields


def test_every_field_has_two_sides_of_one_language_and_things_that_both_are_said_of():
    both = fields() + fields(KEPT_BACK)
    assert len(fields()) > 150 and len(fields(KEPT_BACK)) == 20
    for field in both:
        words = [*field.sides[0], *field.sides[1]]
        assert min(map(len, (*field.sides, field.things))) >= 3, field
        assert len(set(words)) == len(words), field
        assert len({word.isascii() for word in (*words, *field.things)}) == 1, field


def test_nothing_is_taught_of_what_the_lesson_is_judged_by():
    taught = [word for field in fields() for word in (*field.sides[0], *field.sides[1], *field.things)]
    judged = ("bean", "deliver", "shipping", "spoil", "豆", "配達", "配送", "発送")
    assert not [word for word in taught if any(one in word for one in judged)]
    kept_back = {word for field in fields(KEPT_BACK) for word in (*field.sides[0], *field.sides[1])}
    assert not kept_back & set(taught)


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("+ not good, bad | good, fine : soup", {"the soup was not good", "this soup is bad", "soup: not good"}),
        ("=v rose, went up | fell, dropped : price", {"the price rose", "this price went up", "price rose"}),
        ("=o buy, get | sell, lose : car", {"I buy this car", "they get the car", "buy the car"}),
        ("+ 最悪の, ひどい | 最高の, 良い : 店", {"最悪の店", "店は最悪だ", "この店はひどい", "最悪の店でした"}),
        ("=o 開ける, 開く | 閉める, 閉じる : 窓", {"窓を開ける", "この窓を開く"}),
    ],
)
def test_words_go_where_their_kind_goes(line, texts):
    field = Field.of(line)
    said = {one.text for one in islice(contrasts(random.Random(0), [field]), 200)}
    assert texts <= said
    assert "not good soup" not in said


def test_opposites_are_of_one_thing_and_never_the_same_text():
    for one in islice(contrasts(random.Random(0)), 500):
        assert len({one.text, one.same, one.opposite}) == 3
        assert bool(one.labels[0]) == bool(one.labels[1])
        assert one.labels[0] != one.labels[1] or not one.labels[0]


def small() -> Asked:
    out, chance = Asked(), np.random.default_rng(0)
    words = ("cat", "river", "train", "bread", "music", "winter", "猫", "川", "電車", "庭")

    def text(length: int) -> str:
        return " ".join(chance.choice(words, length))

    for kind in ("ja", "en", "rest", "across", "glossed", "dictionary", "translation"):
        out.put(kind, [(text(4), text(20)) for _ in range(40)])
    out.scored = np.array([(out.add(text(5)), out.add(text(5))) for _ in range(60)])
    out.scores = chance.random(60).astype(np.float32) * 5
    out.keep = np.array([out.add(text(6)) for _ in range(60)])
    return out


def gap(model: BuiltIn) -> float:
    """How much nearer a text is to what says the same than to what says the opposite."""
    some = list(islice(contrasts(random.Random(9)), 200))
    a, b, c = (model.embed([getattr(one, side) for one in some]) for side in ("text", "same", "opposite"))
    return float(((a * b).sum(1) - (a * c).sum(1)).mean())


def test_the_fourth_lesson_moves_opposites_apart_and_follows_the_third_once(tmp_path):
    start, out = tmp_path / "start", tmp_path / "out"
    shutil.copytree(FOLDER, start)
    about = json.loads((start / "model.json").read_text()) | {"source": prefixes.SOURCE}
    (start / "model.json").write_text(json.dumps(about))
    given = Contrasts(
        margin=0.6,
        contrasts=96,
        steps=9,
        warmup=1,
        kept=16,
        kept_paragraphs=4,
        row_rate=4e-3,
        known_contrasts=400,
        emoji_steps=2,
    )
    drawn = [Emoji("🐱", "cat face", "ネコの顔", (), (), False)]
    lesson.learn(start, out, small(), drawn, tmp_path / "contrasts.pt", given)
    before, after = BuiltIn(start), BuiltIn(out)
    assert gap(after) > gap(before) + 0.02
    names = ["cat", "river", "猫"]
    np.testing.assert_array_less(0.9, (before.embed(names) * after.embed(names)).sum(1))
    with pytest.raises(UsageError, match=r"recipes\.builtin\.contrasts"):
        lesson.learn(out, tmp_path / "twice", small(), drawn, tmp_path / "b.pt", given)
    (start / "model.json").write_text(json.dumps(about | {"source": "recipes.builtin.train"}))
    with pytest.raises(UsageError, match="follows"):
        lesson.learn(start, tmp_path / "early", small(), drawn, tmp_path / "c.pt", given)


@pytest.mark.parametrize(("language", "taught", "kept_back"), [("en", 0.8, 0.61), ("ja", 0.9, 0.54)])
def test_the_shipped_model_has_opposites_apart_also_where_none_were_taught(language, taught, kept_back):
    model = BuiltIn(FOLDER)
    for known, least in ((fields(), taught), (fields(KEPT_BACK), kept_back)):
        own = [field for field in known if field.things[0].isascii() == (language == "en")]
        some = list(islice(contrasts(random.Random(5), own), 600))
        a, b, c = (model.embed([getattr(one, side) for one in some]) for side in ("text", "same", "opposite"))
        assert ((a * b).sum(1) > (a * c).sum(1)).mean() >= least
