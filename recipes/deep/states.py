"""Every training text through the network once: the mean of its last layer, and what the last layers begin from.

Both are kept on disk, so that what is trained on top starts from there. They are those of the int8 graph, so that
training makes up for its rounding.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from imi.embedders.deep import PREFIXES, batched, padded, unpacked
from imi.embedders.pieces import Pieces, threads
from recipes.deep.graph import Shape, encoder
from recipes.deep.source import Source
from recipes.deep.texts import Texts
from recipes.progress import say

Floats = NDArray[np.float32]
Ids = list[NDArray[np.int32]]
LONGEST = 256
"""Tokens of a text for the map."""
LONGEST_SEEN = 320
"""Tokens of a text for the last layers: a question may ask for what stands late in its paragraph."""
_BATCH_TOKENS = 4096


def shape_of(source: Source) -> Shape:
    """Return the sizes that the graph needs."""
    sizes = source.sizes
    return Shape(int(sizes["width"]), int(sizes["layers"]), int(sizes["heads"]), float(sizes["eps"]))


def ids_of(pieces: Pieces, texts: list[str], queries: list[bool], longest: int = LONGEST) -> Ids:
    """Return the ids of texts with their prefixes and ends; the beginning of what is too long."""
    whole = [PREFIXES["query" if query else "document"] + text for text, query in zip(texts, queries, strict=True)]
    ids, offsets = pieces.split(whole)
    cut = [ids[a:b][: longest - 2] for a, b in pairwise(offsets)]
    return [np.concatenate([[0], one, [2]]).astype(np.int32) for one in cut]


class Network:
    """The int8 graph over many texts, on all cores."""

    def __init__(self, source: Source, rows: NDArray[np.uint8], seen: int | None = None) -> None:
        self.rows, self.width = rows, int(source.sizes["width"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        graph = encoder(shape_of(source), source.tensors, seen).SerializeToString()
        self.session: Any = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def _one(self, ids: Ids) -> list[Floats]:
        numbers, mask = padded(ids)
        words = unpacked(self.rows[numbers.ravel()]).reshape(*numbers.shape, self.width)
        out: list[Floats] = self.session.run(None, {"rows": words, "mask": mask})
        return out

    def run(self, ids: Ids, begin: int = 0) -> Iterator[tuple[int, list[int], list[Floats]]]:
        """Yield the number of each batch from `begin` on, its rows and what the graph says of them."""
        batches = list(batched([len(own) for own in ids], _BATCH_TOKENS))[begin:]
        total, began, done = sum(len(ids[row]) for rows in batches for row in rows), time.time(), 0
        with ThreadPoolExecutor(threads()) as pool:
            # A few at a time: all of them at once would hold the states of all texts in memory.
            for first in range(0, len(batches), 16):
                some = batches[first : first + 16]
                made = pool.map(self._one, [[ids[row] for row in rows] for rows in some])
                for at, (rows, out) in enumerate(zip(some, made, strict=True), first):
                    yield begin + at, rows, out
                    done += sum(len(ids[row]) for row in rows)
                if first % 128 == 0:
                    say(f"{done:,} of {total:,} tokens, {time.time() - began:.0f} s")


def means(source: Source, rows: NDArray[np.uint8], pieces: Pieces, texts: Texts, kept: Path) -> Floats:
    """Return the means of all texts (n, d), from disk where they were made before."""
    if kept.is_file() and len(np.load(kept, mmap_mode="r")) == len(texts.texts):
        return np.asarray(np.load(kept))
    network = Network(source, rows)
    out = np.empty((len(texts.texts), network.width), np.float32)
    for _, batch, made in network.run(ids_of(pieces, texts.texts, texts.queries)):
        out[batch] = made[0]
    np.save(kept, out)
    return out


@dataclass(frozen=True)
class Seen:
    """What the last layers begin from: a row a token, float16, mapped from the file; and the means of the last one."""

    states: NDArray[np.float16]  # (tokens, d)
    offsets: NDArray[np.int64]  # (n + 1,)
    means: Floats  # (n, d)


def seen(source: Source, rows: NDArray[np.uint8], pieces: Pieces, texts: Texts, folder: Path, first: int) -> Seen:
    """Run all texts through the network once and keep the states after `first` layers; goes on where it stopped."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = ids_of(pieces, texts.texts, texts.queries, LONGEST_SEEN)
    offsets = np.array([0, *accumulate(map(len, ids))], np.int64)
    width, told = int(source.sizes["width"]), folder / f"seen{first}.done"
    fresh = not told.is_file() or int(told.read_text().split()[0]) != offsets[-1]
    mode: Literal["w+", "r+"] = "w+" if fresh else "r+"
    states = np.memmap(folder / f"seen{first}.f16", np.float16, mode, shape=(int(offsets[-1]), width))
    out = np.memmap(folder / f"seen{first}.f32", np.float32, mode, shape=(len(ids), width))
    begin = 0 if fresh else int(told.read_text().split()[1])
    network = Network(source, rows, first)
    for number, batch, (mean, inner) in network.run(ids, begin):
        out[batch] = mean
        for row, own in zip(batch, inner, strict=True):
            states[offsets[row] : offsets[row + 1]] = own[: len(ids[row])]
        if number % 64 == 63:
            told.write_text(f"{offsets[-1]} {number + 1}")
    told.write_text(f"{offsets[-1]} {10**9}")
    return Seen(states, offsets, np.array(out))
