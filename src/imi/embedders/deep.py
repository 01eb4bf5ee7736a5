"""`deep`: a small transformer for Japanese, English and emoji, inside the package; onnxruntime at run time.

    ids = <s> + pieces("query: " or "passage: ", then the text) + </s>       windows of at most 512, see `windows`
    state = mean of the last layer over all tokens of all windows
    vector = unit(z·map + relu(z·inward + bias)·outward)       z = unit(state) - mean of its kind

It is multilingual-e5-small cut to two languages; `recipes/deep` made the files, `models/deep/card.md` says from what.
The table of pieces stays in blocks of four bits, mapped from the file, so that processes share it and only the rows of
a text are ever unpacked. Its cosines as published all lie between .7 and .95; with the mean taken off, texts that have
nothing to do with each other come out near 0.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi import vectors
from imi.embedders.emoji_names import spelled_out
from imi.embedders.model_folder import packaged
from imi.embedders.onnx_runtime import load_runtime
from imi.embedders.pieces import Pieces, encodable, threads
from imi.embedders.tower import EmbedsPictures
from imi.errors import UsageError
from imi.progress import Progress
from imi.records import Kind, ModelInfo
from imi.types import Floats

FOLDER = Path(__file__).parent.parent / "models" / "deep"
FORMAT = 1
EXTRA = "deep"
LONGEST = 512
"""Tokens that the network reads at once, its own limit."""
PREFIXES: dict[str, str] = {"query": "query: ", "document": "passage: "}
_BEGIN, _PAD, _END = 0, 1, 2
_BATCH_TOKENS = 2048
_CHUNK_TEXTS = 4096
_MANY_TOKENS = 8192
"""Tokens that were read, from which on it pays to pack the network's matrices."""
_BLOCK_BYTES = 18  # float16 scale, then 32 weights of four bits: byte j has weight j low and j + 16 high

Ints = NDArray[np.int64]


def installed() -> bool:
    """Say whether the model can run here, without importing anything heavy."""
    return find_spec("onnxruntime") is not None and (FOLDER / "model.json").is_file()


def package_info() -> ModelInfo:
    """Return what the model in the package says of itself, without loading it."""
    return _info(json.loads((FOLDER / "model.json").read_text(encoding="utf-8")))


def _info(about: Mapping[str, Any]) -> ModelInfo:
    return ModelInfo(
        id=about["name"],
        width=max(about["dims"]),
        dims=tuple(about["dims"]),
        weights=about["weights"],
        pooling="mean, map",
        tokenizer=about["files"]["pieces.model"],
        prompts=dict(PREFIXES),
        licence=about["licence"],
        source=about["source"],
    )


class Deep(EmbedsPictures):
    """The model in the package, or one of the same form in another folder."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Read and check the files; the network is loaded with them.

        Raises:
            MissingExtra: onnxruntime is not installed.
            DataError: a file is missing, cut, or not the one that `model.json` names.
        """
        onnxruntime = load_runtime(EXTRA)
        self.folder = folder
        self._about = packaged(folder, FORMAT, "the model 'deep'", own=folder == FOLDER)
        self._pieces = Pieces(folder / "pieces.model")
        self._rows: NDArray[np.uint8] = np.load(folder / "rows.npy", mmap_mode="r")
        with np.load(folder / "map.npz") as made:
            self._means = {kind: made[kind].astype(np.float32) for kind in PREFIXES}
            names = ("map", "inward", "bias", "outward")
            self._map, self._inward, self._bias, self._outward = (made[name].astype(np.float32) for name in names)
        self._session = self._mapped(onnxruntime)
        self._packed: Any = None
        self._tokens = 0
        self._prefixes = {kind: self._split([prefix])[0] for kind, prefix in PREFIXES.items()}

    def _mapped(self, onnxruntime: Any) -> Any:
        """Return the network with its matrices mapped from the file and multiplied as they lie there.

        It is there in a third of the time, and a question takes 2 ms longer by it, every bit the same.
        """
        self._graph = self.folder / "graph.onnx"
        if self._graph.is_file():
            with suppress(Exception):  # such as where the folder holds links, which some versions do not follow
                return self._loaded(onnxruntime, {"session.disable_prepacking": "1"})
        self._graph = self.folder / "encoder.onnx"
        return self._loaded(onnxruntime)

    def _loaded(self, onnxruntime: Any, settings: Mapping[str, str] | None = None) -> Any:
        options = onnxruntime.SessionOptions()
        # A thread a call: several calls at once use several cores better than several threads within one.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        # The graph is written as it runs: looking for more to fuse takes 7 ms, finds nothing, and changes no bit.
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        for name, value in (settings or {}).items():
            options.add_session_config_entry(name, value)
        return onnxruntime.InferenceSession(str(self._graph), options, providers=["CPUExecutionProvider"])

    def warm(self) -> None:
        """Load what only many texts would need, which makes a single one quicker as well."""
        _ = self._pieces.processor
        self._pack()

    def _pack(self) -> None:
        """Load the network again with its matrices packed for the processor, which many texts are read faster by."""
        if self._packed is None:  # by two threads at once twice, which a lock would not be worth: it may be forked
            self._session = self._packed = self._loaded(load_runtime(EXTRA))

    @cached_property
    def info(self) -> ModelInfo:
        """Who made these vectors: width, trained dims, hash of the files, prompts, licence."""
        return _info(self._about)

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind = "document",
        dims: int | None = None,
        *,
        progress: Progress | None = None,
    ) -> Floats:
        """Embed texts as (n, dims) float32 unit rows; a text's vector does not depend on the others of a call.

        Args:
            texts: n strings of any length: what is longer than the network reads at once is read in windows.
            kind: "query" for what is asked, "document" for what is kept: the model was trained with a prefix for each.
            dims: leading dimensions to keep, 1 to 384; None for all.
            progress: called as progress(done, total) after each batch.

        Raises:
            UsageError: dims out of range, an unknown kind, or something other than a list of strings.
        """
        if kind not in PREFIXES:
            raise UsageError(f"kind is {kind!r}, allowed are 'query' and 'document'")
        width = self.info.width if dims is None else vectors.check_dims(dims, self.info.width)
        texts = encodable(texts)
        if kind == "query":  # it was trained on words: asked by a sign it finds next to nothing, by its name nearly all
            texts = [spelled_out(text) for text in texts]
        out = np.empty((len(texts), width), np.float32)
        for first in range(0, len(texts), _CHUNK_TEXTS):
            chunk = texts[first : first + _CHUNK_TEXTS]

            def so_far(done: int, _: int, first: int = first) -> None:
                if progress is not None:
                    progress(first + done, len(texts))

            out[first : first + len(chunk)] = vectors.truncate(
                self._turned(self._states(chunk, kind, so_far), kind), width
            )
        return out

    def _turned(self, states: Floats, kind: Kind) -> Floats:
        """Return the vectors of states before the last normalisation: (n, d) in, (n, width) out."""
        z = vectors.normalize(states) - self._means[kind]
        hidden = np.maximum(z @ self._inward + self._bias, 0)
        return np.asarray(z @ self._map + hidden @ self._outward)

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return how many tokens the model reads in each text as a document, prefix and ends included: (n,) int64."""
        own = len(self._prefixes["document"]) + 2
        parts = (self._windows(ids) for ids in self._split(encodable(texts)))
        return np.fromiter((sum(len(part) + own for part in cut) for cut in parts), np.int64, len(texts))

    def _split(self, texts: list[str]) -> list[NDArray[np.int32]]:
        ids, offsets = self._pieces.split(texts)
        return [ids[a:b] for a, b in pairwise(offsets)]

    def _windows(self, ids: NDArray[np.int32]) -> list[NDArray[np.int32]]:
        return windows(ids, LONGEST - 2 - max(map(len, self._prefixes.values())))

    def _states(self, texts: list[str], kind: Kind, progress: Progress) -> Floats:
        """Return (n, d) means of the last layer over all tokens of each text."""
        prefix = self._prefixes[kind]
        parts: list[NDArray[np.int32]] = []
        owner: list[int] = []
        for at, ids in enumerate(self._split(texts)):
            for window in self._windows(ids):
                parts.append(np.concatenate([[_BEGIN], prefix, window, [_END]]).astype(np.int32))
                owner.append(at)
        left = np.bincount(owner, minlength=len(texts))
        out = np.zeros((len(texts), self._map.shape[0]), np.float32)
        batches = list(batched([len(part) for part in parts], _BATCH_TOKENS))
        done = 0
        for rows, means in self._run([[parts[row] for row in rows] for rows in batches], batches):
            for row, mean in zip(rows, means, strict=True):
                # The mean over all of a text's tokens, as the network itself takes it over those of one window: a
                # window counts by its tokens.
                out[owner[row]] += mean * len(parts[row])
                left[owner[row]] -= 1
                done += left[owner[row]] == 0
            progress(done, len(texts))
        return out

    def _run(self, batches: list[list[NDArray[np.int32]]], rows: list[list[int]]) -> Iterator[tuple[list[int], Floats]]:
        self._tokens += sum(len(part) for batch in batches for part in batch)
        if self._tokens > _MANY_TOKENS and self._packed is None:
            self._pack()
        cores = min(threads(), len(batches))
        if cores < 2:
            yield from ((own, self._mean(batch)) for own, batch in zip(rows, batches, strict=True))
            return
        from concurrent.futures import ThreadPoolExecutor  # its import takes 3 ms of every search

        with ThreadPoolExecutor(cores, "imi deep") as pool:
            yield from zip(rows, pool.map(self._mean, batches), strict=True)

    def _mean(self, batch: list[NDArray[np.int32]]) -> Floats:
        ids, mask = padded(batch)
        return np.asarray(self._session.run(None, {"rows": self._unpacked(ids), "mask": mask})[0])

    def _unpacked(self, ids: Ints) -> Floats:
        """Return the rows of pieces, float32 with a last axis of the width; each piece is unpacked once."""
        found, place = np.unique(ids, return_inverse=True)
        return unpacked(self._rows[found])[place.reshape(ids.shape)]


def unpacked(rows: NDArray[np.uint8]) -> Floats:
    """Return float32 weights of blocks of four bits: (n, blocks · 18) bytes in, (n, blocks · 32) out."""
    block = np.ascontiguousarray(rows).reshape(len(rows), -1, _BLOCK_BYTES)
    scale = np.ascontiguousarray(block[:, :, :2]).view("<f2").astype(np.float32)
    weights = np.empty((*block.shape[:2], 32), np.float32)
    weights[:, :, :16] = block[:, :, 2:] & 15
    weights[:, :, 16:] = block[:, :, 2:] >> 4
    weights -= 8
    weights *= scale
    return weights.reshape(len(rows), -1)


def windows(ids: NDArray[np.int32], longest: int) -> list[NDArray[np.int32]]:
    """Cut pieces into as few windows as hold them, of one size within one piece, so that none is a stub.

    They do not overlap: every token counts once in the mean.
    """
    count = max(1, -(-len(ids) // longest))
    return np.array_split(ids, count)


def padded(batch: Sequence[NDArray[np.int32]]) -> tuple[Ints, NDArray[np.int32]]:
    """Return a batch as the network reads it: (n, longest) piece ids, padded, and (n, longest) 1 where a piece is."""
    shape = (len(batch), max(map(len, batch)))
    ids, mask = np.full(shape, _PAD, np.int64), np.zeros(shape, np.int32)
    for row, part in enumerate(batch):
        ids[row, : len(part)] = part
        mask[row, : len(part)] = 1
    return ids, mask


def batched(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Yield rows by length, at most this many tokens a batch with padding, so that little is padding."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        # Up to an eighth of padding is cheaper than another batch.
        if batch and ((len(batch) + 1) * lengths[row] > most or lengths[row] > 4 + lengths[batch[0]] * 1.125):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
