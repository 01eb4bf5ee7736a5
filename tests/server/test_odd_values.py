"""No number, name or length makes a 500, whichever place it stands in, and none spoils a later reply."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

import imi
from imi.embedders.testing import HashEmbedder
from imi.server.http.responses import to_json
from imi.server.settings import Limits
from tests.server.conftest import Running

API = "/api/v1/collections"
PETS = f"{API}/pets"


class Raw(str):
    """JSON as it is written, where Python's own values cannot say it."""


def nested(depth: int, inner: str = "1") -> Raw:
    return Raw('{"a":' * depth + inner + "}" * depth)


def listed(depth: int) -> Raw:
    return Raw("[" * depth + "]" * depth)


NUMBERS = [
    0,
    -1,
    1,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63),
    -(2**63) - 1,
    2**64 - 1,
    2**64,
    2**200,
    -(2**200),
    0.5,
    -0.5,
    5e-324,
    1e308,
    -1e308,
    Raw("1e999"),
    Raw("-1e999"),
    Raw("1e-99999"),
    Raw("1E400"),
    Raw("-0"),
    Raw("-0.0"),
    Raw("9" * 400),
    Raw("9" * 5000),
    Raw("0." + "9" * 5000),
    Raw("NaN"),
    Raw("Infinity"),
    Raw("1e99999999999999999999"),
]
TEXTS = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ufeff",
    "\u202e",
    "猫" * 5000,
    "a" * 100_000,
    "“" * 100_000,
    '"' * 100_000,
    "💥",
    "*",
    "NEAR(a b)",
    '"a" ' * 20_000,
    '"' + "word " * 18_000 + '"',
    " ".join(f'"w{at}"' for at in range(9000)),
    " ".join(f"w{at}" for at in range(15_000)),
    "%00",
    "../x",
    "a/b",
    "$.x",
    '"]',
    "\\",
    "'; DROP TABLE documents; --",
    "\u0301" * 1000,
    "\ufdfa" * 3000,
    "__proto__",
    "＂",
    Raw('"\\ud800"'),
    Raw('"\\udc00\\ud800"'),
    Raw('"\\u0000"'),
]
SHAPES = [
    None,
    True,
    False,
    [],
    {},
    [[]],
    [{}],
    {"": ""},
    [None],
    [None] * 3000,
    ["a"] * 3000,
    [1, "a"],
    {"a": None},
    nested(10),
    nested(60),
    nested(200),
    nested(900),
    nested(1100),
    listed(60),
    listed(200),
    listed(1100),
    listed(100_000),
    {f"k{at}": at for at in range(3000)},
    {"a" * 50_000: 1},
    {"\x00": 1},
    {'"': 1, "\\": 2},
    Raw('{"\\ud800":1}'),
    Raw('{"a":1,"a":2}'),
]
LONG = [text for text in TEXTS if len(text) > 10_000]
ODD = [*NUMBERS, *(text for text in TEXTS if text not in LONG), *SHAPES]
FILTERS = [
    *({"n": {operator: value}} for operator in (">=", "=", "in", "contains", "!=", "like") for value in ODD),
    *({word: value} for word in ("and", "or", "not") for value in ODD),
    {"or": [{"n": at} for at in range(3000)]},
    {"and": [{"n": {">=": at}} for at in range(3000)]},
    {"n": {"in": list(range(50_000))}},
    {"n": {"in": [10**30] * 5}},
    {f"f{at}": at for at in range(2000)},
    *(Raw('{"not":' * depth + '{"n":1}' + "}" * depth) for depth in (20, 45, 49, 55)),
    *(Raw('{"and":[' * depth + '{"n":1}' + "]}" * depth) for depth in (20, 28, 30, 49)),
]

BASES: list[tuple[str, dict[str, Any]]] = [
    ("/v1/embeddings", {"model": "hash", "input": "cat", "encoding_format": "float", "dimensions": 32, "user": "u"}),
    ("/v1/embeddings", {"model": "hash", "input": ["cat", "dog"]}),
    ("/v1/embeddings", {"model": "hash", "input": [[1, 2], [3]]}),
    ("/v1/engines/hash/embeddings", {"input": "cat"}),
    ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}], "max_tokens": 5}),
    (API, {"name": "new", "model": "hash"}),
    (
        f"{PETS}/search",
        {
            "query": "text",
            "k": 3,
            "mode": "hybrid",
            "where": {"n": {">=": 1}},
            "dims": 32,
            "min_score": 0.1,
            "offset": 1,
            "facets": ["n"],
        },
    ),
    (f"{PETS}/search", {"query": "text", "mode": "text"}),
    (f"{PETS}/search", {"query": "text", "mode": "meaning"}),
    (f"{PETS}/search", {"vector": [1.0, 2.0, 3.0], "k": 3}),
    (f"{PETS}/similar", {"id": "1", "k": 3, "where": {"n": 1}, "dims": 8}),
    (f"{PETS}/look", {"query": "text", "like": None, "k": 3, "mode": "hybrid", "where": {"n": 1}, "dims": 8}),
    (f"{PETS}/look", {"like": "1"}),
    (f"{PETS}/why", {"id": "1", "query": "text", "start": 0}),
    (f"{PETS}/documents", {"documents": [{"id": "x", "text": "y", "metadata": {"n": 1}}], "on_error": "skip"}),
    (f"{PETS}/documents", {"documents": [{"id": "x", "vector": [1.0, 2.0]}]}),
    (f"{PETS}/documents/get", {"ids": ["1", "2"]}),
    (f"{PETS}/documents/delete", {"ids": ["none"], "where": None}),
    (f"{PETS}/documents/delete", {"where": {"n": {"=": -77}}}),
    (
        f"{PETS}/tasks/recommend",
        {"like": ["1"], "dislike": ["2"], "k": 2, "diversity": 0.1, "where": {"n": 1}, "dims": 8},
    ),
    (f"{PETS}/tasks/cluster", {"k": 2, "method": "kmeans", "dims": 8, "seed": 0}),
    (f"{PETS}/tasks/anomalies", {"share": 0.1, "dims": 8, "seed": 0}),
    (f"{PETS}/tasks/dedupe", {"threshold": 0.9, "dims": 8}),
    (f"{PETS}/tasks/diversity", {"subset": 3, "dims": 8, "seed": 0}),
]


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield where something stands in a body, the body itself first."""
    yield at
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*at, key))


def put(body: Any, at: tuple[Any, ...], value: Any) -> Any:
    if not at:
        return value
    body = copy.deepcopy(body)
    inner = body
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return body


def written(value: Any) -> bytes:
    """Return a body as JSON, with what is raw in it as it is."""
    if isinstance(value, Raw):
        return str(value).encode()
    if isinstance(value, dict):
        return (
            b"{" + b",".join(json.dumps(str(key)).encode() + b":" + written(one) for key, one in value.items()) + b"}"
        )
    if isinstance(value, list):
        return b"[" + b",".join(map(written, value)) + b"]"
    return json.dumps(value).encode()


@pytest.fixture(scope="module")
def target(start, tmp_path_factory) -> Running:
    folder = tmp_path_factory.mktemp("odd")
    with imi.open(folder / "pets.imi", model=HashEmbedder()) as made:
        made.add([imi.Document(str(at), f"text {at}", {"n": at, "value": 1, "many": [1]}) for at in range(12)])
    return start(collections=(str(folder / "pets.imi"),), root=folder / "made", limits=Limits(body_bytes=2_000_000))


def check(target: Running, path: str, body: bytes, kind: str = "application/json") -> None:
    response = target.http.post(path, content=body, headers={"content-type": kind})
    assert response.status_code < 500 or response.status_code == 501, (path, body[:200], response.text[:400])
    assert len(response.content) < 3_000_000 or response.status_code == 200, (path, body[:200], len(response.content))
    json.loads(response.content)


def put_everywhere(target, path, body, every: int) -> None:
    """Send a body with odd values in each place: of all of them one of so many, others in the next place."""
    for number, at in enumerate(places(body)):
        values = [*ODD, *(LONG if at and at[-1] in ("query", "input", "text", "id") else ())]
        values += FILTERS if at and at[-1] == "where" else []
        for value in values[number % every :: every]:
            check(target, path, written(put(body, at, value)))
    still_answers(target)


@pytest.mark.parametrize(("path", "body"), BASES, ids=lambda one: one if isinstance(one, str) else "")
def test_no_value_in_any_place_makes_a_500(target, path, body):
    put_everywhere(target, path, body, 8)


@pytest.mark.nightly
@pytest.mark.parametrize(("path", "body"), BASES, ids=lambda one: one if isinstance(one, str) else "")
def test_every_value_in_every_place_makes_no_500(target, path, body):
    put_everywhere(target, path, body, 1)


def test_no_name_of_a_field_makes_a_500(target):
    for path, body in BASES:
        for name in ("", "x" * 50_000, "\x00", "__proto__", "model_config", "self", "ids" * 10):
            check(target, path, written({**body, name: 1}))
        many = {f"unknown{at}": at for at in range(20_000)}
        check(target, path, written({**body, **many}))
    still_answers(target)


@pytest.mark.parametrize(("number", "value"), list(enumerate(ODD)), ids=range(len(ODD)))
def test_no_metadata_spoils_the_replies_that_show_it(target, number, value):
    line = written({"id": "odd", "text": "odd text", "metadata": {"value": value, "many": [value]}})
    check(target, f"{PETS}/documents", b'{"documents":[' + line + b"]}")
    check(target, f"{PETS}/documents/ingest?on_error=skip", line + b"\n", "application/x-ndjson")
    still_answers(target, drawn=number % 8 == 0)  # a map takes longer than all others
    target.http.request("DELETE", f"{PETS}/documents/odd")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1e9",
        "limit=" + "9" * 5000,
        "offset=-1",
        "offset=" + "9" * 30,
        "limit=%00",
        "limit=NaN",
        "limit=1&limit=x",
        "offset=%ff%fe",
    ],
)
def test_no_parameter_makes_a_500(target, query):
    assert target.http.get(f"{PETS}/documents?{query}").status_code in (200, 422)


@pytest.mark.parametrize(
    "id", ["%00", "%ff%fe", "%ed%a0%80", "a%2fb", "%2e%2e%2f", "x" * 5000, "%F0%9F%92%A5", "%22", "'"]
)
def test_no_name_in_a_path_makes_a_500(target, id):
    for method, path in (
        ("GET", f"{PETS}/documents/{id}"),
        ("DELETE", f"{PETS}/documents/{id}"),
        ("GET", f"{PETS}/thumbnails/{id}"),
        ("GET", f"{API}/{id}"),
        ("GET", f"{API}/{id}/map"),
        ("POST", f"{API}/{id}/search"),
        ("GET", f"/v1/models/{id}"),
        ("POST", f"/v1/engines/{id}/embeddings"),
        ("GET", f"/web/{id}"),
        ("GET", f"/{id}"),
    ):
        body = {"query": "a"} if path.endswith("search") else {"input": "a"}
        response = target.http.request(method, path, json=body if method == "POST" else None)
        assert response.status_code < 500, (method, path, response.text)


def still_answers(target: Running, *, drawn: bool = True) -> None:
    """Every reply that may show what is kept is there, written as JSON that any reader reads."""
    kept = {"documents": [{"id": "1", "text": "text 1", "metadata": {"n": 1, "value": 1, "many": [1]}}]}
    assert target.http.post(f"{PETS}/documents", json=kept).status_code == 200
    for method, path, body in (
        ("POST", "/search", {"query": "text", "k": 50, "facets": ["value", "many", "n"]}),
        ("POST", "/search", {"query": "odd text", "k": 50, "mode": "meaning"}),
        ("POST", "/look", {"query": "odd", "k": 50}),
        ("POST", "/look", {}),
        ("POST", "/why", {"id": "1", "query": "text"}),
        ("GET", "/documents", None),
        ("GET", "/columns", None),
        ("GET", "", None),
        *([("GET", "/map", None)] if drawn else []),
    ):
        response = target.http.request(method, PETS + path, json=body)
        assert response.status_code == 200, (path, response.text)
        json.loads(response.content, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
        response.content.decode()
    assert target.http.get(API).status_code == 200
    assert target.http.get("/metrics").status_code == 200


KEPT = [2**64, -(2**64), 10**400, 10**5000, 1e308, [2**70], {"a": {"b": [2**70]}}, "\ud800", ["a\udfff"], {"\ud83d": 1}]


@pytest.mark.parametrize(
    "value", KEPT, ids=lambda value: f"{type(value).__name__}-{str(value)[:12]!a}" if value != 10**5000 else "huge"
)
def test_what_was_kept_by_others_is_shown(start, tmp_path, value):
    """Rows that came in by another way than the server, some of which would not be taken by it."""
    with imi.open(tmp_path / "pets.imi", model=HashEmbedder()) as made:
        made.add([imi.Document(str(at), f"text {at}", {"n": at, "value": 1, "many": [1]}) for at in range(6)])
        try:
            made.add([imi.Document("odd", "odd text", {"value": value, "many": [value], "tag": "x"})])
        except (imi.errors.ImiError, ValueError):
            return  # refused where it came in, so that nobody has to show it
    served = start(collections=(str(tmp_path / "pets.imi"),))
    still_answers(served)
    shown = served.http.post(f"{PETS}/documents/get", json={"ids": ["odd"]}).json()["documents"][0]
    if isinstance(value, int) and value < 10**4000:
        assert shown["metadata"]["value"] == value


def test_json_is_written_of_everything():
    deep: Any = 1
    for _ in range(3000):
        deep = [deep]
    odd = {
        "big": 2**64,
        "huge": 10**5000,
        "nan": float("nan"),
        "lone": "a\ud800b",
        "\udfff": 1,
        "deep": deep,
        5: None,
        "text": "猫",
    }
    read = json.loads(to_json(odd))
    assert read["big"] == 2**64
    assert read["nan"] is None
    assert read["lone"] == "a\ufffdb"
    assert read["text"] == "猫"
    assert read["5"] is None
