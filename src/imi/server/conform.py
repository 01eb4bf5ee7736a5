"""The embeddings contract as a list of checks that can be asked of any OpenAI-compatible endpoint."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from imi.errors import EndpointError, UsageError

Floats = NDArray[np.float32]
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


class Endpoint:
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
            raise UsageError(f"{url!r} is no URL", hint="imi conform http://localhost:8000/v1")
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


def conform(url: str, model: str | None = None, key: str | None = None) -> Iterator[Checked]:
    """Yield each check of the contract as it is done.

    Raises:
        EndpointError: nothing answers at the URL.
    """
    from imi.server.checks import CHECKS

    endpoint = Endpoint(url, model, key)
    try:
        with endpoint.http:
            endpoint.http.get(f"{endpoint.base}/models")
            for check in CHECKS:
                yield _run(check, endpoint)
    except (httpx.ConnectError, httpx.InvalidURL) as nobody:
        raise EndpointError(
            f"nothing answers at {endpoint.base}: {nobody}", hint="imi serve starts a server"
        ) from nobody


def _run(check: Callable[[Endpoint], str], endpoint: Endpoint) -> Checked:
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
        raise Broken(f"{response.status_code} with no JSON: {response.text[:80]!r}") from None


def _decoded(value: Any) -> list[float]:
    if isinstance(value, str):
        try:
            return [float(number) for number in np.frombuffer(base64.b64decode(value, validate=True), "<f4")]
        except ValueError as wrong:
            raise Broken(f"no base64 of float32: {wrong}") from None
    if isinstance(value, list) and value and all(type(number) in (int, float) for number in value):
        return value
    raise Broken("an embedding is neither numbers nor base64")
