"""`imi.open` and `imi.similarity`: the shortest ways in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from imi.backends.schemes import is_address
from imi.collection import Collection, FolderCollection
from imi.collection.paths import resolve
from imi.collection.pictures import Query, picture_embedder_of
from imi.embedders.base import Embedder
from imi.embedders.load import load
from imi.errors import UsageError
from imi.index.policy import IndexPolicy
from imi.pictures import is_picture
from imi.store.rows import Dtype
from imi.vectors import cosine


def open(
    path_or_url: str | Path,
    model: str | Embedder | None = None,
    mode: Literal["rw", "r"] = "rw",
    *,
    dtype: Dtype = "float32",
    policy: IndexPolicy | None = None,
    trust: bool = False,
) -> Collection:
    """Open a collection, a context manager; created when missing in the mode "rw".

    Args:
        path_or_url: its folder; the suffix `.imi` may be left off when it exists. Or a URL: `postgresql://…`,
            `qdrant://…`, `milvus://…`, each with `?collection=NAME`.
        model: what embeds, a name for `imi.load` or an embedder; None for the collection's own, "built-in" for a new
            one.
        mode: "rw", or "r" for reading only.
        dtype: how a new collection stores vectors, "float32" or "float16" (half the size).
        policy: when a folder's indexes are written and built; None for the measured defaults.
        trust: whether the model that the collection names may be used, though it is not imi's own and you never named
            it; your word is remembered. Until then only text is searched.

    Raises:
        UsageError: the URL's engine is not known, or the path is not a collection.
        MissingExtra: the engine's client is not installed. EndpointError: the engine cannot be reached.
        ModelMismatch: the model given is not the collection's.
    """
    if is_address(str(path_or_url)):
        from imi.backends.opening import open_url

        if policy is not None:
            raise UsageError(
                f"policy is {policy!r}, but an engine keeps its own indexes", hint="leave policy out for a URL"
            )
        return open_url(str(path_or_url), model, mode, trust=trust)
    return FolderCollection(resolve(path_or_url), model, mode, dtype=dtype, policy=policy, trust=trust)


def similarity(
    a: Query | Sequence[str], b: Query | Sequence[str], model: str | Embedder | None = None
) -> float | NDArray[np.float32]:
    """Return cosine similarity: a number for two texts, pictures or vectors, (n, m) float32 for two lists of them.

    Args:
        a: a text, a list of texts, a picture (a path, an image, an array (h, w, 3) uint8), a vector (d,), or (n, d).
        b: the same.
        model: what embeds texts and pictures; None for the built-in model.
    """
    left, right = (_vectors(side, model) for side in (a, b))
    scores = cosine(left, right)
    return float(scores) if scores.ndim == 0 else scores


def _vectors(side: Query | Sequence[str], model: str | Embedder | None) -> NDArray[np.float32]:
    embedder = load(model) if model is None or isinstance(model, str) else model
    if isinstance(side, str):
        return np.asarray(embedder.embed([side])[0])
    if isinstance(side, Sequence) and side and all(isinstance(one, str) for one in side):
        return embedder.embed([str(one) for one in side])
    if is_picture(side):
        return np.asarray(picture_embedder_of(embedder).embed_images([side])[0])
    return np.asarray(side, dtype=np.float32)
