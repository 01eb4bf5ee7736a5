"""The application: the parts of one server put together."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import apsw
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from imi._version import __version__
from imi.embedders import deep
from imi.embedders.base import Embedder
from imi.embedders.load import keep, load
from imi.errors import ImiError
from imi.mirror import Follower
from imi.server.api.collections import PREFIX, SearchRoutes
from imi.server.api.health import health_routes
from imi.server.api.llm_proxy import Forward
from imi.server.api.openai import OpenAIRoutes
from imi.server.api.openapi import Described
from imi.server.api.page import Look
from imi.server.api.static import Pages
from imi.server.api.tasks import Tasks
from imi.server.http.keys import Keys
from imi.server.http.logs import Log
from imi.server.http.metrics import Metrics
from imi.server.http.middleware import Gate
from imi.server.http.rate_limit import Limiter
from imi.server.http.request_body import Bodies
from imi.server.http.responses import ApiError, from_imi, internal_error, unknown_url
from imi.server.idle import IdleDeepening
from imi.server.models import Models
from imi.server.registry import Registry, collection_paths
from imi.server.settings import Settings
from imi.server.state import State

Refuse = Callable[[Request, Exception], Awaitable[Response]]
_REFUSED = (
    ApiError,
    ImiError,
    HTTPException,
    RequestValidationError,
    ClientDisconnect,
    RecursionError,
    OverflowError,
    apsw.SQLError,
    apsw.TooBigError,
)
_DIRECT = re.compile(rf"/v1/|{PREFIX}/[^/]+/search$")

READERS = 2
"""Threads that read: more than two only wait for each other between the short calls that a search is made of.

Searches by meaning alone, the quickest, have a thread for themselves: two that take turns do less than one.
"""


def build_state(settings: Settings, embedders: Mapping[str, Embedder] | None = None) -> State:
    """Load what a server needs; nothing listens yet.

    Args:
        settings: what to serve.
        embedders: models that are loaded already, by name; None loads those of the settings.

    Raises:
        ImiError: a model, a collection or the file of keys cannot be opened.
    """
    collection_paths(settings.collections)  # report a wrong path before loading a model
    metrics = Metrics()
    readers = ThreadPoolExecutor(READERS, thread_name_prefix="imi-read")
    later: Mapping[str, Callable[[], Embedder]] = {}
    if embedders is None:
        chosen = settings.model or "built-in"
        # The finer model refines the built-in one, with which most collections are filled.
        beside = ["built-in"] if chosen == "deep" else []
        names = dict.fromkeys([chosen, *beside, *settings.aliases.values()])
        embedders = {name: load(name) for name in names}
        later = {} if "deep" in names else _finer()
    models = Models(embedders, settings.aliases, readers, metrics.on_batch, later)
    return State(
        settings=settings,
        models=models,
        registry=Registry(settings.collections, settings.root, models, settings.limits.collections, settings.model),
        keys=Keys(settings.keys_file, settings.token),
        limiter=Limiter(settings.limits.per_minute),
        bodies=Bodies(settings.limits),
        metrics=metrics,
        readers=readers,
        quick=ThreadPoolExecutor(1, thread_name_prefix="imi-quick"),
        writer=ThreadPoolExecutor(1, thread_name_prefix="imi-write"),
        tasks=ThreadPoolExecutor(1, thread_name_prefix="imi-task"),
    )


def _finer() -> dict[str, Callable[[], Embedder]]:
    """Return the finer model by its names, where it is installed: loading it takes half a second and its memory."""
    if not deep.installed():
        return {}

    def make() -> Embedder:
        keep("deep")  # collections that are deepened use the same one
        return load("deep")

    return {"deep": make, deep.package_info().id: make}


def build_app(state: State, log: Log | None = None) -> ASGIApp:
    """Return the ASGI application around a state."""
    log = log or Log(requests=state.settings.log)
    forward = Forward(state)
    idle = IdleDeepening(state)
    follower = Follower(
        state.registry.mirrors, tell=lambda error: log.error(type(error).__name__, ["following a folder"])
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        warming = state.readers.submit(state.registry.warm)
        idle.start()
        follower.start()
        log.event("started", version=__version__, models=state.models.names())
        yield
        warming.cancel()
        idle.stop()
        follower.stop()
        state.readers.shutdown(wait=True)
        state.quick.shutdown(wait=True)
        state.writer.shutdown(wait=True)
        state.tasks.shutdown(wait=True, cancel_futures=True)
        state.registry.close()
        await forward.close()
        log.event("stopped")

    api = FastAPI(
        title="imi",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    api.router.routes.extend([*health_routes(state), *Described(api).routes(), *Pages().routes()])
    search = SearchRoutes(state)
    api.include_router(search.router())
    api.include_router(Look(state).router())
    api.include_router(Tasks(state).router())

    async def refuse(request: Request, error: Exception) -> Response:
        return refusal_of(request.method, request.scope["path"], error, state.registry.private).response()

    async def fail(_: Request, error: Exception) -> Response:
        return internal_error().response()  # and the error itself goes on to the gate, which writes it down

    for kind in _REFUSED:
        api.add_exception_handler(kind, refuse)
    api.add_exception_handler(Exception, fail)
    direct = [*OpenAIRoutes(state).routes(), *forward.routes(), search.direct()]
    return Gate(_Split(direct, api, refuse), state, log)


class _Split:
    """Sends OpenAI's routes and searches straight to their handlers and everything else through FastAPI.

    A single embedding takes a third of a millisecond; FastAPI's own layers would add a good part of that again.
    FastAPI knows the route of a search, too, for the description.
    """

    def __init__(self, routes: Sequence[BaseRoute], rest: FastAPI, refuse: Refuse) -> None:
        self._routes = routes
        self._router = Router(routes, redirect_slashes=False)
        self._rest = rest
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _DIRECT.match(scope["path"]):
            await self._rest(scope, receive, send)
            return
        scope["app"] = self._rest  # the router raises for 404 and 405 instead of answering in plain text
        try:
            await self._router(scope, receive, send)
        except _REFUSED as error:
            response = await self._refuse(Request(scope), error)
            await response(scope, receive, send)
        finally:
            # Metrics and the log name the route. Starlette before 1.0 does not say which one it took.
            if "route" not in scope:
                scope["route"] = next((one for one in self._routes if one.matches(scope)[0] is not Match.NONE), None)


def refusal_of(method: str, path: str, error: Exception, private: Callable[[], Mapping[str, str]]) -> ApiError:
    """Return the refusal that an exception means, in OpenAI's shape.

    Args:
        method: of the request.
        path: of the request.
        error: what went wrong.
        private: returns texts that no reply may show, each with its replacement.
    """
    if isinstance(error, ApiError):
        return error
    if isinstance(error, ImiError):
        return from_imi(error, private())
    if isinstance(error, RecursionError | OverflowError | apsw.SQLError | apsw.TooBigError):
        # What is bounded before it comes this far; if not, it is still the request that was too much.
        return ApiError(400, "The request is nested too deeply, or holds a number or a list that is too large.",
                        code="too_complex")  # fmt: skip
    if isinstance(error, ClientDisconnect):
        return ApiError(400, "The request was cut off.", code="cut_off", headers={"connection": "close"})
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        if error.status_code == 404:
            return unknown_url(method, path)
        if error.status_code == 405:
            allowed = (error.headers or {}).get("Allow", "")
            return ApiError(
                405,
                f"Not allowed to {method} on {path}; allowed: {allowed}.",
                code="method_not_allowed",
                headers=error.headers,
            )
        return ApiError(error.status_code, str(error.detail), headers=error.headers)
    raise error


def _invalid(error: RequestValidationError) -> ApiError:
    first: dict[str, Any] = dict(error.errors()[0])
    place = [*first.get("loc", ())[1:], *filter(None, [(first.get("ctx") or {}).get("field")])]
    where = ".".join(str(part)[:100] for part in place) or None
    message = f"{first.get('msg', 'The request is invalid')}" + (f" (at {where})" if where else "")
    return ApiError(422, message, param=where, code="validation_error")
