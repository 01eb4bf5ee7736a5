"""An embedder that remembers: what was embedded once is not asked for again, across runs and interruptions.

Vectors are kept at full width under 128-bit keys over the model's fingerprint, the prompt and the text, so that any
prefix is served from one row and no two models can meet. The file is bounded; the rows unused for longest go first.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
import warnings
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import apsw
import numpy as np
from numpy.typing import NDArray

from imi.embedders.base import Embedder
from imi.embedders.piecewise import BadTexts, Piecewise
from imi.errors import UsageError
from imi.progress import Progress
from imi.records import Kind, ModelInfo
from imi.types import Floats
from imi.vectors import truncate

LIMIT = 2 * 2**30
"""Bytes of vectors that are kept, where IMI_CACHE_BYTES does not say another number; 0 keeps none."""
_SLICE = 1024
_FRESH = 3600
_SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (
    key      BLOB NOT NULL UNIQUE,
    used     INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    vector   BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS vectors_used ON vectors (used);
CREATE TABLE IF NOT EXISTS models (id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS total (bytes INTEGER NOT NULL);
INSERT INTO total SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM total);
"""


def cache_path() -> Path:
    """Return where vectors are kept: in IMI_HOME, else in the user's cache folder."""
    home = os.environ.get("IMI_HOME")
    base = Path(home) if home else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imi"
    return base / "vectors.sqlite"


def cache_limit() -> int:
    """Return how many bytes of vectors are kept: IMI_CACHE_BYTES, else 2 GiB.

    Raises:
        UsageError: IMI_CACHE_BYTES is not a whole number.
    """
    text = os.environ.get("IMI_CACHE_BYTES")
    if text is None:
        return LIMIT
    if not text.isdigit():
        raise UsageError(f"IMI_CACHE_BYTES is {text!r}, allowed is a whole number of bytes", hint="IMI_CACHE_BYTES=0")
    return int(text)


class VectorStore:
    """The file of a cache; safe to share between threads and processes.

    A cache must never cost what it should save: trouble with the file is a warning, and the vectors are made again.
    """

    def __init__(self, path: Path, limit: int = LIMIT) -> None:
        self.path, self.limit = path, limit
        self._lock = threading.RLock()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file = self._opened()
        except (apsw.NotADBError, apsw.CorruptError):
            aside = path.with_suffix(f".damaged-{int(time.time())}")
            path.rename(aside)
            warnings.warn(f"the cache {path} was damaged; it is now {aside.name}, and a new one begun", stacklevel=3)
            self._file = self._opened()

    def _opened(self) -> apsw.Connection:
        file = apsw.Connection(str(self.path))
        file.set_busy_timeout(10_000)
        file.pragma("page_size", 16384)
        file.pragma("journal_mode", "WAL")
        file.pragma("synchronous", "NORMAL")
        file.execute(_SCHEMA)
        return file

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()

    @property
    def size(self) -> int:
        """How many bytes the vectors take."""
        with self._lock:
            return int(self._file.execute("SELECT bytes FROM total").get)

    def get(self, keys: Iterable[bytes], width: int) -> dict[bytes, Floats]:
        """Return the vectors of these keys, (width,) each; absent and damaged ones are left out."""
        found: dict[bytes, Floats] = {}
        stale: list[bytes] = []
        now = int(time.time())
        with self._lock:
            try:
                for key in keys:
                    sql = "SELECT used, checksum, vector FROM vectors WHERE key = ?"
                    for used, checksum, blob in self._file.execute(sql, (key,)):
                        if len(blob) == 4 * width and zlib.crc32(blob) == checksum:
                            found[key] = np.frombuffer(blob, "<f4")
                            if now - used > _FRESH:
                                stale.append(key)
                if stale:
                    with self._file:
                        sql = "UPDATE vectors SET used = ? WHERE key = ?"
                        self._file.executemany(sql, ((now, key) for key in stale))
            except apsw.Error as trouble:
                self._warn(trouble)
        return found

    def put(self, keys: Sequence[bytes], z: Floats) -> None:
        """Keep vectors, one transaction; the ones unused for longest make room."""
        now = int(time.time())
        blobs = [row.tobytes() for row in np.ascontiguousarray(z, "<f4")]
        if sum(map(len, blobs)) > self.limit:
            return
        with self._lock:
            try:
                self._file.execute("BEGIN IMMEDIATE")
                try:
                    sql = "INSERT OR REPLACE INTO vectors (key, used, checksum, vector) VALUES (?, ?, ?, ?)"
                    rows = zip(keys, blobs, strict=True)
                    self._file.executemany(sql, ((key, now, zlib.crc32(blob), blob) for key, blob in rows))
                    self._make_room(sum(map(len, blobs)))
                    self._file.execute("COMMIT")
                except BaseException:
                    self._file.execute("ROLLBACK")
                    raise
            except apsw.Error as trouble:
                self._warn(trouble)

    def _make_room(self, more: int) -> None:
        total = self._file.execute("UPDATE total SET bytes = bytes + ? RETURNING bytes", (more,)).get
        if total <= self.limit:
            return
        # A tenth more than needed, so that not every call makes room. Rows written twice are counted exactly here.
        total = self._file.execute("SELECT coalesce(sum(length(vector)), 0) FROM vectors").get
        gone = []
        for row, size in self._file.execute("SELECT rowid, length(vector) FROM vectors ORDER BY used, rowid"):
            if total <= 0.9 * self.limit:
                break
            gone.append((row,))
            total -= size
        self._file.executemany("DELETE FROM vectors WHERE rowid = ?", gone)
        self._file.execute("UPDATE total SET bytes = ?", (total,))

    def note_model(self, id_: str, fingerprint: str) -> None:
        """Remember a model's fingerprint, so that hits are found without asking its endpoint."""
        with self._lock:
            try:
                if self.fingerprint(id_) != fingerprint:
                    self._file.execute("INSERT OR REPLACE INTO models VALUES (?, ?)", (id_, fingerprint))
            except apsw.Error as trouble:
                self._warn(trouble)

    def fingerprint(self, id_: str) -> str | None:
        """Return the fingerprint of a model that was used before."""
        with self._lock:
            found: str | None = self._file.execute("SELECT fingerprint FROM models WHERE id = ?", (id_,)).get
        return found

    def has(self, keys: Iterable[bytes]) -> list[bool]:
        """Return for each key whether it is there."""
        sql = "SELECT 1 FROM vectors WHERE key = ?"
        with self._lock:
            return [self._file.execute(sql, (key,)).get is not None for key in keys]

    def _warn(self, trouble: apsw.Error) -> None:
        warnings.warn(f"the cache {self.path} cannot be used: {trouble}", stacklevel=4)


_TOLD = "\0query"
"""Stands for the prompt of an endpoint, which nobody here knows."""


def key_of(fingerprint: str, prompt: str, text: str) -> bytes:
    """Return the 16 bytes under which a vector is kept."""
    parts = (fingerprint, prompt, text)
    raw = b"".join(b"%d:%s" % (len(data), data) for data in (part.encode("utf-8", "surrogatepass") for part in parts))
    return hashlib.blake2b(raw, digest_size=16).digest()


class Cached:
    """An embedder in front of another: it asks only for what it does not remember."""

    def __init__(self, inner: Embedder, store: VectorStore | None = None) -> None:
        self.inner = inner
        self._given = store
        self._lock = threading.Lock()

    @property
    def store(self) -> VectorStore:
        """The file, opened when it is first needed."""
        with self._lock:
            if self._given is None:
                self._given = VectorStore(cache_path(), cache_limit())
            return self._given

    @property
    def info(self) -> ModelInfo:
        """Who made these vectors: the inner model."""
        return self.inner.info

    def count_tokens(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the inner model's numbers of tokens, (n,) int64."""
        return self.inner.count_tokens(texts)

    def embed(
        self,
        texts: Sequence[str],
        kind: Kind = "document",
        dims: int | None = None,
        *,
        progress: Progress | None = None,
    ) -> Floats:
        """Embed texts as (n, dims) float32 unit rows, each text once; every piece is kept as soon as it is there.

        Raises:
            BadTexts: the inner model refused some texts; the others are kept.
        """
        info = self.info
        if dims is not None and not 1 <= dims <= info.width:
            raise UsageError(f"dims is {dims!r}, allowed are whole numbers from 1 to the width, {info.width}")
        self.store.note_model(info.id, info.fingerprint)
        # An endpoint puts its prompt before a question itself, so that the text alone does not say which vector it is.
        told = kind == "query" and getattr(self.inner, "sends_kinds", False)
        prompt = info.prompts.get(kind, _TOLD if told else "")
        keys = [key_of(info.fingerprint, prompt, text) for text in texts]
        known = self.store.get(dict.fromkeys(keys), info.width)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
        reasons = self._fill(missing, known, kind, len(texts) - len(missing), progress) if missing else {}
        blank = np.zeros(info.width, np.float32)
        z = np.array([known.get(key, blank) for key in keys], np.float32).reshape(len(keys), info.width)
        if dims is not None and len(z):
            made = z.any(axis=1)  # a refused text's row is zero
            short = np.zeros((len(z), dims), np.float32)
            short[made] = truncate(z[made], dims)
            z = short
        if reasons:
            raise BadTexts(texts, {row: reasons[key] for row, key in enumerate(keys) if key in reasons}, z)
        return z

    def _fill(
        self, missing: dict[bytes, str], known: dict[bytes, Floats], kind: Kind, done: int, progress: Progress | None
    ) -> dict[bytes, str]:
        keys, texts = list(missing), list(missing.values())

        def keep(rows: Sequence[int], z: Floats) -> None:
            part = [keys[row] for row in rows]
            self.store.put(part, z)
            known.update(zip(part, z, strict=True))

        def shifted(now: int, total: int) -> None:
            if progress is not None:
                progress(done + now, done + total)

        if isinstance(self.inner, Piecewise):
            refused = self.inner.embed_each(texts, kind, keep, progress=shifted)
            return {keys[row]: why for row, why in refused.items()}
        for first in range(0, len(texts), _SLICE):
            part = texts[first : first + _SLICE]
            keep(range(first, first + len(part)), self.inner.embed(part, kind))
            shifted(first + len(part), len(texts))
        return {}

    def known(self, id_: str, texts: Sequence[str]) -> list[bool]:
        """Return for each text whether it is remembered as a document of the model; nothing is asked of the model."""
        fingerprint = self.store.fingerprint(id_)
        if fingerprint is None:
            return [False] * len(texts)
        return self.store.has(key_of(fingerprint, "", text) for text in texts)
