import numpy as np
import pytest
from tests.drawn import noise
from tests.needs import needs

pytestmark = needs("torch", "onnx")


def setup_module():
    global torch
    global onnxruntime
    global graph, head, pack, words
    global CIFAR, CLOTHING, OTHER_NAMES, clothing, drawings, on_white
    global Class
    global MovedPictures
    import onnxruntime
    import torch
    from recipes.pictures import graph, head, pack, words
    from recipes.pictures.data import CIFAR, CLOTHING, OTHER_NAMES, clothing, drawings, on_white
    from recipes.pictures.source import Class
    from recipes.pictures.views import MovedPictures


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
        assert x.shape == (3, 3, 48, 48) and x.dtype == torch.uint8 and torch.equal(x, x2) and torch.equal(y, y2)
    assert not torch.equal(first[0][0], other[0][0])


def test_a_plain_pass_has_every_picture_once_on_white():
    plain = list(batches(size=64).plain())
    x, y = torch.cat([one for one, _ in plain]), torch.cat([one for _, one in plain])
    assert y.tolist() == [0, 1, 2, 3, 0, 1]
    np.testing.assert_array_equal(x[0].permute(1, 2, 0).numpy(), noise(64, 64, 0))
    assert (x[3:, :, :16] == 255).all(), "what is clear is white"


def tiny(random):
    """Return the weights of a network of three blocks, the last of them with a way around."""
    tensors = {"_conv_stem.weight": random.normal(size=(4, 3, 3, 3))}
    shapes = [(4, 6, 6, 1), (6, 8, 24, 2), (8, 8, 32, 1)]
    norms = {"_bn0": 4, "_bn1": 10}
    for at, (inside, out, wide, _) in enumerate(shapes):
        own = f"_blocks.{at}"
        if at:
            tensors[f"{own}._expand_conv.weight"] = random.normal(size=(wide, inside, 1, 1))
            norms[f"{own}._bn0"] = wide
        wide = wide if at else inside
        tensors[f"{own}._depthwise_conv.weight"] = random.normal(size=(wide, 1, 3, 3))
        tensors[f"{own}._project_conv.weight"] = random.normal(size=(out, wide, 1, 1))
        norms |= {f"{own}._bn1": wide, f"{own}._bn2": out}
    tensors["_conv_head.weight"] = random.normal(size=(10, 8, 1, 1))
    for name, width in norms.items():
        tensors |= {f"{name}.weight": random.uniform(0.5, 1.5, width), f"{name}.bias": random.normal(size=width)}
        tensors |= {
            f"{name}.running_mean": random.normal(size=width),
            f"{name}.running_var": random.uniform(1, 2, width),
        }
    return {name: np.asarray(value, np.float32) for name, value in tensors.items()}


def test_the_graph_is_what_torch_makes_of_the_same_weights():
    functional = torch.nn.functional
    tensors = tiny(np.random.default_rng(0))
    t = {name: torch.from_numpy(value) for name, value in tensors.items()}

    def convolved(x, conv, norm, stride=1, groups=1):
        weight = t[f"{conv}.weight"]
        side = weight.shape[-1]
        # As TensorFlow pads: what is over goes behind.
        over = max((-(-x.shape[-1] // stride) - 1) * stride + side - x.shape[-1], 0)
        x = functional.pad(x, (over // 2, over - over // 2) * 2)
        x = functional.conv2d(x, weight, stride=stride, groups=groups)
        stats = [t[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return functional.batch_norm(x, *stats, eps=graph.EPSILON)

    pixels = np.stack([noise(16, 16, seed) for seed in range(3)])
    x = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - graph.MEAN) / graph.SPREAD
    x = convolved(x, "_conv_stem", "_bn0", stride=2).clamp(0, 6)
    for at, stride in enumerate((1, 2, 1)):
        own, before = f"_blocks.{at}", x
        if at:
            x = convolved(x, f"{own}._expand_conv", f"{own}._bn0").clamp(0, 6)
        x = convolved(x, f"{own}._depthwise_conv", f"{own}._bn1", stride, len(x[0])).clamp(0, 6)
        x = convolved(x, f"{own}._project_conv", f"{own}._bn2") + (before if at == 2 else 0)
    wanted = convolved(x, "_conv_head", "_bn1").clamp(0, 6).mean(dim=(2, 3)).numpy()
    model = graph.network(tensors, 16)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"pictures": pixels})
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.995, "weights of eight bits cost a little"


def test_learnt_kinds_win_where_they_speak_and_photos_elsewhere():
    random = np.random.default_rng(0)
    photos = random.normal(size=(32, 5)).astype(np.float32), np.zeros(5, np.float32)
    centres = random.normal(size=(3, 32)).astype(np.float32) * 2
    labels = np.repeat(np.arange(3), 100)
    features = (centres[labels] + random.normal(size=(300, 32)) * 0.3).astype(np.float32)
    weight, bias = head.learn(head.Seen(features, labels), photos, 3, head.Recipe(epochs=20, batch=30, rate=0.05))
    logits = np.concatenate([features @ photos[0] + photos[1], features @ weight + bias], axis=1)
    assert np.mean(logits.argmax(axis=1) == labels + 5) > 0.99


def test_likeness_is_the_directions_in_which_kinds_differ():
    weight = np.zeros((4, 6), np.float32)
    weight[2] = [3, -3, 3, -3, 3, -3]
    weight[0] = [1, 1, -1, -1, 0, 0]
    weight[1] = 7  # the same for every kind: tells none apart
    directions = pack.likeness_of(weight, 2)
    assert directions.shape == (4, 2)
    assert abs(directions[2, 0]) > 0.99 and abs(directions[0, 1]) > 0.99 and np.abs(directions[1]).max() < 1e-4


@pytest.fixture(scope="module")
def dictionary(shared_data):
    return words.Dictionary(shared_data)


@pytest.mark.nightly
def test_a_tabby_is_a_cat_more_than_a_feline_and_a_hartebeest_may_be_a_deer(dictionary):
    classes = [
        Class(("tabby cat", "tabby"), "02123045-n"),
        Class(("Siamese cat", "Siamese"), "02123597-n"),
        Class(("hartebeest",), "02422106-n"),
        Class(("moving van",), "03796401-n"),
        *(Class((name,), "00000000-n") for name in ("beagle", "poodle", "goldfish", "pizza", "teapot", "daisy")),
    ]
    tabby, _, hartebeest, van, *_ = words.photo_kinds(dictionary, classes)
    weights = {level.english[0]: level.weight for level in tabby.levels}
    assert tabby.english == "tabby cat" and tabby.japanese == "トラネコ"
    assert weights["cat"] > 2 * weights.get("animal", 0)
    assert next(level for level in tabby.levels if level.english[0] == "cat").japanese[0] == "猫"
    assert any("deer" in level.english and "鹿" in level.japanese for level in hartebeest.near)
    assert not any("truck" in level.english for level in van.near), "what it is is not near it"
    assert any("truck" in level.english and "トラック" in level.japanese for level in van.levels)


@pytest.mark.nightly
def test_japanese_words_are_those_that_sentences_have_for_the_english_ones(dictionary):
    assert dictionary.japanese(["dog"])[0] == "犬" and "ワンコ" not in dictionary.japanese(["dog"])
    assert dictionary.japanese(["ship"])[0] == "船"
    assert dictionary.japanese(["frog"])[0] == "カエル", "a frog for flowers, 剣山, is in the dictionary as well"
    assert dictionary.japanese(["qwertz"]) == ()


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
    assert set(OTHER_NAMES) == set(CLOTHING)
