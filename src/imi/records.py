"""The frozen records that travel between layers: Document, Hit, Hits, ModelInfo, Added."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, overload

from imi.errors import Failure, Notice
from imi.hashing import blake2b
from imi.unicode_forms import normalize_form

if TYPE_CHECKING:
    import pandas

FACTS = "imi"
"""The metadata key under which imi keeps what it knows of a row itself, apart from the fields that are the user's."""
_LONE = re.compile("[\ud800-\udfff]")
_PARTS = re.compile("[^\u0300-\u036f\u3099\u309a][\u0300-\u036f\u3099\u309a]+|[\u1100-\u11ff]+")
_MIRRORED = ("source", "line", "page", "heading")

Kind = Literal["query", "document"]
Mode = Literal["text", "meaning", "hybrid"]


@dataclass(frozen=True, slots=True)
class Document:
    """One row of a collection: an id, a text (or none, when only a vector or picture is kept) and metadata.

    Metadata values are JSON values. `parent`, `start` and `end` say which document a chunk was cut from, in characters.
    `picture` is given when adding: a path, the bytes of a file, an image or an array; the row's vector is then that of
    the picture, and its text a caption. `Collection.thumbnail` returns it, documents that are read do not carry it.
    """

    id: str
    text: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    parent: str | None = None
    start: int | None = None
    end: int | None = None
    picture: Any = field(default=None, compare=False, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints; those of a chunk only where it is one."""
        plain: dict[str, Any] = {"id": self.id, "text": self.text, "metadata": dict(self.metadata)}
        if self.parent is not None:
            plain |= {"parent": self.parent, "start": self.start, "end": self.end}
        return plain


def with_facts(metadata: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata with imi's own facts of a row under the key `imi`; facts that are there already are replaced.

    `source`, `line`, `page` and `heading` can also be read and filtered by their plain names, but where the user has a
    field of that name: that field is then the user's, and the fact is under `imi` only.
    """
    if FACTS not in metadata:
        merged = {name: value for name, value in facts.items() if value is not None}
        found = {name: merged[name] for name in _MIRRORED if name in merged}
        found.update(metadata)
        found[FACTS] = merged
        return found
    before = own_facts(metadata)
    user = {
        name: value
        for name, value in metadata.items()
        if name != FACTS and not (name in _MIRRORED and name in before and before[name] == value)
    }
    merged = {**before, **{name: value for name, value in facts.items() if value is not None}}
    return {**{name: merged[name] for name in _MIRRORED if name in merged}, **user, FACTS: merged}


def own_facts(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what imi itself noted of a row: source, line, page, heading, …; empty for rows that came from no file."""
    found = metadata.get(FACTS)
    return found if isinstance(found, Mapping) else {}


def facts_of(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return imi's own facts, or, for rows without them (of an older imi, or added from Python), the plain fields."""
    found = metadata.get(FACTS)
    if isinstance(found, Mapping):
        return found
    return {name: metadata[name] for name in _MIRRORED if name in metadata}


def user_fields(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata without the key that imi's own facts are kept under."""
    return {name: value for name, value in metadata.items() if name != FACTS}


def composed(text: str) -> str:
    """Return a text with letters and their marks joined, as keyboards write them and not in parts as file systems may.

    Only sequences in parts are touched: forms of kanji stay as they are written, which NFC would not leave.
    """
    if text.isascii() or not _PARTS.search(text):
        return text
    return _PARTS.sub(lambda match: normalize_form("NFC", match[0]), text)


def plain_value(value: Any) -> Any:
    """Return a value as JSON has it: dates as ISO writes them, scalars of numpy and Decimals as the numbers they are.

    Raises:
        ValueError: it is of a kind that JSON does not have, or no finite number.
    """
    if isinstance(value, str):
        if not value.isascii() and _LONE.search(value):
            raise ValueError("it holds a lone surrogate, which no file can hold")
        return composed(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise ValueError(f"{value} is not a JSON number")
        return float(value)
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("its keys are not texts")
        return {key: plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_value(item) for item in value]
    return _from_elsewhere(value)


def _from_elsewhere(value: Any) -> Any:
    import datetime
    import decimal
    import uuid

    if isinstance(value, datetime.datetime) and value != value:
        return None  # what pandas calls no time
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is not a JSON number")
        if value == value.to_integral_value():
            return int(value)
        # Where a float would have other digits, the digits are kept as a text.
        return float(value) if decimal.Decimal(repr(float(value))) == value else str(value)
    if isinstance(value, datetime.timedelta | uuid.UUID):
        return str(value)
    module = type(value).__module__.partition(".")[0]
    if module == "numpy" and type(value).__name__ == "datetime64":
        return None if str(value) == "NaT" else str(value)
    if module == "numpy" and hasattr(value, "tolist"):
        return plain_value(value.tolist())
    if module == "pandas" and type(value).__name__ in ("NAType", "NaTType"):
        return None
    raise ValueError(f"{type(value).__name__} is not a JSON value")


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer: higher `score` is better; its scale is the mode's (cosine, BM25 or fused, see `Hits.mode`).

    `copies`: the ids of rows that say the same, where these were folded into it. `collection`: where it was found, when
    several collections were searched.
    """

    id: str
    score: float
    text: str | None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    copies: tuple[str, ...] = ()
    collection: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints; those of copies and collections only where there are any."""
        plain: dict[str, Any] = {
            "id": self.id,
            "score": self.score,
            "text": self.text,
            "metadata": dict(self.metadata),
        }
        if self.copies:
            plain["copies"] = list(self.copies)
        if self.collection is not None:
            plain["collection"] = self.collection
        return plain


class Hits(Sequence[Hit]):
    """The answers to one query, best first; prints as a small table.

    `notes` are sentences on what kept the search from being what was asked for, such as a model that is not trusted.
    `finer`: whether the model `deep` ordered the first ones.
    """

    def __init__(
        self,
        hits: Iterable[Hit],
        *,
        mode: Mode = "meaning",
        facets: Mapping[str, Mapping[str, int]] | None = None,
        search: Mapping[str, Any] | None = None,
        notes: Sequence[str] = (),
        finer: bool = False,
    ) -> None:
        self._hits = tuple(hits)
        self.mode = mode
        self.facets = {name: dict(counts) for name, counts in (facets or {}).items()}
        self.search = dict(search or {})
        self.notes = tuple(notes)
        self.finer = finer

    @overload
    def __getitem__(self, at: int) -> Hit: ...
    @overload
    def __getitem__(self, at: slice) -> Hits: ...
    def __getitem__(self, at: int | slice) -> Hit | Hits:
        if isinstance(at, slice):
            result = {"facets": self.facets, "search": self.search, "notes": self.notes, "finer": self.finer}
            return Hits(self._hits[at], mode=self.mode, **result)  # type: ignore[arg-type]  # each of its own type
        return self._hits[at]

    def of(self, hits: Iterable[Hit]) -> Hits:
        """Return other hits of the same search."""
        return Hits(hits, mode=self.mode, facets=self.facets, search=self.search, notes=self.notes)

    def noting(self, notes: Sequence[str]) -> Hits:
        """Return these hits with more notes."""
        if not notes:
            return self
        every = (*self.notes, *notes)
        return Hits(self._hits, mode=self.mode, facets=self.facets, search=self.search, notes=every)

    def __len__(self) -> int:
        return len(self._hits)

    def __iter__(self) -> Iterator[Hit]:
        return iter(self._hits)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hits) and self._hits == other._hits

    __hash__ = None  # type: ignore[assignment]

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return one plain dict a hit: id, score, text, metadata."""
        return [hit.to_dict() for hit in self._hits]

    def to_dict(self) -> list[dict[str, Any]] | dict[str, Any]:
        """Return what `--json` prints: a list, or hits with facets and search where these were asked for."""
        if not self.facets and not self.search:
            return self.to_dicts()
        result = {"hits": self.to_dicts(), "facets": self.facets, "search": self.search}
        return result | {"notes": list(self.notes)} if self.notes else result

    def to_pandas(self) -> pandas.DataFrame:
        """Return a data frame with columns id, score, text and one a metadata key.

        Raises:
            MissingExtra: pandas is not installed.
        """
        from imi.errors import MissingExtra

        try:
            import pandas
        except ImportError as missing:
            raise MissingExtra("pandas", "tables") from missing
        plain = ("id", "score", "text")
        rows = [
            {"id": hit.id, "score": hit.score, "text": hit.text}
            | {(f"metadata.{key}" if key in plain else key): value for key, value in hit.metadata.items()}
            for hit in self
        ]
        return pandas.DataFrame(rows, columns=list(plain) if not rows else None)

    def __repr__(self) -> str:
        if not self._hits:
            return "no hits"
        width = max(len(hit.id) for hit in self._hits[:50])
        lines = [f"{hit.score:7.3f}  {hit.id:<{width}}  {_one_line(hit.text)}" for hit in self._hits[:50]]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f"<tr><td>{hit.score:.3f}</td><td>{escape(hit.id)}</td><td>{escape(_one_line(hit.text, 200))}</td></tr>"
            for hit in self._hits
        )
        return f"<table><thead><tr><th>score</th><th>id</th><th>text</th></tr></thead><tbody>{rows}</tbody></table>"


@dataclass(frozen=True, slots=True)
class Citation:
    """Number n of an answer: the passage's id, text and page (None where there is no such passage).

    `supported` tells whether every sentence that cites it finds its words, numbers or meaning there. It is a check by
    machine: it finds made-up numbers and passages about something else, not every false claim.
    """

    n: int
    id: str | None
    text: str | None
    page: int | str | None
    supported: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return {"n": self.n, "id": self.id, "text": self.text, "page": self.page, "supported": self.supported}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its citations; `answer` is None, and `reason` says why, where the passages hold none.

    `llm` is None where it only quotes; `passages` are what was read.
    """

    answer: str | None
    citations: tuple[Citation, ...]
    llm: str | None
    passages: tuple[Hit, ...]
    reason: str | None = None

    @property
    def text(self) -> str | None:
        """The answer, None where there is none."""
        return self.answer

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints; the reason only where there is no answer."""
        plain = {"answer": self.answer, "citations": [one.to_dict() for one in self.citations], "llm": self.llm}
        return plain if self.reason is None else plain | {"reason": self.reason}


def _one_line(text: str | None, width: int = 80) -> str:
    flat = " ".join((text or "").split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"


@dataclass(frozen=True)
class ModelInfo:
    """What makes two vectors comparable, and what a reader wants to know of a model.

    `dims` are the trained prefixes, ascending, the last one the full width; a model that is not Matryoshka has one.
    """

    id: str
    width: int
    dims: tuple[int, ...]
    weights: str
    pooling: str = ""
    tokenizer: str = ""
    prompts: Mapping[str, str] = field(default_factory=dict)
    max_tokens: int | None = None
    licence: str = ""
    source: str = ""

    @property
    def matryoshka(self) -> bool:
        """Whether prefixes of a vector were trained to be vectors themselves."""
        return len(self.dims) > 1

    @cached_property
    def fingerprint(self) -> str:
        """Return 32 hex digits over all that changes the numbers: two vectors meet only if these agree."""
        parts = [
            self.id,
            self.weights,
            self.width,
            list(self.dims),
            self.pooling,
            self.tokenizer,
            dict(sorted(self.prompts.items())),
        ]
        return blake2b(json.dumps(parts, ensure_ascii=False).encode(), digest_size=16).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields and the fingerprint as JSON values."""
        return {
            "id": self.id,
            "width": self.width,
            "dims": list(self.dims),
            "matryoshka": self.matryoshka,
            "fingerprint": self.fingerprint,
            "max_tokens": self.max_tokens,
            "licence": self.licence,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class Repeated:
    """An id that occurs more than once, with the files and lines; the row of the last place was kept."""

    id: str
    places: tuple[tuple[str, int | None], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return {"id": self.id, "places": [{"source": source, "line": line} for source, line in self.places]}


@dataclass(frozen=True, slots=True)
class Summary:
    """What is to be known of files that were added.

    Attributes:
        columns: the columns of tables that were kept.
        dropped: those that were not, with the reason.
        repeated: ids that occur more than once; the last row of each was kept.
        ignored: files of kinds that no reader knows.
        notices: how files were read, and what in them is not a row.
    """

    columns: tuple[str, ...] = ()
    dropped: Mapping[str, str] = field(default_factory=dict)
    repeated: tuple[Repeated, ...] = ()
    ignored: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return {
            "columns": list(self.columns),
            "dropped": dict(self.dropped),
            "repeated": [one.to_dict() for one in self.repeated],
            "ignored": list(self.ignored),
            "notices": [one.to_dict() for one in self.notices],
        }


@dataclass(frozen=True, slots=True)
class Added:
    """What an `add` did, by number of rows; `failed` names the rows that were not taken, `summary` tells of files."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: tuple[Failure, ...] = ()
    summary: Summary | None = None

    def __add__(self, other: Added) -> Added:
        return Added(
            self.added + other.added,
            self.updated + other.updated,
            self.unchanged + other.unchanged,
            self.removed + other.removed,
            self.failed + other.failed,
            self.summary or other.summary,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints; `summary` only where there is more to say than the columns."""
        counts = {"added": self.added, "updated": self.updated, "unchanged": self.unchanged, "removed": self.removed}
        found = counts | {"failed": [failure.to_dict() for failure in self.failed]}
        if self.summary is None or replace(self.summary, columns=()) == Summary():
            return found
        return found | {"summary": self.summary.to_dict()}
