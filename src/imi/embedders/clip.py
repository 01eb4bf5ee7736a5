"""`clip:NAME`: a CLIP model on this machine, by sentence-transformers; `clip:PICTURES,TEXTS` takes two towers.

The second form is for Japanese: the picture tower of one model, and a multilingual text tower that was trained into
its space.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imi import vectors
from imi.embedders.sentence_transformers import SentenceTransformers
from imi.errors import UsageError
from imi.pictures import Source, open_all_or_none
from imi.progress import Progress
from imi.records import Kind
from imi.types import Floats

_BATCH = 32


class Clip:
    """A picture tower and a text tower of one space."""

    def __init__(self, name: str, *, device: str | None = None) -> None:
        """Load one model that has both towers, or two.

        Args:
            name: a folder or a hub name whose files are in the local cache, or two of these with a comma between.
            device: as for `SentenceTransformers`.

        Raises:
            MissingExtra: sentence-transformers is not installed.
            UsageError: there is no such model on this machine, it reads no pictures, or the towers' widths differ.
        """
        first, _, second = (name, "", "") if Path(name).is_dir() else name.partition(",")
        self._seeing = SentenceTransformers(first.strip(), device=device)
        if "image" not in self._seeing.modalities:
            raise UsageError(
                f"the model {first!r} reads {', '.join(self._seeing.modalities)}, no pictures",
                hint="clip:PICTURES,TEXTS takes the pictures' tower first",
            )
        self._reading = SentenceTransformers(second.strip(), device=device) if second else self._seeing
        mine, other = self._seeing.info, self._reading.info
        if mine.width != other.width:
            raise UsageError(f"the towers have {mine.width} and {other.width} dimensions: they are of two spaces")
        both = hashlib.blake2b(f"{mine.weights} {other.weights}".encode(), digest_size=16).hexdigest()
        self.info = replace(
            other,
            id="clip:" + ",".join(dict.fromkeys(info.id.removeprefix("st:") for info in (mine, other))),
            weights=both if second else mine.weights,
            dims=tuple(sorted(set(mine.dims) & set(other.dims))),
            source=name,
        )

    @property
    def picture_fingerprint(self) -> str:
        """Who made the vectors of pictures: the same that made those of texts."""
        return self.info.fingerprint

    def embed_images(
        self, pictures: Sequence[Source], dims: int | None = None, *, progress: Progress | None = None
    ) -> Floats:
        """Embed pictures as (n, dims) float32 unit rows, prepared as the model's own processor does it."""
        out = np.empty((len(pictures), self.info.width), np.float32)
        for first in range(0, len(pictures), _BATCH):
            read = open_all_or_none(pictures[first : first + _BATCH])
            out[first : first + len(read)] = self._seeing.encode_images([one.pixels for one in read])
            if progress is not None:
                progress(first + len(read), len(pictures))
        return vectors.truncate(out, self.info.width if dims is None else dims)

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind = "document",
        dims: int | None = None,
        *,
        progress: Progress | None = None,
    ) -> Floats:
        """Embed texts as (n, dims) float32 unit rows by the text tower."""
        return self._reading.embed(texts, kind, dims, progress=progress)

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return how many tokens the text tower sees in each text, (n,) int64."""
        return self._reading.count_tokens(texts)
