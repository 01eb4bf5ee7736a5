"""The transformer in the package: the same vector alone and in any batch, nothing cut, altered files refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

import imi
from imi.embedders.deep import FOLDER, LONGEST, Deep, batched, installed, unpacked, windows
from imi.errors import DataError, MissingExtra, UsageError

pytestmark = pytest.mark.skipif(not installed(), reason="the model's files are not in this clone")


@pytest.fixture(scope="module")
def deep() -> Deep:
    return Deep()


def test_it_loads_by_name_and_says_what_it_is(deep):
    info = imi.load("deep").info
    assert info == deep.info
    assert info.width == 384 and info.dims == (32, 64, 128, 256, 384) and info.matryoshka
    assert dict(info.prompts) == {"query": "query: ", "document": "passage: "} and info.max_tokens is None
    assert info.fingerprint != imi.load("built-in").info.fingerprint


def test_vectors_are_unit_rows_at_every_size(deep):
    for dims in (None, 384, 128, 64, 1):
        z = deep.embed(["猫", "a cat", "", " ", "🐱", "\ud800"], dims=dims)
        assert z.shape == (6, dims or 384) and z.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)


def test_a_text_has_the_same_vector_alone_and_in_any_batch(deep):
    texts = [
        "猫",
        "The quick brown fox " * 30,
        "a",
        "東京は日本の首都です。" * 8,
        "",
        "csv",
        "a longer sentence with words",
    ]
    together = deep.embed(texts)
    alone = np.concatenate([deep.embed([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=2e-5)
    np.testing.assert_allclose(deep.embed(texts[::-1]), together[::-1], atol=2e-5)


def test_questions_and_documents_are_read_differently(deep):
    asked, kept = deep.embed(["cat"], kind="query"), deep.embed(["cat"], kind="document")
    assert 0.3 < float(asked[0] @ kept[0]) < 0.999


def test_translations_are_near_and_other_things_are_not(deep):
    for kind in ("query", "document"):
        z = deep.embed(["cat", "猫", "車", "吾輩は猫である。", "I am a cat.", "The stock market fell."], kind=kind)
        cosines = z @ z.T
        assert cosines[0, 1] > cosines[0, 2] + 0.15
        assert cosines[3, 4] > cosines[3, 5] + 0.25


def test_nothing_of_a_long_text_is_cut(deep):
    filler = "The weather was mild and nobody remarked upon it. " * 120
    end = "Zebras have black and white stripes."
    plain, told = deep.embed([filler, filler + end * 20])
    asked = deep.embed(["What pattern do zebras have?"], kind="query")[0]
    assert told @ asked > plain @ asked + 0.05
    assert deep.count_tokens([filler])[0] > 2 * LONGEST


@pytest.mark.parametrize("length", [0, 1, 505, 506, 507, 1500, 5061])
def test_windows_hold_every_piece_once_in_order(length):
    ids = np.arange(length, dtype=np.int32)
    cut = windows(ids, 506)
    np.testing.assert_array_equal(np.concatenate(cut), ids)
    sizes = [len(one) for one in cut]
    assert max(sizes) <= 506 and max(sizes) - min(sizes) <= 1 and len(sizes) == max(1, -(-length // 506))


def test_a_window_counts_by_its_tokens(deep):
    """Two windows give what the network's own mean over both gives: the states weighted by tokens."""
    text = "alpha beta gamma delta. " * 150
    parts = deep._windows(deep._split([text])[0])
    assert len(parts) == 2
    prefix = deep._prefixes["document"]
    whole = [np.concatenate([[0], prefix, part, [2]]).astype(np.int32) for part in parts]
    means = np.concatenate([deep._mean([one]) for one in whole])
    lengths = np.array([len(one) for one in whole], np.float32)
    state = (means * lengths[:, None]).sum(0) / lengths.sum()
    turned = deep._turned(state[None], "document")
    np.testing.assert_allclose(deep.embed([text]), imi.normalize(turned), atol=1e-5)


def test_batches_hold_every_row_once_and_little_padding():
    lengths = np.random.default_rng(0).integers(3, 512, 400).tolist()
    found = list(batched(lengths, 2048))
    assert sorted(row for batch in found for row in batch) == list(range(400))
    padded = sum(max(lengths[row] for row in batch) * len(batch) for batch in found)
    assert padded < 1.15 * sum(lengths)
    assert all(len(batch) == 1 or max(lengths[row] for row in batch) * len(batch) <= 2048 for batch in found)


def test_blocks_of_four_bits_are_unpacked_as_they_were_packed():
    chance = np.random.default_rng(1)
    scale = chance.random((5, 2)).astype(np.float16)
    low, high = chance.integers(0, 16, (2, 5, 2, 16)).astype(np.uint8)
    packed = np.concatenate([scale[..., None].view(np.uint8), low | (high << 4)], axis=-1).reshape(5, 36)
    expected = (np.concatenate([low, high], axis=-1).astype(np.float32) - 8) * scale[..., None].astype(np.float32)
    np.testing.assert_array_equal(unpacked(packed), expected.reshape(5, 64))


def test_wrong_questions_are_refused(deep):
    with pytest.raises(UsageError, match="kind is 'passage'"):
        deep.embed(["a"], kind="passage")
    for dims in (0, 385):
        with pytest.raises(UsageError, match="dims"):
            deep.embed(["a"], dims=dims)
    with pytest.raises(UsageError, match="one string"):
        deep.embed("a")
    assert deep.embed([]).shape == (0, 384) and len(deep.count_tokens([])) == 0


def test_progress_ends_at_the_number_of_texts(deep):
    said = []
    deep.embed(["one", "two " * 600, "three"] * 5, progress=lambda done, total: said.append((done, total)))
    assert said[-1] == (15, 15) and said == sorted(said)


def test_the_model_and_the_whole_package_stay_small():
    """A wheel packs these files, and is smaller than they are: 70 MB of 85."""

    def size(folder):
        files = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        return sum(path.stat().st_size for path in files)

    assert size(FOLDER) <= 45_000_000
    assert size(Path(imi.__file__).parent) < 90_000_000


@pytest.mark.parametrize("name", ["encoder.onnx", "graph.onnx", "rows.npy", "pieces.model", "map.npz"])
@pytest.mark.parametrize("how", ["cut", "altered", "gone"])
def test_files_that_are_not_whole_are_refused(tmp_path, name, how):
    for path in FOLDER.iterdir():
        (tmp_path / path.name).symlink_to(path)
    content = (FOLDER / name).read_bytes()
    (tmp_path / name).unlink()
    if how == "cut":
        (tmp_path / name).write_bytes(content[: len(content) // 2])
    elif how == "altered":
        middle = len(content) // 2
        (tmp_path / name).write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    with pytest.raises(DataError, match=name) as refused:
        Deep(tmp_path)
    assert refused.value.hint


def test_the_network_is_the_same_mapped_packed_and_by_its_one_file(tmp_path):
    for path in FOLDER.iterdir():
        if path.name != "graph.onnx":
            (tmp_path / path.name).symlink_to(path)
    about = json.loads((FOLDER / "model.json").read_text())
    del about["files"]["graph.onnx"]
    (tmp_path / "model.json").unlink()
    (tmp_path / "model.json").write_text(json.dumps(about))
    texts = ["a window by the river", "猫は縁側で寝ている。" * 30, "🐱"]
    mapped, whole = Deep(), Deep(tmp_path)
    assert mapped._graph.name == "graph.onnx" and whole._graph.name == "encoder.onnx"
    assert mapped.info.fingerprint == whole.info.fingerprint
    z = mapped.embed(texts)
    mapped._tokens = 1 << 20
    packed = mapped.embed(texts)
    assert mapped._packed is not None
    np.testing.assert_array_equal(z, packed)
    np.testing.assert_array_equal(z, whole.embed(texts))


def test_a_folder_of_another_format_is_refused(tmp_path):
    shutil.copy(FOLDER / "model.json", tmp_path)
    about = json.loads((tmp_path / "model.json").read_text()) | {"format": 99}
    (tmp_path / "model.json").write_text(json.dumps(about))
    with pytest.raises(DataError, match="format 99"):
        Deep(tmp_path)
    with pytest.raises(DataError, match="does not hold the model 'deep'"):
        Deep(tmp_path / "nothing")


def test_without_onnxruntime_one_clear_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match="onnxruntime") as missing:
        imi.load("deep")
    assert "imi[deep]" in str(missing.value.hint)


def test_the_library_does_not_import_onnxruntime_before_it_is_needed():
    said = "import sys, imi, imi.embedders.deep, imi.collection; print('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True).stdout == "False\n"


def test_memory_does_not_grow_with_the_table(deep):
    tracemalloc.start()
    deep.embed(["a short text"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_the_runtime_keeps_no_record_of_its_use(tmp_path):
    home = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", "CI")}
    code = "import imi; imi.load('deep').embed(['a cat'])"
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path), "IMI_HOME": str(tmp_path / "imi")}
    subprocess.run([sys.executable, "-c", code], env={**home, **cache}, check=True)
    assert [one.name for one in tmp_path.rglob("*") if one.is_file()] in ([], ["checked.json"])
