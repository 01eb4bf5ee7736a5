from __future__ import annotations

import csv
import re

import numpy as np
import pytest
from tests.needs import needs

import imi
from imi.errors import DataError
from imi.evaluate.intervals import spearman

pytestmark = needs("torch")


def setup_module():
    global torch, Bag, RECIPE
    global SentenceBody, TextRecipe, fit_pairs, fit_teacher, fit_triplets
    import torch
    from torch import nn

    from imi.train.text import SentenceBody, TextRecipe, fit_pairs, fit_teacher, fit_triplets

    class Bag(nn.Module):
        """Words to rows: the smallest body there is."""

        def __init__(self, width: int = 8) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.words = {word: at for at, word in enumerate(ANIMALS + NUMBERS)}
            self.table = nn.Embedding(len(self.words), width)

        def forward(self, texts: list[str]) -> torch.Tensor:
            return self.table(torch.tensor([self.words[text] for text in texts]))

    RECIPE = TextRecipe((2, 4, 8), epochs=60, batch=8, rate=0.05)


ANIMALS = ["cat", "dog", "cow", "hen", "fox", "bee", "owl", "ant"]
NUMBERS = ["one", "two", "six", "ten", "nil", "four", "five", "nine"]
PAIRS = list(zip(ANIMALS, NUMBERS, strict=True))


def found(body: Bag, size: int) -> float:
    with torch.inference_mode():
        a, b = (imi.truncate(body(texts).numpy(), size) for texts in (ANIMALS, NUMBERS))
    return float(((a @ b.T).argmax(axis=1) == np.arange(8)).mean())


def test_pairs_find_each_other_at_every_size():
    body = Bag()
    assert found(body, 4) < 0.6
    history = fit_pairs(body, PAIRS, RECIPE)
    assert history[-1] < history[0] / 2
    assert found(body, 2) >= 0.75 and found(body, 4) == found(body, 8) == 1


def test_the_same_seed_gives_the_same_numbers():
    one, two, other = Bag(), Bag(), Bag()
    small = TextRecipe((2, 8), epochs=2, batch=4, rate=0.05)
    assert fit_pairs(one, PAIRS, small) == fit_pairs(two, PAIRS, small)
    assert torch.equal(one.table.weight, two.table.weight)
    fit_pairs(other, PAIRS, TextRecipe((2, 8), epochs=2, batch=4, rate=0.05, seed=1))
    assert not torch.equal(one.table.weight, other.table.weight)


def test_triplets_put_the_nearer_text_nearer():
    body = Bag()
    triplets = [(a, NUMBERS[at], NUMBERS[at - 1]) for at, a in enumerate(ANIMALS)]
    fit_triplets(body, triplets, RECIPE)
    with torch.inference_mode():
        a, b = (imi.truncate(body(texts).numpy(), 4) for texts in (ANIMALS, NUMBERS))
    scores = a @ b.T
    assert all(scores[at, at] > scores[at, at - 1] for at in range(8))


def test_a_teacher_of_another_width_is_followed_at_every_size():
    teacher = np.repeat(np.eye(2, 20, dtype=np.float32), 4, axis=0)  # two kinds of animals
    body = Bag()
    fit_teacher(body, ANIMALS, teacher, RECIPE)
    with torch.inference_mode():
        z = body(ANIMALS).numpy()
    for size in (2, 4, 8):
        cut = imi.truncate(z, size)
        assert np.abs(cut @ cut.T - teacher @ teacher.T).max() < 0.2


def test_rows_of_the_wrong_length_are_named():
    with pytest.raises(DataError, match="row 1"):
        fit_pairs(Bag(), [("cat", "one"), ("dog",)], RECIPE)
    with pytest.raises(DataError, match="8 texts meet 3"):
        fit_teacher(Bag(), ANIMALS, np.ones((3, 4), np.float32), RECIPE)


def static_model(texts, width):
    """A model of sentence-transformers with untrained rows for the words of these texts."""
    sentence_transformers = pytest.importorskip("sentence_transformers")
    tokenizers = pytest.importorskip("tokenizers")
    modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
    found = sorted({word for text in texts for word in re.findall(r"\w+|[^\w\s]+", text)})
    words = {word: at for at, word in enumerate(["[UNK]", *found])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    torch.manual_seed(0)
    return sentence_transformers.SentenceTransformer(modules=[modules.StaticEmbedding(tokenizer, embedding_dim=width)])


def test_public_pairs_make_every_size_better(shared_data, tmp_path):
    with (shared_data / "stsb" / "stsb-en-train.csv").open(encoding="utf-8", newline="") as file:
        rows = [(a.lower(), b.lower(), float(score)) for a, b, score in csv.reader(file)]
    tuned, asked = rows[:3000], rows[3000:4500]
    body = SentenceBody(static_model([text for a, b, _ in rows for text in (a, b)], 32))
    body.save(tmp_path / "before", (8, 32))
    pairs = [(a, b) for a, b, score in tuned if score >= 3.5 and a != b]
    fit_pairs(body, pairs, TextRecipe((8, 16, 32), epochs=15, batch=64, rate=0.1))
    body.save(tmp_path / "after", (8, 16, 32))
    loaded = imi.load(f"st:{tmp_path / 'after'}")
    assert loaded.info.dims == (8, 16, 32)
    gold = [score for *_, score in asked]
    for dims in (8, 32):
        before, after = (
            spearman((a * b).sum(axis=1), gold)
            for model in (imi.load(f"st:{tmp_path / 'before'}"), loaded)
            for a, b in [[model.embed([row[at] for row in asked], dims=dims) for at in (0, 1)]]
        )
        assert after > before + 0.02, (dims, before, after)


def test_a_model_of_sentence_transformers_is_tuned_saved_and_recognised(tmp_path):
    model = static_model(ANIMALS + NUMBERS, 16)
    body = SentenceBody(model)
    fit_pairs(body, PAIRS, TextRecipe((4, 8, 16), epochs=60, batch=8, rate=0.05))
    body.save(tmp_path / "tuned", (4, 8, 16))

    loaded = imi.load(f"st:{tmp_path / 'tuned'}")
    assert loaded.info.dims == (4, 8, 16) and loaded.info.matryoshka
    a, b = loaded.embed(ANIMALS, dims=8), loaded.embed(NUMBERS, dims=8)
    assert ((a @ b.T).argmax(axis=1) == np.arange(8)).mean() >= 0.9
