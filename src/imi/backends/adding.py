"""Adding rows to an engine: checked, compared with existing rows, embedded, and written a batch at a time.

A batch is compared before it is written, so that one that was interrupted, and is sent again, finds its rows there and
changes nothing: rows are neither lost nor doubled where an engine fails between sending and answering.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from imi.backends.engine import Engine, EngineRow, StoredRow
from imi.collection.adding import Candidate, OnError, add_batches, all_refused, needs_vector, placed, refusal
from imi.collection.description import Bound, check_same, own_vectors
from imi.collection.model import CollectionModel
from imi.embedders.piecewise import BadTexts
from imi.errors import Failure, UsageError
from imi.records import Added, Document
from imi.types import Floats


@dataclass
class _Plan:
    """What a batch changes in the rows that exist."""

    to_embed: list[Candidate] = field(default_factory=list)
    changed: list[Candidate] = field(default_factory=list)
    replaced: int = 0
    unchanged: int = 0


def digest_of(vector: Floats) -> str:
    """Return 32 hex digits over a vector as it was given, whatever an engine makes of it."""
    return hashlib.blake2b(np.ascontiguousarray(vector, "<f4").tobytes(), digest_size=16).hexdigest()


def add(
    engine: Engine,
    model: CollectionModel,
    documents: Iterable[Document],
    vectors: ArrayLike | None,
    on_error: OnError,
    progress: Callable[[int, int], None] | None,
) -> Added:
    """Add or update documents; see `Collection.add`."""
    return add_batches(documents, vectors, on_error, progress, partial(_write, engine, model))


def _write(engine: Engine, model: CollectionModel, batch: list[Candidate], on_error: OnError) -> Added:
    refused: list[Failure] = []
    embedded: dict[str, Floats] = {}
    bound = engine.bound()
    plan = _compare(batch, engine.kept([one.document.id for one in batch]), bound)
    try:
        bound = _embed(engine, model, plan.to_embed, bound, embedded)
    except BadTexts as bad:
        embedded.update(bad.good)
        refused = [refusal(one.document, bad) for one in batch if one.document.text in bad.reasons]
        if on_error == "raise":
            raise all_refused(refused, bad) from bad
        left = [one for one in batch if one.document.text not in bad.reasons]
        return _write(engine, model, left, on_error) + Added(failed=tuple(refused))
    if plan.to_embed or plan.changed:
        if bound is not None:
            check_same(engine.label, engine.prepare(bound).info, bound.info)
        engine.write([_row(one, embedded) for one in plan.to_embed], [_row(one, {}) for one in plan.changed])
    added = len(plan.to_embed) - plan.replaced
    return Added(added, plan.replaced + len(plan.changed), plan.unchanged)


def _compare(batch: list[Candidate], found: dict[str, StoredRow], bound: Bound | None) -> _Plan:
    plan = _Plan()
    for one in batch:
        kept = found.get(one.document.id)
        if kept is not None and kept.document.text == one.document.text and not _stale(one, kept, bound):
            if placed(kept.document) == placed(one.document):
                plan.unchanged += 1
            else:
                plan.changed.append(one)
            continue
        plan.to_embed.append(one)
        plan.replaced += kept is not None
    return plan


def _stale(one: Candidate, kept: StoredRow, bound: Bound | None) -> bool:
    if one.vector is None:
        return kept.digest is None and needs_vector(one, bound)
    return kept.digest != digest_of(one.vector)


def _embed(
    engine: Engine, model: CollectionModel, to_embed: list[Candidate], bound: Bound | None, embedded: dict[str, Floats]
) -> Bound | None:
    """Embed what needs it and check that all vectors are of one model; return that model."""
    given = next((one.vector for one in to_embed if one.vector is not None), None)
    if bound is None and given is not None and not model.given:
        bound = Bound(None, own_vectors(len(given)))
    if bound is not None and bound.own and model.given:
        check_same(engine.label, bound.info, model.embedder().info)
    texts = [str(one.document.text) for one in to_embed if needs_vector(one, bound)]
    if texts or (bound is None and given is not None):
        embedder = model.embedder()
        bound = bound or model.bind(embedder)
        check_same(engine.label, bound.info, embedder.info)
        unique = [text for text in dict.fromkeys(texts) if text not in embedded]
        if unique:
            embedded.update(zip(unique, embedder.embed(unique, kind="document", dims=bound.dims), strict=True))
    if bound is not None and given is not None and len(given) != bound.width:
        raise UsageError(
            f"the vectors have {len(given)} dimensions, those of {engine.label} have {bound.width}",
            hint="give vectors of the collection's own model at full width, or open another collection",
        )
    return bound


def _row(one: Candidate, embedded: dict[str, Floats]) -> EngineRow:
    vector = one.vector if one.vector is not None else embedded.get(one.document.text or "")
    return EngineRow(one.document, one.metadata, vector, None if vector is None else digest_of(vector))
