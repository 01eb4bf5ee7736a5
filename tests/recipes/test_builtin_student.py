"""The student in torch against the model in numpy, Adam against torch's, the loss against a slow definition."""

from __future__ import annotations

import io

import numpy as np
import pytest
from tests.needs import needs

from imi.embedders.builtin import FOLDER, BuiltIn

pytestmark = needs("torch")


def setup_module():
    global torch, MIX
    global Mix, TextBatches
    global Layer, quantize_rows, write_model
    global Prepared
    global DIMS, Student, Weights, loss, target_cosines
    import torch

    from imi.train.batches import Mix, TextBatches
    from imi.train.export import Layer, quantize_rows, write_model
    from imi.train.prepared import Prepared
    from imi.train.student import DIMS, Student, Weights, loss, target_cosines

    MIX = Mix(pairs=12, neighbours=3, neighbour_size=4, groups=2, scored=4)


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    z = rng.normal(size=shape)
    return (z / np.linalg.norm(z, axis=-1, keepdims=True)).astype(np.float16)


@pytest.fixture
def ready() -> Prepared:
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 8, 120)
    second = unit(rng, 120, 384)
    second[60:] = 0
    return Prepared(
        ids=rng.integers(0, 300, lengths.sum()).astype(np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        first=unit(rng, 120, 512),
        second=second,
        pairs={"translation": rng.permutation(80).reshape(-1, 2), "question": rng.permutation(80).reshape(-1, 2)},
        groups=rng.integers(0, 120, (9, 5)),
        neighbours=np.arange(120),
        cluster_starts=np.array([0, 10, 40, 90, 120]),
        scored=rng.integers(0, 80, (20, 2)),
        scores=rng.random(20).astype(np.float32) * 5,
    )


def student(rows: int = 300, repeats: float = 1.0) -> Student:
    table = np.random.default_rng(1).normal(size=(rows, 512)).astype(np.float32)
    made = Student(table, 16, seed=1, repeats=repeats)
    with torch.no_grad():
        made.outward += 0.1 * torch.randn(16, 512, generator=torch.Generator().manual_seed(2))
    return made


def test_batches_stand_as_they_say(ready):
    texts, batch = TextBatches(ready, MIX, 3).next()
    assert len(texts) == 2 * batch.pairs + 3 * 4 + 2 * 5 + 2 * 4
    for row in range(3):
        near = texts[2 * batch.pairs + row * 4 :][:4]
        assert len(set(near.tolist())) == 4
        assert len({int(np.searchsorted(ready.cluster_starts, text, side="right")) for text in near}) == 1
    known = {tuple(pair) for pairs in ready.pairs.values() for pair in pairs.tolist()}
    assert all(
        (int(a), int(b)) in known
        for a, b in zip(texts[: batch.pairs], texts[batch.pairs :][: batch.pairs], strict=False)
    )
    assert batch.scored.min() == len(texts) - 8
    again = TextBatches(ready, MIX, 3).next()[0]
    np.testing.assert_array_equal(texts, again)


def test_pairs_that_mean_the_same_are_no_rivals(ready):
    ready.pairs = {"translation": np.array([[0, 1], [0, 2], [3, 1], [4, 5]])}
    mask = TextBatches(ready, MIX, 0)._same(ready.pairs["translation"])
    want = np.zeros((4, 4), bool)
    want[0, 1] = want[1, 0] = want[0, 2] = want[2, 0] = True
    np.testing.assert_array_equal(mask.numpy(), want)


def test_the_loss_is_what_it_says(ready):
    texts, batch = TextBatches(ready, MIX, 4).next()
    made = student()
    out, _, _ = made.forward(*ready.tokens(texts))
    weights = Weights(softmax=0.0, scored=0.0, pull=2.0)
    first, second = (torch.from_numpy(array[texts].astype(np.float32)) for array in (ready.first, ready.second))
    got = loss(out, first, second, batch, weights, 0.4).item()
    z, a, b = out.detach().numpy().astype(float), first.numpy().astype(float), second.numpy().astype(float)
    known = np.abs(b).sum(1) > 0
    goal = a @ a.T
    both = np.outer(known, known)
    goal[both] = 0.6 * goal[both] + 0.4 * (b @ b.T)[both]
    whole = 2 * batch.pairs + 12
    want = 0.0
    for dims in DIMS:
        u = z[:, :dims] / np.linalg.norm(z[:, :dims], axis=1, keepdims=True)
        wrong = (u @ u.T - goal) ** 2
        want += 20 * wrong[:whole, :whole].mean()
        for start, count, size in ((2 * batch.pairs, 3, 4), (whole, 2, 5)):
            blocks = [slice(start + one * size, start + (one + 1) * size) for one in range(count)]
            want += 6 * np.mean([wrong[block, block] for block in blocks])
    u = z / np.linalg.norm(z, axis=1, keepdims=True)
    alone = 1.0 - known
    want += 2 * ((1 - (u * a).sum(1)) * alone).sum() / alone.sum()
    assert got == pytest.approx(want, rel=1e-4)


def test_without_the_second_teacher_the_first_stands_alone():
    first, second = torch.eye(3), torch.zeros(3, 2)
    assert torch.equal(target_cosines(first, second, 0.4), torch.eye(3))


def test_rows_move_as_adam_moves_them(ready):
    made, ids, starts = student(), *ready.tokens(np.arange(10))
    table = made.rows.clone().requires_grad_()
    peer = torch.optim.Adam([table], lr=0.01, betas=(0.9, 0.99))
    for _ in range(3):
        out, numbers, read = made.forward(ids, starts)
        out.square().sum().backward()
        table.grad = torch.zeros_like(table).index_copy(0, numbers, read.grad)
        peer.step()
        made.step(numbers, read, 0.01, 0.0)
    np.testing.assert_allclose(made.rows.numpy(), table.detach().numpy(), atol=1e-5)


def test_training_lowers_the_loss_and_resumes_where_it_was(ready):
    def run(made, batches, steps):
        values = []
        for _ in range(steps):
            texts, batch = batches.next()
            out, numbers, read = made.forward(*ready.tokens(texts))
            first, second = (torch.from_numpy(array[texts].astype(np.float32)) for array in (ready.first, ready.second))
            value = loss(out, first, second, batch, Weights(), 0.4)
            value.backward()
            made.step(numbers, read, 5e-2, 1e-3)
            values.append(value.item())
        return values

    made = student()
    values = run(made, TextBatches(ready, MIX, 5), 60)
    assert np.mean(values[-5:]) < 0.8 * np.mean(values[:5])
    twin = Student(np.zeros((300, 512), np.float32), 16)
    saved = io.BytesIO()
    torch.save(made.state(), saved)
    saved.seek(0)
    twin.resume(torch.load(saved, weights_only=True))
    assert run(made, TextBatches(ready, MIX, 6), 3) == pytest.approx(run(twin, TextBatches(ready, MIX, 6), 3), rel=1e-5)


@pytest.mark.parametrize("repeats", [1.0, 0.75])
def test_what_is_written_is_what_was_trained(tmp_path, repeats):
    size = len(np.load(FOLDER / "rows.npy", mmap_mode="r"))
    made = student(size, repeats)
    layer = Layer(*(tensor.detach().numpy() for tensor in (made.inward, made.bias, made.outward)), repeats)
    write_model(tmp_path, "mine", made.rows.numpy(), layer, FOLDER / "pieces.model", dims=DIMS, licence="x", source="y")
    model = BuiltIn(tmp_path)
    texts = ["I am a cat.", "吾輩は猫である。", "🐱🔒", "cat cat cat dog cat"]
    ids, offsets = model._split(texts)
    out, _, _ = made.forward(ids, offsets[:-1])
    want = torch.nn.functional.normalize(out, dim=1).detach().numpy()
    assert (model.embed(texts) * want).sum(1).min() > 0.999
    assert model.info.id == "mine"
    assert model.repeats == repeats
    assert model.info.dims == DIMS


def test_rows_survive_eight_bits():
    rows = np.random.default_rng(0).normal(size=(50, 512)).astype(np.float32)
    rows[7] = 0
    codes, steps = quantize_rows(rows)
    back = codes * steps[:, None]
    assert np.abs(back - rows).max() <= np.abs(rows).max() / 127
    assert not back[7].any()
