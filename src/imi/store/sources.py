"""What was read from which file: a digest a source, so that unchanged files are not read again, and its rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from imi.store.store import Store

ORIGIN = "json_extract(metadata, '$.imi.source')"
"""SQL for the file that imi itself read a row from; there is an index on it."""


def digests(store: Store) -> dict[str, str]:
    """Return what was noted of each source that was added whole; must run inside `reading()`."""
    return dict(store.connection.execute("SELECT source, digest FROM sources"))


def note_digests(store: Store, found: Mapping[str, str]) -> None:
    """Remember digests of sources; must run inside `writing()`."""
    store.connection.executemany("INSERT OR REPLACE INTO sources (source, digest) VALUES (?, ?)", found.items())


def forget(store: Store, sources: Iterable[str]) -> None:
    """Forget sources; must run inside `writing()`."""
    store.connection.executemany("DELETE FROM sources WHERE source = ?", ((source,) for source in sources))


def count_from(store: Store, source: str) -> int:
    """Return how many rows were read from a file; must run inside `reading()`."""
    condition, parameters = _from(source)
    return int(store.connection.execute(f"SELECT count(*) FROM documents WHERE {condition}", parameters).get)


def ids_from(store: Store, source: str, *, older: bool = False) -> list[str]:
    """Return the ids of the rows that were read from a file; must run inside `reading()`.

    Args:
        store: where they are.
        source: the path as it was given.
        older: also rows whose field `source` says so and that an imi wrote which had no key of its own.
    """
    condition, parameters = _from(source)
    found = [id_ for (id_,) in store.connection.execute(f"SELECT id FROM documents WHERE {condition}", parameters)]
    if older:
        sql = f"SELECT id FROM documents WHERE source = ? AND {ORIGIN} IS NULL AND json_type(metadata, '$.imi') IS NULL"
        found += [id_ for (id_,) in store.connection.execute(sql, (source,))]
    return found


def _from(source: str) -> tuple[str, tuple[str, ...]]:
    # The members of an archive are sources below it; a slash is followed by a zero.
    if source.lower().endswith(".zip"):
        return f"{ORIGIN} > ? AND {ORIGIN} < ?", (f"{source}/", f"{source}0")
    return f"{ORIGIN} = ?", (source,)
