import json
import shutil

import numpy as np
import pytest
from tests.drawn import draw, noise

import imi
from imi.embedders.builtin import FOLDER
from imi.embedders.tower import PictureTower, convolve, scaled
from imi.errors import DataError, UsageError

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def trained():
    """Return a tower whose statistics are not those of a new one."""
    from recipes.pictures.tower import Tower

    torch.manual_seed(0)
    tower = Tower(512, (4, 8, 8), 16)
    tower.train()
    with torch.no_grad():
        for seed in range(3):
            tower(
                torch.from_numpy(scaled(np.stack([noise(48, 48, seed), noise(48, 48, seed + 9)]))).permute(0, 3, 1, 2)
            )
    return tower.eval()


@pytest.fixture(scope="module")
def folder(trained, tmp_path_factory):
    """Return a copy of the built-in text model with a tower of its own, made for it."""
    from recipes.pictures.tower import write_tower

    folder = tmp_path_factory.mktemp("model")
    for file in FOLDER.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    text = json.loads((folder / "model.json").read_text("utf-8"))["weights"]
    write_tower(trained, folder / "pictures", {"size": 48, "dims": [32, 512], "text": text})
    return folder


@pytest.mark.parametrize(("size", "stride"), [(1, 1), (1, 2), (3, 1), (3, 2)])
def test_a_convolution_is_what_its_sum_says(size, stride):
    random = np.random.default_rng(0)
    x = random.normal(size=(2, 7, 6, 3)).astype(np.float32)
    weight = random.normal(size=(size, size, 3, 4)).astype(np.float32)
    bias = random.normal(size=4).astype(np.float32)
    edge = size // 2
    padded = np.pad(x, ((0, 0), (edge, edge), (edge, edge), (0, 0)))
    out = convolve(x, weight.reshape(-1, 4), bias, stride)
    assert out.shape == (2, (7 - 1) // stride + 1, (6 - 1) // stride + 1, 4)
    for n, i, j, o in np.ndindex(out.shape):
        patch = padded[n, i * stride : i * stride + size, j * stride : j * stride + size]
        assert out[n, i, j, o] == pytest.approx((patch * weight[..., o]).sum() + bias[o], abs=1e-4)


def test_numpy_runs_what_torch_trained(trained, folder):
    from recipes.pictures.tower import embed_moved

    pixels = np.stack([noise(48, 48, seed) for seed in range(5)])
    mine = PictureTower(folder / "pictures").embed(list(pixels))
    assert mine.dtype == np.float32 and mine.shape == (5, 512)
    cosines = (mine * embed_moved(trained, pixels)).sum(axis=1)
    assert cosines.min() > 0.995, "weights of eight bits cost a little"


def test_the_batch_and_the_file_change_nothing(folder, tmp_path):
    tower = PictureTower(folder / "pictures")
    pictures = [noise(50, 40, seed) for seed in range(35)]
    done = []
    z = tower.embed(pictures, progress=lambda *told: done.append(told))
    assert done == [(32, 35), (35, 35)]
    np.testing.assert_allclose(tower.embed([pictures[33]])[0], z[33], atol=1e-5)
    draw().save(tmp_path / "disc.png")
    np.testing.assert_allclose(tower.embed([tmp_path / "disc.png"]), tower.embed([draw()]), atol=1e-6)


def test_a_model_with_a_tower_reads_both(folder):
    model = imi.load(folder)
    z = model.embed_images([draw()], dims=64)
    assert z.shape == (1, 64) and np.linalg.norm(z) == pytest.approx(1)
    assert model.embed(["cat"]).shape == (1, 512)
    assert model.picture_fingerprint == json.loads((folder / "pictures" / "tower.json").read_text())["weights"]
    assert model.info.fingerprint == imi.load().info.fingerprint, "pictures do not change what texts are"


def test_a_tower_for_other_weights_is_refused(folder, tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(folder, copy)
    about = json.loads((copy / "pictures" / "tower.json").read_text("utf-8"))
    (copy / "pictures" / "tower.json").write_text(json.dumps(about | {"text": "another"}), "utf-8")
    with pytest.raises(UsageError, match="made for other weights"):
        imi.load(copy).embed_images([draw()])
    (copy / "pictures" / "tower.json").write_text(json.dumps(about | {"format": 9}), "utf-8")
    with pytest.raises(DataError, match="format 9, this imi reads 1"):
        imi.load(copy).embed_images([draw()])
    (copy / "pictures" / "tower.npz").unlink()
    with pytest.raises(DataError, match="not a picture tower"):
        imi.load(copy).embed_images([draw()])


def test_the_shipped_tower_is_made_for_the_shipped_text_model():
    shipped = FOLDER.parent / "pictures"
    model = imi.load()
    assert PictureTower(shipped).text == model.info.weights, "another text model: python -m recipes.pictures.train"
    assert model.embed_images([draw()]).shape == (1, 512)
    assert sum(file.stat().st_size for file in shipped.iterdir()) <= 3_000_000


def test_the_shipped_tower_knows_drawings_that_it_was_trained_on_and_some_that_it_was_not(shared_data):
    from recipes.pictures.data import drawings, on_white

    model = imi.load()
    drawn = drawings(shared_data)
    names = list(dict.fromkeys(one.en for one in drawn))
    texts = model.embed(names, kind="query")
    for held, least in (("", 0.5), ("drawing", 0.15), ("both", 0.02)):
        some = [one for one in drawn if one.held == held][:150]
        order = np.argsort(-(model.embed_images([on_white(one) for one in some]) @ texts.T), axis=1)[:, :5]
        found = np.mean([one.en in [names[at] for at in row] for one, row in zip(some, order, strict=True)])
        assert found >= least, f"{held or 'trained'}: {found:.3f}; by chance it is {5 / len(names):.3f}"


def test_a_word_finds_a_drawing_in_both_languages(shared_data, tmp_path):
    from recipes.pictures.data import drawings, on_white

    drawn = [one for one in drawings(shared_data) if not one.held and one.set == "twemoji"]
    known = ("cat face", "weary cat", "pouting cat", "dog", "pizza")
    some = {one.en: one for one in [*drawn[::5], *(one for one in drawn if one.en in known)]}
    with imi.open(tmp_path / "drawn.imi") as made:
        made.add([imi.Document(name, picture=on_white(one)) for name, one in some.items()])
        for question, wanted in (("cat", "cat"), ("猫", "cat"), ("dog", "dog"), ("犬", "dog"), ("ピザ", "pizza")):
            hit = made.search(question, k=1)[0]
            assert wanted in hit.id, f"{question} finds {hit.id}"
        assert made.search(on_white(some["dog"]), k=1)[0].id == "dog"
