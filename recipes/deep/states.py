"""Every training text through the network once: the mean of its last layer, kept on disk.

What is trained starts from here, so that a pass over all texts takes a second. The means are those of the int8 graph,
so that the map makes up for its rounding.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from imi.embedders.deep import PREFIXES, batched, unpacked
from imi.embedders.pieces import Pieces, threads
from recipes.deep.graph import Shape, encoder
from recipes.deep.source import Source
from recipes.deep.texts import Texts
from recipes.progress import say

Floats = NDArray[np.float32]
LONGEST = 256
_BATCH_TOKENS = 4096


def ids_of(pieces: Pieces, texts: list[str], queries: list[bool]) -> list[NDArray[np.int32]]:
    """Return the ids of texts with their prefixes and ends; the beginning of what is too long."""
    whole = [PREFIXES["query" if query else "document"] + text for text, query in zip(texts, queries, strict=True)]
    ids, offsets = pieces.split(whole)
    cut = [ids[a:b][: LONGEST - 2] for a, b in pairwise(offsets)]
    return [np.concatenate([[0], one, [2]]).astype(np.int32) for one in cut]


def means(source: Source, rows: NDArray[np.uint8], pieces: Pieces, texts: Texts, folder: Path) -> Floats:
    """Return the means of all texts (n, d), from disk where they were made before."""
    kept = folder / "means.npy"
    if kept.is_file() and len(np.load(kept, mmap_mode="r")) == len(texts.texts):
        return np.asarray(np.load(kept))
    ids = ids_of(pieces, texts.texts, texts.queries)
    total, width = sum(map(len, ids)), int(source.sizes["width"])
    sizes = Shape(width, int(source.sizes["layers"]), int(source.sizes["heads"]), source.sizes["eps"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    graph = encoder(sizes, source.tensors).SerializeToString()
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    out = np.empty((len(ids), width), np.float32)

    def one(batch: list[int]) -> int:
        longest = max(len(ids[row]) for row in batch)
        numbers = np.ones((len(batch), longest), np.int64)
        mask = np.zeros((len(batch), longest), np.int32)
        for at, row in enumerate(batch):
            numbers[at, : len(ids[row])] = ids[row]
            mask[at, : len(ids[row])] = 1
        words = unpacked(rows[numbers.ravel()]).reshape(*numbers.shape, width)
        out[batch] = session.run(None, {"rows": words, "mask": mask})[0]
        return sum(len(ids[row]) for row in batch)

    began, done = time.time(), 0
    with ThreadPoolExecutor(threads()) as pool:
        for number, tokens in enumerate(pool.map(one, list(batched([len(x) for x in ids], _BATCH_TOKENS)))):
            done += tokens
            if number % 50 == 0:
                say(f"{done:,} of {total:,} tokens, {time.time() - began:.0f} s")
    np.save(kept, out)
    return out
