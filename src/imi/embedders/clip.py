"""`clip:NAME`: a CLIP model on this machine, run by sentence-transformers; `clip:PICTURES,TEXTS` pairs two.

The second form serves languages that the first model cannot read, such as Japanese: it joins the picture tower of
one model to a multilingual text tower trained to share its space.
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
    """A picture tower and a text tower that embed into one space."""

    def __init__(self, name: str, *, device: str | None = None) -> None:
        """Load one model that has both towers, or two models.

        Args:
            name: a folder or a hub name whose files are in the local cache, or two of these separated by a comma.
            device: where to compute, such as "cpu" or "cuda"; None lets sentence-transformers choose.

        Raises:
            MissingExtra: sentence-transformers is not installed.
            UsageError: there is no such model on this machine, it does not read pictures, or the towers' widths differ.
        """
        first, _, second = (name, "", "") if Path(name).is_dir() else name.partition(",")
        self._pictures = SentenceTransformers(first.strip(), device=device)
        if "image" not in self._pictures.modalities:
            raise UsageError(
                f"the model {first!r} reads {', '.join(self._pictures.modalities)}, no pictures",
                hint="clip:PICTURES,TEXTS takes the pictures' tower first",
            )
        self._texts = SentenceTransformers(second.strip(), device=device) if second else self._pictures
        picture_info, text_info = self._pictures.info, self._texts.info
        if picture_info.width != text_info.width:
            raise UsageError(
                f"the towers have {picture_info.width} and {text_info.width} dimensions: they do not share a space"
            )
        both = hashlib.blake2b(f"{picture_info.weights} {text_info.weights}".encode(), digest_size=16).hexdigest()
        self.info = replace(
            text_info,
            id="clip:" + ",".join(dict.fromkeys(info.id.removeprefix("st:") for info in (picture_info, text_info))),
            weights=both if second else picture_info.weights,
            dims=tuple(sorted(set(picture_info.dims) & set(text_info.dims))),
            source=name,
        )

    @property
    def picture_fingerprint(self) -> str:
        """The fingerprint of picture vectors: that of text vectors, since the two are compared with each other."""
        return self.info.fingerprint

    def embed_images(
        self, pictures: Sequence[Source], dims: int | None = None, *, progress: Progress | None = None
    ) -> Floats:
        """Embed pictures as (n, dims) float32 unit rows, prepared by the model's own processor.

        Raises:
            UsageError: dims is out of range.
            DataError: a picture cannot be read.
        """
        out = np.empty((len(pictures), self.info.width), np.float32)
        for first in range(0, len(pictures), _BATCH):
            read = open_all_or_none(pictures[first : first + _BATCH])
            out[first : first + len(read)] = self._pictures.encode_images([one.pixels for one in read])
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
        return self._texts.embed(texts, kind, dims, progress=progress)

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return how many tokens the text tower sees in each text, (n,) int64."""
        return self._texts.count_tokens(texts)
