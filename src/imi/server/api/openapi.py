"""The OpenAPI description: FastAPI's for the search API, completed by OpenAI's routes, which bypass FastAPI."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from imi.server.api.reference import reference_page
from imi.server.api.schemas import ErrorReply
from imi.server.api.static import POLICY
from imi.server.http.responses import to_json

_Token = Annotated[int, Field(ge=0)]
_Tokens = Annotated[list[_Token], Field(min_length=1, max_length=2048)]


class EmbeddingsBody(BaseModel):
    """An embeddings request, as OpenAI defines it, and the kind of text that some models tell apart."""

    model_config = ConfigDict(extra="forbid")

    model: str
    input: (
        Annotated[str, Field(min_length=1)]
        | Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=2048)]
        | _Tokens
        | Annotated[list[Annotated[list[_Token], Field(min_length=1)]], Field(min_length=1, max_length=2048)]
    )
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1)] | None = None
    user: str | None = None
    input_type: Literal["document", "query", "search_document", "search_query", "passage"] = "document"


class EmbeddingReply(BaseModel):
    """One vector: numbers, or little-endian float32 in base64."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class UsageReply(BaseModel):
    """Tokens read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsReply(BaseModel):
    """The vectors in the order of the inputs, and the model that made them."""

    object: Literal["list"]
    data: list[EmbeddingReply]
    model: str
    usage: UsageReply


class ModelReply(BaseModel):
    """A model by one of its names."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelsReply(BaseModel):
    """All names that are answered."""

    object: Literal["list"]
    data: list[ModelReply]


class HealthReply(BaseModel):
    """Whether the server lives, or takes requests."""

    status: str


_MODELS: tuple[type[BaseModel], ...] = (
    EmbeddingsBody,
    EmbeddingsReply,
    ModelsReply,
    ModelReply,
    HealthReply,
    ErrorReply,
)
_REF = "#/components/schemas/"


def describe(api: FastAPI) -> dict[str, Any]:
    """Return the whole description."""
    described = api.openapi()
    _, schemas = models_json_schema([(model, "validation") for model in _MODELS], ref_template=_REF + "{model}")
    components = described.setdefault("components", {})
    components.setdefault("schemas", {}).update(schemas.get("$defs", {}))
    components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    described["security"] = [{"key": []}, {}]
    described["paths"] = _paths() | described.get("paths", {})
    return described


def _paths() -> dict[str, Any]:
    engine = [_in_path("engine")]
    return {
        "/v1/embeddings": {"post": _operation("Embed texts or token ids.", EmbeddingsReply, EmbeddingsBody)},
        "/v1/engines/{engine}/embeddings": {
            "post": _operation("Embed by the old route.", EmbeddingsReply, EmbeddingsBody, parameters=engine)
        },
        "/v1/models": {"get": _operation("List the models.", ModelsReply)},
        "/v1/models/{model}": {"get": _operation("Describe a model.", ModelReply, parameters=[_in_path("model")])},
        "/v1/responses": {"post": _operation("Sent on to the configured language model.", None, dict)},
        "/v1/chat/completions": {"post": _operation("Sent on to the configured language model.", None, dict)},
        "/health": {"get": _operation("Whether the process lives.", HealthReply)},
        "/ready": {"get": _operation("Whether requests are welcome.", HealthReply)},
        "/metrics": {
            "get": {
                "summary": "Prometheus' text format.",
                "responses": {"200": {"description": "Metrics.", "content": {"text/plain": {}}}} | _errors(),
            }
        },
    }


def _operation(
    summary: str,
    reply: type[BaseModel] | None,
    body: type[Any] | None = None,
    parameters: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": summary,
        "tags": ["openai"],
        "responses": {"200": {"description": "Done.", "content": {"application/json": {"schema": _schema(reply)}}}}
        | _errors(),
    }
    if body is not None:
        schema = _schema(body if issubclass(body, BaseModel) else None)
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if parameters:
        operation["parameters"] = parameters
    return operation


def _schema(model: type[BaseModel] | None) -> dict[str, Any]:
    return {"type": "object"} if model is None else {"$ref": _REF + model.__name__}


def _errors() -> dict[str, Any]:
    content = {"application/json": {"schema": _schema(ErrorReply)}}
    return {
        "4XX": {"description": "Refused.", "content": content},
        "5XX": {"description": "Could not be done.", "content": content},
    }


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


class Described:
    """Serves the description, for programs and for readers."""

    def __init__(self, api: FastAPI) -> None:
        self._api = api
        self._json = b""

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/openapi.json", self.openapi, methods=["GET"]),
            Route("/docs", self.docs, methods=["GET"]),
        ]

    async def openapi(self, request: Request) -> Response:
        """Return the description as JSON."""
        if not self._json:
            self._json = to_json(describe(self._api))
        return Response(self._json, media_type="application/json")

    async def docs(self, request: Request) -> Response:
        """Return the description as a page that loads nothing."""
        return HTMLResponse(reference_page(describe(self._api)), headers={"content-security-policy": POLICY})
