"""`imi show`, `ls` and `rm`: what is kept, and less of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imi.cli.opening import open_existing, open_to_read
from imi.cli.options import CollectionName, Filtered, Output
from imi.cli.output import named, note, show
from imi.cli.verbs import verb
from imi.cli.where import parse_where
from imi.errors import ImiError, NotFound, UsageError

if TYPE_CHECKING:
    from imi.collection import Collection

_NAMED = 5
"""Ids that a message names."""
_BATCH = 1000


@dataclass(frozen=True, kw_only=True)
class ShowOptions(Output):
    """What `imi show` takes."""

    collection: CollectionName
    id: Annotated[str | None, typer.Argument(metavar="ID", help="A row; else the collection itself.")] = None


def show_collection(options: ShowOptions) -> None:
    """Say what a collection holds, or show one of its rows."""
    with open_to_read(options.collection) as collection:
        found: Any = collection.info if options.id is None else collection.get(options.id)
    value = found.to_dict()
    rows = [
        ["rows" if key == "count" else key, _told(item, counts=options.id is None)]
        for key, item in value.items()
        if item is not None and not (key == "deep" and value.get("model") == "deep")
    ]
    show(value, ["what", "value"], named(rows), as_json=options.as_json)


def _told(value: Any, *, counts: bool = True) -> str:
    """Return a value as people read it: `counts` have separators, which a year or a time in seconds has not."""
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_told(item, counts=counts)}" for key, item in value.items() if item is not None)
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:,}" if counts and isinstance(value, int) and not isinstance(value, bool) else str(value)


@dataclass(frozen=True, kw_only=True)
class ListOptions(Output):
    """What `imi ls` takes."""

    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to look; here by default.")] = Path()


def list_collections(options: ListOptions) -> None:
    """List the collections in a folder."""
    import imi
    from imi.store.store import FILE

    if not options.folder.is_dir():
        raise UsageError(f"{options.folder} is not a folder")
    found: list[dict[str, Any]] = []
    for path in sorted(options.folder.iterdir()):
        if not (path / FILE).is_file():
            continue
        try:
            with imi.open(path, mode="r") as collection:
                found.append(collection.info.to_dict())
        except ImiError as error:
            note(f"{path}: {error.message}", quiet=options.quiet)
    rows = [[one["path"], one["count"], one["model"], one["dims"], sum(one["bytes"].values())] for one in found]
    show(found, ["collection", "rows", "model", "dims", "bytes"], rows, as_json=options.as_json)
    if not found:
        note(f"no collection in {options.folder}; imi add NAME.imi FILE makes one", quiet=options.quiet)


@dataclass(frozen=True, kw_only=True)
class RemoveOptions(Filtered):
    """What `imi rm` takes."""

    collection: CollectionName
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Rows to remove; - reads one a line.")] = None


def remove(options: RemoveOptions) -> None:
    """Remove rows, by their ids or by a filter.

    Ids that are not there are named, and the exit code is 2; the others are removed all the same.
    """
    from imi.cli.options import read_texts

    where = parse_where(options.where)
    if bool(options.ids) == (where is not None):
        raise UsageError("rm needs either ids or --where", hint="imi rm reviews.imi 12 13, or --where 'Score<=2'")
    with open_existing(options.collection) as collection:
        ids = [] if where is not None else list(dict.fromkeys(read_texts(options.ids or ())))
        missing = _missing(collection, ids)
        removed = collection.delete(where=where) if where is not None else collection.delete(ids)
    value = {"removed": removed} | ({"missing": missing} if missing else {})
    show(value, ["removed"], [[removed]], as_json=options.as_json)
    if missing:
        few = ", ".join(map(repr, missing[:_NAMED])) + (" …" if len(missing) > _NAMED else "")
        raise NotFound(
            f"{options.collection} has no row with the id {few}", hint=f"imi search {options.collection} finds ids"
        )
    if not removed:
        note("no row matches the filter", quiet=options.quiet)


def _missing(collection: Collection, ids: list[str]) -> list[str]:
    """Return the ids that no row has."""
    missing = []
    for start in range(0, len(ids), _BATCH):
        some = ids[start : start + _BATCH]
        missing += [one for one, found in zip(some, collection.get(some, None), strict=True) if found is None]
    return missing


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    verb(app, "show", ShowOptions, show_collection, example="imi show reviews.imi\nimi show reviews.imi 12")
    verb(app, "ls", ListOptions, list_collections, example="imi ls")
    verb(app, "rm", RemoveOptions, remove, example="imi rm reviews.imi 12\nimi rm reviews.imi --where 'Score<=2'")
