"""Rerankers: what looks at a question and each passage together, slower and closer than a search can."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imi.embedders.base import Embedder
from imi.embedders.sentence_transformers import model_place
from imi.errors import DataError, MissingExtra, UsageError
from imi.text.sentences import sentences

NAMES = ("auto", "none", "late", "llm", "st:NAME")


@runtime_checkable
class Reranker(Protocol):
    """A model as `Finding.rerank` takes it; packages of others bring theirs, see docs/plugins.md."""

    def score(self, question: str, texts: Sequence[str]) -> ArrayLike:
        """Return a score for each text, (n,); higher answers the question better."""
        ...


class Late:
    """Late scoring with the collection's own model: the sentence of a passage that is nearest to the question."""

    def __init__(self, model: Embedder) -> None:
        self._model = model

    def score(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return for each text the highest cosine of the question with one of its sentences, at full width, (n,)."""
        parts = [sentences(text) or [text] for text in texts]
        flat = [sentence for part in parts for sentence in part]
        cosines = self._model.embed(flat) @ self._model.embed([question], "query")[0]
        ends = np.cumsum([len(part) for part in parts])
        return np.array([part.max() for part in np.split(cosines, ends[:-1])], np.float32)


class CrossEncoder:
    """A cross-encoder of sentence-transformers, from a folder or the local hub cache; nothing is downloaded."""

    def __init__(self, name: str) -> None:
        """Load the model.

        Args:
            name: a folder, or a hub name whose files are in the local cache.

        Raises:
            MissingExtra: sentence-transformers is not installed.
            UsageError: there is no such model on this machine, or it gives several numbers for a passage.
        """
        try:
            from sentence_transformers import CrossEncoder as Encoder
        except ImportError as missing:
            raise MissingExtra("sentence-transformers", "st") from missing
        place = str(model_place(name))
        try:
            self._model: Any = Encoder(
                place, local_files_only=True, trust_remote_code=False, model_kwargs={"use_safetensors": True}
            )
        except (OSError, ValueError) as wrong:
            raise UsageError(
                f"the cross-encoder {name!r} cannot be loaded: {str(wrong).splitlines()[0][:200]}",
                hint="give the folder of a saved one; imi downloads none",
            ) from wrong
        if self._model.num_labels != 1:
            raise UsageError(
                f"the cross-encoder {name!r} gives {self._model.num_labels} numbers for a passage",
                hint="a reranker gives one",
            )

    def score(self, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return what the model says of the question and each text, (n,)."""
        pairs = [(question, text) for text in texts]
        return np.asarray(self._model.predict(pairs, show_progress_bar=False), np.float32).reshape(len(texts))


def load_reranker(name: str, model: Embedder) -> Reranker:
    """Return the reranker of a name: "late" with this model, "st:NAME", or KIND:REST of another package.

    Raises:
        UsageError: there is no such reranker; the message lists the names that are allowed.
        MissingExtra: it needs a package that is not installed.
    """
    kind, _, rest = name.partition(":")
    if name == "late":
        return Late(model)
    if kind == "st" and rest:
        return CrossEncoder(rest)
    if rest:
        for point in entry_points(group="imi.rerankers", name=kind):
            made: Reranker = point.load()(rest)
            return made
    brought = sorted(f"{point.name}:NAME" for point in entry_points(group="imi.rerankers"))
    allowed = ", ".join([*map(repr, NAMES), *map(repr, brought)])
    raise UsageError(f"rerank is {name!r}, allowed are {allowed}", hint="--rerank late needs nothing else")


def scores_of(reranker: Reranker, question: str, texts: Sequence[str]) -> NDArray[np.float32]:
    """Return a reranker's scores, (n,) float32, one finite number a text.

    Raises:
        DataError: it gave something else, which would misplace passages.
    """
    given = np.asarray(reranker.score(question, texts), np.float32)
    if given.shape != (len(texts),) or not np.isfinite(given).all():
        bad = "" if given.shape != (len(texts),) else ", not all of them finite"
        raise DataError(f"{type(reranker).__name__} gave scores of the shape {given.shape}{bad} for {len(texts)} texts")
    return given
