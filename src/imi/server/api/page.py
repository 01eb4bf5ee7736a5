"""What the page asks for: hits in short pieces with their words marked, why they were found, columns, and the map."""

from __future__ import annotations

import contextlib
import json
import time
import unicodedata
from collections.abc import Callable, Mapping, Set
from functools import partial
from typing import Any, Literal, TypeVar

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from imi.collection import Collection
from imi.errors import ImiError
from imi.records import Document, Hit, user_fields
from imi.server.api.collections import PREFIX, Name, lent, route_class, run
from imi.server.api.column_stats import columns_of
from imi.server.api.maps import Maps
from imi.server.api.schemas import Body, Dims, ErrorReply, Id, Where
from imi.server.http.middleware import require
from imi.server.http.responses import Json
from imi.server.state import State
from imi.tasks.explain import Explaining
from imi.text.highlight import piece_of, spans_of, wanted_terms

Result = TypeVar("Result")
SHOWN = 360
"""Characters of a text in a list of hits."""
PAGE = 20_000
"""Characters of a text that are read at once."""
EXPLAINED = 4_000
"""Characters of a text whose tokens are weighed."""
_VALUE = 160
_PAIRS = 6
_TOKENS = 240
_KEPT = 8


class LookBody(Body):
    """What to find, by which of the three ways; or what is like a document; or, with neither, the first documents."""

    query: str | None = Field(None, max_length=100_000)
    like: Id | None = Field(None, description="An id, for what is nearest to it.")
    k: int = Field(10, ge=1, le=100)
    mode: Literal["text", "meaning", "hybrid"] = "hybrid"
    where: Where = None
    dims: Dims = None


class WhyBody(Body):
    """A document, and the query that found it."""

    id: Id
    query: str | None = Field(None, max_length=100_000)
    start: int = Field(0, ge=0, le=2**53, description="The first character of the text to show.")


class SeenReply(BaseModel):
    """A hit as it is shown: parts of its text, each marked or not."""

    id: str
    score: float | None
    parts: list[tuple[str, bool]]
    start: int
    characters: int
    metadata: dict[str, Any]
    picture: bool


class LookReply(BaseModel):
    """The hits, best first, and how long the search took."""

    hits: list[SeenReply]
    mode: str
    milliseconds: float


class ColumnsReply(BaseModel):
    """The metadata columns and what they hold."""

    columns: list[dict[str, Any]]


class Look:
    """The routes that only the page needs; all of them read."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._maps = Maps(state)
        self._columns: dict[str, tuple[str, list[dict[str, Any]]]] = {}

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix=PREFIX, route_class=route_class(self._state.settings.limits), tags=["page"])
        errors: dict[int | str, dict[str, Any]] = {
            "4XX": {"model": ErrorReply, "description": "Refused."},
            "5XX": {"model": ErrorReply, "description": "Could not be done."},
        }
        one = "/{name}"
        for method, path, call, reply in (
            ("POST", one + "/look", self.look, LookReply),
            ("POST", one + "/why", self.why, dict[str, Any]),
            ("GET", one + "/columns", self.columns, ColumnsReply),
            ("GET", one + "/map", self.map_state, dict[str, Any]),
            ("GET", one + "/map/rows", self.map_rows, dict[str, Any]),
            ("GET", one + "/map/plane", self.map_plane, dict[str, Any]),
        ):
            router.add_api_route(path, call, methods=[method], response_model=reply, responses=errors)
        return router

    async def look(self, request: Request, name: Name, body: LookBody) -> Response:
        """Find documents and return them in short pieces, whatever their size."""
        return Json(await self._read(request, name, lambda c: _look(c, body)))

    async def why(self, request: Request, name: Name, body: WhyBody) -> Response:
        """Return a part of a document, the words of the query in it, and the tokens that carry the similarity."""
        return Json(await self._read(request, name, lambda c: _why(c, body)))

    async def columns(self, request: Request, name: Name) -> Response:
        """Say what the metadata columns hold: numbers from and to, values and how often each occurs."""

        def counted(collection: Collection) -> list[dict[str, Any]]:
            version = collection.info.version
            kept = self._columns.pop(name, None)
            if kept is None or kept[0] != version:
                kept = (version, columns_of(document.metadata for document in collection.documents()))
            self._columns[name] = kept
            if len(self._columns) > _KEPT:
                self._columns.pop(next(iter(self._columns)), None)
            return kept[1]

        return Json({"columns": await self._read(request, name, counted)})

    async def map_state(self, request: Request, name: Name) -> Response:
        """Begin to lay the documents out on a plane where that was not done yet, and say how far it is."""
        return Json(await self._read(request, name, partial(self._maps.state, name)))

    async def map_rows(self, request: Request, name: Name) -> Response:
        """Return what the points of the map are: ids, the beginnings of texts, columns."""
        return Json(await self._read(request, name, partial(self._maps.rows, name)))

    async def map_plane(self, request: Request, name: Name) -> Response:
        """Return where the points lie: little-endian float32 in base64, a first sketch or the finished layout."""
        return Json(await self._read(request, name, partial(self._maps.plane, name)))

    async def _read(self, request: Request, name: str, call: Callable[[Collection], Result]) -> Result:
        require(request.scope["imi.key"], "read", name)
        self._state.shelf.check(name)
        return await run(self._state.readers, partial(lent, self._state, name, call))


def _look(collection: Collection, body: LookBody) -> dict[str, Any]:
    start = time.perf_counter()
    terms = wanted_terms(body.query) if body.query else []
    hits: list[Hit | Document]
    if body.like is not None:
        collection.get(body.like)
        hits = [*collection.similar(body.like, body.k, where=body.where, dims=body.dims)]
    elif body.query is None or not body.query.strip():
        hits = [document for document, _ in zip(collection.documents(body.where), range(body.k), strict=False)]
    else:
        hits = [*collection.search(body.query, body.k, mode=body.mode, where=body.where, dims=body.dims)]
    milliseconds = 1000 * (time.perf_counter() - start)
    pictures = {hit.id for hit in hits if _has_picture(collection, hit.id)}
    return {"hits": [_seen(hit, terms, pictures) for hit in hits], "mode": body.mode, "milliseconds": milliseconds}


def _seen(hit: Hit | Document, terms: list[str], pictures: Set[str]) -> dict[str, Any]:
    piece = piece_of(hit.text or "", terms, SHOWN)
    return {
        "id": hit.id,
        "score": hit.score if isinstance(hit, Hit) else None,
        "parts": piece.parts,
        "start": piece.start,
        "characters": piece.characters,
        "metadata": _shown(hit.metadata),
        "picture": hit.id in pictures,
    }


def _shown(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata whose values fit a line."""
    shown: dict[str, Any] = {}
    for name, value in user_fields(metadata).items():
        plain = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
        shown[name] = plain[: _VALUE - 1] + "…" if isinstance(plain, str) and len(plain) > _VALUE else plain
    return shown


def _has_picture(collection: Collection, id: str) -> bool:
    """Return whether there is a picture to show; a row that was deleted meanwhile, or a damaged picture, has none."""
    with contextlib.suppress(ImiError):
        return collection.thumbnail(id) is not None
    return False


def _why(collection: Collection, body: WhyBody) -> dict[str, Any]:
    document = collection.get(body.id)
    text = document.text or ""
    query = (body.query or "").strip()
    terms = wanted_terms(query) if query else []
    piece = piece_of(text, terms, PAGE, min(body.start, max(0, len(text) - 1)))
    _, seen = spans_of(text, terms)
    told: dict[str, Any] = {
        "id": document.id,
        "parts": piece.parts,
        "start": piece.start,
        "characters": piece.characters,
        "metadata": _shown(document.metadata),
        "picture": _has_picture(collection, document.id),
        "words": seen,
        "meaning": None,
    }
    if query and text:
        # Where the vectors are the user's own there is no model that could read the texts.
        with contextlib.suppress(ImiError):
            told["meaning"] = _carried(collection, query, text)
    return told


def _carried(collection: Collection, query: str, text: str) -> dict[str, Any]:
    """Return what carries the cosine: pairs of tokens, whose products add up to it, and each token's own share."""
    model = collection.model
    read, asked = text[:EXPLAINED], query[:EXPLAINED]
    if not isinstance(model, Explaining):
        z = model.embed([asked], kind="query"), model.embed([read])
        return {"cosine": float(z[0][0] @ z[1][0]), "sum": None, "read": len(read), "pairs": [], "tokens": []}
    said = model.explain(asked, read)
    rows = model.rows([piece.id for piece in said.a]), model.rows([piece.id for piece in said.b])
    lengths = float(np.linalg.norm(rows[0].sum(axis=0)) * np.linalg.norm(rows[1].sum(axis=0)))
    products = rows[0] @ rows[1].T / max(lengths, 1e-12)
    return {
        "cosine": said.cosine,
        "sum": said.cosine_of_sums,
        "read": len(read),
        "pairs": _best_pairs(said, products),
        "tokens": [[piece.text, piece.share] for piece in said.b[:_TOKENS]],
    }


def _telling(token: str) -> bool:
    """Return whether a token is more than punctuation, whose part is small, real, and nothing to look at."""
    return any(unicodedata.category(character)[0] in "LNS" for character in token.strip("▁"))


def _best_pairs(said: Any, products: Any) -> list[dict[str, Any]]:
    """Return the pairs of tokens with the largest products, those of the same two tokens added."""
    summed: dict[tuple[str, str], float] = {}
    for at in np.argsort(-products, axis=None)[:200]:
        i, j = np.unravel_index(at, products.shape)
        pair = (said.a[int(i)].text, said.b[int(j)].text)
        if not all(map(_telling, pair)):
            continue
        summed[pair] = summed.get(pair, 0.0) + float(products[i, j])
    best = sorted(summed.items(), key=lambda one: -one[1])[:_PAIRS]
    return [{"query": one, "document": other, "share": share} for (one, other), share in best if share > 0]
