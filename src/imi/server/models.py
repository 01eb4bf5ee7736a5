"""The models that a server answers with: by name, by the model's own id, and by alias.

A model that most servers are never asked for is listed like the others and loaded by the first request that names it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imi.embedders.base import Embedder
from imi.llm.names import public_name
from imi.records import Kind, ModelInfo
from imi.server.batching import Batcher
from imi.server.http.responses import ApiError


@dataclass(frozen=True, slots=True)
class Served:
    """One model that is loaded: the name it was asked for by, its embedder and its queue.

    `given` is the name with the password that its URL may hold, which is never shown.
    """

    name: str
    given: str
    embedder: Embedder
    batcher: Batcher
    info: ModelInfo

    async def embed(self, texts: list[str], kind: Kind = "document") -> NDArray[np.float32]:
        """Return (n, width) float32 unit rows."""
        return await self.batcher.embed(texts, kind)


class Models:
    """All served models; `get` finds one by any of its names."""

    def __init__(
        self,
        embedders: Mapping[str, Embedder],
        aliases: Mapping[str, str],
        pool: Executor,
        on_batch: Callable[[int, float], None],
        later: Mapping[str, Callable[[], Embedder]] | None = None,
    ) -> None:
        """Set up; the first embedder is the default one.

        Args:
            embedders: by the name that `imi.load` knows.
            aliases: other names, each for one of these.
            pool: where long work runs.
            on_batch: called with the number of texts and the seconds of each call.
            later: models to load when they are first asked for, by each of their names.
        """
        self.created = int(time.time())
        self._pool, self._on_batch = pool, on_batch
        self._later = {name: make for name, make in (later or {}).items() if name not in {*embedders, *aliases}}
        self._loading: dict[Callable[[], Embedder], asyncio.Future[Served]] = {}
        self.aliases = {alias: public_name(name) for alias, name in aliases.items()}
        self._by_name: dict[str, Served] = {}
        self._private: set[str] = set()
        for given, embedder in embedders.items():
            name = public_name(given)
            served = self._by_name[name] = self._served(given, embedder)
            shown = without_place(name)
            if shown != name:
                self._private.add(name)
                self._by_name.setdefault(shown, served)
        self.default = next(iter(self._by_name.values()))
        for served in list(self._by_name.values()):
            self._by_name.setdefault(served.info.id, served)
        for alias, name in self.aliases.items():
            self._by_name[alias] = self._by_name[name]

    def _served(self, given: str, embedder: Embedder) -> Served:
        served = Served(
            public_name(given), given, embedder, Batcher(embedder, self._pool, self._on_batch), embedder.info
        )
        served.batcher.measure()
        return served

    async def ready(self, name: object) -> None:
        """Load the model of a name where that was put off; requests that come meanwhile wait for the same one.

        Raises:
            ImiError: the model's files are not whole.
        """
        make = self._later.get(name) if isinstance(name, str) else None
        if not isinstance(name, str) or make is None:
            return
        if make not in self._loading:
            loop = asyncio.get_running_loop()
            # On a thread of its own: those that read have requests to answer.
            self._loading[make] = asyncio.ensure_future(loop.run_in_executor(None, lambda: self._served(name, make())))
        try:
            served = await asyncio.shield(self._loading[make])
        except Exception:
            self._loading.pop(make, None)  # the next request tries again
            raise
        for one in [one for one, other in self._later.items() if other is make]:
            del self._later[one]
            self._by_name[one] = served

    def get(self, name: str) -> Served:
        """Return the model of a name; one that is loaded when asked for must be `ready`.

        Raises:
            ApiError: 404 in OpenAI's words, naming what is served and how to make the name work.
        """
        served = self._by_name.get(name)
        if served is None:
            raise ApiError(
                404,
                f"The model `{name[:200]}` does not exist or you do not have access to it. Served here: "
                f"{', '.join(self.names())}. To answer by another name, start with --alias "
                f"NAME={without_place(self.default.name)}.",
                code="model_not_found",
            )
        return served

    def of(self, fingerprint: str) -> Served | None:
        """Return the model whose vectors have a fingerprint, None where it is not loaded."""
        return next((one for one in self._by_name.values() if one.info.fingerprint == fingerprint), None)

    def names(self) -> list[str]:
        """Return the names that are answered, without those that say where a model lies."""
        return [name for name in self._by_name if name not in self._private] + list(self._later)


def without_place(name: str) -> str:
    """Return a model's name without its folder on this machine or its URL: st:/home/u/model is st:model."""
    kind, colon, rest = name.partition(":")
    if not colon or len(kind) == 1:  # a folder, maybe with the letter of a drive
        kind, colon, rest = "", "", name
    rest = rest.partition("@")[0] or rest
    if rest.startswith(("/", "~", ".", "\\")) or rest[1:3] in (":\\", ":/"):
        rest = re.split(r"[/\\]", rest.rstrip("/"))[-1]
    return f"{kind}{colon}{rest}"
