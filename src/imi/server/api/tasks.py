"""What can be asked of a whole collection: groups, oddities, duplicates, diversity, recommendations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from imi import tasks
from imi.collection import Collection
from imi.index.goal import Goal
from imi.server.api.collections import PREFIX, Name, lent, route_class, run
from imi.server.api.schemas import Body, Dims, ErrorReply, HitsReply, Id, Where
from imi.server.http.keys import Right
from imi.server.http.middleware import require
from imi.server.http.responses import Json, in_parts, overloaded
from imi.server.state import State

WAITING = 4
"""Tasks that may be under way or wait; each reads all vectors of its collection."""
Language = Literal["en", "ja"]
Seed = Field(0, ge=0, le=2**31 - 1, description="The same seed gives the same answer.")


class ClusterBody(Body):
    """How to group."""

    k: int | None = Field(None, ge=2, le=1000, description="How many groups; left out to find the number.")
    method: Literal["kmeans", "plain", "hdbscan"] = "kmeans"
    language: Language = "en"
    dims: Dims = None
    seed: int = Seed


class AnomaliesBody(Body):
    """How many to flag."""

    share: float | None = Field(None, gt=0, lt=1, description="Flag this share; left out for what stands out.")
    language: Language = "en"
    dims: Dims = None
    seed: int = Seed


class DedupeBody(Body):
    """When two rows are the same."""

    threshold: float = Field(0.95, gt=0, le=1, description="From this cosine on.")
    dims: Dims = None


class DiversityBody(Body):
    """How many different rows to choose."""

    subset: int | None = Field(None, ge=1, le=10_000)
    dims: Dims = None
    seed: int = Seed


class RecommendBody(Body):
    """What is liked, and what is not."""

    like: list[Id] = Field(min_length=1, max_length=1000)
    dislike: list[Id] = Field(default_factory=list, max_length=1000)
    k: int = Field(10, ge=1, le=1000)
    diversity: float = Field(0.3, ge=0, le=1)
    where: Where = None
    dims: Dims = None


class PlanBody(Body):
    """How good and how small the index is to be."""

    recall: float = Field(0.95, gt=0, le=1, description="Share of the ten true nearest that a search must find.")
    share: float | None = Field(None, gt=0, le=1, description="Share of the queries that must each reach that recall.")
    memory: int | None = Field(None, ge=1, le=2**53, description="Bytes that the index may take.")
    latency: float | None = Field(None, gt=0, le=3600, description="Seconds that a search may take.")
    seed: int = Seed


class ClusterReply(BaseModel):
    """One group."""

    name: str
    size: int
    representatives: list[str]
    text: str | None


class ClustersReply(BaseModel):
    """The groups, how well they part, and the group of each id (-1: none)."""

    clusters: list[ClusterReply]
    silhouette: float
    stability: float
    labels: dict[str, int]
    baseline: dict[str, str | float] | None


class AnomalyReply(BaseModel):
    """A row that stands apart, and its nearest normal rows."""

    id: str
    score: float
    reason: str
    nearest: list[str]
    text: str | None
    baseline: dict[str, str | float] = Field(description="The plain measure's name, score and rank of this row.")


class AnomaliesReply(BaseModel):
    """The odd rows, oddest first, of how many."""

    anomalies: list[AnomalyReply]
    count: int


class GroupReply(BaseModel):
    """Rows that say the same."""

    keep: str
    drop: list[str]
    similarity: float
    text: str | None
    baseline: dict[str, str | int] = Field(description="How many of these rows the exact text finds.")


class GroupsReply(BaseModel):
    """The groups of duplicates; nothing is deleted."""

    groups: list[GroupReply]


class DiversityReply(BaseModel):
    """How different the rows are from each other."""

    mean_distance: float
    vendi: float
    interval: list[float]
    n: int
    subset: list[str] | None


class TriedReply(BaseModel):
    """A ladder that was measured: its recall with a 95 % interval, queries a second, and bytes of its index."""

    ladder: str
    rungs: list[dict[str, Any]]
    recall: float
    interval: list[float]
    outside: float | None
    share: float | None
    qps: float
    bytes: int
    where: str
    note: str


class PlanReply(BaseModel):
    """The ladder that was chosen, which searches climb from now on, and all that were measured."""

    target: float
    k: int
    metric: str
    rows: int
    width: int
    chosen: TriedReply
    tried: list[TriedReply]
    matryoshka: bool
    prefixes: list[dict[str, Any]]
    note: str
    memory: int | None
    latency: float | None
    share: float | None
    version: int


class Tasks:
    """The routes; tasks run one after another on a separate thread, so that searches go on meanwhile."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._waiting = 0

    def router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix=PREFIX, route_class=route_class(self._state.settings.limits), tags=["tasks"])
        errors: dict[int | str, dict[str, Any]] = {
            "4XX": {"model": ErrorReply, "description": "Refused."},
            "5XX": {"model": ErrorReply, "description": "Could not be done."},
        }
        for name, call, reply in (
            ("cluster", self.cluster, ClustersReply),
            ("anomalies", self.anomalies, AnomaliesReply),
            ("dedupe", self.dedupe, GroupsReply),
            ("diversity", self.diversity, DiversityReply),
            ("recommend", self.recommend, HitsReply),
        ):
            path = "/{name}/tasks/" + name
            router.add_api_route(path, call, methods=["POST"], response_model=reply, responses=errors)
        router.add_api_route("/{name}/plan", self.plan, methods=["POST"], response_model=PlanReply, responses=errors)
        return router

    async def cluster(self, request: Request, name: Name, body: ClusterBody) -> Response:
        """Group the documents by meaning, and name the groups."""
        return await self._run(
            request,
            name,
            lambda c: tasks.cluster(
                c, body.k, method=body.method, dims=body.dims, seed=body.seed, language=body.language
            ).to_dict(),
        )

    async def anomalies(self, request: Request, name: Name, body: AnomaliesBody) -> Response:
        """Find the documents that stand apart from all others, and say why."""

        def found(collection: Collection) -> dict[str, Any]:
            result = tasks.anomalies(collection, body.share, dims=body.dims, seed=body.seed)
            reasons = [said.in_language(body.language) for said in result.says]
            rows = [row | {"reason": said} for row, said in zip(result.to_dict(), reasons, strict=True)]
            return {"anomalies": rows, "count": len(result.score)}

        return await self._run(request, name, found)

    async def dedupe(self, request: Request, name: Name, body: DedupeBody) -> Response:
        """Find near duplicates; nothing is deleted."""
        return await self._run(
            request, name, lambda c: {"groups": tasks.dedupe(c, body.threshold, dims=body.dims).to_dict()}
        )

    async def diversity(self, request: Request, name: Name, body: DiversityBody) -> Response:
        """Say how different the documents are from each other, and choose the most different ones."""

        def measured(collection: Collection) -> dict[str, Any]:
            chosen = None if body.subset is None else tasks.subset(collection, body.subset, dims=body.dims)
            return tasks.diversity(collection, dims=body.dims, seed=body.seed).to_dict() | {"subset": chosen}

        return await self._run(request, name, measured)

    async def recommend(self, request: Request, name: Name, body: RecommendBody) -> Response:
        """Find what is like these documents, unlike those, and not all the same."""

        def found(collection: Collection) -> dict[str, Any]:
            hits: Any = tasks.recommend(
                collection,
                body.like,
                body.dislike,
                body.k,
                body.diversity,
                where=body.where,
                dims=body.dims,
            )
            return {"hits": hits.to_dicts(), "mode": hits.mode, "facets": hits.facets}

        return await self._run(request, name, found)

    async def plan(self, request: Request, name: Name, body: PlanBody) -> Response:
        """Measure ladders on the collection's own vectors, build the cheapest that is good enough, and search by it."""

        def planned(collection: Collection) -> dict[str, Any]:
            return collection.plan(Goal(body.recall, body.share), body.memory, body.latency, seed=body.seed).to_dict()

        return await self._run(request, name, planned, "write")

    async def _run(
        self, request: Request, name: str, call: Callable[[Collection], dict[str, Any]], right: Right = "read"
    ) -> Response:
        require(request.scope["imi.key"], right, name)
        self._state.registry.check(name)
        if self._waiting >= WAITING:
            raise overloaded(f"{WAITING} tasks are under way or waiting.", seconds=10)
        self._waiting += 1
        try:
            written = partial(lent, self._state, name, lambda c: in_parts(call(c)))
            return Json(await run(self._state.tasks, written))
        finally:
            self._waiting -= 1
