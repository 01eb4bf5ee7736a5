"""What a collection says of itself, and how it remembers its model."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from imi.embedders import deep as finer
from imi.errors import CollectionError, ModelMismatch
from imi.llm.names import public_name, public_url
from imi.records import FACTS, ModelInfo
from imi.store.deep_vectors import FINGERPRINT, deep_count
from imi.store.store import FILE, Store

OWN = "own vectors"


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """Name, rows, model, widths and bytes on disk; `index` says what answers searches, `version` whether it changed.

    `deep` is how many rows have a second vector, by the finer model.
    """

    name: str
    path: str
    count: int
    model: str | None
    fingerprint: str | None
    dims: int | None
    dtype: str
    fields: tuple[str, ...]
    bytes: dict[str, int]
    index: dict[str, Any]
    version: str = ""
    deep: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return asdict(self) | {"fields": list(self.fields)}


@dataclass(frozen=True, slots=True)
class Bound:
    """The model that a collection's vectors are of.

    `name` loads it, None where it was given as an object; `dims` are the dimensions kept of each vector, None for all.
    """

    name: str | None
    info: ModelInfo
    dims: int | None = None

    @property
    def own(self) -> bool:
        """Whether the vectors were brought by the user, so that nothing here can embed a question."""
        return self.info.id == OWN

    @property
    def width(self) -> int:
        """Numbers of a vector as it is stored."""
        return self.dims or self.info.width

    @property
    def fingerprint(self) -> str:
        """What two vectors must share to meet: the model's fingerprint, and the size where it was shortened."""
        return self.info.fingerprint if self.dims is None else f"{self.info.fingerprint}@{self.dims}"

    def to_json(self) -> str:
        """Return the text that `from_json` reads."""
        values = {"name": self.name, "info": asdict(self.info), "dims": self.dims}
        return json.dumps(values, ensure_ascii=False)

    @classmethod
    @lru_cache(maxsize=64)  # each search asks for it
    def from_json(cls, text: str) -> Bound:
        """Return what `to_json` wrote."""
        values = json.loads(text)
        info, name = values["info"], values["name"]
        # A password that an earlier version wrote down goes no further.
        clean = {"dims": tuple(info["dims"]), "id": public_name(str(info["id"]))}
        if "://" in str(info.get("source", "")):
            clean["source"] = public_url(str(info["source"]))
        return cls(None if name is None else public_name(str(name)), ModelInfo(**(info | clean)), values["dims"])


def own_vectors(width: int) -> ModelInfo:
    """Return the info of vectors that no model of imi made."""
    return ModelInfo(id=OWN, width=width, dims=(width,), weights="")


class _Meta(Protocol):
    def meta(self, key: str) -> str | None: ...


def read_bound(store: _Meta) -> Bound | None:
    """Return the model that the collection was filled with, None before its first vector."""
    text = store.meta("model")
    return None if text is None else Bound.from_json(text)


def write_bound(store: Store, bound: Bound) -> None:
    """Write down the model with the first vectors; must run inside `writing()`."""
    store.set_meta("model", bound.to_json())
    store.set_meta("fingerprint", bound.fingerprint)
    store.set_meta("width", bound.width)


def check_same(folder: Path | str, kept: ModelInfo, given: ModelInfo) -> None:
    """Refuse to let vectors of two models meet.

    Raises:
        ModelMismatch: the fingerprints differ, also where the widths agree.
    """
    if kept.fingerprint != given.fingerprint:
        if kept.id == given.id:
            raise ModelMismatch(
                f"{folder} holds vectors of another version of {kept.id} (fingerprint {kept.fingerprint[:8]}) than the "
                f"one here ({given.fingerprint[:8]})",
                hint=f"imi migrate {folder} --model {given.id}   embeds its texts again, in seconds for thousands",
            )
        raise ModelMismatch(
            f"{folder} holds vectors of {kept.id} ({kept.width} dimensions, fingerprint {kept.fingerprint[:8]}), "
            f"these would be of {given.id} ({given.width} dimensions, fingerprint {given.fingerprint[:8]})",
            hint=f"leave the model out to use {kept.id}, or change the collection's: imi migrate {folder} --model …",
        )


def no_model(folder: Path | str) -> CollectionError:
    """Return the error for a question in words to a collection that only has the user's own vectors."""
    return CollectionError(
        f"{folder} holds vectors of your own, and no model that could turn words into one",
        hint="search with a vector, with `similar`, or in the mode text",
    )


class _Index(Protocol):
    folder: Path

    def info(self) -> dict[str, Any]: ...


def describe(store: Store, index: _Index) -> CollectionInfo:
    """Return what a collection says of itself."""
    with store.reading():
        bound = read_bound(store)
        return CollectionInfo(
            name=store.folder.stem,
            path=str(store.folder),
            count=store.count(),
            model=None if bound is None else bound.name or bound.info.id,
            fingerprint=None if bound is None else bound.fingerprint,
            dims=store.width,
            dtype=store.dtype,
            fields=tuple(name for name in store.fields() if name != FACTS),
            bytes={"collection": _size(store.folder, f"{FILE}*"), "index": _size(index.folder, "**/*")},
            index=index.info(),
            deep=read_by_finer(store),
            version=f"{store.meta('identity')}.{store.epoch}.{store.changes}",
        )


def read_by_finer(store: Store) -> int:
    """Return how many rows have a second vector of the finer model as it is now, not of an earlier release.

    Where this installation has no such model, those that are kept count.
    """
    kept = deep_count(store)
    if not kept or not finer.installed():
        return kept
    return kept if store.meta(FINGERPRINT) == finer.package_info().fingerprint else 0


def _size(folder: Path, pattern: str) -> int:
    total = 0
    for part in folder.glob(pattern):
        with contextlib.suppress(FileNotFoundError):  # replaced by a build meanwhile
            total += part.stat().st_size if part.is_file() else 0
    return total
