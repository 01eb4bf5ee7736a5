"""The last layers of `deep` in torch: the same as in the graph, trained from kept states, the same after a stop."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

from recipes.deep.graph import Shape, encoder
from recipes.deep.learn import Map
from recipes.deep.states import Seen
from recipes.deep.tail import NORMS, PARTS, Tail
from recipes.deep.texts import Reach, Texts
from recipes.deep.tune import FEW, Tuner

SHAPE = Shape(384, 3, 12, 1e-12)
INNER = 64


def tensors(seed: int = 0) -> dict[str, np.ndarray]:
    chance, d = np.random.default_rng(seed), SHAPE.width

    def normal(*shape: int) -> np.ndarray:
        return (chance.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)

    out = {"emb.pos": normal(64, d), "emb.type": normal(1, d)}
    out |= {"emb.ln.w": np.ones(d, np.float32), "emb.ln.b": np.zeros(d, np.float32)}
    for layer in range(SHAPE.layers):
        for part in PARTS:
            wide, narrow = (INNER, d) if part == "fi" else (d, INNER) if part == "fo" else (d, d)
            out |= {f"l{layer}.{part}.w": normal(wide, narrow), f"l{layer}.{part}.b": 0.1 * normal(wide)}
        for part in NORMS:
            out |= {f"l{layer}.{part}.w": np.ones(d, np.float32), f"l{layer}.{part}.b": 0.1 * normal(d)}
    return out


def test_the_tail_gives_what_the_graph_gives_from_the_states_it_shows():
    graph = encoder(SHAPE, tensors(), seen=1).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    rows = np.random.default_rng(1).standard_normal((3, 9, SHAPE.width)).astype(np.float32)
    mask = np.ones((3, 9), np.int32)
    mask[1, 5:] = 0
    mean, seen = session.run(["mean", "seen"], {"rows": rows, "mask": mask})
    with torch.no_grad():
        own = Tail(SHAPE, tensors(), 1)(torch.from_numpy(seen), torch.from_numpy(mask == 1)).numpy()
    cosines = (own * mean).sum(1) / np.linalg.norm(own, axis=1) / np.linalg.norm(mean, axis=1)
    assert cosines.min() > 0.998


def test_without_being_asked_the_graph_shows_no_states():
    assert [one.name for one in encoder(SHAPE, tensors()).graph.output] == ["mean"]


def test_weights_come_back_under_the_names_that_the_graph_takes():
    given = tensors()
    found = Tail(SHAPE, given, 1).tensors()
    assert set(found) == {name for name in given if name.startswith(("l1.", "l2."))}
    for name, value in found.items():
        np.testing.assert_array_equal(value, given[name])


@pytest.fixture
def lesson() -> tuple[Seen, Texts]:
    """Forty paragraphs with a question each, translations and captions, as states that share a direction."""
    chance, texts = np.random.default_rng(2), Texts()
    topics = chance.standard_normal((80, SHAPE.width))
    states, offsets = [], [0]

    def add(topic: int, query: bool) -> int:
        length = int(chance.integers(3, 7))
        states.append(topics[topic] * 0.2 + chance.standard_normal((length, SHAPE.width)))
        offsets.append(offsets[-1] + length)
        return texts.add("", query)

    for topic in range(40):
        home, asked = add(topic, False), add(topic, True)
        texts.articles.setdefault("one", []).append(home)
        (texts.back if topic % 16 == 0 else texts.asked)[home] = [asked]
    for topic in range(40, 80):
        texts.pairs.append((add(topic, topic % 4 == 0), add(topic, False)))
    texts.everyday = [add(topic, False) for topic in range(20)]
    texts.alike = [(add(topic, False), add(topic + topic % 2, False), float(topic % 2 == 0)) for topic in range(20)]
    whole = np.concatenate(states).astype(np.float16)
    means = [whole[a:b].astype(np.float32).mean(0) for a, b in pairwise(offsets)]
    return Seen(whole, np.array(offsets, np.int64), np.array(means, np.float32)), texts


def tuner(lesson: tuple[Seen, Texts], **changed: float) -> Tuner:
    torch.manual_seed(0)
    return Tuner(*lesson, Tail(SHAPE, tensors(), 2), Map(SHAPE.width, 8), replace(FEW, **changed))


def weights(of: Tuner) -> np.ndarray:
    return torch.cat([one.detach().ravel() for one in (*of.tail.parameters(), *of.map.parameters())]).numpy()


def test_training_brings_questions_nearer_to_their_paragraphs(lesson, tmp_path: Path):
    one = tuner(lesson, steps=12, stop=12, groups=6, rate=1e-3, map_rate=1e-3, bank=16)
    batch = next(iter(one.batches()))
    with torch.no_grad():
        before = float(one.loss(batch))
    one.train(tmp_path / "kept.pt")
    one.bank = torch.zeros(0, SHAPE.width), torch.zeros(0, dtype=torch.int64)
    with torch.no_grad():
        assert float(one.loss(batch)) < 0.8 * before


def test_after_a_stop_it_goes_on_as_if_there_had_been_none(lesson, tmp_path: Path):
    whole = tuner(lesson, steps=4, stop=4, every=2)
    whole.train(tmp_path / "whole.pt")
    halted = tuner(lesson, steps=4, stop=4, every=2)
    batches = halted.batches
    halted.batches = lambda: islice(batches(), 3)
    halted.train(tmp_path / "kept.pt")
    again = tuner(lesson, steps=4, stop=4, every=2)
    again.train(tmp_path / "kept.pt")
    # Products in sixteen bits come out a little different with each number of threads.
    learnt = np.abs(weights(whole) - weights(tuner(lesson))).mean()
    assert np.abs(weights(again) - weights(whole)).mean() < 0.02 * learnt
    assert np.abs(weights(halted) - weights(whole)).mean() > 0.03 * learnt


def test_what_other_settings_left_is_not_gone_on_from(lesson, tmp_path: Path):
    tuner(lesson, steps=2, stop=2).train(tmp_path / "kept.pt")
    one, fresh = (tuner(lesson, steps=3, stop=3, rate=1e-3) for _ in range(2))
    one.train(tmp_path / "kept.pt")
    fresh.train(tmp_path / "none.pt")
    learnt = np.abs(weights(fresh) - weights(tuner(lesson))).mean()
    assert np.abs(weights(one) - weights(fresh)).mean() < 0.02 * learnt


def test_none_of_the_way_is_where_it_began(lesson, tmp_path: Path):
    one = tuner(lesson, steps=2, stop=2, share=0.0)
    before = weights(one)
    one.train(tmp_path / "kept.pt")
    np.testing.assert_array_equal(weights(one), before)


def test_it_trains_where_nothing_was_kept_back(lesson, tmp_path: Path):
    lesson[1].back.clear()
    one = tuner(lesson, steps=1, stop=1)
    before = weights(one)
    one.train(tmp_path / "kept.pt")
    assert not np.array_equal(weights(one), before)


def test_batches_hold_no_paragraph_twice_and_none_that_is_kept_back(lesson):
    one = tuner(lesson)
    batches = one.batches()
    epoch = [next(batches) for _ in range(len(one.homes) // (FEW.groups * FEW.near))]
    paragraphs = np.concatenate([batch.paragraphs for batch in epoch])
    assert len(set(paragraphs.tolist())) == len(paragraphs) > 20
    assert not set(paragraphs.tolist()) & set(lesson[1].back)
    for batch in epoch:
        for asked, home in zip(batch.asked.tolist(), batch.home.tolist(), strict=True):
            assert asked in lesson[1].asked[int(batch.paragraphs[home])]


def test_few_is_a_hundredth():
    assert Reach(600, 300, 4, 200, 100, 1400).few() == Reach(6, 3, 4, 2, 1, 1400)
