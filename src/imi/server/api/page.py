"""What the page asks for: hits as cards, why they were found, answers, columns, examples, and the map."""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import time
import unicodedata
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from imi.collection import Collection
from imi.collection.folding import fold, search_folded
from imi.errors import ImiError
from imi.llm import load_llm
from imi.rag.answer import answer
from imi.rag.retrieve import Retrieval
from imi.records import Document, Hit, user_fields
from imi.server.api.cards import Asked, Scales, marked_piece, meant_spans, place_of
from imi.server.api.collections import PREFIX, Name, lent, route_class, run
from imi.server.api.column_stats import columns_of
from imi.server.api.examples import examples_of
from imi.server.api.maps import Maps
from imi.server.api.schemas import Body, Dims, ErrorReply, Id, Where
from imi.server.http.middleware import require
from imi.server.http.responses import ApiError, Json, in_parts
from imi.server.state import State
from imi.tasks.explain import Explaining
from imi.text.highlight import piece_of, spans_of, wanted_terms
from imi.text.readable import readable

Result = TypeVar("Result")
MapDims = Annotated[int | None, Query(ge=1, le=65_536, description="Leading dimensions that the map is drawn from.")]
SHOWN = 360
"""Characters of a text in a list of hits."""
PAGE = 20_000
"""Characters of a text that are read at once."""
EXPLAINED = 4_000
"""Characters of a text whose tokens are weighed."""
_VALUE = 160
"""Characters of a metadata value."""
_PAIRS = 6
"""Pairs of words that explain a hit best."""
_TOKENS = 240
"""Tokens whose share is shown."""
_KEPT = 8
"""Collections whose examples or columns are remembered."""
_SPARE = 6
"""Hits that are read beyond those asked for, in case some fold into others."""


class LookBody(Body):
    """What to find: by one of three ways, like a document or a picture, or by ids; with none, the first documents."""

    query: str | None = Field(None, max_length=100_000)
    like: Id | None = Field(None, description="An id, for what is nearest to it.")
    picture: str | None = Field(None, max_length=6_000_000, description="A picture's file in base64, to search by.")
    ids: Annotated[list[Id], Field(max_length=200)] | None = Field(None, description="The documents to show.")
    k: int = Field(10, ge=1, le=100)
    offset: int = Field(0, ge=0, le=1000, description="How many hits to leave out, for the next ones.")
    mode: Literal["text", "meaning", "hybrid"] = "hybrid"
    where: Where = None
    dims: Dims = None


class WhyBody(Body):
    """A document, and the query that found it."""

    id: Id
    query: str | None = Field(None, max_length=100_000)
    start: int = Field(0, ge=0, le=2**53, description="The first character of the text to show.")


class AskBody(Body):
    """A question to answer from the documents."""

    question: str = Field(min_length=1, max_length=10_000)
    where: Where = None


class SeenReply(BaseModel):
    """A hit as it is shown: parts of its text, each plain (0), a word that was asked for (1), or what means it (2)."""

    id: str
    score: float | None
    near: float | None = Field(description="From 0, as far as anything, to 1, on one scale for all modes.")
    title: str | None
    named: list[tuple[str, int]] = Field(description="The title in parts, as the text is.")
    place: str | None = Field(description="The file, and where in it.")
    copies: list[str] = Field(description="Ids of documents that say the same.")
    parts: list[tuple[str, int]]
    start: int
    characters: int
    metadata: dict[str, Any]
    picture: bool


class LookReply(BaseModel):
    """The hits, best first, and how long the search took."""

    hits: list[SeenReply]
    mode: str
    milliseconds: float
    more: bool = Field(description="Whether there are further hits.")
    passing: int | None = Field(description="How many documents match the filter.")
    weak: float | None = Field(description="Hits that are less near than this are as far as texts on other things.")
    likely: bool = Field(description="False where nothing that was found has to do with the question.")


class AnswerReply(BaseModel):
    """An answer with its citations, or why there is none, and the passages that were read."""

    answer: str | None
    reason: str | None
    citations: list[dict[str, Any]]
    llm: str | None
    passages: list[SeenReply]
    milliseconds: float


class ExamplesReply(BaseModel):
    """Questions to begin with."""

    examples: list[str]


class ColumnsReply(BaseModel):
    """The metadata columns and what they hold."""

    columns: list[dict[str, Any]]


class Look:
    """The routes that only the page needs; none of them writes."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._maps = Maps(state)
        self._columns: dict[str, tuple[str, list[dict[str, Any]]]] = {}
        self._examples: dict[str, tuple[str, list[str]]] = {}
        self._scales = Scales()

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
            ("POST", one + "/ask", self.ask, AnswerReply),
            ("GET", one + "/columns", self.columns, ColumnsReply),
            ("GET", one + "/examples", self.examples, ExamplesReply),
            ("GET", one + "/map", self.map_state, dict[str, Any]),
            ("GET", one + "/map/rows", self.map_rows, dict[str, Any]),
            ("GET", one + "/map/plane", self.map_plane, dict[str, Any]),
        ):
            router.add_api_route(path, call, methods=[method], response_model=reply, responses=errors)
        return router

    async def look(self, request: Request, name: Name, body: LookBody) -> Response:
        """Find documents and return them in short pieces, whatever their size."""
        return Json(await self._read(request, name, lambda c: _look(c, body, self._scales)))

    async def ask(self, request: Request, name: Name, body: AskBody) -> Response:
        """Answer a question from the documents, with citations: quoted, or written by the server's language model."""
        key = request.scope["imi.key"]
        named = self._state.settings.llm
        llm = load_llm(named) if named and (key is None or key.llm) else None

        def answered(collection: Collection) -> dict[str, Any]:
            return _answered(collection, body, llm)

        pool = self._state.readers if llm is None else self._state.tasks
        return Json(await self._read(request, name, answered, pool))

    async def why(self, request: Request, name: Name, body: WhyBody) -> Response:
        """Return a part of a document, the words of the query in it, and the tokens that carry the similarity."""
        return Json(await self._read(request, name, lambda c: _why(c, body)))

    async def columns(self, request: Request, name: Name) -> Response:
        """Say what the metadata columns hold: numbers from and to, values and how often each occurs."""

        def counted(collection: Collection) -> list[dict[str, Any]]:
            return columns_of(document.metadata for document in collection.documents())

        counting = partial(_kept, self._columns, name, counted)
        return Json(await self._read(request, name, lambda c: {"columns": counting(c)}))

    async def examples(self, request: Request, name: Name) -> Response:
        """Return some questions that the collection can answer."""
        choosing = partial(_kept, self._examples, name, examples_of)
        return Json(await self._read(request, name, lambda c: {"examples": choosing(c)}))

    async def map_state(self, request: Request, name: Name, dims: MapDims = None) -> Response:
        """Begin to lay the documents out on a plane where that was not done yet, and say how far it is."""
        return Json(await self._read(request, name, partial(self._maps.state, name, dims)))

    async def map_rows(self, request: Request, name: Name) -> Response:
        """Return what the points of the map are: ids, the beginnings of texts, columns."""
        return Json(await self._read(request, name, partial(self._maps.rows, name)))

    async def map_plane(self, request: Request, name: Name, dims: MapDims = None) -> Response:
        """Return where the points lie: little-endian float32 in base64, a first sketch or the finished layout."""
        return Json(await self._read(request, name, partial(self._maps.plane, name, dims)))

    async def _read(
        self, request: Request, name: str, call: Callable[[Collection], Any], pool: ThreadPoolExecutor | None = None
    ) -> bytes:
        """Return what a call makes of a collection as JSON, written on its thread: a map has 100,000 rows."""
        require(request.scope["imi.key"], "read", name)
        self._state.registry.check(name)
        written = partial(lent, self._state, name, lambda c: in_parts(call(c)))
        return await run(pool or self._state.readers, written)


def _kept(
    kept: dict[str, tuple[str, Result]], name: str, call: Callable[[Collection], Result], collection: Collection
) -> Result:
    """Return what a call says of a collection, kept for as long as the collection stays as it is."""
    version = collection.info.version
    known = kept.pop(name, None)
    if known is None or known[0] != version:
        known = (version, call(collection))
    kept[name] = known
    if len(kept) > _KEPT:
        kept.pop(next(iter(kept)), None)
    return known[1]


def _look(collection: Collection, body: LookBody, scales: Scales) -> dict[str, Any]:
    start = time.perf_counter()
    query = (body.query or "").strip()
    asked = Asked(collection, wanted_terms(query) if query else [], query or None)
    hits, more = _found(collection, body, query)
    milliseconds = 1000 * (time.perf_counter() - start)
    if query and hits:
        asked = scales.asked(collection, query, asked.terms)
    seen = _cards(asked, hits, meaning=body.mode != "text")
    if body.like is not None or body.picture is not None:
        for one in seen:  # cosines of like with like
            one["near"] = min(1.0, max(0.0, one["score"] or 0.0))
    elif asked.vector is None and body.mode == "meaning" and query:
        for one in seen:
            one["near"] = None if one["score"] is None else min(1.0, max(0.0, one["score"]))
    known = asked.vector is not None and asked.crowd is None
    worded = any(mark == 1 for one in seen for part in (one["parts"], one["named"]) for _, mark in part)
    likely = not known or worded or any((one["near"] or 0.0) >= asked.weak for one in seen)
    return {
        "hits": seen,
        "mode": body.mode,
        "milliseconds": milliseconds,
        "more": more,
        "passing": collection.count(body.where) if body.where and not body.offset else None,
        "weak": asked.weak if known else None,
        "likely": likely,
    }


def _found(collection: Collection, body: LookBody, query: str) -> tuple[list[Hit | Document], bool]:
    """Return the hits, and whether there are more behind them."""
    if body.ids is not None:
        return [*collection.get(list(body.ids))], False
    if body.like is not None:
        collection.get(body.like)
        return [*collection.similar(body.like, body.k, where=body.where, dims=body.dims)], False
    if not query and body.picture is None:
        first = [*collection.documents(body.where, offset=body.offset, limit=body.k + 1)]
        return [*first[: body.k]], len(first) > body.k
    what: Any = query if body.picture is None else _picture(body.picture)
    mode = body.mode if body.picture is None else "meaning"

    def search(many: int) -> Any:
        return collection.search(what, many, mode=mode, where=body.where, dims=body.dims)

    # Most pages hold few copies, and folding reads every text: a little more than is shown, then as much as it takes.
    wanted = body.offset + body.k + 1
    first = search(wanted + _SPARE)
    folded = fold(first)
    if len(folded) < wanted and len(first) == wanted + _SPARE:
        folded = [*search_folded(search, wanted)]
    return [*folded[body.offset : wanted - 1]], len(folded) >= wanted


def _picture(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as wrong:
        raise ApiError(400, "'picture' is not base64.", param="picture", code="invalid_value") from wrong


def _cards(asked: Asked, hits: list[Any], *, meaning: bool = True) -> list[dict[str, Any]]:
    """Return documents as the page shows them; `meaning`: whether what means the question is marked, too."""
    collection = asked.collection
    read = [readable(hit) for hit in hits]
    pictured = frozenset(hit.id for hit in hits if _has_picture(collection, hit.id))
    meant = meant_spans(asked, [one.body for one in read]) if meaning else [[] for _ in read]
    near = asked.near(hits, pictured)
    return [
        {
            "id": hit.id,
            "score": hit.score if isinstance(hit, Hit) else None,
            "near": near.get(hit.id),
            "title": one.title,
            "named": marked_piece(one.title, asked.terms, [], len(one.title))["parts"] if one.title else [],
            "place": place_of(hit),
            "copies": list(hit.copies) if isinstance(hit, Hit) else [],
            **marked_piece(one.body, asked.terms, spans, SHOWN),
            "metadata": _shown(hit.metadata),
            "picture": hit.id in pictured,
        }
        for hit, one, spans in zip(hits, read, meant, strict=True)
    ]


def _answered(collection: Collection, body: AskBody, llm: Any) -> dict[str, Any]:
    start = time.perf_counter()
    found = answer(collection, body.question, llm=llm, finding=Retrieval(where=body.where))
    asked = Asked(collection, wanted_terms(body.question), body.question)
    return {
        "answer": found.answer,
        "reason": found.reason,
        "citations": [{**one.to_dict(), "text": None} for one in found.citations],
        "llm": found.llm,
        "passages": _cards(asked, [replace(hit, score=0.0) for hit in found.passages]),
        "milliseconds": 1000 * (time.perf_counter() - start),
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
    read = readable(document)
    text = document.text or ""
    query = (body.query or "").strip()
    terms = wanted_terms(query) if query else []
    piece = piece_of(read.body, terms, PAGE, min(body.start, max(0, len(read.body) - 1)))
    _, seen = spans_of(f"{read.title or ''}\n{read.body}", terms)
    result: dict[str, Any] = {
        "id": document.id,
        "title": read.title,
        "place": place_of(document),
        "parts": piece.parts,
        "start": piece.start,
        "characters": piece.characters,
        "metadata": _shown(document.metadata),
        "picture": _has_picture(collection, document.id),
        "words": seen,
        "meaning": None,
    }
    if query and not text and result["picture"]:
        result["meaning"] = _of_picture(collection, query, document.id)
    if query and text:
        # Where the vectors are the user's own there is no model that could read the texts.
        with contextlib.suppress(ImiError):
            result["meaning"] = _carried(collection, query, text)
    return result


def _of_picture(collection: Collection, query: str, id: str) -> dict[str, Any] | None:
    """Return the cosine of words and a picture, which is compared as a whole; None where no model reads words."""
    with contextlib.suppress(ImiError):
        row = collection.vectors([id])[0]
        asked = collection.model.embed([query], kind="query")[0]
        if len(row) == len(asked):
            cosine = float(row @ asked / max(float(np.linalg.norm(row)), 1e-9))
            return {"cosine": cosine, "sum": None, "read": 0, "pairs": [], "tokens": []}
    return None


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
