import json

import pytest

from imi.errors import UsageError
from imi.evaluate import report
from imi.evaluate.datasets import Labelled, Questions, Similarity, Translations
from imi.evaluate.run import measure

SETS = [
    Similarity("s", [("a cat", "cats"), ("dog", "car"), ("猫", "猫だ")], [4, 0, 5]),
    Translations("t", [("cat", "the cat"), ("dog", "a dog"), ("car", "cars")]),
    Questions("q", ["猫はどこで寝ますか", "dogs that bark"], ["猫は家で寝る", "a dog barks"], [{0: 1.0}, {1: 1.0}]),
    Labelled("l", (["good", "bad"], ["+", "-"]), (["goods", "baddy"], ["+", "-"])),
]


@pytest.fixture
def results(embedder):
    return measure({"hash": embedder}, SETS, progress=lambda done, total: None)


def test_every_model_stands_beside_what_needs_none(results):
    assert set(results) == {"hash", "hash + bm25", "bm25", "char n-grams"}
    assert list(results["hash"]) == ["s", "t", "q", "l"] and list(results["hash"]["q"]) == ["64", "32", "16"]
    assert list(results["hash + bm25"]) == ["q"] and list(results["bm25"]["q"]) == ["all"]
    assert set(results["char n-grams"]) == {"s", "t"}


def test_the_json_has_the_promised_shape(results):
    plain = json.loads(json.dumps(report.to_dict(results)))
    one = plain["hash"]["q"]["16"]
    assert one["metric"] == "ndcg@10" and len(one["interval"]) == 2 and 0 <= one["value"] <= 1
    assert "also" not in plain["hash"]["s"]["64"]


def test_rows_put_models_together_set_by_set(results):
    rows = report.rows(results)
    assert [row[1] for row in rows] == sorted((row[1] for row in rows), key=["s", "t", "q", "l"].index)
    assert len(rows[0]) == len(report.COLUMNS)


def test_floors_can_be_left_out_and_dims_chosen(embedder):
    found = measure({"hash": embedder}, SETS, 8, floors=False)
    assert list(found) == ["hash"] and all(list(scores) == ["8"] for scores in found["hash"].values())


def test_the_figure_is_written(results, tmp_path):
    pytest.importorskip("matplotlib")
    report.figure(results, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="a figure cannot be written"):
        report.figure(results, tmp_path / "a.txt")
    with pytest.raises(UsageError, match="nothing to draw"):
        report.figure({}, tmp_path / "a.svg")
