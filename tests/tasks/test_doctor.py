"""The doctor finds each planted fault and is quiet about sound vectors; models are compared on their own scales."""

from dataclasses import replace

import numpy as np
import pytest

from imi import tasks
from imi.errors import UsageError
from imi.records import Document
from imi.tasks.compare import unrelated_texts
from imi.tasks.geometry import effective_rank, neighbour_overlap
from imi.vectors import normalize, truncate


@pytest.fixture(scope="module")
def sound():
    """Return 400 unit rows of width 64 whose first numbers carry most."""
    rng = np.random.default_rng(5)
    return normalize(rng.normal(size=(400, 64)) / np.sqrt(1 + np.arange(64)))


def test_sound_vectors_are_healthy(sound):
    result = tasks.doctor(sound, [f"text {row}" for row in range(400)], width=64)
    assert result.healthy, result.to_dict()
    assert result["matryoshka"].level == "ok"
    assert set(result.to_dict()["findings"][0]) == {"check", "level", "value", "meaning", "remedy"}


def test_the_least_score_leaves_what_fits_and_little_else(tmp_path, data):
    import imi
    from imi.errors import DataError

    try:
        model = imi.load("built-in")
    except DataError:
        pytest.skip("the built-in model has not been trained in this clone (make model)")
    with imi.open(tmp_path / "reviews.imi", model=model) as reviews:
        reviews.add_files([data / "reviews.csv"])
        finding = tasks.doctor(reviews)["min_score"]
        assert f"{finding.value:.2f}" in finding.remedy and "--mode meaning" in finding.remedy
        for question in ("Which beans are good?", "delicious coffee", "What went wrong with the delivery?"):
            assert reviews.search(question, mode="meaning", min_score=finding.value), question
        strangers = ("quantum field theory", "特許の出願", "a symphony in four movements", "tax return", "円周率")
        found = [bool(reviews.search(one, mode="meaning", min_score=finding.value)) for one in strangers]
        assert sum(found) <= 3, dict(zip(strangers, found, strict=True))


def test_no_text_is_sent_to_a_remote_model_to_draw_a_score(tmp_path, data, monkeypatch):
    import imi

    with imi.open(tmp_path / "reviews.imi", model="hash") as reviews:
        reviews.add_files([data / "reviews.csv"])
        assert tasks.doctor(reviews)["min_score"].value >= 0
        far = replace(reviews.model.info, weights="remote")
        monkeypatch.setattr(type(reviews.model), "info", far)
        with pytest.raises(UsageError, match="no finding 'min_score'"):
            tasks.doctor(reviews)["min_score"]


def spoiled(z, what):
    z = z.copy()
    if what == "nan":
        z[3, 4] = np.nan
    elif what == "zero":
        z[7] = 0
    elif what == "unit":
        z = z[:, :48]
    elif what == "duplicates":
        z[:50] = z[100]
    elif what == "constant dimensions":
        z[:, 5] = 0
    elif what == "anisotropy":
        z = normalize(z + 0.5)
    elif what == "effective rank":
        z = normalize(z @ np.diag([1.0, 1] + [1e-3] * 62).astype(np.float32))
    return z


@pytest.mark.parametrize(
    ("what", "level"),
    [
        ("nan", "error"),
        ("zero", "error"),
        ("unit", "error"),
        ("duplicates", "warning"),
        ("constant dimensions", "warning"),
        ("anisotropy", "warning"),
        ("effective rank", "warning"),
    ],
)
def test_each_fault_is_found(sound, what, level):
    found = tasks.doctor(spoiled(sound, what))[what]
    assert found.level == level and found.remedy


def test_cut_is_told_from_never_normalised(sound):
    assert "cut" in tasks.doctor(sound[:, :32], width=64)["unit"].meaning
    assert "cut" not in tasks.doctor(sound * np.linspace(0.5, 7, 400)[:, None])["unit"].meaning
    assert tasks.doctor(truncate(sound, 32), width=64)["unit"].level == "ok"


def test_a_quarter_of_the_width_is_the_base64_accident(sound):
    found = tasks.doctor(truncate(sound, 16), width=64)["width"]
    assert found.level == "error" and "base64" in found.meaning


def test_vectors_that_are_not_matryoshka_are_said_to_be_so(sound):
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(64, 64)))[0]
    assert tasks.doctor(normalize(sound @ turn))["matryoshka"].level == "info"


def test_texts_are_examined(sound, embedder):
    texts = ["same"] * 20 + ["", " "] + [f"text {row}" for row in range(378)]
    result = tasks.doctor(sound, texts)
    assert result["empty texts"].value == 2 and result["repeated texts"].value == 19
    assert tasks.doctor(sound, ["x" * 30_000, *texts[1:]])["long texts"].level == "warning"
    with pytest.raises(UsageError, match="1 texts for 400"):
        tasks.doctor(sound, ["a"])
    with pytest.raises(UsageError, match="not a table"):
        tasks.doctor([["a"]])


def test_related_is_drawn_from_random_pairs(sound):
    threshold = tasks.doctor(sound)["related"].value
    full = (sound @ sound.T)[np.triu_indices(400, 1)]
    assert (full > threshold).mean() == pytest.approx(0.001, abs=0.0005)


def test_effective_rank_and_overlap(sound):
    assert effective_rank(np.random.default_rng(0).normal(size=(4000, 16)).astype(np.float32)) == pytest.approx(
        16, abs=0.2
    )
    assert neighbour_overlap(sound, sound) == 1


def test_a_collection_is_examined_with_its_width(tmp_path, embedder):
    import imi

    with imi.open(tmp_path / "c.imi", model=embedder) as collection:
        collection.add([Document(str(row), f"text number {row}") for row in range(60)])
        result = tasks.doctor(collection)
    assert result["width"].level == "ok" and result["empty texts"].value == 0


def test_models_are_compared_on_their_own_scales(embedder, tmp_path):
    result = tasks.compare({"a": embedder, "b": embedder}, [("cat", "cat"), ("cat", "tax return")])
    value = result.to_dict()
    assert value["pairs"] == [["cat", "cat"], ["cat", "tax return"]]
    assert value["models"]["a"]["cosine"][0] == pytest.approx(1, abs=1e-5)
    z = embedder.embed(unrelated_texts()).astype(np.float64)
    cosines = (z @ z.T)[np.triu_indices(len(z), 1)]
    assert value["models"]["b"]["z"][0] == pytest.approx((1 - cosines.mean()) / cosines.std(), rel=1e-3)
    result.figure(tmp_path / "c.png")
    assert len(tasks.compare({"a": embedder}).pairs) == 6
    for models, pairs in (({}, None), ({"a": embedder}, []), ({"a": embedder}, ["ab"])):
        with pytest.raises(UsageError):
            tasks.compare(models, pairs)
