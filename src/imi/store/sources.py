"""What was read from which file: a digest a source, so that unchanged files are not read again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from imi.store.store import Store


def digests(store: Store) -> dict[str, str]:
    """Return the digest of each source that was added whole; must run inside `reading()`."""
    return dict(store.connection.execute("SELECT source, digest FROM sources"))


def note_digests(store: Store, found: Mapping[str, str]) -> None:
    """Remember digests of sources; must run inside `writing()`."""
    store.connection.executemany("INSERT OR REPLACE INTO sources (source, digest) VALUES (?, ?)", found.items())


def forget(store: Store, sources: Iterable[str]) -> None:
    """Forget sources; must run inside `writing()`."""
    store.connection.executemany("DELETE FROM sources WHERE source = ?", ((source,) for source in sources))
