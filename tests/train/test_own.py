"""Training a model of one's own from pairs: what was pulled together is near, what was known stays known."""

from __future__ import annotations

import numpy as np
import pytest
from tests.needs import needs

import imi
from imi.errors import DataError, UsageError

pytestmark = needs("torch")


def setup_module():
    global torch
    global Pair, read_pairs, read_texts, train_own
    import torch

    from imi.train.own import Pair, read_pairs, read_texts, train_own


# Words of a firm that no public text explains, each with what it means there.
JARGON = [
    ("blue crate", "returned goods"),
    ("green crate", "goods ready to ship"),
    ("Friday list", "unpaid invoices"),
    ("Monday list", "new customers"),
    ("青箱", "返品された商品"),
    ("金曜リスト", "未払いの請求書"),
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("own") / "my-model"
    steps = []
    model = train_own(
        [Pair(*pair) for pair in JARGON],
        out,
        texts=["The cat sleeps.", "猫が寝ている。", "The train is late."],
        epochs=60,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps[-1][0] == steps[-1][1] == len(steps)
    return model, out


def agreement(model) -> float:
    a, b = model.embed([pair[0] for pair in JARGON]), model.embed([pair[1] for pair in JARGON])
    return float(((a @ b.T).argmax(axis=1) == np.arange(len(JARGON))).mean())


def test_pairs_are_found_after_training(trained):
    model, _ = trained
    assert agreement(model) == 1.0
    assert agreement(imi.load("built-in")) < 1.0


def test_what_the_base_knew_stays(trained):
    model, base = trained[0], imi.load("built-in")
    names = ["cat", "猫", "車", "music", "音楽"]
    kept = model.embed(names) @ model.embed(names).T
    known = base.embed(names) @ base.embed(names).T
    assert np.abs(kept - known).max() < 0.15


def test_the_folder_is_a_model_by_its_name(trained):
    model, out = trained
    again = imi.load(str(out))
    np.testing.assert_array_equal(again.embed(["blue crate"]), model.embed(["blue crate"]))
    assert again.info.id == "my-model"
    assert again.info.fingerprint != imi.load("built-in").info.fingerprint
    assert again.info.dims == imi.load("built-in").info.dims


def test_scores_put_pairs_in_order(tmp_path):
    pairs = [
        Pair("crate one", "red", 5),
        Pair("crate one", "sad", 0),
        Pair("crate two", "sad", 5),
        Pair("crate two", "red", 0),
    ]
    model = train_own(pairs, tmp_path / "m", epochs=60)
    z = model.embed(["crate one", "crate two", "red", "sad"])
    assert z[0] @ z[2] > z[0] @ z[3] + 0.1
    assert z[1] @ z[3] > z[1] @ z[2] + 0.1


def test_files_are_read_line_by_line(tmp_path):
    file = tmp_path / "pairs.tsv"
    file.write_text("a\tb\n\nc\td\t0.5\n", encoding="utf-8")
    assert read_pairs(file) == [Pair("a", "b"), Pair("c", "d", 0.5)]
    assert read_texts(file) == ["a\tb", "c\td\t0.5"]


def test_bad_lines_are_named(tmp_path):
    file = tmp_path / "pairs.tsv"
    file.write_text("a\tb\nalone\nc\td\tmuch\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 2") as raised:
        read_pairs(file)
    assert [failure.line for failure in raised.value.failures] == [2, 3]
    with pytest.raises(DataError, match="cannot be read"):
        read_pairs(tmp_path / "none.tsv")
    (tmp_path / "empty.tsv").write_text("\n")
    with pytest.raises(DataError, match=r"no pairs|not pairs"):
        read_pairs(tmp_path / "empty.tsv")


def test_wrong_use_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UsageError, match="0 pairs"):
        train_own([], tmp_path / "m")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="taken"):
        train_own([Pair("a", "b")], tmp_path / "taken")
    assert [file.name for file in (tmp_path / "taken").iterdir()] == ["thesis.txt"]
