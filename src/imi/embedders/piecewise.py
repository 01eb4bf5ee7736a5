"""Embedders whose vectors arrive piece by piece, and some of whose texts may be refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from imi.errors import DataError, Failure
from imi.progress import Progress
from imi.records import Kind, ModelInfo
from imi.types import Floats

Keep = Callable[[Sequence[int], Floats], None]
"""Called as keep(rows, vectors) from any thread, as soon as these vectors are there."""


@runtime_checkable
class Piecewise(Protocol):
    """An embedder that hands over each piece when it has it, so that an interrupted run loses nothing it paid for."""

    @property
    def info(self) -> ModelInfo:
        """Who made these vectors."""
        ...

    def embed_each(
        self, texts: Sequence[str], kind: Kind, keep: Keep, *, dims: int | None = None, progress: Progress | None = None
    ) -> Mapping[int, str]:
        """Hand every vector to `keep`; return the rows of refused texts with the reasons."""
        ...


class BadTexts(DataError):
    """Some texts were refused; the vectors of all others are here and need not be made again."""

    def __init__(self, texts: Sequence[str], reasons: Mapping[int, str], vectors: Floats) -> None:
        """Say which texts were refused and why.

        Args:
            texts: all n texts.
            reasons: refused rows and the reasons.
            vectors: (n, d), whose refused rows are not to be read.
        """
        failures = [Failure(f"text {row + 1}", None, f"{why} ({texts[row][:40]!r})") for row, why in reasons.items()]
        super().__init__(
            f"{len(reasons)} of {len(texts)} texts were refused; first, {failures[0].source}: {failures[0].reason}",
            hint="leave these texts out, or cut them shorter; the others are done",
            failures=failures,
        )
        self.reasons = {texts[row]: why for row, why in reasons.items()}
        self.good = {text: z for row, (text, z) in enumerate(zip(texts, vectors, strict=True)) if row not in reasons}


def gather(embedder: Piecewise, texts: Sequence[str], kind: Kind, dims: int, progress: Progress | None) -> Floats:
    """Return all vectors of a piecewise embedder, (n, dims).

    Raises:
        BadTexts: some texts were refused.
    """
    out = np.full((len(texts), dims), np.nan, np.float32)

    def keep(rows: Sequence[int], z: Floats) -> None:
        out[list(rows)] = z

    refused = embedder.embed_each(texts, kind, keep, dims=dims, progress=progress)
    if refused:
        raise BadTexts(texts, refused, out)
    return out
