"""`hf-static:FOLDER`: model2vec's folders of static embeddings, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi import vectors
from imi.embedders.model_folder import hash_files, needed, trained_dims
from imi.embedders.pieces import encodable
from imi.errors import DataError, MissingExtra, UsageError
from imi.progress import Progress
from imi.records import Kind, ModelInfo
from imi.types import Floats

_SLICE = 4096


class HfStatic:
    """A table of token vectors whose mean is a text's vector."""

    def __init__(self, folder: Path) -> None:
        """Load the model.

        Raises:
            MissingExtra: model2vec is not installed.
            UsageError: there is no such folder; DataError: it holds no model.
        """
        try:
            from model2vec import StaticModel
        except ImportError as missing:
            raise MissingExtra("model2vec", "static") from missing
        if not folder.is_dir():
            raise UsageError(f"there is no folder {folder}", hint="hf-static:FOLDER with a folder that model2vec saved")
        weights = needed(folder, "model.safetensors", "0_StaticEmbedding/model.safetensors")
        tokenizer = needed(folder, "tokenizer.json", "0_StaticEmbedding/tokenizer.json")
        try:
            self._model: Any = StaticModel.from_pretrained(folder, force_download=False)
        except (OSError, ValueError, KeyError) as broken:
            raise DataError(f"{folder} holds no static model: {broken}", hint="copy the folder again") from broken
        width = int(self._model.dim)
        self.info = ModelInfo(
            id=f"hf-static:{folder.resolve().name}",
            width=width,
            dims=trained_dims(folder, width),
            weights=hash_files([weights]),
            pooling="mean",
            tokenizer=hash_files([tokenizer]),
            max_tokens=self._model.max_length,
            source=str(folder),
        )

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind = "document",
        dims: int | None = None,
        *,
        progress: Progress | None = None,
    ) -> Floats:
        """Embed texts as (n, dims) float32 unit rows; a text without a known token gets one fixed direction."""
        texts = encodable(texts)
        width = self.info.width
        out = np.empty((len(texts), width), np.float32)
        for first in range(0, len(texts), _SLICE):
            part = texts[first : first + _SLICE]
            out[first : first + len(part)] = self._model.encode(part, use_multiprocessing=False)
            if progress is not None:
                progress(first + len(part), len(texts))
        out[~out.any(axis=1), 0] = 1.0
        return vectors.truncate(out, width if dims is None else dims)

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return how many tokens of each text the table knows, (n,) int64."""
        counted = self._model.tokenizer.encode_batch(encodable(texts), add_special_tokens=False)
        return np.fromiter((len(one.ids) for one in counted), np.int64, len(texts))
