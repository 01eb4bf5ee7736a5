import json
import shutil
import zipfile

import numpy as np
import pytest
from tests.drawn import draw, noise, page

import imi
from imi.embedders.picture_guesses import Guesser
from imi.embedders.picture_kinds import Kind, Level, read_kinds, table, write_kinds
from imi.embedders.tower import FOLDER, Network, PictureTower, network, packed, softmax
from imi.errors import DataError


@pytest.fixture(scope="module")
def tower():
    return imi.load("built-in").tower


def test_features_are_the_same_alone_in_a_batch_and_from_a_file(tmp_path):
    net = network(FOLDER)
    pictures = [noise(50, 40, seed) for seed in range(19)]
    done = []
    found = net.features(pictures, lambda *told: done.append(told))
    assert found.shape == (19, 1280) and done == [(19, 19)]
    np.testing.assert_allclose(net.features([pictures[17]])[0], found[17], atol=1e-3)
    draw().save(tmp_path / "disc.png")
    np.testing.assert_allclose(net.features([tmp_path / "disc.png"]), net.features([draw()]), atol=1e-3)
    assert net.features([]).shape == (0, 1280)


def test_vectors_are_of_the_texts_space_at_every_size(tower):
    for name, width in (("built-in", 512), ("deep", 384)):
        model = imi.load(name)
        whole, short = (model.embed_images([draw()], dims=dims) for dims in (None, 64))
        assert whole.shape == (1, width) and short.shape == (1, 64)
        np.testing.assert_allclose(short[0], whole[0, :64] / np.linalg.norm(whole[0, :64]), atol=1e-5)
        assert model.picture_fingerprint == model.tower.fingerprint
    assert imi.load("deep").picture_fingerprint != tower.fingerprint, "of one network, in two spaces"


def test_likeness_leaves_the_first_dimensions_to_the_names_and_fits_any_width():
    net = network(FOLDER)
    features = net.features([noise(30, 30), noise(30, 30, 1)])
    for width in (32, 64, 65, 384, 512, 700):
        z = net.likeness(features, width)
        assert z.shape == (2, width) and not z[:, :64].any()
        assert np.allclose(np.linalg.norm(z, axis=1), float(width > 64), atol=1e-5)


def test_names_kept_in_the_folder_are_those_that_the_model_gives(tower):
    kinds = tower.network.kinds[::97]
    model = imi.load("built-in")
    fresh = table(kinds, model.embed)
    kept = tower.table[::97]
    assert (fresh * kept).sum(axis=1).min() > 0.99


def test_a_text_model_of_ones_own_gets_names_too(tmp_path):
    from imi.embedders.builtin import FOLDER as TEXT

    other = tmp_path / "model"
    shutil.copytree(TEXT, other)
    about = json.loads((other / "model.json").read_text("utf-8"))
    (other / "model.json").write_text(json.dumps(about | {"weights": "0" * 32}), "utf-8")
    z = imi.load(other).embed_images([draw()])
    assert float(z[0] @ imi.load().embed_images([draw()])[0]) > 0.999


def test_an_altered_file_is_refused(tmp_path):
    copy = tmp_path / "pictures"
    shutil.copytree(FOLDER, copy)
    about = json.loads((copy / "model.json").read_text("utf-8"))
    with (copy / "network.onnx").open("r+b") as file:
        file.seek(1000)
        file.write(b"\0\1\2\3")
    with pytest.raises(DataError, match=r"network\.onnx was altered or cut"):
        Network(copy)
    (copy / "network.onnx").unlink()
    with pytest.raises(DataError, match=r"lacks network\.onnx"):
        PictureTower("", 512, imi.load().embed, copy)
    (copy / "model.json").write_text(json.dumps(about | {"format": 9}), "utf-8")
    with pytest.raises(DataError, match="format 9, this imi reads 2"):
        Network(copy)
    (copy / "model.json").unlink()
    with pytest.raises(DataError, match="does not hold a picture tower"):
        Network(copy)


def test_kinds_come_back_from_their_file(tmp_path):
    kinds = (
        Kind(
            "photo", "tabby cat", "トラネコ", (Level(8, ("tabby",), ("虎猫",), "a cat"), Level(24, ("cat",), ("猫",)))
        ),
        Kind("emoji", "flag", "", (Level(1, ("flag",)),), (Level(0.5, ("banner",)),)),
    )
    write_kinds(tmp_path / "kinds.jsonl", kinds)
    assert read_kinds(tmp_path / "kinds.jsonl") == kinds
    assert kinds[0].name("ja") == "トラネコ" and kinds[1].name("ja") == "flag"
    (tmp_path / "kinds.jsonl").write_text('["photo", 1]\n')
    with pytest.raises(DataError, match="does not hold kinds"):
        read_kinds(tmp_path / "kinds.jsonl")


def test_a_language_counts_as_much_as_the_other_and_later_words_half():
    axes = {word: np.eye(6, dtype=np.float32)[at] for at, word in enumerate(("a", "b", "c", "d", "told", "up"))}
    kind = Kind("photo", "a", "c", (Level(2, ("a", "b"), ("c",), "told"), Level(1, ("up",))))
    (row,) = table([kind], lambda texts: np.stack([axes[text] for text in texts]))
    english = np.array([1, 0.5, 0, 0, 0, 0]) / np.sqrt(1.25)
    words = english + axes["c"]
    level = words / np.linalg.norm(words) + 0.5 * axes["told"]
    wanted = 2 * level / np.linalg.norm(level) + axes["up"]
    np.testing.assert_allclose(row, wanted / np.linalg.norm(wanted), atol=1e-6)


def test_packing_loses_little_and_chances_add_up():
    weight = np.random.default_rng(0).normal(size=(20, 7)).astype(np.float32)
    codes, steps = packed(weight)
    assert codes.dtype == np.int8 and np.abs(codes * steps - weight).max() <= steps.max() / 2 + 1e-6
    np.testing.assert_allclose(softmax(weight * 50).sum(axis=1), 1, rtol=1e-5)


def test_guesses_are_the_name_that_tells_most_in_both_languages_or_nothing():
    cats = [
        Kind("photo", f"cat {at}", f"猫 {at}", (Level(8, (f"cat {at}",)), Level(24, ("cat",), ("猫",)))) for at in "ab"
    ]
    others = [Kind("photo", f"thing {at}", "", (Level(8, (f"thing {at}",)),)) for at in range(40)]
    guesser = Guesser([*cats, *others])
    chances = np.full((3, 42), 0.2 / 40, np.float32)
    chances[0, :2] = 0.4  # either cat: a cat
    chances[1, :2] = 0.75, 0.05
    chances[2] = 1 / 42
    assert guesser.guess(chances) == [("cat",), ("cat a",), ()]
    assert guesser.guess(chances, "ja") == [("猫",), ("猫 a",), ()]


def test_the_shipped_tower_guesses_what_a_drawing_shows(tower, shared_data):
    from recipes.pictures.data import drawings, on_white

    pizza = next(one for one in drawings(shared_data) if one.en == "pizza" and not one.held)
    assert tower.guesses([on_white(pizza)])[0][0] == "pizza" and tower.guesses([on_white(pizza)], "ja")[0][0] == "ピザ"


def test_the_shipped_tower_is_small_and_made_for_the_shipped_text_models():
    about = network(FOLDER).about
    for name in ("built-in", "deep"):
        assert imi.load(name).info.weights in about["tables"], "another text model: make pictures"
    assert (FOLDER / "network.onnx").stat().st_size <= 8_000_000
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 13_000_000
    assert (FOLDER / "card.md").read_text("utf-8").count("Apache-2.0")


def test_the_shipped_tower_knows_drawings_that_it_was_trained_on_and_some_that_it_was_not(shared_data):
    from recipes.pictures.data import drawings, on_white

    model = imi.load()
    drawn = drawings(shared_data)
    names = list(dict.fromkeys(one.en for one in drawn))
    texts = model.embed(names, kind="query")
    for held, least in (("", 0.8), ("drawing", 0.15), ("both", 0.05)):
        some = [one for one in drawn if one.held == held][::3][:40]
        order = np.argsort(-(model.embed_images([on_white(one) for one in some]) @ texts.T), axis=1)[:, :5]
        found = np.mean([one.en in [names[at] for at in row] for one, row in zip(some, order, strict=True)])
        assert found >= least, f"{held or 'trained'}: {found:.3f}; by chance it is {5 / len(names):.3f}"


def test_a_word_finds_photos_of_it_in_both_languages_and_by_kind(shared_data):
    from recipes.pictures.data import CIFAR, cifar

    model, photos = imi.load(), cifar(shared_data, each=10)
    classes = np.array(photos.classes)
    z = model.embed_images(list(photos.pixels))
    for language in (0, 1):
        texts = model.embed([CIFAR[name][language] for name in CIFAR], kind="query")
        best = np.argsort(-(z @ texts.T), axis=0)[:5]
        found = {name: float(np.mean(classes[best[:, at]] == name)) for at, name in enumerate(CIFAR)}
        assert np.mean(list(found.values())) >= 0.6 and min(found.values()) > 0, found
    # Words that are no class of any picture seen: what the text model has near the names is found too.
    cars = {"automobile", "truck"}
    asked = {"kitten": {"cat"}, "子猫": {"cat"}, "vehicle": cars, "船舶": {"ship"}, "stag": {"deer"}, "小鳥": {"bird"}}
    best = np.argsort(-(z @ model.embed(list(asked), kind="query").T), axis=0)[:5]
    shares = [np.isin(classes[best[:, at]], list(wanted)).mean() for at, wanted in enumerate(asked.values())]
    assert np.mean(shares) >= 0.4, dict(zip(asked, shares, strict=True))


def test_pictures_unlike_all_that_was_seen_are_known_as_such(tower):
    assert tower.unfamiliar([page(1), page(2), noise(224, 224)]).all()


def test_photos_are_familiar(tower, shared_data):
    with zipfile.ZipFile(shared_data / "images" / "cifar10_train_10k.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith((".png", ".jpg"))][::500]
        assert tower.unfamiliar([archive.read(name) for name in names]).mean() < 0.2
