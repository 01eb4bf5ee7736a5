"""The client of Qdrant: a server, a folder, or memory; lost requests are sent again, errors show no secret.

Every request is one that may be sent twice: points are replaced by their number, which is made from the id.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from imi.backends.address import Address
from imi.errors import CollectionError, EndpointError, ImiError, Locked

Result = TypeVar("Result")
_PATIENCE = 20


class QdrantConnection:
    """One client, and how to call it."""

    def __init__(self, address: Address) -> None:
        """Connect.

        Raises:
            EndpointError: the server cannot be reached. Locked: another process has the folder.
        """
        self._address = address
        self._patience = address.number("patience", _PATIENCE)
        # Qdrant in this process is plain Python over SQLite: threads take turns.
        self._turn: AbstractContextManager[Any] = threading.RLock() if address.local else nullcontext()
        try:
            self.raw = self._connect()
            self.raw.get_collections()
        except (ResponseHandlingException, UnexpectedResponse) as failed:
            raise self._error_of(failed) from None
        except RuntimeError as locked:
            said = address.scrub(locked)
            raise Locked(f"{address.shown}: {said}", hint="a folder serves one process; run a Qdrant server") from None

    def _connect(self) -> QdrantClient:
        address = self._address
        if address.local:
            if address.place == "memory":
                return QdrantClient(":memory:")
            return QdrantClient(path=address.place, force_disable_check_same_thread=True)
        tls = address.choice("tls", ("0", "1")) == "1"
        scheme, key = "https" if tls else "http", address.options.get("api_key")
        port = "" if address.place.rpartition(":")[2].isdigit() else ":6333"
        return QdrantClient(url=f"{scheme}://{address.place}{port}", api_key=key, timeout=60, check_compatibility=False)

    def call(self, request: Callable[[QdrantClient], Result]) -> Result:
        """Send a request, again while the server is lost.

        Raises:
            EndpointError: it did not come back in time. CollectionError: it refused.
        """
        stop, pause = time.monotonic() + self._patience, 0.1
        while True:
            try:
                with self._turn:
                    return request(self.raw)
            except (ResponseHandlingException, UnexpectedResponse) as failed:
                passing = isinstance(failed, ResponseHandlingException) or (failed.status_code or 0) in (429, 502, 503)
                if not passing or time.monotonic() + pause > stop:
                    raise self._error_of(failed) from None
                time.sleep(pause)
                pause = min(2 * pause, 2.0)
            except ValueError as refused:
                raise CollectionError(f"{self._address.shown}: {self._address.scrub(refused)}") from None

    def _error_of(self, error: Exception) -> ImiError:
        said = self._address.scrub(error)
        status: Any = getattr(error, "status_code", None)
        if status is None:
            hint = "start the server and run the same again: what was written is there, and is not written twice"
            return EndpointError(f"{self._address.shown} cannot be reached: {said}", hint=hint)
        if status in (401, 403):
            return EndpointError(f"{self._address.shown}: {said}", hint="give &api_key=…", status=status)
        return CollectionError(f"{self._address.shown}: {said}", hint="the server's log says more")
