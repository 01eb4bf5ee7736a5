"""The built-in model against a slow oracle of its own definition, and what it must take without harm."""

from __future__ import annotations

import itertools
import json
import shutil
from collections import Counter

import numpy as np
import pytest

from imi.embedders import builtin
from imi.embedders.builtin import FOLDER, BuiltIn
from imi.embedders.pooling import FEW_TOKENS, pool, repeated
from imi.errors import DataError, UsageError

TEXTS = [
    "猫",
    "cat",
    "I am a cat.",
    "吾輩は猫である。",
    "",
    "🐱🔒👩‍🚒",
    "ｶﾞｷﾞ Ｆｕｌｌ",
    "a " * 3000,
    "圧縮ファイルを開く" * 200,
]


@pytest.fixture(scope="module")
def model() -> BuiltIn:
    return BuiltIn()


def oracle(model: BuiltIn, text: str) -> np.ndarray:
    """The definition, one text at a time in float64."""
    rows, scales = np.load(FOLDER / "rows.npy").astype(np.float64), np.load(FOLDER / "scales.npy").astype(np.float64)
    hidden = np.load(FOLDER / "hidden.npz")
    ids = model._pieces.processor.encode(text) or [model._space]
    z = sum(n**model.repeats * scales[i] * rows[i] for i, n in Counter(ids).items())
    z /= np.linalg.norm(z)
    out = z + np.maximum(z @ hidden["inward"].astype(np.float64) + hidden["bias"], 0) @ hidden["outward"].astype(
        np.float64
    )
    return out / np.linalg.norm(out)


def test_vectors_are_what_the_definition_says(model):
    got = model.embed(TEXTS)
    assert got.dtype == np.float32
    assert got.shape == (len(TEXTS), 512)
    np.testing.assert_allclose(got, [oracle(model, text) for text in TEXTS], atol=2e-5)


def test_a_single_text_is_a_batch_of_one(model):
    together = model.embed(TEXTS)
    for row, text in enumerate(TEXTS):
        np.testing.assert_allclose(model.embed([text])[0], together[row], atol=1e-5)


@pytest.mark.parametrize("repeats", [1.0, 0.75, 0.0])
@pytest.mark.parametrize("tokens", [40, 20_000])
def test_pooling_equals_a_loop_over_texts(tokens, repeats):
    rng = np.random.default_rng(1)
    rows, scales = rng.integers(-127, 128, (50, 8)).astype(np.int8), rng.random(50).astype(np.float32)
    lengths = np.array(
        [1, 2, *rng.integers(1, 6, 6)] if tokens < FEW_TOKENS else [1, 700, 12_000, *rng.integers(1, 40, 300)]
    )
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = rng.integers(0, 40, offsets[-1]).astype(np.int32)
    assert (len(ids) <= FEW_TOKENS) == (tokens < FEW_TOKENS)
    got = pool(ids, offsets, rows, scales, repeats)
    table = rows.astype(np.float64) * scales[:, None]
    each = [np.unique(ids[a:b], return_counts=True) for a, b in itertools.pairwise(offsets)]
    want = [(counts[:, None] ** repeats * table[pieces]).sum(axis=0) for pieces, counts in each]
    weights = repeated(ids, offsets, repeats)
    by_occurrence = [weights[a:b] @ table[ids[a:b]] for a, b in itertools.pairwise(offsets)]
    np.testing.assert_allclose(by_occurrence, want, rtol=1e-4, atol=2e-2)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=2e-2)


@pytest.mark.parametrize("dims", [1, 32, 64, 100, 512])
def test_shorter_vectors_are_unit_prefixes(model, dims):
    whole, short = model.embed(TEXTS), model.embed(TEXTS, dims=dims)
    want = whole[:, :dims] / np.linalg.norm(whole[:, :dims], axis=1, keepdims=True)
    np.testing.assert_allclose(short, want, atol=1e-5)


def test_no_texts_give_no_rows(model):
    assert model.embed([]).shape == (0, 512)
    assert model.embed([], dims=64).shape == (0, 64)
    assert model.count_tokens([]).shape == (0,)


@pytest.mark.parametrize(
    "text", ["", " ", "\u200d", "\x00\x01\x1f", "\ud800", "a\udfffb", "\ufeff", "\U0010ffff", "é" * 10, "鬱" * 10]
)
def test_odd_texts_get_finite_unit_vectors(model, text):
    z = model.embed([text, "猫"])
    assert np.isfinite(z).all()
    np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)


def test_a_lone_surrogate_is_read_as_the_replacement_character(model):
    np.testing.assert_array_equal(model.embed(["cat \ud800"]), model.embed(["cat \ufffd"]))


def test_a_megabyte_of_text_is_read_whole(model):
    megabyte = "今日は良い天気ですね。 " * 30_000
    z = model.embed([megabyte + "猫", "今日は良い天気ですね。"])
    assert float(z[0] @ z[1]) > 0.9
    assert model.count_tokens([megabyte])[0] > 100_000


def test_chunks_hold_few_texts_and_few_characters(model, monkeypatch):
    monkeypatch.setattr(builtin, "CHUNK_TEXTS", 3)
    monkeypatch.setattr(builtin, "CHUNK_CHARACTERS", 50)
    texts = ["a" * n for n in (10, 60, 1, 1, 1, 1, 20, 20, 20)]
    chunks = builtin._chunks(texts)
    assert [text for chunk in chunks for text in chunk] == texts
    assert all(len(chunk) <= 3 and (len(chunk) == 1 or sum(map(len, chunk)) <= 50) for chunk in chunks)
    seen = []
    model.embed(texts, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (9, 9)
    assert len(seen) == len(chunks)


def test_wrong_use_says_what_is_allowed(model):
    with pytest.raises(UsageError, match="list of texts"):
        model.embed("猫")
    with pytest.raises(UsageError, match="item 1 is int"):
        model.embed(["猫", 3])
    with pytest.raises(UsageError, match="513"):
        model.embed(["猫"], dims=513)
    with pytest.raises(UsageError, match="0"):
        model.embed([], dims=0)
    with pytest.raises(UsageError, match="passage"):
        model.embed(["猫"], kind="passage")


def test_counts_are_the_number_of_pieces(model):
    assert model.count_tokens(TEXTS).tolist() == [len(model.pieces(text)) for text in TEXTS]


def test_shares_of_one_text_are_exact_parts_of_its_sum(model):
    pieces = model.pieces("I am a cat.")
    assert sum(piece.share for piece in pieces) == pytest.approx(1, abs=1e-5)
    assert max(pieces, key=lambda piece: piece.effect).text.strip("▁") == "cat"


def test_shares_of_two_texts_add_up_to_the_cosine_of_sums(model):
    a, b = "I have a cat.", "うちの猫はタマと言います"
    told = model.explain(a, b)
    assert sum(piece.share for piece in told.a) == pytest.approx(told.cosine_of_sums, abs=1e-5)
    assert sum(piece.share for piece in told.b) == pytest.approx(told.cosine_of_sums, abs=1e-5)
    z = model.embed([a, b])
    assert told.cosine == pytest.approx(float(z[0] @ z[1]), abs=1e-5)
    assert max(told.a, key=lambda piece: piece.effect).text.strip("▁") == "cat"
    assert "猫" in max(told.b, key=lambda piece: piece.effect).text


@pytest.mark.parametrize("text", ["cat 猫", "cat cat cat 猫 猫"])
def test_effects_are_measured_by_leaving_a_piece_out(model, text):
    told = model.explain(text, "dog")
    ids = [piece.id for piece in told.a]
    whole = model.embed([text, "dog"])
    assert sum(piece.share for piece in model.pieces(text)) == pytest.approx(1, abs=1e-5)
    for at, piece in enumerate(told.a):
        rest = np.array(ids[:at] + ids[at + 1 :], np.int32)
        sums = pool(rest, np.array([0, len(rest)]), model._rows, model._scales, model.repeats)
        left = model._whole(sums)[0]
        assert piece.effect == pytest.approx(
            float(whole[0] @ whole[1] - left @ whole[1] / np.linalg.norm(left)), abs=1e-5
        )
    assert model.explain("猫").a[-1].to_dict().keys() == {"text", "id", "weight", "share", "effect"}


def test_meaning_crosses_languages_and_scripts(model):
    names = ["cat", "猫", "ねこ", "ネコ", "車"]
    cosines = model.embed(names) @ model.embed(names).T
    assert cosines[0, 1] >= 0.75
    assert cosines[0, 4] <= cosines[0, 1] - 0.5
    assert cosines[1, 2:4].min() > cosines[1, 4]
    z = model.embed(["I am a cat.", "吾輩は猫である。", "The train is late because of snow."])
    assert z[0] @ z[1] > max(z[0] @ z[2], z[1] @ z[2]) + 0.2


def test_a_folder_in_pieces_is_an_error_that_says_so(tmp_path):
    folder = tmp_path / "broken"
    shutil.copytree(FOLDER, folder)
    np.save(folder / "scales.npy", np.ones(3, np.float32))
    with pytest.raises(DataError, match="do not fit"):
        BuiltIn(folder)
    (folder / "rows.npy").write_bytes(b"nothing")
    with pytest.raises(DataError, match="not a model folder"):
        BuiltIn(folder)
    about = json.loads((FOLDER / "model.json").read_text()) | {"format": 99}
    shutil.rmtree(folder)
    shutil.copytree(FOLDER, folder)
    (folder / "model.json").write_text(json.dumps(about))
    with pytest.raises(DataError, match="99"):
        BuiltIn(folder)


def test_a_folder_that_does_not_say_how_repeats_count_adds_every_occurrence(model, tmp_path):
    shutil.copytree(FOLDER, tmp_path / "plain")
    about = json.loads((FOLDER / "model.json").read_text())
    about.pop("repeats", None)
    (tmp_path / "plain" / "model.json").write_text(json.dumps(about))
    plain = BuiltIn(tmp_path / "plain")
    assert plain.repeats == 1
    np.testing.assert_allclose(plain.embed(["cat dog"]), model.embed(["cat dog"]), atol=1e-6)
    ids = plain._pieces.processor.encode("cat cat dog")
    np.testing.assert_allclose(plain._sum(*plain._split(["cat cat dog"]))[0], plain.rows(ids).sum(axis=0), atol=1e-4)
    assert len(np.unique(plain.rows(ids), axis=0)) == len(set(ids))


def test_the_shipped_folder_is_small():
    assert sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()) <= 30_000_000
