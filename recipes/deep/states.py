"""Every training text on its way through the layers that stay as they are, kept on disk.

The network reads each text once; the layers that are trained then start from here, a quarter of the work for each pass.
The states are those of the int8 graph, so that what is trained on top of them makes up for its rounding.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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

Floats = NDArray[np.float32]
LONGEST = 256
_BATCH_TOKENS = 4096


@dataclass
class States:
    """States of all tokens of all texts, one after another: text i is states[offsets[i]:offsets[i + 1]]."""

    states: NDArray[np.float16]
    offsets: NDArray[np.int64]

    def of(self, texts: NDArray[np.int64]) -> tuple[Floats, NDArray[np.float32]]:
        """Return (n, longest, d) and the mask (n, longest) of some texts."""
        lengths = self.offsets[texts + 1] - self.offsets[texts]
        out = np.zeros((len(texts), int(lengths.max()), self.states.shape[1]), np.float32)
        mask = np.zeros(out.shape[:2], np.float32)
        for row, (text, length) in enumerate(zip(texts, lengths, strict=True)):
            out[row, :length] = self.states[self.offsets[text] : self.offsets[text] + length]
            mask[row, :length] = 1
        return out, mask


def say(line: str) -> None:
    """Tell on standard error how far it is."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()


def ids_of(pieces: Pieces, texts: list[str], queries: list[bool]) -> list[NDArray[np.int32]]:
    """Return the ids of texts with their prefixes and ends; the beginning of what is too long."""
    whole = [PREFIXES["query" if query else "document"] + text for text, query in zip(texts, queries, strict=True)]
    ids, offsets = pieces.split(whole)
    cut = [ids[a:b][: LONGEST - 2] for a, b in pairwise(offsets)]
    return [np.concatenate([[0], one, [2]]).astype(np.int32) for one in cut]


def read(source: Source, rows: NDArray[np.uint8], pieces: Pieces, texts: Texts, layers: int, folder: Path) -> States:
    """Return the states below the layers that are trained, from disk where they were made before."""
    kept = folder / "states.f16", folder / "offsets.npy"
    ids = ids_of(pieces, texts.texts, texts.queries)
    offsets = np.concatenate([[0], np.cumsum([len(one) for one in ids])])
    width = int(source.sizes["width"])
    shape = (int(offsets[-1]), width)
    if kept[1].is_file() and np.array_equal(np.load(kept[1]), offsets):
        return States(np.memmap(kept[0], np.float16, "r", shape=shape), offsets)
    states = np.memmap(kept[0], np.float16, "w+", shape=shape)
    sizes = Shape(width, layers, int(source.sizes["heads"]), source.sizes["eps"])
    graph = encoder(sizes, source.tensors, states=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def one(batch: list[int]) -> int:
        longest = max(len(ids[row]) for row in batch)
        numbers = np.ones((len(batch), longest), np.int64)
        mask = np.zeros((len(batch), longest), np.int32)
        for at, row in enumerate(batch):
            numbers[at, : len(ids[row])] = ids[row]
            mask[at, : len(ids[row])] = 1
        words = unpacked(rows[numbers.ravel()]).reshape(*numbers.shape, width)
        (found,) = session.run(None, {"rows": words, "mask": mask})
        for at, row in enumerate(batch):
            states[offsets[row] : offsets[row + 1]] = found[at, : len(ids[row])]
        return sum(len(ids[row]) for row in batch)

    began, done = time.time(), 0
    with ThreadPoolExecutor(threads()) as pool:
        for number, tokens in enumerate(pool.map(one, list(batched([len(x) for x in ids], _BATCH_TOKENS)))):
            done += tokens
            if number % 50 == 0:
                say(f"states: {done:,} of {shape[0]:,} tokens, {time.time() - began:.0f} s")
    states.flush()
    np.save(kept[1], offsets)
    return States(states, offsets)
