import numpy as np
import pytest

torch = pytest.importorskip("torch")

from recipes.pictures.data import CIFAR, CLOTHING, clothing, drawings, on_white
from recipes.pictures.tower import TEMPERATURE, MovedPictures, Names, Nearness, Tower, embed_moved, write_tower
from tests.drawn import draw, noise

from imi.embedders.tower import PictureTower
from imi.train.losses import MatryoshkaLoss
from imi.train.vision import Nested, Recipe, fit

DIMS = (4, 8)


def batches(**how):
    pictures = np.stack([np.dstack([noise(64, 64, seed), np.full((64, 64), 255, np.uint8)]) for seed in range(6)])
    pictures[3:, ..., 3] = 0
    pictures[3:, 16:48, 16:48, 3] = 255
    still = np.array([False] * 5 + [True])
    times = np.array([1, 1, 1, 2, 2, 2])
    values = {"size": 48, "batch": 3, "times": times, "seed": 0} | how
    return MovedPictures(pictures, np.arange(6) % 4, still, **values)


def test_an_epoch_follows_from_its_number():
    first, again, other = (list(batches().epoch(number)) for number in (0, 0, 1))
    assert len(first) == len(batches()) == 3
    for (x, y), (x2, y2) in zip(first, again, strict=True):
        assert x.shape == (3, 3, 48, 48) and torch.equal(x, x2) and torch.equal(y, y2)
    assert not torch.equal(first[0][0], other[0][0])
    # As the tower scales bytes: within what 0 and 255 become.
    assert min(float(x.min()) for x, _ in first) >= -127.5 / 64 and max(float(x.max()) for x, _ in first) <= 127.5 / 64


def test_names_are_classes_by_cosine():
    random = np.random.default_rng(0)
    names, z = random.normal(size=(5, 8)).astype(np.float32), random.normal(size=(3, 8)).astype(np.float32)
    head = Names(DIMS, names)
    assert not list(head.parameters()), "names are given, not learnt"
    for size, out in zip(DIMS, head(torch.from_numpy(z)), strict=True):
        a, b = z[:, :size], names[:, :size]
        wanted = (a / np.linalg.norm(a, axis=1)[:, None]) @ (b / np.linalg.norm(b, axis=1)[:, None]).T / TEMPERATURE
        np.testing.assert_allclose(out.numpy(), wanted, rtol=1e-4, atol=1e-4)


def test_nearness_is_its_three_parts():
    random = np.random.default_rng(0)
    cosines, y = random.uniform(-1, 1, (4, 5)), np.array([0, 2, 2, 4])
    output = cosines / TEMPERATURE

    def softmax(x):
        return np.exp(x) / np.exp(x).sum()

    to_name = -np.mean([np.log(softmax(output[row])[label]) for row, label in enumerate(y)])
    found = []
    for label in y:
        shares = softmax(output[:, label])
        found.append(-np.mean([np.log(shares[row]) for row in range(4) if y[row] == label]))
    pull = 1 - np.mean([cosines[row, label] for row, label in enumerate(y)])
    wanted = to_name + 0.3 * np.mean(found) + 0.5 * pull
    got = Nearness(smoothing=0.0)(torch.from_numpy(output), torch.from_numpy(y))
    assert float(got) == pytest.approx(wanted, rel=1e-6)


def test_a_tower_learns_names_is_gone_on_with_and_is_written(tmp_path):
    random = np.random.default_rng(0)
    names = random.normal(size=(3, 8)).astype(np.float32)
    shapes = [("disc", "red"), ("box", "green"), ("cross", "blue")]
    pictures = np.stack([np.asarray(draw(*shape, size=(64, 64)).convert("RGBA")) for shape in shapes])
    moved = MovedPictures(
        pictures, np.arange(3), np.zeros(3, bool), size=48, batch=12, times=np.array([16, 16, 16]), seed=0
    )

    def train(epochs, checkpoint=None):
        torch.manual_seed(0)
        model = Nested(Tower(8, (8, 16), 16), Names(DIMS, names))
        recipe = Recipe(epochs=epochs, batch=12, rate=5e-3, warm=0.1, decay=0.01, smoothing=0.0, adam=True)
        return model.body, fit(model, moved, recipe, loss=Nearness(0.0), checkpoint=checkpoint)

    tower, history = train(6)
    assert history[-1] < 0.6 * history[0]
    _, same = train(6, tmp_path / "run.pt")
    assert same == history
    resumed, kept = train(6, tmp_path / "run.pt")
    assert kept == history
    pixels = pictures[..., :3][:, 8:56, 8:56]
    z = embed_moved(tower, np.ascontiguousarray(pixels))
    np.testing.assert_allclose(embed_moved(resumed, np.ascontiguousarray(pixels)), z, atol=1e-6)
    write_tower(tower, tmp_path / "tower", {"size": 48, "text": "none"})
    assert ((PictureTower(tmp_path / "tower").embed(list(pixels)) * z).sum(axis=1) > 0.99).all()


def test_every_loss_of_an_output_can_be_nested():
    nested = MatryoshkaLoss(Nearness(0.0), DIMS, normalize=False)
    outputs = [torch.randn(4, 5), torch.randn(4, 5)]
    y = torch.tensor([0, 1, 1, 3])
    assert float(nested.of_outputs(outputs, y)) == pytest.approx(
        sum(float(Nearness(0.0)(out, y)) for out in outputs), rel=1e-5
    )


def test_what_is_measured_was_not_trained_on(shared_data):
    drawn = drawings(shared_data)
    trained = {one.char for one in drawn if not one.held}
    assert not trained & {one.char for one in drawn if one.held == "both"}
    assert {one.set for one in drawn if one.held == "drawing"} == {"noto"}
    assert len(trained) > 1000 and sum(one.held == "both" for one in drawn) > 200
    look, figures = (clothing(shared_data, part, size=8) for part in ("look", "figures"))
    assert len(figures.classes) == 341 and set(look.classes) == set(figures.classes) == set(CLOTHING)
    assert len(CIFAR) == 10
    cat = next(one for one in drawn if one.en == "cat" and one.set == "noto")
    assert cat.ja == "ネコ" and "猫" in cat.keywords[1] and on_white(cat)[0, 0].tolist() == [255, 255, 255]
