"""A turn keeps whole vectors and brings forward what questions find; the lessons of the built-in model follow."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from tests.needs import needs

from imi.embedders.builtin import FOLDER, BuiltIn
from imi.errors import UsageError

pytestmark = needs("torch")


def setup_module():
    global torch
    global whole
    global prefixes, retrieval
    global Asked
    global Corpus
    global Turn, Turner
    import torch
    from recipes.builtin import __main__ as whole
    from recipes.builtin import prefixes, retrieval
    from recipes.builtin.asked import Asked
    from recipes.builtin.corpus import Corpus
    from recipes.turning import Turn, Turner


def hidden(n: int = 400, width: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Vectors whose loud half says nothing and whose quiet half says what belongs together."""
    chance = np.random.default_rng(0)
    topic = chance.normal(size=(n, width // 2)) * 0.9
    noise = chance.normal(size=(2, n, width // 2))
    z = np.concatenate([np.concatenate([noise[side], topic], axis=1) for side in (0, 1)])
    z = (z / np.linalg.norm(z, axis=1, keepdims=True)).astype(np.float32)
    return z, np.stack([np.arange(n), n + np.arange(n)], axis=1)


def found(z: np.ndarray, pairs: np.ndarray, dims: int) -> float:
    cut = z[:, :dims] / np.linalg.norm(z[:, :dims], axis=1, keepdims=True)
    return float(((cut[pairs[:, 0]] @ cut[pairs[:, 1]].T).argmax(1) == np.arange(len(pairs))).mean())


def test_a_turn_is_a_rotation_whose_prefix_finds_more_than_principal_components_do():
    z, pairs = hidden()
    turn = Turn((6,), (1.0,), steps=200, rate=0.1, warmup=5, everyday=64, cosines=0.0, true=1.0, scale=5.0)
    said: list[str] = []
    matrix = Turner(z, {"both": pairs[::2]}, pairs[:, 0], {"both": 96}, turn).train(said.append)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(12), atol=1e-5)
    np.testing.assert_allclose((z @ matrix) @ (z @ matrix).T, z @ z.T, atol=1e-5)
    principal = np.linalg.eigh(z.T @ z)[1][:, ::-1]
    held = pairs[1::2]
    assert max(found(z @ principal, held, 6), found(z, held, 6)) < 0.1 < 0.8 < found(z @ matrix, held, 6)
    assert len(said) == 2 and "200 of 200" in said[-1]


def test_a_thinned_corpus_keeps_pairs_whole_and_emoji_with_their_names():
    corpus = Corpus()
    numbers = [corpus.add(f"text {at}", "en") for at in range(100)]
    for a, b in zip(numbers[::2], numbers[1::2], strict=True):
        corpus.pair("translation", a, b)
    corpus.stand_in(corpus.add("🐱", "emoji"), [corpus.add("cat face", "en")])
    thin = corpus.thinned(10)
    assert len(thin.texts) < 25 and "🐱" in thin.texts
    assert [[thin.texts[at] for at in pair] for pair in thin.pairs["translation"]] == [
        [f"text {at}", f"text {at + 1}"] for at in range(0, 100, 20)
    ]
    ((symbol, names),) = thin.stand_ins.items()
    assert (thin.texts[symbol], [thin.texts[at] for at in names]) == ("🐱", ["cat face"])


def test_a_stopped_run_goes_on_at_the_lesson_that_is_not_done(monkeypatch, tmp_path):
    ran: list[tuple[str, str]] = []

    class Lesson:
        def __init__(self, name: str) -> None:
            self.name = name

        def main(self, options: list[str]) -> None:
            given = dict(zip(options[::2], options[1::2], strict=False))
            ran.append((self.name, given.get("--start", "")[-6:]))
            if self.name == "retrieval" and len(ran) < 3:
                raise KeyboardInterrupt
            out = whole.Path(given["--out"])
            out.mkdir()
            for name in whole.FILES:
                (out / name).write_text(self.name)

    for name in ("train", "retrieval", "prefixes", "contrasts"):
        monkeypatch.setattr(whole, name, Lesson(name))
    out = tmp_path / "out"
    out.mkdir()
    asked = ["--data", "d", "--work", str(tmp_path), "--out", str(out)]
    with pytest.raises(KeyboardInterrupt):
        whole.main(asked)
    assert not list(out.iterdir()), "the model is written when all lessons are done"
    whole.main(asked)
    begun = [("train", ""), ("retrieval", "/first"), ("retrieval", "/first"), ("prefixes", "second")]
    assert ran == [*begun, ("contrasts", "/third")]
    assert {path.name: path.read_text() for path in out.iterdir()} == dict.fromkeys(whole.FILES, "contrasts")
    assert set(whole.FILES) == {path.name for path in FOLDER.iterdir() if path.is_file()} - {"card.md"}


def test_the_third_lesson_turns_a_model_and_leaves_its_cosines(monkeypatch, tmp_path):
    chance, few = np.random.default_rng(0), Asked()
    words = ("cat", "dog", "river", "train", "bread", "猫", "犬", "川", "電車", "庭")

    def text(length: int) -> str:
        return " ".join(chance.choice(words, length))

    for kind in prefixes.TURNED:
        few.put(kind, [(text(4), text(20)) for _ in range(10)])
    few.keep = np.array([few.add(text(6)) for _ in range(20)])
    monkeypatch.setattr(prefixes, "gather", lambda *_, **__: few)
    start, out = tmp_path / "start", tmp_path / "out"
    shutil.copytree(FOLDER, start)
    about = json.loads((start / "model.json").read_text()) | {"source": retrieval.SOURCE}
    (start / "model.json").write_text(json.dumps(about))
    counts = dict.fromkeys(prefixes.TURNED, 8)
    monkeypatch.setattr(prefixes, "TURNED", counts)
    prefixes.learn(start, out, tmp_path, tmp_path, replace(prefixes.TURN, steps=3, warmup=1), lambda _: None)
    texts = [text(5) for _ in range(30)]
    before, after = BuiltIn(start).embed(texts), BuiltIn(out).embed(texts)
    assert np.abs(after @ after.T - before @ before.T).mean() < 0.003, "int8 rows are rounded again"
    np.testing.assert_allclose(after, before @ np.load(tmp_path / "prefixes.npy"), atol=0.008)
    assert np.abs(after - before).max() > 0.05
    with pytest.raises(UsageError, match=r"recipes\.builtin\.prefixes"):
        prefixes.learn(out, tmp_path / "twice", tmp_path, tmp_path, prefixes.TURN, lambda _: None)
