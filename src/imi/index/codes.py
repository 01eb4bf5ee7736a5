"""Codes of four bits for two or four dimensions of each row, of which those that pass a filter are compared at once.

A graph is of no use where a filter goes against the query: the rows near it do not pass. Packed codes are compared 32
at a time from registers (André et al., 2015, "Cache locality is not enough", PQ Fast Scan), two nanoseconds a row for
256 dimensions, and the best of them by their full vectors: those of all rows, of which a mask says which count, so that
a filter needs no preparation, or those that pass, gathered and packed once for a filter that is asked often.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import Damaged
from imi.index.manifest import CheckedVectors, blocks_of, gathered
from imi.index.native import load_faiss, set_threads
from imi.types import Floats, Rows
from imi.vectors import Metric

_TRAIN_ROWS = 20_000
_CENTRES = 16
_MANY = 200_000
_LONGER = 800
_RESERVOIR = 13
"""Of faiss' ways through a list for a query: the best go to a reservoir; the quickest for shortlists of hundreds."""


@dataclass(frozen=True, slots=True)
class Code:
    """What a code holds: the leading `dims` dimensions, `parts` centres of sixteen for them; `keep` go on for ten."""

    dims: int
    parts: int
    keep: int = 200

    @property
    def bytes(self) -> int:
        """Of a row."""
        return (self.parts + 1) // 2

    @property
    def whole(self) -> int:
        """Bytes of a row in all: its code, once more packed, and its number."""
        return 2 * self.bytes + 8

    def to_dict(self) -> dict[str, int]:
        """Return the fields as JSON values."""
        return {"dims": self.dims, "parts": self.parts, "keep": self.keep}


def codes_to_try(width: int, rows: int = 0) -> list[Code]:
    """Return the codes that suit so many vectors of this width, the shortest first.

    Among many rows a code half as long is compared in less than half the time, which pays for a longer shortlist.
    """
    tried = [Code(width // 2, width // 4), Code(width, width // 4), Code(width, width // 2)]
    if rows >= _MANY:
        tried.insert(0, Code(width // 2, width // 8, _LONGER))
    return [code for code in tried if code.parts >= 16 and code.dims % code.parts == 0]


class RowCodes:
    """The codes of all rows of a table, from which those of some are packed for searches."""

    def __init__(self, code: Code, metric: Metric, centres: Floats, codes: NDArray[np.uint8]) -> None:
        """Put parts together; `build` and `load` make them.

        Args:
            code: what a code holds.
            metric: of the vectors.
            centres: (parts, 16, dims / parts).
            codes: (n, bytes).
        """
        self.code = code
        self.metric = metric
        self.centres = centres
        self.codes = codes
        self._table: CodeTable | None = None

    def __len__(self) -> int:
        return len(self.codes)

    @classmethod
    def build(
        cls,
        vectors: NDArray[Any] | CheckedVectors,
        code: Code,
        metric: Metric,
        scale: Floats | None = None,
        threads: int = 1,
    ) -> RowCodes:
        """Learn the centres from at most 20,000 rows spread over the table, and code all rows.

        Args:
            vectors: (n, d).
            code: what to hold.
            metric: "cosine", "dot" or "l2".
            scale: under cosine, one over each row's length, None where rows are unit.
            threads: for the native code.
        """
        faiss = load_faiss()
        count = len(vectors)
        some = np.arange(0, count, max(1, count // _TRAIN_ROWS))
        quantizer = faiss.ProductQuantizer(code.dims, code.parts, 4)
        set_threads(threads)
        quantizer.train(_leading(gathered(vectors, some), code.dims, None if scale is None else scale[some]))
        codes = np.empty((count, code.bytes), dtype=np.uint8)
        for start, block in blocks_of(vectors):
            part = slice(start, start + len(block))
            codes[part] = quantizer.compute_codes(_leading(block, code.dims, None if scale is None else scale[part]))
        centres = faiss.vector_to_array(quantizer.centroids).reshape(code.parts, _CENTRES, -1)
        return cls(code, metric, centres, codes)

    def save(self, path: Path) -> None:
        """Write centres and codes to a file that `load` reads."""
        with path.open("wb") as file:
            file.write(np.ascontiguousarray(self.centres, dtype="<f4").data)
            file.write(np.ascontiguousarray(self.codes).data)

    @classmethod
    def load(cls, path: Path, code: Code, metric: Metric, count: int) -> RowCodes:
        """Map a file whose checksum has been verified.

        Raises:
            Damaged: it has not the size of so many rows.
        """
        head = 4 * _CENTRES * code.dims
        if path.stat().st_size != head + count * code.bytes:
            raise Damaged(f"{path} does not hold the codes of {count} rows")
        whole = np.asarray(np.memmap(path, np.uint8, "r"))
        centres = whole[:head].view("<f4").reshape(code.parts, _CENTRES, -1)
        return cls(code, metric, centres, whole[head:].reshape(count, code.bytes))

    @property
    def table(self) -> CodeTable:
        """All of them, packed; made when it is first asked for, where no file has it."""
        if self._table is None:  # two threads may both make it: a lock would not survive a fork
            self._table = CodeTable.pack(self)
        return self._table

    def load_table(self, path: Path) -> None:
        """Read the packed codes of all rows from a file whose checksum has been verified.

        Raises:
            Damaged: it does not hold these rows.
        """
        table = CodeTable(load_faiss().read_index(str(path)))
        if len(table) != len(self) or table.dims != self.code.dims:
            raise Damaged(f"{path} does not hold the packed codes of {len(self)} rows")
        self._table = table

    def packed(self, rows: Rows) -> PackedCodes:
        """Gather and pack the codes of rows: a tenth to a sixth of a microsecond for each."""
        faiss = load_faiss()
        kind = faiss.METRIC_L2 if self.metric == "l2" else faiss.METRIC_INNER_PRODUCT
        plain = faiss.IndexPQ(self.code.dims, self.code.parts, 4, kind)
        faiss.copy_array_to_vector(np.ascontiguousarray(self.centres).reshape(-1), plain.pq.centroids)
        faiss.copy_array_to_vector(self.codes[rows].reshape(-1), plain.codes)
        plain.ntotal, plain.is_trained = len(rows), True
        return PackedCodes(self, rows, faiss.IndexPQFastScan(plain))


class CodeTable:
    """The codes of all rows packed in the order of the rows, compared by a mask."""

    def __init__(self, index: Any) -> None:
        """Wrap what `pack` made: faiss' lists, of which there is one, as these alone heed a mask."""
        self._index = index
        index.implem = _RESERVOIR

    @classmethod
    def pack(cls, codes: RowCodes) -> CodeTable:
        """Pack codes: a sixth of a microsecond for each."""
        faiss, code, count = load_faiss(), codes.code, len(codes)
        kind = faiss.METRIC_L2 if codes.metric == "l2" else faiss.METRIC_INNER_PRODUCT
        unused = faiss.IndexFlat(code.dims, kind)  # faiss wants to know what chooses among the lists
        plain = faiss.IndexIVFPQ(unused, code.dims, 1, code.parts, 4, kind)
        plain.by_residual = False
        faiss.copy_array_to_vector(np.ascontiguousarray(codes.centres).reshape(-1), plain.pq.centroids)
        plain.is_trained, plain.ntotal = True, count
        rows, own = np.arange(count), np.ascontiguousarray(codes.codes)
        plain.invlists.add_entries(0, count, faiss.swig_ptr(rows), faiss.swig_ptr(own))
        set_threads(1)
        packed = faiss.IndexIVFPQFastScan(plain)
        packed.referenced_objects = [unused]
        return cls(packed)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dims(self) -> int:
        """Leading dimensions that the codes hold."""
        return int(self._index.d)

    def save(self, path: Path) -> None:
        """Write it to a file that `RowCodes.load_table` reads."""
        load_faiss().write_index(self._index, str(path))

    def nearest(self, queries: Floats, keep: int, bits: NDArray[np.uint8]) -> Rows:
        """Return (b, keep) of the rows that pass, those that the codes say are nearest first; -1 where there are fewer.

        Args:
            queries: (b, d).
            keep: how many.
            bits: which rows pass, the first in the lowest bit.
        """
        faiss, count = load_faiss(), len(queries)
        pointer, prefix = faiss.swig_ptr, np.ascontiguousarray(queries[:, : self.dims])
        lists, apart = np.zeros((count, 1), dtype=np.int64), np.zeros((count, 1), dtype=np.float32)
        near, rows = np.empty((count, keep), dtype=np.float32), np.empty((count, keep), dtype=np.int64)
        selector = faiss.IDSelectorBitmap(8 * len(bits), pointer(bits))
        how = faiss.IVFSearchParameters(nprobe=1, sel=selector)
        set_threads(1)
        self._index.search_preassigned_c(
            count, pointer(prefix), keep, pointer(lists), pointer(apart), pointer(near), pointer(rows), False, how
        )
        return rows


class PackedCodes:
    """The codes of the rows that pass a filter, packed for comparing 32 at a time."""

    def __init__(self, codes: RowCodes, rows: Rows, index: Any) -> None:
        """Wrap what `RowCodes.packed` made."""
        self.codes = codes
        self.rows = rows
        self._index = index

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return int(len(self.rows) * (self.codes.code.bytes + 8))

    def nearest(self, queries: Floats, keep: int) -> Rows:
        """Return (b, keep) of the rows that the codes say are nearest, these first; -1 where there are fewer."""
        prefix = np.ascontiguousarray(queries[:, : self.codes.code.dims])
        set_threads(1)
        places = self._index.search(prefix, min(keep, len(self.rows)))[1]
        found = self.rows[places]
        found[places < 0] = -1
        return np.asarray(found, dtype=np.int64)


def _leading(rows: NDArray[Any], dims: int, scale: Floats | None) -> Floats:
    block = np.asarray(rows[:, :dims], dtype=np.float32)
    if scale is not None:
        block = block * scale[:, None]
    return np.ascontiguousarray(np.nan_to_num(block, posinf=0, neginf=0))
