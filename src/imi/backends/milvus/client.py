"""The client of Milvus: a server, or milvus-lite on a file; lost requests are sent again, errors show no secret."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from imi.backends.address import Address
from imi.errors import CollectionError, EndpointError, ImiError, MissingExtra

Result = TypeVar("Result")
_PATIENCE = 20
_UNREACHABLE = 2  # the client's own number for a server that is not there


class MilvusConnection:
    """One client, and how to call it."""

    def __init__(self, address: Address) -> None:
        """Connect.

        Raises:
            EndpointError: the server cannot be reached. MissingExtra: a file was named without milvus-lite.
        """
        self._address = address
        self._patience = address.number("patience", _PATIENCE)
        if address.local and find_spec("milvus_lite") is None:
            raise MissingExtra("milvus-lite", "milvus")
        try:
            self.raw: Any = MilvusClient(**self._arguments())
        except MilvusException as failed:
            raise self._error_of(failed) from None

    def _arguments(self) -> dict[str, Any]:
        address = self._address
        if address.local:
            return {"uri": address.place}
        parts = urlsplit(address.url)
        scheme = "https" if address.choice("tls", ("0", "1")) == "1" else "http"
        token = address.options.get("token", "")
        if not token and parts.username:
            token = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        port = "" if address.place.rpartition(":")[2].isdigit() else ":19530"
        return {"uri": f"{scheme}://{address.place}{port}", "token": token, "db_name": parts.path.strip("/")}

    def call(self, request: Callable[[Any], Result]) -> Result:
        """Send a request, again while the server is lost.

        Raises:
            EndpointError: it did not come back in time. CollectionError: it refused.
        """
        stop, pause = time.monotonic() + self._patience, 0.1
        while True:
            try:
                return request(self.raw)
            except MilvusException as failed:
                if failed.code != _UNREACHABLE or time.monotonic() + pause > stop:
                    raise self._error_of(failed) from None
                time.sleep(pause)
                pause = min(2 * pause, 2.0)

    def _error_of(self, error: MilvusException) -> ImiError:
        said = self._address.scrub(error.message)
        if error.code == _UNREACHABLE:
            hint = "start the server and run the same again: what was written is there, and is not written twice"
            return EndpointError(f"{self._address.shown} cannot be reached: {said}", hint=hint)
        return CollectionError(f"{self._address.shown}: {said}", hint="the server's log says more")
