"""What an agent may search: collections and plain folders, each with a name and a line on what it holds."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from imi.collection import Collection, FolderCollection
from imi.errors import CollectionError, Damaged, Gone, ModelMismatch, NotFound, UsageError
from imi.mirror import Mirror, open_mirror, refresh
from imi.mirror.update import read_on
from imi.records import Document, Hit, user_fields
from imi.store.sources import digests
from imi.text.highlight import piece_of, wanted_terms
from imi.text.readers.lines import open_text

Asked = TypeVar("Asked")
SNIPPET = 400
"""Characters of a text that a hit shows; `get` gives the whole."""
_LINES = 200
"""Lines of a file that are given at once."""
_EVERY = 1.0
"""Seconds after which a folder is looked at again before it is searched."""
_PATIENCE = 1.2
"""Seconds of reading what changed after which what was read is searched, and the rest is read in the background."""
_RANGE = re.compile(r"(?P<path>.+?)(:(?P<first>\d+)-(?P<last>\d+))?$", re.DOTALL)


@dataclass(slots=True)
class AgentSource:
    """One collection or folder that an agent may search.

    name: how tools call it.
    description: a line on what it holds.
    collection: open for reading, or for writing where agents may.
    mirror: of a folder, which is brought up to date before it is searched.
    """

    name: str
    description: str
    collection: Collection
    mirror: Mirror | None = None
    _looked: float = field(default=0.0)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, name: str, collection: Collection, mirror: Mirror | None = None) -> AgentSource:
        """Return a source that says of itself what it holds."""
        if mirror is not None:
            mirror.call(name)
        return cls(name, _description(collection, mirror), collection, mirror)

    def up_to_date(self) -> Collection:
        """Return the collection, a folder's with what changed a second ago; the rest waits for whoever reads it."""
        if self.mirror is not None:
            with self._lock:
                if time.monotonic() - self._looked > _EVERY:
                    self._refresh(self.mirror)
                    self._looked = time.monotonic()
        return self.collection

    def asked(self, question: Callable[[Collection], Asked]) -> Asked:
        """Return what a collection answers; where a folder's index turns out to be damaged, that of a new one."""
        try:
            return question(self.up_to_date())
        except (Damaged, Gone) as damage:
            if self.mirror is None:
                raise
            with self._lock:
                self.mirror.suspect(damage) if isinstance(damage, Damaged) else None
                self._open_again(self.mirror)
            return question(self.collection)

    def _refresh(self, mirror: Mirror) -> None:
        try:
            if not mirror.suspected:
                done = refresh(mirror, seconds=_PATIENCE)
                if done.pending and done.holder is None:
                    read_on(mirror)
                return
        except (CollectionError, ModelMismatch):
            pass
        except UsageError:
            if mirror.root.is_dir():  # the folder is there, its index is not a collection any longer
                self._open_again(mirror)
                return
            raise
        self._open_again(mirror)

    def _open_again(self, mirror: Mirror) -> None:
        """Open a folder's index, which is made again from its files where it is damaged."""
        self.collection = open_mirror(mirror, seconds=_PATIENCE, empty=True)[0]

    def file(self, name: str) -> dict[str, Any] | None:
        """Return lines of a file of a folder by `path:40-80`, or its first ones by `path`; None for another name.

        Only files that were read are given: nothing ignored, and nothing outside the folder.
        """
        asked = _RANGE.fullmatch(name)
        if self.mirror is None or asked is None or not isinstance(self.collection, FolderCollection):
            return None
        path, root = asked["path"], os.path.realpath(self.mirror.root)
        full = os.path.join(root, path)
        store = self.collection._store
        with store.reading():
            known = path in digests(store)
        if not known or not os.path.realpath(full).startswith(root + os.sep) or not os.path.isfile(full):
            return None
        with open_text(full, "utf-8") as file:
            lines = file.read().encode("utf-8", "replace").decode("utf-8").splitlines()
        first = max(1, int(asked["first"] or 1))
        last = min(len(lines), int(asked["last"] or first + _LINES - 1), first + _LINES - 1)
        given = {"id": f"{path}:{first}-{last}", "text": "\n".join(lines[first - 1 : last]), "lines": len(lines)}
        if last < min(len(lines), int(asked["last"] or len(lines))):
            given["more"] = f"{path}:{last + 1}-{min(len(lines), last + _LINES)}"
        return given


def named(sources: Sequence[AgentSource], name: str | None) -> list[AgentSource]:
    """Return the source of a name, or all of them where none is asked for.

    Raises:
        UsageError: there is none of that name.
    """
    found = [source for source in sources if name in (None, source.name)]
    if not found:
        raise UsageError(f"there is no collection {name!r}", hint=", ".join(source.name for source in sources))
    return found


def shown(hit: Hit, source: AgentSource, *, several: bool, whole: bool, query: str = "") -> dict[str, Any]:
    """Return a hit as agents read it: short, with the tokens that the whole would take.

    Args:
        hit: the hit.
        source: where it is from.
        several: whether there are other sources.
        whole: whether its text is not cut.
        query: what was asked; a text is cut to where most of its words are.
    """
    text = hit.text or ""
    cut = not whole and len(text) > SNIPPET
    value: dict[str, Any] = {"id": hit.id, "score": hit.score, "text": _cut(text, query) if cut else hit.text}
    metadata = user_fields(hit.metadata) if not whole else dict(hit.metadata)
    if metadata:
        value["metadata"] = metadata
    if several:
        value["collection"] = source.name
    if cut:
        value["tokens"] = tokens(text)
    return value


def tokens(text: str) -> int:
    """Return about how many tokens a language model reads in a text."""
    return len(text.encode("utf-8", "replace")) // 4 + 1


def _cut(text: str, query: str) -> str:
    if query:
        piece = piece_of(text, wanted_terms(query), SNIPPET)
        if piece.start:
            said = "".join(part for part, _ in piece.parts)
            return f"… {said[said.find(' ', 0, 40) + 1 :]}{' …' if piece.start + SNIPPET < len(text) else ''}"
    return text[:SNIPPET].rsplit(None, 1)[0] + " …" if " " in text[SNIPPET // 2 : SNIPPET] else text[:SNIPPET] + "…"


def document_of(source: AgentSource, id: str) -> dict[str, Any] | None:
    """Return a row by its id, or lines of a folder's file; None where a source has neither."""
    try:
        found: Document = source.asked(lambda collection: collection.get(id))
        return found.to_dict()
    except NotFound:
        return source.file(id)


def unique_names(paths: Sequence[str]) -> list[str]:
    """Return a short name for each collection or folder, all different."""
    seen: Counter[str] = Counter()
    names = []
    for path in paths:
        name = Path(os.path.realpath(path)).name.removesuffix(".imi") or "root" if "://" not in path else path
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}-{seen[name]}")
    return names


def _description(collection: Collection, mirror: Mirror | None) -> str:
    rows = f"{len(collection):,} rows"
    if mirror is None or not isinstance(collection, FolderCollection):
        return rows
    store = collection._store
    with store.reading():
        paths = list(digests(store))
    kinds = Counter(os.path.splitext(path)[1] or path for path in paths).most_common(4)
    message = f"{len(paths):,} files ({', '.join(f'{count} {kind}' for kind, count in kinds)}), {rows}"
    readme = next((mirror.root / name for name in ("README.md", "readme.md", "README") if name in paths), None)
    if readme is not None:
        with open_text(str(readme), "utf-8") as file:
            first = next((line.strip("# \n") for line in file if line.strip("# \n")), "")
        message = f"{first.encode('utf-8', 'replace').decode()[:100]}: {message}"
    return message
