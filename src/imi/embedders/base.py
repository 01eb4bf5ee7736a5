"""What every embedder does: texts in, unit rows out, and its ModelInfo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from imi.pictures import Source
from imi.progress import Progress
from imi.records import Kind, ModelInfo
from imi.types import Floats


@runtime_checkable
class Embedder(Protocol):
    """A model as the rest of imi sees it; queries and documents are kept apart so that prompts cannot be forgotten."""

    @property
    def info(self) -> ModelInfo:
        """Who made these vectors: width, trained dims, fingerprint."""
        ...

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind = "document",
        dims: int | None = None,
        *,
        progress: Progress | None = None,
    ) -> Floats:
        """Embed texts as unit rows.

        Args:
            texts: n strings; an empty one gives a vector too.
            kind: "query" for what is asked, "document" for what is kept.
            dims: leading dimensions to keep, re-normalised; None for the full width.
            progress: called as progress(done, total).

        Returns:
            (n, dims) float32.
        """
        ...

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return how many tokens the model reads in each text, (n,) int64."""
        ...


@runtime_checkable
class PictureEmbedder(Embedder, Protocol):
    """A model that reads pictures too; where it reads both, texts and pictures lie in one space."""

    @property
    def picture_fingerprint(self) -> str:
        """Who made the vectors of pictures: two of them meet only if these agree."""
        ...

    def embed_images(
        self, pictures: Sequence[Source], dims: int | None = None, *, progress: Progress | None = None
    ) -> Floats:
        """Embed pictures as unit rows, (n, dims) float32.

        Args:
            pictures: paths, bytes of files, images of Pillow, arrays (h, w, 3) uint8, or pictures that were read.
            dims: leading dimensions to keep, re-normalised; None for the full width.
            progress: called as progress(done, total).

        Raises:
            DataError: a picture cannot be read.
        """
        ...
