"""Taking in documents as a stream of JSON lines: committed a batch at a time, read no faster than they are written."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import numpy as np
import orjson
from pydantic import ValidationError
from starlette.requests import Request

from imi.errors import DataError, Failure
from imi.records import Added, Document
from imi.server.api.schemas import DocumentBody, OnError
from imi.server.http.request_body import LONG, check_values, stream_body, too_deep
from imi.server.http.responses import ApiError
from imi.server.settings import Limits
from imi.server.state import State
from imi.types import Floats

BATCH_LINES = 500
BATCH_BYTES = 1024 * 1024
FAILURES = 1000
"""At most this many failures are listed; more of them show only in the counts."""

Row = tuple[int, DocumentBody]


async def commits(request: Request, state: State, name: str, on_error: OnError) -> AsyncIterator[tuple[int, Added]]:
    """Yield, for each batch that is safely on disk, the lines read so far and what the batch did.

    The next part of the body is asked for only after that, so a sender is slowed to the pace of the disk.

    Raises:
        ApiError: a bad row (unless skipped), a line that is too long, or the server stops; what was yielded stays.
    """
    done = 0
    async for lines in _batches(request, state.settings.limits):
        rows, failed = await asyncio.to_thread(read_lines, lines, done)
        done += len(lines)
        if failed and on_error == "raise":
            raise bad_rows(failed)
        added = await add_rows(state, name, rows, on_error)
        yield done, replace(added, failed=(*failed, *added.failed))
        if state.stopping:
            raise ApiError(
                503, f"The server stops; the first {done} lines are kept.", type="server_error", code="stopping"
            )


async def _batches(request: Request, limits: Limits) -> AsyncIterator[list[bytes]]:
    lines: list[bytes] = []
    size = 0
    rest = bytearray()  # the beginning of a line; each byte is searched once, however small the parts are
    async for part in stream_body(request, limits):
        *whole, last = part.split(b"\n")
        if whole:
            whole[0] = bytes(rest) + whole[0]
            rest.clear()
        rest += last
        if len(rest) > limits.line_bytes or any(len(line) > limits.line_bytes for line in whole):
            raise ApiError(413, f"A line is longer than {limits.line_bytes} bytes.", code="line_too_large",
                           headers={"connection": "close"})  # fmt: skip
        for line in whole:
            lines.append(line)
            size += len(line)
            if len(lines) >= BATCH_LINES or size >= BATCH_BYTES:
                yield lines
                lines, size = [], 0
    if rest:
        lines.append(bytes(rest))
    if lines:
        yield lines


def read_lines(lines: Sequence[bytes], before: int) -> tuple[list[Row], list[Failure]]:
    """Return the rows of some lines with their line numbers, and the lines that hold none; empty ones are skipped."""
    rows: list[Row] = []
    failed: list[Failure] = []
    for number, line in enumerate(lines, before + 1):
        if not line.strip():
            continue
        try:
            if len(line) > LONG:
                check_values(line)
            value = orjson.loads(line)
            rows.append((number, DocumentBody.model_validate(value)))
            if too_deep(value):
                failed.append(Failure("body", number, "nested too deeply"))
                rows.pop()
        except orjson.JSONDecodeError as wrong:
            failed.append(Failure("body", number, f"not JSON: {wrong}"))
        except ApiError as too_many:
            failed.append(Failure("body", number, too_many.message))
        except ValidationError as wrong:
            failed.append(Failure("body", number, explained(wrong)))
    return rows, failed


async def add_rows(state: State, name: str, rows: Sequence[Row], on_error: OnError) -> Added:
    """Add rows on the writer's thread, one transaction for each run of rows that have, or lack, their own vectors.

    Raises:
        ApiError: 422 with the failures' lines, for a row that cannot be taken and is not to be skipped.
    """
    result = Added()
    for own, run in itertools.groupby(rows, key=lambda row: row[1].vector is not None):
        part = list(run)
        documents = [Document(row.id, row.text, row.metadata) for _, row in part]
        if own and not _even(part):
            raise bad_rows([Failure("body", part[0][0], "the vectors have different widths")])
        with np.errstate(over="ignore"):  # what is beyond float32 becomes infinite and is refused below
            vectors = np.array([row.vector for _, row in part], dtype=np.float32) if own else None

        def added_to(documents: list[Document] = documents, vectors: Floats | None = vectors) -> Added:
            with state.registry.use(name) as collection:
                return collection.add(documents, vectors, on_error)

        try:
            added = await asyncio.get_running_loop().run_in_executor(state.writer, added_to)
        except DataError as error:
            raise bad_rows([_placed(failure, part) for failure in error.failures]) from None
        result += replace(added, failed=tuple(_placed(failure, part) for failure in added.failed))
    state.metrics.documents.add(result.added + result.updated, name)
    return result


def bad_rows(failed: Sequence[Failure]) -> ApiError:
    """Return the refusal of rows, naming their lines."""
    first = failed[0]
    return ApiError(
        422,
        f"{len(failed)} rows cannot be taken; the first, row {first.line}: {first.reason}. Whole batches before it are "
        "kept; on_error=skip leaves such rows out.",
        code="bad_rows",
        details=[failure.to_dict() for failure in failed[:FAILURES]],
    )


def explained(wrong: ValidationError) -> str:
    """Return the first complaint of a validation in one line."""
    first = wrong.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])


def _even(rows: Sequence[Row]) -> bool:
    return len({len(row.vector or ()) for _, row in rows}) == 1


def _placed(failure: Failure, rows: Sequence[Row]) -> Failure:
    """Return a failure of `Collection.add`, which counts from the start of its call, with the line it came from."""
    word, _, number = failure.source.rpartition(" ")
    at = int(number) - 1 if word == "row" and number.isdigit() else -1
    return replace(failure, source="body", line=rows[at][0]) if 0 <= at < len(rows) else failure
