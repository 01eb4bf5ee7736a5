from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.needs import needs

from imi.errors import DataError, UsageError

pytestmark = needs("torch")


def setup_module():
    global torch, RECIPE
    global FolderBatches, ResNet50, train_folder
    global SmallViT
    global MRL, MRLE, Fixed
    global Connected, SmallResNet
    global ArrayBatches, Nested, Recipe, Slimmable, embed_pictures, fit, slim_shares, slope
    import torch
    from experiments.matryoshka.resnet50 import FolderBatches, ResNet50, train_folder
    from experiments.matryoshka.vit import SmallViT

    from imi.train import MRL, MRLE, Fixed
    from imi.train.nets import Connected, SmallResNet
    from imi.train.vision import ArrayBatches, Nested, Recipe, Slimmable, embed_pictures, fit, slim_shares, slope

    RECIPE = Recipe(epochs=3, batch=16, rate=0.1)


DIMS = (4, 8, 16)


def pictures(n: int = 64, channels: int = 1, side: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Two classes: bright above or bright below."""
    random = np.random.default_rng(0)
    y = np.arange(n) % 2
    x = random.normal(0, 0.3, (n, channels, side, side)).astype(np.float32)
    x[y == 0, :, : side // 2] += 1
    x[y == 1, :, side // 2 :] += 1
    return x, y


def model(kind: str = "mrl") -> Nested | Slimmable:
    torch.manual_seed(0)
    if kind == "slimmable":
        return Slimmable(SmallResNet(16, 1, (4, 8), slim_shares(DIMS)), MRLE(DIMS, 2))
    return Nested(SmallResNet(16, 1, (4, 8)), MRL(DIMS, 2) if kind == "mrl" else Fixed(4, 2))


@pytest.mark.parametrize("kind", ["mrl", "ff", "slimmable"])
def test_training_learns_at_every_size(kind):
    x, y = pictures()
    made = model(kind)
    history = fit(made, ArrayBatches(x, y, 16, shift=1), replace(RECIPE, epochs=6))
    assert history[-1] < history[0]
    made.eval()
    with torch.inference_mode():
        for output in made(torch.from_numpy(x)):
            assert (output.argmax(dim=1).numpy() == y).mean() > 0.9


def test_an_interrupted_training_ends_with_the_same_numbers(tmp_path):
    x, y = pictures()
    whole, cut = model(), model()
    fit(whole, ArrayBatches(x, y, 16), RECIPE)

    class Interrupted(ArrayBatches):
        def epoch(self, number):
            if number == 2:
                raise KeyboardInterrupt
            return super().epoch(number)

    with pytest.raises(KeyboardInterrupt):
        fit(cut, Interrupted(x, y, 16), RECIPE, checkpoint=tmp_path / "kept.pt")
    resumed = model()
    fit(resumed, ArrayBatches(x, y, 16), RECIPE, checkpoint=tmp_path / "kept.pt")
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(UsageError, match="was made with"):
        fit(model(), ArrayBatches(x, y, 16), replace(RECIPE, rate=0.2), checkpoint=tmp_path / "kept.pt")


def test_slimming_uses_leading_channels_only():
    body = SmallResNet(16, 1, (4, 8), slim_shares(DIMS)).eval()
    x = torch.randn(2, 1, 8, 8)
    narrow = body(x, 0)
    assert [body(x, at).shape[1] for at in range(3)] == list(DIMS)
    with torch.no_grad():
        body.widen.inner.weight[4:] += 5
        body.blocks[0].first.inner.weight[2:] += 5
    assert torch.equal(body(x, 0), narrow)


def test_shifted_pictures_are_windows_of_the_padded_ones():
    x, y = pictures(16)
    ((moved, labels),) = ArrayBatches(x, y, 16, shift=2).epoch(0)
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)))
    windows = {
        padded[i, :, r : r + 8, c : c + 8].tobytes(): y[i] for i in range(16) for r in range(5) for c in range(5)
    }
    for picture, label in zip(moved.numpy(), labels.tolist(), strict=True):
        assert windows[np.ascontiguousarray(picture).tobytes()] == label
    ((mirrored, _),) = ArrayBatches(x, y, 16, flip=True).epoch(0)
    both = {picture.tobytes() for picture in np.concatenate([x, x[..., ::-1]])}
    assert all(np.ascontiguousarray(picture).tobytes() in both for picture in mirrored.numpy())


def test_rate_climbs_and_falls_in_lines():
    assert slope(0.1, 0.2) == pytest.approx(0.5) and slope(0.2, 0.2) == pytest.approx(1)
    assert slope(0.6, 0.2) == pytest.approx(0.5) and 0 < slope(0, 0.2) < 0.01


def test_bodies_give_embeddings_of_their_width():
    x = pictures(4, 3)[0]
    assert embed_pictures(SmallViT(8, 16, layers=1), x).shape == (4, 16)
    assert embed_pictures(Connected(3 * 64, 12), x).shape == (4, 12)
    with pytest.raises(UsageError, match="multiple of patch"):
        SmallViT(9, 16)
    with pytest.raises(UsageError, match="end with 1"):
        SmallResNet(8, shares=(0.5,))


def test_bad_recipes_and_losses_are_refused():
    x, y = pictures()
    with pytest.raises(UsageError, match="batch is 65"):
        ArrayBatches(x, y, 65)
    with pytest.raises(UsageError, match="epochs from 1"):
        Recipe(epochs=0)
    x[0] = np.nan
    with pytest.raises(DataError, match="the loss of epoch 1"):
        fit(model(), ArrayBatches(x, y, 16), RECIPE)


def test_resnet50_has_its_25_million_weights():
    count = sum(p.numel() for p in ResNet50().parameters())
    assert count == 25_557_032 - (2048 * 1000 + 1000)  # the published model without its classifier


@pytest.mark.parametrize("mixed", [False, True])
def test_resnet50_trains_on_a_folder_of_the_shape_of_imagenet(tmp_path, mixed):
    from PIL import Image

    for at, name in enumerate(("n01440764", "n01443537")):
        (tmp_path / "train" / name).mkdir(parents=True)
        for number in range(2):
            picture = Image.new("RGB", (40 + number, 50), (255 * at, 80, 90))
            picture.save(tmp_path / "train" / name / f"{number}.JPEG")
    recipe = Recipe(epochs=1, batch=2, rate=0.01, mixed=mixed)
    history = train_folder(tmp_path / "train", tmp_path / "model.pt", recipe, side=32)
    assert np.isfinite(history).all() and (tmp_path / "model.resume").exists()
    kept = torch.load(tmp_path / "model.pt", weights_only=True)
    assert kept["classes"] == ["n01440764", "n01443537"] and kept["dims"][-1] == 2048
    batches = FolderBatches(tmp_path / "train", 2, side=32)
    first, second = [torch.cat([x for x, _ in batches.epoch(0)]) for _ in range(2)]
    assert torch.equal(first, second) and first.shape == (4, 3, 32, 32)
    assert not torch.equal(first, torch.cat([x for x, _ in batches.epoch(1)]))
