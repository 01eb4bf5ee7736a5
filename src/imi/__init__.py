"""imi (意味): find anything by meaning.

    import imi

    model = imi.load()
    imi.similarity("cat", "猫")
    with imi.open("reviews.imi") as reviews:
        reviews.add([imi.Document("1", "…", {"Score": 5})])
        hits = reviews.search("delicious beans", k=5)

Names are loaded when they are first used, so that `import imi` costs next to nothing.
"""

from __future__ import annotations

from imi._version import __version__

TYPE_CHECKING = False  # as type checkers read it; `typing` takes longer to import than all else here
if TYPE_CHECKING:
    from typing import Any

    from imi import evaluate, tasks, train
    from imi.collection import Collection
    from imi.collection.rankings import Rerank
    from imi.embedders.base import Embedder
    from imi.embedders.load import load
    from imi.errors import ImiError, NotFound
    from imi.index.goal import Goal
    from imi.index.planner import plan
    from imi.ingest import read
    from imi.opening import open, similarity
    from imi.rag.asking import ask
    from imi.records import Added, Answer, Document, Hit, Hits, ModelInfo
    from imi.text.readers import ReadOptions
    from imi.vectors import normalize, quantize, truncate

_LAZY = {
    "Added": "imi.records",
    "Answer": "imi.records",
    "Document": "imi.records",
    "Hit": "imi.records",
    "Hits": "imi.records",
    "ImiError": "imi.errors",
    "ModelInfo": "imi.records",
    "NotFound": "imi.errors",
    "ask": "imi.rag.asking",
    "Collection": "imi.collection",
    "Goal": "imi.index.goal",
    "Embedder": "imi.embedders.base",
    "Rerank": "imi.collection.rankings",
    "load": "imi.embedders.load",
    "normalize": "imi.vectors",
    "open": "imi.opening",
    "plan": "imi.index.planner",
    "quantize": "imi.vectors",
    "read": "imi.ingest",
    "ReadOptions": "imi.text.readers",
    "similarity": "imi.opening",
    "truncate": "imi.vectors",
}
_MODULES = ("errors", "evaluate", "records", "tasks", "train")

__all__ = [
    "Added",
    "Answer",
    "Collection",
    "Document",
    "Embedder",
    "Goal",
    "Hit",
    "Hits",
    "ImiError",
    "ModelInfo",
    "NotFound",
    "ReadOptions",
    "Rerank",
    "__version__",
    "ask",
    "evaluate",
    "load",
    "normalize",
    "open",
    "plan",
    "quantize",
    "read",
    "similarity",
    "tasks",
    "train",
    "truncate",
]


def __getattr__(name: str) -> Any:
    import importlib

    if name in _LAZY:
        value = getattr(importlib.import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    if name in _MODULES:
        return importlib.import_module(f"imi.{name}")
    raise AttributeError(f"module 'imi' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
