"""Long replies are written a part at a time, and say the same as those that are written at once."""

import json

import numpy as np
import pytest

from imi.server.http import responses
from imi.server.http.responses import in_parts, to_json

LONG = responses._PART * 3 + 7
VALUES = [
    None,
    "é\ud83c",
    {},
    [],
    [[]],
    {"a": []},
    {"a": float("nan"), "b": (1, 2), "": {"x": [None]}},
    {1: 2},
    {f"k{at}": [at] for at in range(LONG)},
    {"rows": [{"id": str(at), "n": at / 3} for at in range(LONG)], "of": LONG},
    {"rows": {"ids": list(range(LONG)), "columns": {"a": ["x"] * LONG, "b": [None] * LONG}}},
    [list(range(LONG)) for _ in range(3)],
    {"plane": np.arange(6.0).reshape(3, 2)},
    {"many": {at: at for at in range(LONG)}},
]


@pytest.mark.parametrize("value", VALUES)
def test_parts_say_what_the_whole_says(value):
    assert json.loads(in_parts(value)) == json.loads(to_json(value))


def test_no_part_is_long(monkeypatch):
    sizes = []
    real = responses.to_json
    monkeypatch.setattr(
        responses, "to_json", lambda one: sizes.append(len(one) if hasattr(one, "__len__") else 1) or real(one)
    )
    in_parts(
        {
            "ids": [str(at) for at in range(LONG)],
            "columns": {"n": list(range(LONG))},
            "labels": dict.fromkeys(map(str, range(LONG)), 1),
        }
    )
    assert max(sizes) <= responses._PART
