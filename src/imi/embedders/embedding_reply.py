"""Taking a reply of the embeddings contract apart, and refusing one that cannot be true."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import numpy as np

from imi.llm.replies import Refusal
from imi.types import Floats

QUARTER = "quarter_width"


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """The vectors of one reply in the order of the request, (n, d) float32, and the tokens that were counted."""

    vectors: Floats
    tokens: int | None


def read_embeddings(value: Any, count: int, width: int | None, url: str, dims: int | None = None) -> ParsedReply:
    """Return the vectors of a reply, in the order of the request.

    Args:
        value: the reply's JSON value.
        count: how many texts were sent.
        width: the model's full width; None where it is not known yet.
        url: for messages.
        dims: the shorter width that was asked for; servers that ignore it answer at full width.

    Raises:
        Refusal: vectors are missing, doubled, of another width, NaN or zero; most such replies may be tried again.
    """
    try:
        data, usage = list(value["data"]), value.get("usage") or {}
        indexes = [item.get("index") for item in data]
        rows = [item["embedding"] for item in data]
    except (LookupError, TypeError, AttributeError) as wrong:
        raise _wrong(url, f"no embeddings: {str(value)[:120]}") from wrong
    if len(rows) != count:
        raise _wrong(url, f"{len(rows)} vectors for {count} texts")
    # Some servers leave the index out; then the order is all there is.
    if all(index is None for index in indexes):
        indexes = list(range(count))
    if sorted(index if isinstance(index, int) else -1 for index in indexes) != list(range(count)):
        raise _wrong(url, f"the indexes {str(indexes[:5])[:-1]}, …] for {count} texts")
    coded = isinstance(rows[0], str)
    flat = [_floats(row, url) for row in rows]
    found = {len(row) for row in flat}
    allowed = {width, dims} - {None} if width is not None else found
    if len(found) != 1 or not found <= allowed:
        raise _width(found, dims or width, url, coded)
    z = np.empty((count, found.pop()), np.float32)
    z[indexes] = flat
    if not np.isfinite(z).all() or not z.any(axis=1).all():
        raise _wrong(url, "a vector of NaN or of zeros alone")
    tokens = usage.get("total_tokens", usage.get("prompt_tokens")) if isinstance(usage, dict) else None
    return ParsedReply(z, tokens if isinstance(tokens, int) else None)


def _floats(row: Any, url: str) -> Floats:
    try:
        if isinstance(row, str):
            return np.frombuffer(base64.b64decode(row, validate=True), "<f4")
        floats = np.array(row, np.float32)
    except (TypeError, ValueError, binascii.Error) as wrong:
        raise _wrong(url, f"a vector that is neither numbers nor base64: {str(row)[:60]!r}") from wrong
    if floats.ndim != 1:
        raise _wrong(url, f"a vector of the shape {floats.shape}")
    return floats


def _width(found: set[int], wanted: int | None, url: str, coded: bool) -> Refusal:
    widths = " and ".join(map(str, sorted(found)))
    if coded and wanted is not None and found == {wanted // 4}:
        return Refusal(
            f"{url} sent vectors of {widths} dimensions in place of {wanted}: a list of floats was decoded as base64",
            hint="a gateway between ignores encoding_format; point the URL at the server behind it",
            status=200,
            code=QUARTER,
        )
    return Refusal(
        f"{url} sent vectors of {widths} dimensions, the model's have {wanted}",
        hint="check that one model answers at this URL",
        status=200,
    )


def _wrong(url: str, what: str) -> Refusal:
    return Refusal(f"{url} sent {what}", hint="imi conform URL tests an endpoint", status=200, again=True)
