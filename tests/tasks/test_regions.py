"""The regions of a map: places, names that set them apart, and none where there is nothing to say."""

import numpy as np

from imi.tasks.regions import regions

KINDS = ("green tea leaves", "train to the station", "古い寺の庭")


def made(n=180):
    rng = np.random.default_rng(0)
    kind = np.arange(n) % 3
    middles = np.array([[0, 0], [50, 0], [0, 50]])
    return (middles[kind] + rng.normal(size=(n, 2))).astype(np.float32), [KINDS[one] for one in kind], kind


def test_each_region_is_named_by_its_own_words():
    points, texts, kind = made()
    found = regions(points, texts)
    assert {one.level for one in found.named} >= {0}
    for one in found.named:
        nearest = int(((points - [one.x, one.y]) ** 2).sum(axis=1).argmin())
        assert set(one.name.split(" · ")) <= set(KINDS[kind[nearest]].split()) | {"古い", "寺", "庭"}
    told = found.to_dict()
    coarse = [one[2] for one in told["named"] if one[4] == 0]
    assert len(told["of"]) == len(points) and set(told["of"]) - {-1} <= set(range(len(coarse)))


def test_the_same_map_has_the_same_regions():
    points, texts, _ = made()
    assert regions(points, texts) == regions(points, texts)


def test_few_points_points_in_one_place_and_points_without_words():
    points, texts, _ = made(12)
    assert regions(points, texts).named == ()
    assert regions(np.zeros((90, 2), np.float32), ["tea"] * 90).of
    assert regions(made()[0], [""] * 180).named == ()
