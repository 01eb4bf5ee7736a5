"""Embedding at scale: the row groups of Parquet files as tasks of Ray, each part of the output written exactly once.

    out/manifest.jsonl      what was asked for, then a line for every part that is whole, then "done"
    out/part-00000.parquet  ids, texts, metadata and vectors, as `imi export` writes them and `imi add` reads them

A task may run twice, when its worker dies or is slow; it writes beside and moves its part into place, so that the
part is always a whole one, and the same one. Only the driver writes the manifest, a line a part, after the part is
there: what it names is counted, anything else in the folder is not. Started again, the same call does what is missing.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from imi.collection.description import Bound
from imi.collection.exporting import EMBEDDING, METADATA, MODEL, about
from imi.embedders.base import Embedder
from imi.embedders.load import load
from imi.errors import DataError, MissingExtra, UsageError
from imi.llm.names import public_name
from imi.records import Kind

MANIFEST = "manifest.jsonl"
_ROWS = 4096
"""Rows of a part at most: some seconds of work, which is what a dead worker costs."""
_RETRIES = 10


@dataclass(frozen=True, slots=True)
class EmbeddingTask:
    """What a part is made of: rows of one row group of one file, and how they are embedded."""

    part: int
    file: str
    group: int
    start: int
    rows: int
    out: str
    model: str
    kind: Kind
    dims: int | None
    column: str


@dataclass(frozen=True, slots=True)
class Embedded:
    """What there is in the end: rows and parts, and how many of the parts this call has made."""

    rows: int
    parts: int
    made: int
    out: str

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return asdict(self)


def embed_parquet(
    source: Path,
    out: Path,
    address: str,
    model: str = "built-in",
    *,
    kind: Kind = "document",
    dims: int | None = None,
    column: str = "text",
    rows: int = _ROWS,
    progress: Callable[[int, int], None] | None = None,
) -> Embedded:
    """Embed a Parquet file, or all of a folder, on a Ray cluster.

    Args:
        source: rows with a column of texts; `id`, where it is there, and all other columns are kept.
        out: a folder that every node of the cluster sees.
        address: "local" for a cluster on this machine, "auto", or "ray://host:10001".
        model: a name for `imi.load`, which every node can load.
        kind: "document" or "query".
        dims: leading dimensions to keep.
        column: the column of texts.
        rows: of a part at most.
        progress: called as progress(done, total), in parts.

    Raises:
        MissingExtra: Ray or pyarrow is missing. DataError: the source cannot be read.
        UsageError: the folder holds the parts of something else.
    """
    for package, extra in (("ray", "ray"), ("pyarrow", "tables")):
        if find_spec(package) is None:
            raise MissingExtra(package, extra)
    out = out.absolute()
    tasks = list(_tasks(source.absolute(), (str(out), model, kind, dims, column), rows))
    out.mkdir(parents=True, exist_ok=True)
    bound = _bound(load(model), model, dims)
    manifest = _Manifest(out, _asked(source, tasks, bound, kind, column))
    missing = [task for task in tasks if task.part not in manifest.parts]
    if progress is not None:
        progress(len(tasks) - len(missing), len(tasks))
    if missing:
        for answer in _run(missing, address):
            manifest.add(answer)
            if progress is not None:
                progress(len(manifest.parts), len(tasks))
    manifest.finish(len(tasks))
    total = sum(one["rows"] for one in manifest.parts.values())
    return Embedded(total, len(tasks), len(missing), str(out))


def embed_part(task: EmbeddingTask) -> dict[str, Any]:
    """Embed one part and move it into its place; return its line of the manifest."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(task.file) as file:
        table = file.read_row_group(task.group).slice(task.start, task.rows)
    texts = ["" if text is None else str(text) for text in table[task.column].to_pylist()]
    embedder = _loaded(task.model)
    z = embedder.embed(texts, kind=task.kind, dims=task.dims)
    ids = table["id"].cast(pa.string()) if "id" in table.column_names else pa.array(_ids(task))
    others = table.drop_columns([name for name in ("id", task.column) if name in table.column_names])
    metadata = [json.dumps(row, ensure_ascii=False, default=str) for row in others.to_pylist()] or ["{}"] * len(texts)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(z.ravel(), pa.float32()), z.shape[1])
    said = {MODEL: json.dumps(about(_bound(embedder, task.model, task.dims)), ensure_ascii=False)}
    whole = pa.table({"id": ids, "text": pa.array(texts, pa.string()), METADATA: metadata, EMBEDDING: vectors})
    name = f"part-{task.part:05}.parquet"
    beside = Path(task.out) / f".{name}.{uuid.uuid4().hex}"
    try:
        pq.write_table(whole.replace_schema_metadata(said), beside)
        with beside.open("rb+") as written:
            digest = hashlib.file_digest(written, "blake2b").hexdigest()[:32]
            os.fsync(written.fileno())
        os.replace(beside, Path(task.out) / name)
    finally:
        beside.unlink(missing_ok=True)
    return {"part": task.part, "file": name, "rows": len(texts), "digest": digest}


def _ids(task: EmbeddingTask) -> list[str]:
    name = Path(task.file).name
    return [f"{name}#{task.group}.{row}" for row in range(task.start, task.start + task.rows)]


@lru_cache(maxsize=2)
def _loaded(model: str) -> Embedder:
    """Return a model, loaded once a worker."""
    return load(model)


def _bound(embedder: Embedder, model: str, dims: int | None) -> Bound:
    return Bound(public_name(model), embedder.info, None if dims == embedder.info.width else dims)


def _tasks(source: Path, how: tuple[str, str, Kind, int | None, str], rows: int) -> Iterator[EmbeddingTask]:
    """Yield the parts in order; the same files give the same parts. `how` is all of a task after its rows.

    Raises:
        DataError: there is no Parquet file, or one cannot be read. UsageError: a file has no column of that name.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    column = how[-1]
    files = sorted(source.glob("**/*.parquet")) if source.is_dir() else [source]
    if not files:
        raise DataError(f"{source} holds no .parquet file")
    if rows < 1:
        raise UsageError(f"rows is {rows!r}, allowed are whole numbers from 1")
    part = 0
    for file in files:
        try:
            with pq.ParquetFile(file) as opened:
                names, groups = opened.schema_arrow.names, opened.metadata
                sizes = [groups.row_group(at).num_rows for at in range(groups.num_row_groups)]
        except (OSError, pa.ArrowException) as wrong:
            raise DataError(f"{file} cannot be read as Parquet: {wrong}") from wrong
        if column not in names:
            raise UsageError(f"{file} has no column {column!r}", hint=f"columns: {', '.join(names)}")
        for group, size in enumerate(sizes):
            for start in range(0, size, rows):
                yield EmbeddingTask(part, str(file), group, start, min(rows, size - start), *how)
                part += 1


def _asked(source: Path, tasks: list[EmbeddingTask], bound: Bound, kind: Kind, column: str) -> dict[str, Any]:
    """Return what the parts are parts of, so that nothing else is ever continued in their folder."""
    places = [(Path(task.file).name, os.path.getsize(task.file), task.group, task.start, task.rows) for task in tasks]
    digest = hashlib.blake2b(json.dumps(places).encode(), digest_size=16).hexdigest()
    return {
        "format": 1, "source": source.name, "digest": digest, "parts": len(tasks), "fingerprint": bound.fingerprint,
        "kind": kind, "column": column,
    }  # fmt: skip


class _Manifest:
    """The file that says which parts are there; a line is written when its part is whole."""

    def __init__(self, out: Path, asked: dict[str, Any]) -> None:
        self._path = out / MANIFEST
        self._out = out
        self.parts: dict[int, dict[str, Any]] = {}
        self._done = False
        lines = self._read()
        if not lines:
            self._write(asked)
        elif lines[0] != asked:
            raise UsageError(
                f"{out} holds the parts of something else: another source, model, size or kind",
                hint="choose an empty folder",
            )
        self.parts = {one["part"]: one for one in lines[1:] if "part" in one and (out / one["file"]).is_file()}
        self._done = bool(lines) and "done" in lines[-1] and len(self.parts) == len(lines) - 2
        if lines and len(lines) - 1 - ("done" in lines[-1]) != len(self.parts):
            self._begin_again(asked)

    def _read(self) -> list[dict[str, Any]]:
        """Return the lines that are whole; the last one may have been cut off by a crash, and is dropped."""
        if not self._path.is_file():
            return []
        text = self._path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if whole != text:
            os.truncate(self._path, len(whole))
        return [dict(json.loads(line)) for line in whole.splitlines()]

    def _write(self, line: dict[str, Any]) -> None:
        with self._path.open("ab") as file:
            file.write(json.dumps(line).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _begin_again(self, asked: dict[str, Any]) -> None:
        """Write the manifest without the parts that are gone, so that none is ever named twice."""
        beside = self._path.with_name(f".{MANIFEST}")
        lines = [asked, *self.parts.values()]
        beside.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        os.replace(beside, self._path)

    def add(self, line: dict[str, Any]) -> None:
        """Note a part, once."""
        if line["part"] not in self.parts:
            self._write(line)
            self.parts[line["part"]] = line

    def finish(self, parts: int) -> None:
        """Say that all parts are there."""
        if not self._done and len(self.parts) == parts:
            self._write({"done": True, "rows": sum(one["rows"] for one in self.parts.values())})


def _run(tasks: list[EmbeddingTask], address: str) -> Iterator[dict[str, Any]]:
    """Yield what the tasks return, as they end; a task whose worker dies is run again elsewhere."""
    import ray

    ours = not ray.is_initialized()
    if ours:
        local = {"include_dashboard": False, "object_store_memory": 100_000_000} if address == "local" else {}
        ray.init(address=address, log_to_driver=False, **local)
    try:
        remote = ray.remote(max_retries=_RETRIES)(embed_part)
        waiting = [remote.remote(task) for task in tasks]
        while waiting:
            ready, waiting = ray.wait(waiting, num_returns=1)
            yield from ray.get(ready)
    finally:
        if ours:
            ray.shutdown()
