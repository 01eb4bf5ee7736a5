"""`st:NAME`: any sentence-transformers model that is on this machine, with its own prompts for either kind of text."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi import vectors
from imi.embedders.model_folder import check_runs_no_code, prompts_of, trained_dims
from imi.embedders.pieces import encodable
from imi.errors import MissingExtra, UsageError
from imi.progress import Progress
from imi.records import Kind, ModelInfo
from imi.types import Floats

_SLICE = 1024


class SentenceTransformers:
    """A model of sentence-transformers, read from a folder or from the local hub cache; nothing is downloaded."""

    def __init__(self, name: str, *, device: str | None = None) -> None:
        """Load the model.

        Args:
            name: a folder, or a hub name whose files are in the local cache.
            device: "cpu", "cuda", "cuda:1" …; None for IMI_DEVICE, else the library's choice.

        Raises:
            MissingExtra: sentence-transformers is not installed.
            UsageError: there is no such model on this machine.
            DataError: its folder holds code, pickled weights, or names another model.
        """
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as missing:
            raise MissingExtra("sentence-transformers", "st") from missing
        device = device or os.environ.get("IMI_DEVICE") or None
        place = model_place(name)
        try:
            with _silent():
                self._model: Any = SentenceTransformer(
                    str(place),
                    device=device,
                    local_files_only=True,
                    trust_remote_code=False,
                    model_kwargs={"use_safetensors": True},
                )
        except (OSError, ValueError, RuntimeError) as wrong:
            raise UsageError(
                f"the model {name!r} cannot be loaded: {str(wrong).splitlines()[0][:200]}",
                hint="give the folder of a saved model; imi downloads none",
            ) from wrong
        folder = Path(name) if Path(name).is_dir() else None
        width = int(self._model.get_embedding_dimension())
        settings = {"prompts": self._model.prompts, "default_prompt_name": self._model.default_prompt_name}
        self.info = ModelInfo(
            id=f"st:{folder.resolve().name if folder else name}",
            width=width,
            dims=trained_dims(place, width),
            weights=_hash_weights(self._model),
            pooling=" ".join(type(module).__name__ for module in self._model),
            tokenizer=_hash_tokenizer(self._model.tokenizer),
            prompts=prompts_of(settings),
            max_tokens=self._model.max_seq_length,
            source=name,
        )

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind = "document",
        dims: int | None = None,
        *,
        progress: Progress | None = None,
    ) -> Floats:
        """Embed texts as (n, dims) float32 unit rows, with the model's prompt for this kind."""
        texts = encodable(texts)
        width = self.info.width
        encode = self._model.encode_query if kind == "query" else self._model.encode_document
        out = np.empty((len(texts), width), np.float32)
        for first in range(0, len(texts), _SLICE):
            part = texts[first : first + _SLICE]
            out[first : first + len(part)] = encode(part, show_progress_bar=False, convert_to_numpy=True)
            if progress is not None:
                progress(first + len(part), len(texts))
        return vectors.truncate(out, width if dims is None else dims)

    @property
    def modalities(self) -> tuple[str, ...]:
        """What the model reads: "text", "image" …."""
        return tuple(str(one) for one in self._model.modalities)

    def encode_images(self, pictures: Sequence[NDArray[np.uint8]]) -> Floats:
        """Return (n, width) float32, not of unit length, of RGB pictures (h, w, 3), by the model's own processor."""
        from PIL import Image

        images = [Image.fromarray(pixels) for pixels in pictures]
        return np.asarray(self._model.encode(images, show_progress_bar=False, convert_to_numpy=True), np.float32)

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return how many tokens each text has, special ones included, also beyond what the model reads: (n,) int64."""
        if not len(texts):
            return np.zeros(0, np.int64)
        found = self._model.tokenizer(encodable(texts), truncation=False, verbose=False)["input_ids"]
        return np.fromiter(map(len, found), np.int64, len(texts))


def model_place(name: str) -> Path:
    """Return the folder of a model, given as a folder or as a hub name whose files are here, after a look into it.

    Raises:
        UsageError: there is no such model on this machine.
        DataError: it holds code, pickled weights, or names another model.
    """
    place = Path(name) if Path(name).is_dir() else _snapshot(name)
    if place is None:
        raise UsageError(
            f"the model {name!r} cannot be loaded: it is not on this machine",
            hint="give the folder of a saved model; imi downloads none",
        )
    check_runs_no_code(place)
    return place


@contextmanager
def _silent() -> Iterator[None]:
    """Keep the library's progress bars of loading from standard error."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()


def _hash_weights(model: Any) -> str:
    import torch

    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode())
        # As bytes, since numpy knows no bfloat16.
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _hash_tokenizer(tokenizer: Any) -> str:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return "" if backend is None else hashlib.blake2b(backend.to_str().encode(), digest_size=8).hexdigest()


def _snapshot(name: str) -> Path | None:
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, local_files_only=True))
    except (OSError, ValueError):
        return None
