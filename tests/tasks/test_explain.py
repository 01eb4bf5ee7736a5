import json

import numpy as np
import pytest

import imi
from imi.errors import DataError
from imi.tasks.explain import Explaining, characters, explain


@pytest.fixture(scope="module")
def model():
    try:
        return imi.load("built-in")
    except DataError:
        pytest.skip("the built-in model has not been trained in this clone (make model)")


def test_characters_as_on_the_slides():
    cat, neko = characters("cat"), characters("猫")[0]
    assert " ".join(one.utf8 for one in cat) == "63 61 74"
    assert (neko.code, neko.utf8, neko.name) == ("U+732B", "e7 8c ab", "cjk unified ideograph-732b")


def test_a_model_that_shows_no_tokens_still_shows_the_rest(embedder):
    found = explain(embedder, "🐱", "cat")
    assert found.parameters is None and not found.readings[0].tokens
    assert found.readings[0].bytes == 4 and len(found.readings[1].vector) == 64
    told = json.loads(json.dumps(found.to_dict()))
    assert told["other"]["text"] == "cat" and told["cosine"] == found.cosine


def test_shares_and_rows_are_those_of_the_model(model):
    assert isinstance(model, Explaining)
    one = explain(model, "The cat sleeps.", first=model.info.width)
    tokens = one.readings[0].tokens
    assert len(tokens) > 1 and sum(token.share for token in tokens) == pytest.approx(1, abs=1e-4)
    assert [token.weight for token in tokens] == pytest.approx(
        [np.linalg.norm(token.row) for token in tokens], rel=1e-4
    )
    assert one.parameters == model.vocabulary * model.info.width
    two = explain(model, "The cat sleeps.", "猫が寝ています")
    assert sum(token.share for token in two.readings[0].tokens) == pytest.approx(two.cosine_of_sums, abs=1e-4)
    assert two.cosine == pytest.approx(imi.similarity("The cat sleeps.", "猫が寝ています"), abs=1e-5)
