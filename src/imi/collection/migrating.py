"""Migrating a collection to fewer dimensions or to another model, while it answers searches by the old vectors.

New vectors are written beside the old ones, a batch a transaction, so that an interrupted migration goes on where it
stopped; one last transaction puts them in the place of the old ones.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from imi import trust
from imi.collection.description import Bound, read_bound, write_bound
from imi.collection.pictures import picture_embedder_of
from imi.embedders.base import Embedder
from imi.embedders.load import load
from imi.errors import CollectionError, UsageError
from imi.index.exact import Exact
from imi.llm.names import public_name
from imi.progress import Progress
from imi.store.deep_vectors import FINGERPRINT as DEEP_FINGERPRINT
from imi.store.deep_vectors import forget_deep
from imi.store.pictures import MADE_BY, StoredPicture, pictures_of
from imi.store.rows import encode_vector, vector_checksum
from imi.store.store import Store
from imi.types import Floats, Rows
from imi.vectors import truncate

_BATCH = 1024
_PROBES = 100
"""Rows whose nearest ten are compared before and after."""
_COMPARED = 20_000
"""Rows among which these are looked for."""
_SAMPLE = 256
"""Texts that are embedded for an estimate."""


@dataclass(frozen=True, slots=True)
class Migration:
    """What a migration took, or would take: rows, seconds, money (None where nothing is paid).

    `overlap` is the mean share of a row's ten nearest rows that stayed the same; None for an estimate.
    """

    rows: int
    seconds: float
    cost: float | None
    overlap: float | None
    dims: int
    model: str

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return asdict(self)


class Migrator:
    """Moves one collection's vectors to another size or model."""

    def __init__(self, store: Store, model: str | Embedder | None, dims: int | None) -> None:
        """Decide what the vectors will be.

        Args:
            store: the collection's.
            model: the new model, a name or an embedder; None to keep the present one.
            dims: dimensions to keep of each vector; None for all.

        Raises:
            UsageError: nothing would change, more dimensions are asked for than there are, or vectors of one's own
                cannot be embedded.
        """
        self._store = store
        with store.reading():
            old = read_bound(store)
        if old is None:
            raise UsageError(f"{store.folder} has no vectors yet", hint="open it with the model that it should have")
        self._old = old
        self._embedder: Embedder | None = None
        if model is None:
            self._new = _shortened(old, dims)
        else:
            self._embedder = load(model) if isinstance(model, str) else model
            info = self._embedder.info
            if dims is not None and not 1 <= dims <= info.width:
                raise UsageError(f"dims is {dims}, allowed are 1 to {info.width}, the width of {info.id}")
            name = public_name(model) if isinstance(model, str) else None
            if name is not None:
                trust.remember(name, info.fingerprint, key=True)
            self._new = Bound(name, info, None if dims in (None, info.width) else dims)
        self._pictures_only = self._new.fingerprint == old.fingerprint
        if self._pictures_only and not self._stale_pictures():
            raise UsageError(f"{store.folder} has vectors of {old.info.id} at {old.width} dimensions already")

    def _stale_pictures(self) -> bool:
        """Say whether the pictures were embedded by another picture tower than the model has now."""
        with self._store.reading():
            made_by = self._store.meta(MADE_BY)
        if made_by is None or self._embedder is None:
            return False
        return bool(made_by != picture_embedder_of(self._embedder).picture_fingerprint)

    def estimate(self) -> Migration:
        """Measure on a few rows what the whole would take; writes nothing."""
        with self._store.reading():
            documents = [one.document for one in self._store.documents(limit=_SAMPLE)]
            rows = self._store.count()
        texts = [one.text for one in documents if one.text is not None]
        began = time.perf_counter()
        if self._embedder is not None and texts:
            self._embedder.embed(texts, kind="document", dims=self._new.dims)
        seconds = (time.perf_counter() - began) * rows / max(len(texts), 1)
        return Migration(rows, round(seconds, 6), None, None, self._new.width, self._new.name or self._new.info.id)

    def run(self, progress: Progress | None = None) -> Migration:
        """Write the new vectors, put them in the place of the old ones, and compare the nearest rows before and after.

        Raises:
            CollectionError: a row has no text to embed.
        """
        began = time.perf_counter()
        self._prepare()
        while True:
            self._fill(progress)
            before, after = self._compare()
            if self._switch():
                break
        overlap = _overlap(before, after)
        with self._store.reading():
            rows = self._store.count()
        seconds = round(time.perf_counter() - began, 3)
        return Migration(rows, seconds, None, overlap, self._new.width, self._new.name or self._new.info.id)

    def _prepare(self) -> None:
        with self._store.writing():
            if self._store.meta("next_model") != self._new.to_json():
                # An interrupted migration to something else is of no use.
                self._store.connection.execute("DELETE FROM next_vectors")
                self._store.set_meta("next_model", self._new.to_json())
                self._store.set_meta("next_width", self._new.width)

    def _fill(self, progress: Progress | None) -> None:
        while True:
            with self._store.reading():
                rows = self._missing()
                vectors = self._vectors(rows)
                left = int(self._store.connection.execute(f"SELECT count(*) {_MISSING}").get) if progress else 0
                total = self._store.count() if progress else 0
            if len(rows) == 0:
                return
            dtype = self._store.dtype
            with self._store.writing():
                blobs = [encode_vector(vector, dtype) for vector in vectors]
                self._store.connection.executemany(
                    "INSERT OR REPLACE INTO next_vectors (row, vector, checksum) VALUES (?, ?, ?)",
                    ((row, blob, vector_checksum(row, blob)) for row, blob in zip(rows.tolist(), blobs, strict=True)),
                )
            if progress is not None:
                progress(total - left + len(rows), total)

    def _missing(self) -> Rows:
        """Return rows that have an old vector and no new one yet, a batch at most."""
        found = self._store.connection.execute(f"SELECT v.row {_MISSING} ORDER BY v.row LIMIT ?", (_BATCH,))
        return np.fromiter((row for (row,) in found), dtype=np.int64)

    def _vectors(self, rows: Rows) -> Floats:
        if len(rows) == 0:
            return np.empty((0, self._new.width), np.float32)
        if self._embedder is None:
            return truncate(self._store.vectors(rows)[1], self._new.width)
        documents = self._store.by_rows(rows)
        pictures = pictures_of(self._store, rows.tolist())
        texts = [row for row in rows.tolist() if row not in pictures]
        if self._pictures_only:
            # The texts' vectors are of this model already.
            z = np.array(self._store.vectors(rows)[1], np.float32)
            return self._with_pictures(z, rows, pictures)
        bare = [documents[row].id for row in texts if documents[row].text is None]
        if bare:
            raise CollectionError(
                f"the row {bare[0]!r} has a vector and no text, so {self._new.info.id} has nothing to embed",
                hint="delete such rows, or migrate to fewer dims of the same vectors",
            )
        z = np.empty((len(rows), self._new.width), np.float32)
        read = [documents[row].text or "" for row in texts]
        z[~np.isin(rows, list(pictures))] = self._embedder.embed(read, kind="document", dims=self._new.dims)
        return self._with_pictures(z, rows, pictures)

    def _with_pictures(self, z: Floats, rows: Rows, pictures: Mapping[int, StoredPicture]) -> Floats:
        if pictures and self._embedder is not None:
            seen = np.isin(rows, list(pictures))
            small = [pictures[row].thumbnail for row in rows[seen].tolist()]
            z[seen] = picture_embedder_of(self._embedder).embed_images(small, dims=self._new.dims)
        return z

    def _compare(self) -> tuple[list[set[int]], list[set[int]]]:
        """Return the ten nearest of some rows by the old vectors and by the new ones, among a sample where many."""
        chance = np.random.default_rng(0)
        with self._store.reading():
            found = self._store.connection.execute("SELECT row FROM next_vectors INTERSECT SELECT row FROM vectors")
            rows = np.fromiter((row for (row,) in found), dtype=np.int64)
            rows = np.sort(chance.permutation(rows)[:_COMPARED])
            tables = [self._store.vectors(rows)[1], self._store.vectors(rows, table="next_vectors")[1]]
        probes = chance.permutation(len(rows))[:_PROBES]
        if len(probes) == 0:
            return [], []
        nearest = [Exact(vectors).search(vectors[probes], 11)[1] for vectors in tables]
        before, after = (
            [set(line.tolist()) - {-1, probe} for line, probe in zip(found, probes.tolist(), strict=True)]
            for found in nearest
        )
        return before, after

    def _switch(self) -> bool:
        """Put the new vectors in the place of the old ones; False where rows came in meanwhile that have none yet."""
        store = self._store
        with store.writing():
            if int(store.connection.execute(f"SELECT EXISTS (SELECT 1 {_MISSING})").get):
                return False
            store.connection.execute("DELETE FROM next_vectors WHERE row NOT IN (SELECT row FROM vectors)")
            schema = store.connection.execute("SELECT sql FROM sqlite_schema WHERE name = 'next_vectors'").get
            store.connection.execute("DROP TABLE vectors")
            store.connection.execute("ALTER TABLE next_vectors RENAME TO vectors")
            store.connection.execute(schema)
            write_bound(store, self._new)
            if self._embedder is not None and store.meta(MADE_BY) is not None:
                store.set_meta(MADE_BY, picture_embedder_of(self._embedder).picture_fingerprint)
            store.connection.execute("DELETE FROM meta WHERE key IN ('next_model', 'next_width')")
            store.set_meta("epoch", store.epoch + 1)
            if store.meta(DEEP_FINGERPRINT) == self._new.info.fingerprint:
                forget_deep(store)  # the first vectors are as fine now
        return True


_MISSING = "FROM vectors AS v WHERE NOT EXISTS (SELECT 1 FROM next_vectors AS n WHERE n.row = v.row)"


def _shortened(old: Bound, dims: int | None) -> Bound:
    if dims is None:
        raise UsageError("a migration needs dims or a model", hint="imi migrate NAME --dims 128, or --model quality")
    if isinstance(dims, bool) or not 1 <= dims <= old.width:
        raise UsageError(
            f"dims is {dims!r}, allowed are 1 to {old.width}: dimensions that were cut off cannot come back",
            hint=f"give the model too, to embed the texts again: imi migrate NAME --dims {dims} --model {old.name}",
        )
    if old.own:
        info = replace(old.info, width=dims, dims=(dims,))
        return Bound(old.name, info)
    return replace(old, dims=dims)


def _overlap(before: list[set[int]], after: list[set[int]]) -> float | None:
    shares = [len(a & b) / max(len(a), 1) for a, b in zip(before, after, strict=True)]
    return round(float(np.mean(shares)), 4) if shares else None
