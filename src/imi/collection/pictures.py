"""Pictures in a collection: image encoders, and image queries."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, Union

import numpy as np
from numpy.typing import ArrayLike

from imi.collection.description import Bound, read_bound
from imi.embedders.base import Embedder, PictureEmbedder
from imi.errors import MissingExtra, ModelMismatch, UsageError
from imi.pictures import Picture, Source, open_picture
from imi.records import Hits
from imi.store.pictures import MADE_BY, has_pictures, picture_rows, pictures_of
from imi.store.store import Store
from imi.types import Floats

if TYPE_CHECKING:
    from PIL.Image import Image

Query: TypeAlias = Union[str, ArrayLike, os.PathLike[str], bytes, "Image", tuple[Source, str]]
"""What can be asked: words; a picture, by path, bytes, image or array (h, w, 3) uint8; both, as a pair; a vector."""

_AT_ONCE = 512
"""Pictures that are compared dot by dot in one batch."""
_LOOKED_AT = 48
_FEWEST = 8
_MANY = 0.4
"""How many pictures are looked at to say whether the model knows their like, and how few, or what share, say so."""


def picture_embedder_of(embedder: Embedder) -> PictureEmbedder:
    """Return the embedder as one that reads pictures.

    Raises:
        UsageError: it reads none.
    """
    if not callable(getattr(embedder, "embed_images", None)) or not isinstance(embedder, PictureEmbedder):
        raise UsageError(
            f"the model {embedder.info.id} reads no pictures",
            hint="built-in, clip:NAME and pixels do: --model built-in",
        )
    return embedder


def check_picture_embedder(store: Store, embedder: PictureEmbedder) -> None:
    """Refuse to mix vectors that different picture towers made; must run outside of `writing()`.

    Raises:
        ModelMismatch: the collection's pictures were embedded by another one.
    """
    with store.reading():
        kept = store.meta(MADE_BY)
        bound = read_bound(store)
    if kept is not None and kept != embedder.picture_fingerprint:
        model = bound.name if bound and bound.name else embedder.info.id
        raise ModelMismatch(
            f"the pictures in {store.folder} were embedded by another picture tower ({kept[:8]}) than that of "
            f"{embedder.info.id} now ({embedder.picture_fingerprint[:8]})",
            hint=f"imi migrate {store.folder} --model {model} embeds the kept pictures again",
        )


def embed_pictures(
    store: Store, embedder: Embedder, pictures: Mapping[str, Picture], dims: int | None
) -> dict[str, Floats]:
    """Return the vectors of pictures, each under its key.

    Raises:
        UsageError: the embedder reads no pictures; ModelMismatch: it is not the one of the pictures that are there.
    """
    picture_embedder = picture_embedder_of(embedder)
    check_picture_embedder(store, picture_embedder)
    return dict(zip(pictures, picture_embedder.embed_images(list(pictures.values()), dims=dims), strict=True))


def note_picture_embedder(store: Store, embedder: PictureEmbedder) -> None:
    """Write down who embedded the pictures; must run inside `writing()`."""
    if store.meta(MADE_BY) is None:
        store.set_meta(MADE_BY, embedder.picture_fingerprint)


def picture_query(store: Store, embedder: Embedder, query: Source) -> tuple[Floats, str | None]:
    """Return a picture as a vector to search with, and the fingerprint of the model that the vectors are of."""
    picture_embedder = picture_embedder_of(embedder)
    check_picture_embedder(store, picture_embedder)
    with store.reading():
        bound = read_bound(store)
    dims = None if bound is None else bound.dims
    vector = np.asarray(picture_embedder.embed_images([query], dims=dims)[0])
    return vector, None if bound is None else Bound(None, embedder.info, dims).fingerprint


def looks_of(store: Store, ids: Sequence[str]) -> dict[int, Floats]:
    """Return the pixels of pictures as vectors, by the place of their ids: they tell a copy from a picture like it."""
    from imi.embedders.pixels import Pixels

    with store.reading():
        if not has_pictures(store):
            return {}
    reader, found = Pixels(), dict[int, Floats]()
    for first in range(0, len(ids), _AT_ONCE):
        part = ids[first : first + _AT_ONCE]
        with store.reading():
            rows = {stored.row: name for name, stored in store.by_ids(part).items()}
            kept = {rows[row]: one.thumbnail for row, one in pictures_of(store, rows).items()}
        places = [at for at, name in enumerate(part, first) if name in kept]
        found |= dict(zip(places, reader.embed_images([kept[ids[at]] for at in places]), strict=True))
    return found


def small_pictures(store: Store | None, ids: Iterable[str], side: int) -> dict[str, bytes]:
    """Return the kept pictures of those ids that have one, as JPEG files of at most `side` pixels a side.

    Without Pillow there are none.
    """
    if store is None:
        return {}
    found: dict[str, bytes] = {}
    with store.reading():
        if not has_pictures(store):
            return {}
        rows = {stored.row: name for name, stored in store.by_ids(list(ids)).items()}
        kept = {rows[row]: one.thumbnail for row, one in pictures_of(store, rows).items()}
    with suppress(MissingExtra):
        for name, content in kept.items():
            found[name] = open_picture(content, side).thumbnail()
    return found


@dataclass(frozen=True, slots=True)
class Unfamiliar:
    """How many of the pictures that were looked at are unlike all that the model was trained on."""

    count: int
    looked_at: int

    @property
    def most(self) -> bool:
        """Whether so many are that words may find the wrong ones."""
        return self.looked_at >= _FEWEST and self.count >= _MANY * self.looked_at

    def __str__(self) -> str:
        return (
            f"{self.count} of {self.looked_at} pictures looked at are unlike the photos, clothing and drawings that "
            "the model was trained on: words may find the wrong ones, likeness still compares them"
        )


def unfamiliar_pictures(store: Store | None, model: Callable[[], Any], after: int = -1) -> Unfamiliar:
    """Look at up to 48 kept pictures, evenly spaced, and say how many the collection's model does not know the like of.

    Args:
        store: of the collection; where there is none, or it has no pictures, nothing is looked at.
        model: returns the collection's, asked only where there are pictures; without a picture tower, nothing is
            looked at.
        after: only rows with a higher number.
    """
    if store is None:
        return Unfamiliar(0, 0)
    with store.reading():
        rows = [row for row in picture_rows(store) if row > after]
    tower = getattr(model(), "tower", None) if rows else None
    if tower is None:
        return Unfamiliar(0, 0)
    some = [rows[at * len(rows) // min(len(rows), _LOOKED_AT)] for at in range(min(len(rows), _LOOKED_AT))]
    with store.reading():
        kept = [one.thumbnail for one in pictures_of(store, some).values()]
    try:
        return Unfamiliar(int(tower.unfamiliar(kept).sum()), len(kept))
    except MissingExtra:  # without Pillow none can be opened
        return Unfamiliar(0, 0)


_GUESS = {"en": "(a guess: {})", "ja": "(推測: {})"}


def guessed(collection: Any, hits: Hits, language: str) -> Hits:
    """Return hits with what their pictures may show in place of a text, marked as a guess, where they have none.

    Args:
        collection: that was searched.
        hits: what it found.
        language: "en" or "ja".
    """
    bare = [hit.id for hit in hits if not hit.text]
    tower = getattr(collection.model, "tower", None) if bare and collection.store is not None else None
    small = {name: collection.thumbnail(name) for name in bare} if tower is not None else {}
    small = {name: thumbnail for name, thumbnail in small.items() if thumbnail}
    if tower is None or not small:
        return hits
    names = dict(zip(small, tower.guesses(list(small.values()), language), strict=True))
    texts = {name: _GUESS[language].format(", ".join(said)) for name, said in names.items() if said}
    return hits.of(replace(hit, text=texts[hit.id]) if hit.id in texts else hit for hit in hits)
