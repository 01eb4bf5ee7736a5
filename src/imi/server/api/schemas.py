"""The bodies of the search API: what is taken, and what is given back."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

Where = Annotated[
    dict[str, Any] | None,
    Field(description='A filter on metadata, such as {"Score": {">=": 4}}.', examples=[{"Score": {">=": 4}}]),
]
Dims = Annotated[int | None, Field(ge=1, le=65_536, description="Leading dimensions of each vector to compare.")]
Id = Annotated[str, Field(min_length=1, max_length=4096)]
# The first wrong member is enough: a complaint about each of a million takes longer than anything else.
Vector = Annotated[
    list[Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=1, max_length=65_536, fail_fast=True)
]
OnError = Literal["raise", "skip"]


class Body(BaseModel):
    """What a client sends: unknown keys are refused, and a number does not pass for a text."""

    model_config = ConfigDict(extra="ignore", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        """Refuse the first unknown field; pydantic would complain about each of a million."""
        if isinstance(value, dict):
            for name in value:
                if name not in cls.model_fields:
                    allowed = ", ".join(cls.model_fields)
                    raise PydanticCustomError(
                        "extra_forbidden", "unknown field {name}; allowed: {allowed}",
                        {"name": repr(str(name)[:100]), "allowed": allowed, "field": str(name)[:100]},
                    )  # fmt: skip
        return value


class CreateBody(Body):
    """A collection to make."""

    name: str = Field(description="Letters, digits, '_', '-' and '.'.", examples=["notes"])
    model: str | None = Field(None, description="A served model; left out for the default, or for vectors of your own.")


class DocumentBody(Body):
    """A document: a text, a vector, or both."""

    id: Id
    text: str | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    vector: Vector | None = None


class AddBody(Body):
    """Documents to add, or to update where their ids are there."""

    documents: Annotated[list[DocumentBody], Field(min_length=1, max_length=10_000, fail_fast=True)]
    on_error: OnError = Field("raise", description="'skip' leaves bad rows out and lists them.")


class DeleteBody(Body):
    """What to delete: ids, or a filter."""

    ids: Annotated[list[Id], Field(max_length=100_000, fail_fast=True)] | None = None
    where: Where = None


class GetBody(Body):
    """Which documents to return."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=1000, fail_fast=True)]


class SearchBody(Body):
    """What to find: words or a vector."""

    query: str | None = Field(None, max_length=100_000, examples=["delicious beans"])
    vector: Vector | None = Field(None, description="Instead of a query: searched by meaning.")
    k: int = Field(10, ge=1, le=1000)
    mode: Literal["text", "meaning", "hybrid"] = "hybrid"
    where: Where = None
    dims: Dims = None
    min_score: float | None = Field(None, allow_inf_nan=False)
    offset: int = Field(0, ge=0, le=100_000)
    facets: list[str] = Field(default_factory=list, max_length=16)


class SimilarBody(Body):
    """The document whose likes are wanted."""

    id: Id
    k: int = Field(10, ge=1, le=1000)
    where: Where = None
    dims: Dims = None


class CollectionReply(BaseModel):
    """What a collection says of itself."""

    name: str
    count: int
    model: str | None
    fingerprint: str | None
    dims: int | None
    fields: list[str]
    bytes: dict[str, int]
    index: dict[str, Any]


class CollectionsReply(BaseModel):
    """All collections that the caller may read, and whether new ones can be made here."""

    collections: list[CollectionReply]
    creates: bool


class FailureReply(BaseModel):
    """A row that was not taken."""

    source: str
    line: int | None
    reason: str


class AddedReply(BaseModel):
    """What an addition did, by number of rows."""

    added: int
    updated: int
    unchanged: int
    removed: int
    failed: list[FailureReply]


class DeletedReply(BaseModel):
    """How many rows went."""

    deleted: int


class DocumentReply(BaseModel):
    """A document as it is kept."""

    id: str
    text: str | None
    metadata: dict[str, Any]


class DocumentsReply(BaseModel):
    """Some documents, and how many there are."""

    documents: list[DocumentReply]
    count: int


class HitReply(BaseModel):
    """One answer; a higher score is better, on the scale of the mode."""

    id: str
    score: float
    text: str | None
    metadata: dict[str, Any]


class HitsReply(BaseModel):
    """The answers, best first."""

    hits: list[HitReply]
    mode: str
    facets: dict[str, dict[str, int]]
    notes: list[str] = Field(default=[], description="Why the search was not what was asked for; mostly absent.")


class ErrorDetail(BaseModel):
    """What was refused and why."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorReply(BaseModel):
    """Every error's body."""

    error: ErrorDetail
