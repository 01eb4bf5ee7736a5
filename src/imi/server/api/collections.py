"""The search API: /api/v1/collections and what can be done with one."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Annotated, Any, TypeVar

import numpy as np
from fastapi import APIRouter, Path, Query
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from numpy.typing import NDArray
from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from imi.collection import Collection
from imi.records import Added, Document, Hit, Hits
from imi.server.api.ingest import FAILURES, add_rows, commits
from imi.server.api.schemas import (
    AddBody,
    AddedReply,
    CollectionReply,
    CollectionsReply,
    CreateBody,
    DeleteBody,
    DeletedReply,
    DocumentReply,
    DocumentsReply,
    ErrorReply,
    GetBody,
    HitsReply,
    OnError,
    SearchBody,
    SimilarBody,
)
from imi.server.http.keys import Right
from imi.server.http.middleware import require
from imi.server.http.request_body import LONG, check_json_type, parsed, read_body, too_deep, unsupported
from imi.server.http.responses import ApiError, Json, to_json
from imi.server.settings import Limits
from imi.server.state import State

Result = TypeVar("Result")
Name = Annotated[str, Path(description="The collection.", max_length=200)]
PREFIX = "/api/v1/collections"
NDJSON = "application/x-ndjson"
_QUICK_HITS, _QUICK_SECONDS = 200, 0.05
_JSON_LINES = (NDJSON, "application/jsonl", "application/json-lines")


class Jpeg(Response):
    """A picture."""

    media_type = "image/jpeg"


class SearchRoutes:
    """The routes over one server's collections; reading and writing happen on threads, never on the event loop."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._since = math.inf  # when the quick thread began what it does

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix=PREFIX, route_class=route_class(self._state.settings.limits), tags=["search"])
        errors: dict[int | str, dict[str, Any]] = {
            "4XX": {"model": ErrorReply, "description": "Refused."},
            "5XX": {"model": ErrorReply, "description": "Could not be done."},
        }
        one = "/{name}"
        for method, path, call, reply in (
            ("GET", "", self.collections, CollectionsReply),
            ("POST", "", self.create, CollectionReply),
            ("GET", one, self.show, CollectionReply),
            ("POST", one + "/search", self.search, HitsReply),
            ("POST", one + "/similar", self.similar, HitsReply),
            ("GET", one + "/documents", self.documents, DocumentsReply),
            ("POST", one + "/documents", self.add, AddedReply),
            ("POST", one + "/documents/get", self.get, DocumentsReply),
            ("POST", one + "/documents/delete", self.delete, DeletedReply),
            ("POST", one + "/documents/ingest", self.ingest, AddedReply),
            ("GET", one + "/documents/{id:path}", self.document, DocumentReply),
            ("DELETE", one + "/documents/{id:path}", self.delete_one, DeletedReply),
        ):
            router.add_api_route(
                path,
                call,
                methods=[method],
                response_model=reply,
                responses=errors,
                status_code=201 if call == self.create else 200,
                openapi_extra=_INGEST_BODY if call == self.ingest else None,
            )
        for method, call in (("GET", self.collections), ("POST", self.create)):
            router.add_api_route("/", call, methods=[method], include_in_schema=False, response_model=None)
        picture = one + "/thumbnails/{id:path}"
        # The media type of a response class would apply to errors, too, which are JSON like all others.
        found: dict[int | str, dict[str, Any]] = {
            200: {"description": "The picture.", "content": {"image/jpeg": {"schema": {"type": "string"}}}}
        }
        router.add_api_route(picture, self.thumbnail, methods=["GET"], response_model=None, responses=errors | found)
        return router

    def direct(self) -> Route:
        """Return the route of `search` without the framework's layers, which take as long as a search."""
        return Route(f"{PREFIX}/{{name}}/search", self._search_directly, methods=["POST"])

    async def _search_directly(self, request: Request) -> Response:
        read = await _parsed(request, self._state.settings.limits)
        try:
            body = SearchBody.model_validate(read.value)
        except ValidationError as wrong:
            raise RequestValidationError(
                [{**one, "loc": ("body", *one["loc"])} for one in wrong.errors(include_url=False)]
            ) from None
        return await self.search(read, request.path_params["name"], body)

    # --- collections ---

    async def collections(self, request: Request) -> Response:
        """List the collections that the caller may read."""
        key = request.scope["imi.key"]
        names = [name for name in self._state.registry.names() if key is None or key.may("read", name)]

        def result() -> list[dict[str, Any]]:
            found = []
            for name in names:
                with suppress(ApiError):  # gone since it was listed
                    found.append(self._describe(name))
            return found

        described = await run(self._state.readers, result)
        return Json({"collections": described, "creates": self._state.registry.creates})

    async def create(self, request: Request, body: CreateBody) -> Response:
        """Make a collection in the folder that the server was given for it."""
        require(request.scope["imi.key"], "write", body.name)
        await run(self._state.writer, partial(self._state.registry.create, body.name, body.model))
        return Json(await run(self._state.readers, partial(self._describe, body.name)), status_code=201)

    async def show(self, request: Request, name: Name) -> Response:
        """Say what a collection holds."""
        self._allow(request, name, "read")
        return Json(await run(self._state.readers, partial(self._describe, name)))

    def _describe(self, name: str) -> dict[str, Any]:
        return self._state.registry.describe(name, partial(_described, name))

    # --- finding ---

    async def search(self, request: Request, name: Name, body: SearchBody) -> Response:
        """Find documents by text, by meaning, or both."""
        self._allow(request, name, "read")
        if (body.query is None) == (body.vector is None):
            raise ApiError(400, "Give either 'query' or 'vector'.", param="query", code="invalid_value")
        asked = body.query if body.query is not None else _vector(body.vector or [])
        few = body.k + body.offset <= _QUICK_HITS and self._state.registry.is_local(name)
        plain = body.mode == "meaning" and body.where is None and body.dims is None and not body.facets
        # Behind one that turned out slow (an index catching up, a model elsewhere) nobody waits.
        quick = plain and few and time.monotonic() - self._since < _QUICK_SECONDS

        def written() -> bytes:
            if quick:
                self._since = time.monotonic()
            try:  # written out there, too: the loop, which reads and answers, has enough to do
                with self._state.registry.use(name) as collection:
                    hits = collection.search(
                        asked,
                        body.k,
                        mode=body.mode,
                        where=body.where,
                        dims=body.dims,
                        min_score=body.min_score,
                        offset=body.offset,
                        facets=body.facets,
                    )
                return written_hits(hits)
            finally:
                if quick:
                    self._since = math.inf

        return Json(await run(self._state.quick if quick else self._state.readers, written))

    async def similar(self, request: Request, name: Name, body: SimilarBody) -> Response:
        """Find what is nearest to a document."""

        def found(collection: Collection) -> bytes:
            collection.get([body.id])
            return written_hits(collection.similar(body.id, body.k, where=body.where, dims=body.dims))

        return Json(await self._read(request, name, found))

    # --- documents ---

    async def documents(
        self,
        request: Request,
        name: Name,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        offset: Annotated[int, Query(ge=0, le=2**53)] = 0,
    ) -> Response:
        """List documents in the order in which they were written."""

        def listed(collection: Collection) -> bytes:
            ids = collection.ids()
            return written_documents(collection.get(ids[offset : offset + limit]), len(ids))

        return Json(await self._read(request, name, listed))

    async def get(self, request: Request, name: Name, body: GetBody) -> Response:
        """Return documents by their ids."""
        return Json(await self._read(request, name, lambda c: written_documents(c.get(body.ids), len(body.ids))))

    async def document(self, request: Request, name: Name, id: str) -> Response:
        """Return one document."""
        return Json(await self._read(request, name, lambda c: to_json(c.get(id).to_dict())))

    async def thumbnail(self, request: Request, name: Name, id: str) -> Response:
        """Return a document's picture, at most 336 pixels a side, as a JPEG file."""

        def drawn(collection: Collection) -> bytes | None:
            collection.get(id)
            return collection.thumbnail(id)

        picture = await self._read(request, name, drawn)
        if picture is None:
            raise ApiError(404, f"The document {id[:200]!r} has no picture.", param="id", code="picture_not_found")
        return Jpeg(picture)

    async def add(self, request: Request, name: Name, body: AddBody) -> Response:
        """Add documents, or update those whose ids are there; what the reply counts is safely on disk."""
        self._allow(request, name, "write")
        added = await add_rows(self._state, name, list(enumerate(body.documents, 1)), body.on_error)
        return Json(added.to_dict())

    async def ingest(self, request: Request, name: Name, on_error: OnError = "raise", acks: bool = False) -> Response:
        """Add documents from a stream of JSON lines of any length, in batches that are each safely on disk.

        With `acks`, the reply is a stream, too: a line for each batch, with the number of lines read so far.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _JSON_LINES:
            raise unsupported(kind, NDJSON)
        self._allow(request, name, "write")
        parts = commits(request, self._state, name, on_error)
        if acks:
            return _Acknowledged(parts)
        total = Added()
        async for _, added in parts:
            total += added
            if len(total.failed) > FAILURES:
                total = Added(total.added, total.updated, total.unchanged, total.removed, total.failed[:FAILURES])
        return Json(total.to_dict())

    async def delete(self, request: Request, name: Name, body: DeleteBody) -> Response:
        """Delete documents by their ids or by a filter."""
        return Json({"deleted": await self._write(request, name, lambda c: c.delete(body.ids, where=body.where))})

    async def delete_one(self, request: Request, name: Name, id: str) -> Response:
        """Delete one document."""

        def deleted(collection: Collection) -> int:
            collection.get(id)
            return collection.delete([id])

        return Json({"deleted": await self._write(request, name, deleted)})

    # --- how ---

    def _allow(self, request: Request, name: str, right: Right) -> None:
        require(request.scope["imi.key"], right, name)
        self._state.registry.check(name)

    async def _read(self, request: Request, name: str, call: Callable[[Collection], Result]) -> Result:
        self._allow(request, name, "read")
        return await run(self._state.readers, partial(lent, self._state, name, call))

    async def _write(self, request: Request, name: str, call: Callable[[Collection], Result]) -> Result:
        self._allow(request, name, "write")
        return await run(self._state.writer, partial(lent, self._state, name, call))


async def run(pool: ThreadPoolExecutor, call: Callable[[], Result]) -> Result:
    """Return what a call returns that runs on one of the server's threads."""
    return await asyncio.get_running_loop().run_in_executor(pool, call)


def lent(state: State, name: str, call: Callable[[Collection], Result]) -> Result:
    """Return what a call makes of a collection, which is open for it; to run on a thread."""
    with state.registry.use(name) as collection:
        return call(collection)


def route_class(limits: Limits) -> type[APIRoute]:
    """Return the class of routes whose JSON bodies are read by our own rules."""

    class Limited(APIRoute):
        """Reads JSON bodies by our own rules before FastAPI sees them."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()
            if self.body_field is None:
                return handle

            async def limited(request: Request) -> Response:
                return await handle(await _parsed(request, limits))

            return limited

    return Limited


async def _parsed(request: Request, limits: Limits) -> _Parsed:
    """Return a request whose JSON body was read and checked.

    Raises:
        ApiError: it has another type, is too long, too slow, nested too deeply, or not JSON.
    """
    check_json_type(request)
    body = await read_body(request, limits)
    value = await parsed(body)
    if await asyncio.to_thread(too_deep, value) if len(body) > LONG else too_deep(value):
        raise ApiError(400, "The body is nested too deeply.", code="invalid_json")
    read = _Parsed(request.scope, request.receive)
    read.value, read.raw = value, body
    return read


class _Parsed(Request):
    """A request whose body was read and parsed before."""

    value: Any
    raw: bytes

    async def body(self) -> bytes:
        return self.raw or b"null"

    async def json(self) -> Any:
        return self.value


def _vector(numbers: list[float]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        vector = np.array(numbers, dtype=np.float32)
    if not np.isfinite(vector).all() or not vector.any():
        raise ApiError(400, "The vector is all zeros or beyond float32.", param="vector", code="invalid_value")
    return vector


class _Acknowledged(Response):
    """Sends a line for each batch that is on disk, while the request is still coming in.

    Starlette's own streaming reply reads the request to learn of a disconnect, and would eat the upload.
    """

    media_type = NDJSON

    def __init__(self, parts: AsyncIterator[tuple[int, Added]]) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        lines = 0
        try:
            async for lines, added in self._parts:
                await _line(send, {"lines": lines} | added.to_dict())
            await _line(send, {"lines": lines, "done": True})
        except ApiError as refused:
            await _line(send, refused.to_dict())
        except ClientDisconnect:
            return
        await send({"type": "http.response.body", "body": b""})


async def _line(send: Send, value: dict[str, Any]) -> None:
    await send({"type": "http.response.body", "body": to_json(value) + b"\n", "more_body": True})


def _described(name: str, collection: Collection) -> dict[str, Any]:
    result = collection.info.to_dict()
    # Where it lies on this machine is nobody's business.
    return {
        "name": name,
        "count": result["count"],
        "model": result["model"],
        "fingerprint": result["fingerprint"],
        "dims": result["dims"],
        "fields": result["fields"],
        "bytes": result["bytes"],
        "index": result["index"],
    }


def written_hits(hits: Hits) -> bytes:
    """Return the reply of a search."""
    rest = {"mode": hits.mode, "facets": hits.facets} | ({"notes": list(hits.notes)} if hits.notes else {})
    return _with_rows(b"hits", hits, rest)


def written_documents(documents: Sequence[Document], count: int) -> bytes:
    """Return a reply of documents, and how many there are."""
    return _with_rows(b"documents", documents, {"count": count})


def _with_rows(name: bytes, rows: Sequence[Hit | Document], rest: dict[str, Any]) -> bytes:
    """Return a JSON object of rows and more; long rows are written one by one, since nobody else runs meanwhile."""
    if sum(len(row.text or "") for row in rows) < LONG:
        written = to_json([row.to_dict() for row in rows])
    else:
        written = b"[%b]" % b",".join(to_json(row.to_dict()) for row in rows)
    return b'{"%b":%b,%b' % (name, written, to_json(rest)[1:])


_INGEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {NDJSON: {"schema": {"type": "string", "description": "One document a line: id, text, metadata."}}},
    }
}
