"""The embeddings contract as a list of checks that can be asked of any OpenAI-compatible endpoint."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import httpx
import numpy as np

from imi.errors import EndpointError, UsageError
from imi.types import Floats

NEAR = 1e-3
"""How far two vectors of one text may be apart: OpenAI's own differ by less from call to call."""
TOKENS = [15339, 1917]
"""The text "hello world" in cl100k."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One check: what the contract says, whether it was kept, and what was seen."""

    check: str
    ok: bool
    detail: str

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return asdict(self)


class Broken(Exception):
    """What an endpoint did instead of what the contract says."""


class ContractClient:
    """Asks one endpoint and insists on the shapes of replies and errors."""

    def __init__(self, url: str, model: str | None, key: str | None, timeout: float = 60.0) -> None:
        """Set up.

        Args:
            url: the base, with or without /v1.
            model: what to ask for; None for the first that is listed.
            key: a bearer key; None sends none.
            timeout: seconds for each reply.

        Raises:
            UsageError: the URL is none.
        """
        url = url.rstrip("/")
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"{url!r} is not a URL", hint="imi conform http://localhost:8000/v1")
        self.base = url if url.endswith("/v1") else f"{url}/v1"
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self.http = httpx.Client(headers=headers, timeout=timeout)
        self.keyed = key is not None
        self._model = model

    @property
    def model(self) -> str:
        """The model that is asked for."""
        if self._model is None:
            listed = self.good(self.http.get(f"{self.base}/models")).get("data") or [{}]
            self._model = str(listed[0].get("id"))
        return self._model

    def ask(self, **body: Any) -> httpx.Response:
        """Post an embeddings request."""
        return self.http.post(f"{self.base}/embeddings", json={"model": self.model} | body)

    def good(self, response: httpx.Response) -> dict[str, Any]:
        """Return the JSON object of a 200."""
        if response.status_code != 200:
            raise Broken(f"{response.status_code}: {response.text[:160]}")
        value = _json(response)
        if not isinstance(value, dict):
            raise Broken(f"no object: {response.text[:80]}")
        return value

    def vectors(self, **body: Any) -> Floats:
        """Return the vectors of a request, by their index."""
        data = self.good(self.ask(**body)).get("data")
        if not isinstance(data, list) or not data:
            raise Broken("the reply has no data")
        if [one.get("index") for one in data] != list(range(len(data))):
            raise Broken(f"indices {[one.get('index') for one in data][:5]}")
        rows = [_decoded(one.get("embedding")) for one in data]
        if len({len(row) for row in rows}) != 1:
            raise Broken("vectors of different widths")
        z = np.array(rows, dtype=np.float32)
        if not np.isfinite(z).all() or not z.any(axis=1).all():
            raise Broken("a vector is all zeros or not finite")
        return z

    def refused(self, response: httpx.Response, *statuses: int) -> str:
        """Insist on a refusal in OpenAI's shape and return what it says."""
        if response.status_code not in statuses:
            raise Broken(f"answered {response.status_code}, not {' or '.join(map(str, statuses))}")
        value = _json(response)
        error = value.get("error") if isinstance(value, dict) else None
        if not isinstance(error, dict):
            raise Broken(f"no object under 'error': {response.text[:120]}")
        missing = {"message", "type", "param", "code"} - set(error)
        if missing:
            raise Broken(f"the error lacks {', '.join(sorted(missing))}")
        if not isinstance(error["message"], str) or not error["message"]:
            raise Broken("the error has no message")
        return f"{response.status_code}: {error['message'][:100]}"


TEXT = "hello world"


def models_listed(at: ContractClient) -> str:
    """GET /v1/models lists models with id, object, created, owned_by."""
    value = at.good(at.http.get(f"{at.base}/models"))
    data = value.get("data")
    if value.get("object") != "list" or not isinstance(data, list) or not data:
        raise Broken(f"object is {value.get('object')!r}, {len(data or [])} models")
    for one in data:
        missing = {"id", "object", "created", "owned_by"} - set(one)
        if missing or one["object"] != "model" or not isinstance(one["created"], int):
            raise Broken(f"{one.get('id')} lacks or misstates {', '.join(sorted(missing)) or 'object or created'}")
    return f"{len(data)} listed"


def model_described(at: ContractClient) -> str:
    """GET /v1/models/{id} describes one."""
    value = at.good(at.http.get(f"{at.base}/models/{at.model}"))
    if value.get("id") != at.model or value.get("object") != "model":
        raise Broken(f"id {value.get('id')!r}, object {value.get('object')!r}")
    return at.model


def model_unknown_listed(at: ContractClient) -> str:
    """GET /v1/models/{id} of an unknown model is a 404."""
    return at.refused(at.http.get(f"{at.base}/models/no-such-model"), 404)


def model_unknown(at: ContractClient) -> str:
    """An unknown model is a 404 and not answered by another."""
    return at.refused(at.http.post(f"{at.base}/embeddings", json={"model": "no-such-model", "input": TEXT}), 404)


def shape(at: ContractClient) -> str:
    """A reply has object, data, model and usage, each item object, index and embedding."""
    value = at.good(at.ask(input=TEXT))
    usage = value.get("usage")
    if value.get("object") != "list" or not isinstance(value.get("model"), str) or not isinstance(usage, dict):
        raise Broken(f"keys {sorted(value)}")
    item = value["data"][0]
    if item.get("object") != "embedding" or item.get("index") != 0 or "embedding" not in item:
        raise Broken(f"an item has {sorted(item)}")
    return f"answered by {value['model']}"


def floats_by_default(at: ContractClient) -> str:
    """Without encoding_format the vectors are numbers."""
    if not isinstance(at.good(at.ask(input=TEXT))["data"][0]["embedding"], list):
        raise Broken("no list of numbers")
    return f"{at.vectors(input=TEXT).shape[1]} dimensions"


def base64_asked(at: ContractClient) -> str:
    """encoding_format base64 gives little-endian float32 in base64, the same vector."""
    item = at.good(at.ask(input=TEXT, encoding_format="base64"))["data"][0]["embedding"]
    if not isinstance(item, str):
        raise Broken("numbers came although base64 was asked for")
    return _same(at.vectors(input=TEXT, encoding_format="base64"), at.vectors(input=TEXT, encoding_format="float"))


def unit_length(at: ContractClient) -> str:
    """Vectors have length one."""
    return _unit(at.vectors(input=[TEXT, "猫", "a longer text about cats and dogs"]))


def order(at: ContractClient) -> str:
    """Many inputs are answered in their order, each as if it came alone."""
    texts = ["cat", "a far longer text about the weather in Kyoto", "猫", "🐱", "dog"]
    return _same(at.vectors(input=texts), np.concatenate([at.vectors(input=text) for text in texts]))


def repeatable(at: ContractClient) -> str:
    """The same text gives the same vector again."""
    return _same(at.vectors(input=TEXT), at.vectors(input=TEXT))


def any_text(at: ContractClient) -> str:
    """Japanese, emoji, line breaks and a single space are texts."""
    z = at.vectors(input=["吾輩は猫である。", "👩‍👩‍👧‍👦", "a\nb\tc", " "])
    return f"{len(z)} vectors"


def shorter(at: ContractClient) -> str:
    """The parameter dimensions gives a shorter vector of length one, or a 400 where the model cannot."""
    full = at.vectors(input=TEXT)
    asked = max(1, full.shape[1] // 4)
    response = at.ask(input=TEXT, dimensions=asked)
    if response.status_code == 400:
        return at.refused(response, 400)
    z = at.vectors(input=TEXT, dimensions=asked)
    if z.shape[1] != asked:
        raise Broken(f"{z.shape[1]} dimensions came where {asked} were asked for")
    return f"{asked} of {full.shape[1]}, {_unit(z)}"


def shorter_base64(at: ContractClient) -> str:
    """The parameters dimensions and encoding_format go together."""
    asked = max(1, at.vectors(input=TEXT).shape[1] // 4)
    response = at.ask(input=TEXT, dimensions=asked, encoding_format="base64")
    if response.status_code == 400:
        return at.refused(response, 400)
    return _same(
        at.vectors(input=TEXT, dimensions=asked, encoding_format="base64"), at.vectors(input=TEXT, dimensions=asked)
    )


def too_wide(at: ContractClient) -> str:
    """More dimensions than the model has are refused."""
    return at.refused(at.ask(input=TEXT, dimensions=at.vectors(input=TEXT).shape[1] + 1), 400)


def no_dimensions(at: ContractClient) -> str:
    """The value 0 of dimensions is refused."""
    return at.refused(at.ask(input=TEXT, dimensions=0), 400, 422)


def token_ids(at: ContractClient) -> str:
    """A list of token ids is the text that it stands for."""
    return _same(at.vectors(input=TOKENS), at.vectors(input=TEXT))


def token_lists(at: ContractClient) -> str:
    """Lists of token ids are as many texts."""
    return _same(at.vectors(input=[TOKENS, TOKENS[:1]]), at.vectors(input=[TEXT, "hello"]))


def usage(at: ContractClient) -> str:
    """The usage counts the tokens of all inputs."""
    counts = []
    for texts in ([TEXT], ["a quite different text"], [TEXT, "a quite different text"]):
        result = at.good(at.ask(input=texts)).get("usage") or {}
        if not isinstance(result.get("prompt_tokens"), int) or result.get("total_tokens") != result["prompt_tokens"]:
            raise Broken(f"usage is {result}")
        counts.append(result["prompt_tokens"])
    if min(counts) < 1 or counts[0] + counts[1] != counts[2]:
        raise Broken(f"{counts[0]} and {counts[1]} tokens together are {counts[2]}")
    return f"{counts[2]} tokens"


def user(at: ContractClient) -> str:
    """The parameter user is taken."""
    return _same(at.vectors(input=TEXT, user="somebody"), at.vectors(input=TEXT))


def empty_text(at: ContractClient) -> str:
    """An empty text is refused, alone and among others."""
    at.refused(at.ask(input=["a", ""]), 400, 422)
    return at.refused(at.ask(input=""), 400, 422)


def empty_list(at: ContractClient) -> str:
    """An empty list is refused."""
    return at.refused(at.ask(input=[]), 400, 422)


def no_input(at: ContractClient) -> str:
    """A request without input is refused."""
    return at.refused(at.ask(), 400, 422)


def no_model(at: ContractClient) -> str:
    """A request without model is refused."""
    return at.refused(at.http.post(f"{at.base}/embeddings", json={"input": TEXT}), 400, 422)


def wrong_types(at: ContractClient) -> str:
    """Numbers, objects and mixtures as input are refused."""
    for odd in (1.5, {"text": "a"}, ["a", 1], [[1.5]], [None]):
        said = at.refused(at.ask(input=odd), 400, 422)
    return said


def wrong_format(at: ContractClient) -> str:
    """An unknown encoding_format is refused."""
    return at.refused(at.ask(input=TEXT, encoding_format="hex"), 400, 422)


def unknown_parameter(at: ContractClient) -> str:
    """An unknown parameter is refused."""
    return at.refused(at.ask(input=TEXT, no_such_parameter=1), 400, 422)


def too_many(at: ContractClient) -> str:
    """More than 2048 inputs are refused."""
    return at.refused(at.ask(input=["a"] * 2049), 400, 413, 422)


def too_long(at: ContractClient) -> str:
    """A text of more than 8192 tokens is refused, not cut without a word."""
    return at.refused(at.ask(input="AGI " * 5000), 400, 413)


def too_long_together(at: ContractClient) -> str:
    """More than 300,000 tokens in one request are refused."""
    return at.refused(at.ask(input=["AGI " * 4000] * 45), 400, 413)


def no_json(at: ContractClient) -> str:
    """A body that is not JSON is refused."""
    headers = {"content-type": "application/json"}
    return at.refused(at.http.post(f"{at.base}/embeddings", content=b'{"model":', headers=headers), 400, 422)


def wrong_method(at: ContractClient) -> str:
    """GET on /v1/embeddings is refused with 404 or 405."""
    return at.refused(at.http.get(f"{at.base}/embeddings"), 404, 405)


def wrong_path(at: ContractClient) -> str:
    """An unknown path is a 404 in the same shape."""
    return at.refused(at.http.get(f"{at.base}/no-such-path"), 404)


def request_id(at: ContractClient) -> str:
    """Every reply has an x-request-id."""
    for response in (at.ask(input=TEXT), at.ask(input="")):
        if not response.headers.get("x-request-id"):
            raise Broken(f"none with the {response.status_code}")
    return "with replies and refusals"


def wrong_key(at: ContractClient) -> str:
    """Without the key, and with a wrong one, the answer is 401 (asked only with --key)."""
    if not at.keyed:
        return "not asked: no --key was given"
    body = {"model": at.model, "input": TEXT}
    for key in ("", "Bearer wrong"):
        said = at.refused(at.http.post(f"{at.base}/embeddings", json=body, headers={"authorization": key}), 401)
    return said


CHECKS = (
    models_listed, model_described, model_unknown_listed, model_unknown, shape, floats_by_default, base64_asked,
    unit_length, order, repeatable, any_text, shorter, shorter_base64, too_wide, no_dimensions, token_ids, token_lists,
    usage, user, empty_text, empty_list, no_input, no_model, wrong_types, wrong_format, unknown_parameter, too_many,
    too_long, too_long_together, no_json, wrong_method, wrong_path, request_id, wrong_key,
)  # fmt: skip


def _same(a: Floats, b: Floats) -> str:
    if a.shape != b.shape:
        raise Broken(f"shapes {a.shape} and {b.shape}")
    apart = float(np.abs(a - b).max())
    if apart > NEAR:
        raise Broken(f"the vectors differ by up to {apart:.3f}")
    return f"within {apart:.0e}" if apart else "identical"


def _unit(z: Floats) -> str:
    lengths = np.linalg.norm(z, axis=1)
    if float(np.abs(lengths - 1).max()) > NEAR:
        raise Broken(f"lengths from {lengths.min():.3f} to {lengths.max():.3f}")
    return f"length {lengths.mean():.4f}"


def conform(url: str, model: str | None = None, key: str | None = None) -> Iterator[Checked]:
    """Yield each check of the contract as it is done.

    Raises:
        EndpointError: nothing answers at the URL.
    """
    endpoint = ContractClient(url, model, key)
    try:
        with endpoint.http:
            endpoint.http.get(f"{endpoint.base}/models")
            for check in CHECKS:
                yield _run(check, endpoint)
    except (httpx.ConnectError, httpx.InvalidURL) as nobody:
        raise EndpointError(
            f"nothing answers at {endpoint.base}: {nobody}", hint="imi serve starts a server"
        ) from nobody


def _run(check: Callable[[ContractClient], str], endpoint: ContractClient) -> Checked:
    what = (check.__doc__ or check.__name__).strip().rstrip(".")
    try:
        return Checked(what, True, check(endpoint))
    except Broken as broken:
        return Checked(what, False, str(broken))
    except httpx.TimeoutException:
        return Checked(what, False, "no reply in time")
    except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as cut:
        return Checked(what, False, f"the connection broke: {type(cut).__name__}")


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except json.JSONDecodeError:
        raise Broken(f"{response.status_code} without JSON: {response.text[:80]!r}") from None


def _decoded(value: Any) -> list[float]:
    if isinstance(value, str):
        try:
            return [float(number) for number in np.frombuffer(base64.b64decode(value, validate=True), "<f4")]
        except ValueError as wrong:
            raise Broken(f"no base64 of float32: {wrong}") from None
    if isinstance(value, list) and value and all(type(number) in (int, float) for number in value):
        return value
    raise Broken("an embedding is neither numbers nor base64")
