"""From a URL to a collection on an engine."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any, Literal

from imi.backends.address import Address, read_address
from imi.backends.collection import EngineCollection
from imi.backends.engine import Engine
from imi.backends.schemes import EngineName
from imi.embedders.base import Embedder
from imi.errors import MissingExtra

_ENGINES: dict[EngineName, tuple[str, str, str, str]] = {
    "postgresql": ("imi.backends.postgres.engine", "PostgresEngine", "psycopg", "pg"),
    "qdrant": ("imi.backends.qdrant.engine", "QdrantEngine", "qdrant_client", "qdrant"),
    "milvus": ("imi.backends.milvus.engine", "MilvusEngine", "pymilvus", "milvus"),
}
"""Of each engine its module, its class, the package that it needs, and the extra that brings it."""


def open_url(
    url: str, model: str | Embedder | None = None, mode: Literal["rw", "r"] = "rw", *, trust: bool = False
) -> EngineCollection:
    """Open a collection on an engine; see `imi.open`.

    Raises:
        UsageError: the URL cannot be read, or the collection is missing in the mode "r".
        MissingExtra: the engine's client is not installed.
        EndpointError: the engine cannot be reached.
        ModelMismatch: the model given is not the collection's.
    """
    address = read_address(url)
    engine = _connect(address)
    try:
        return EngineCollection(engine, address.name, model, mode, trust=trust)
    except BaseException:
        engine.close()
        raise


def _connect(address: Address) -> Engine:
    module, name, package, extra = _ENGINES[address.engine]
    if find_spec(package) is None:
        raise MissingExtra(package, extra)
    engine: Any = getattr(importlib.import_module(module), name)
    connected: Engine = engine(address)
    return connected
