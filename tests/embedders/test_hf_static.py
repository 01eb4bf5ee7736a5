"""Folders of model2vec, against a mean computed by hand."""

import numpy as np
import pytest
from tests.needs import needs

import imi
from imi.errors import DataError, UsageError

pytestmark = needs("model2vec")


def setup_module():
    global model2vec
    import model2vec


WORDS = ["[UNK]", "cat", "dog", "猫", "runs"]


@pytest.fixture
def folder(tmp_path):
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    table = np.random.default_rng(0).normal(size=(len(WORDS), 16)).astype(np.float32)
    model2vec.StaticModel(table, tokenizer, config={"matryoshka_dimensions": [8]}).save_pretrained(tmp_path / "m")
    return tmp_path / "m", table


def test_a_text_is_the_mean_of_its_tokens(folder):
    path, table = folder
    model = imi.load(f"hf-static:{path}")
    z = model.embed(["cat runs", "猫", "", "dog dog cat"])
    want = imi.normalize(np.stack([table[[1, 4]].mean(0), table[3], np.eye(16)[0], table[[2, 2, 1]].mean(0)]))
    assert np.allclose(z, want, atol=1e-5)
    assert np.allclose(model.embed(["cat runs"], "query", dims=8), imi.truncate(want[:1], 8), atol=1e-5)
    assert model.count_tokens(["cat runs", ""]).tolist() == [2, 0]
    assert (model.info.width, model.info.dims) == (16, (8, 16))
    assert model.info.fingerprint == imi.load(f"hf-static:{path}").info.fingerprint


def test_no_torch_is_needed(folder):
    import subprocess
    import sys

    script = f"import imi, sys; imi.load('hf-static:{folder[0]}').embed(['cat']); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip() == "False"


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(UsageError, match="no folder"):
        imi.load(f"hf-static:{tmp_path / 'none'}")
    with pytest.raises(DataError, match=r"model\.safetensors"):
        imi.load(f"hf-static:{tmp_path}")
