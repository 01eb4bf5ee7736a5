"""Structures of faiss for the first rung: a flat scan, an HNSW graph, inverted lists."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.index.exact import Exact
from imi.index.manifest import CheckedVectors, blocks_of, gathered
from imi.index.native import load_faiss, set_threads
from imi.index.rungs import Rung
from imi.index.space import Space
from imi.progress import Progress, may_end
from imi.types import Floats, Rows

_TRAIN_ROWS = 100_000


class Structure(Protocol):
    """What finds the candidates of the first rung, in the rows of a Space."""

    def search(self, queries: Floats, keep: int, effort: int, threads: int) -> Rows:
        """Return row numbers (b, keep) int64, nearest first, -1 where none is left."""
        ...

    def save(self, path: Path) -> None:
        """Write the structure to a file that its class's `load` reads."""
        ...

    def work(self, rows: int, effort: int) -> float:
        """Estimate multiplications and additions of a query by the stored codes of the first rung."""
        ...


class FaissStructure:
    """One faiss index over the rows of a Space."""

    def __init__(self, index: Any, rung: Rung) -> None:
        self._index = index
        self._rung = rung
        self._faiss = load_faiss()

    @classmethod
    def build(
        cls,
        vectors: NDArray[Any] | CheckedVectors,
        space: Space,
        rung: Rung,
        threads: int,
        progress: Progress | None = None,
    ) -> FaissStructure:
        """Train on at most 100,000 rows spread over the table, then add block by block."""
        index = _empty(space.width, len(vectors), rung)
        set_threads(threads)
        if not index.is_trained:
            some = np.arange(0, len(vectors), max(1, len(vectors) // _TRAIN_ROWS))
            # Numbers beyond the table: no row is exiled from what is learnt.
            index.train(_coded(space.rows(gathered(vectors, some), len(vectors)), rung))
        for start, block in blocks_of(vectors):
            may_end()
            index.add(_coded(space.rows(block, start), rung))
            if progress is not None:
                progress(start + len(block), len(vectors))
        return cls(index, rung)

    @classmethod
    def load(cls, path: Path, rung: Rung) -> FaissStructure:
        """Read a file whose checksum has been verified."""
        faiss = load_faiss()
        read = faiss.read_index_binary if rung.codec == "binary" else faiss.read_index
        return cls(read(str(path)), rung)

    def save(self, path: Path) -> None:
        """Write the index to a file."""
        write = self._faiss.write_index_binary if self._rung.codec == "binary" else self._faiss.write_index
        write(self._index, str(path))

    def search(self, queries: Floats, keep: int, effort: int, threads: int) -> Rows:
        """Return row numbers (b, keep) int64, nearest first, -1 where none is left."""
        set_threads(threads)
        return np.asarray(
            self._index.search(_coded(queries, self._rung), keep, params=self._parameters(keep, effort))[1]
        )

    def _parameters(self, keep: int, effort: int) -> Any:
        if self._rung.structure == "hnsw" and self._rung.codec != "binary":
            return self._faiss.SearchParametersHNSW(efSearch=max(effort, keep))
        if self._rung.structure == "hnsw":
            self._index.hnsw.efSearch = max(effort, keep)
        if self._rung.structure == "ivf":
            return self._faiss.IVFSearchParameters(nprobe=effort or 16)
        return None

    def work(self, rows: int, effort: int) -> float:
        """Estimate multiplications and additions of a query by the stored codes of the first rung."""
        if self._rung.structure == "flat":
            return 2.0 * rows * self._rung.dims
        if self._rung.structure == "ivf":
            lists = int(self._index.nlist)
            return 2.0 * self._rung.dims * (lists + rows * min(effort or 16, lists) / lists)
        return graph_work(rows, self._rung.dims, effort)


class Scan:
    """An exact scan of prefixes of the full vectors, which needs no build and no memory: for ladders tried by hand."""

    def __init__(self, vectors: NDArray[Any] | CheckedVectors, space: Space) -> None:
        self._exact = Exact(vectors, space.metric, space.dims)
        self._dims = space.dims

    def search(self, queries: Floats, keep: int, effort: int, threads: int) -> Rows:
        """Return row numbers (b, keep) int64, best first, -1 where none is left; effort and threads change nothing."""
        full = np.zeros((len(queries), self._exact.width), dtype=np.float32)
        full[:, : self._dims] = queries[:, : self._dims]
        return self._exact.search(full, keep)[1]

    def save(self, path: Path) -> None:
        """Refuse: there is nothing to save.

        Raises:
            UsageError: always.
        """
        raise UsageError(f"a scan of prefixes has nothing to save to {path}", hint="build the ladder: Ladder.build")

    def work(self, rows: int, effort: int) -> float:
        """Return multiplications and additions of a query."""
        return 2.0 * rows * self._dims


def graph_work(rows: int, dims: int, effort: int, degree: int = 32) -> float:
    """Estimate a graph search: every node that is left looks at its neighbours, and log n more to get there."""
    return 2.0 * dims * degree / 2 * (effort + math.log2(max(rows, 2)))


def _coded(rows: Floats, rung: Rung) -> NDArray[Any]:
    if rung.codec != "binary":
        return np.ascontiguousarray(rows)
    return np.packbits(rows > 0, axis=1)


def lists_for(rows: int) -> int:
    """Return how many inverted lists suit this many rows: 4√n, with at least 39 rows each to train on."""
    return int(max(1, min(4 * np.sqrt(rows), rows // 39)))


def _empty(width: int, rows: int, rung: Rung) -> Any:
    faiss = load_faiss()
    codes = {"float16": faiss.ScalarQuantizer.QT_fp16, "int8": faiss.ScalarQuantizer.QT_8bit}
    if rung.codec == "binary":
        bits = 8 * -(-width // 8)
        if rung.structure == "flat":
            return faiss.IndexBinaryFlat(bits)
        return faiss.IndexBinaryHNSW(bits, 32)
    if rung.structure == "flat":
        if rung.codec == "rabitq":
            return faiss.IndexRaBitQFastScan(width)
        return faiss.IndexScalarQuantizer(width, codes[rung.codec]) if rung.codec in codes else faiss.IndexFlatL2(width)
    if rung.structure == "hnsw":
        index = (
            faiss.IndexHNSWSQ(width, codes[rung.codec], 32) if rung.codec in codes else faiss.IndexHNSWFlat(width, 32)
        )
        index.hnsw.efConstruction = 100
        return index
    lists = lists_for(rows)
    if rung.codec == "pq":
        text = f"IVF{lists},PQ{_pairs(width)}x4fs"
    else:
        text = f"IVF{lists}," + {"float16": "SQfp16", "int8": "SQ8", "rabitq": "RaBitQ"}.get(rung.codec, "Flat")
    index = faiss.index_factory(width, text)
    # Of a million rows the sample has 25 for each list; below 39 faiss writes a warning that nobody can act on.
    for clustering in (index.cp, index.pq.cp) if rung.codec == "pq" else (index.cp,):
        clustering.min_points_per_centroid = 1
    return index


def _pairs(width: int) -> int:
    """Return the number of product-quantizer codes: one for two dimensions where the width allows it."""
    return next(count for count in (width // 2, width // 3, width // 4, width) if count and width % count == 0)
