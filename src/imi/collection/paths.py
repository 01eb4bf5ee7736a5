"""Where a collection lies: names, suffixes, and what already exists there."""

from __future__ import annotations

import os
from pathlib import Path

from imi.errors import UsageError
from imi.store.rows import Dtype
from imi.store.store import FILE, MAKING, make

SUFFIX = ".imi"


def resolve(path: str | Path) -> Path:
    """Return the folder that a name means: itself, or with the suffix `.imi` where only that exists."""
    if not str(path):
        raise UsageError("the collection's name is empty", hint="give a path such as reviews.imi")
    plain = Path(path)
    with_suffix = plain.with_name(plain.name + SUFFIX) if plain.name else plain
    return with_suffix if not plain.exists() and with_suffix.is_dir() else plain


def is_plain_folder(name: str) -> bool:
    """Whether a name is that of a folder which is not a collection: one with something else in it."""
    path = Path(os.path.expanduser(name))
    try:
        return path.is_dir() and path.suffix != SUFFIX and not (path / FILE).exists()
    except PermissionError:
        return True  # one that may not be entered, as reading it will say
    except OSError:
        return False


def find(folder: Path, *, create: bool, dtype: Dtype) -> None:
    """Make sure that a collection is there, making it where that is wanted.

    Raises:
        UsageError: it is missing, or something else is in its place.
    """
    if (folder / FILE).is_file():
        return
    if folder.is_file():
        raise UsageError(
            f"{folder} is a file, a collection is a folder", hint="`imi add NAME.imi FILE` makes one of a file"
        )
    if folder.is_dir() and any(not one.name.startswith(MAKING) for one in folder.iterdir()):
        if (folder / FILE).is_file():  # made by somebody else while this looked
            return
        raise UsageError(
            f"{folder} is a folder, but no collection of imi: it has no {FILE}", hint="choose another name"
        )
    if not create:
        if _is_of_files(folder.suffix.lower()):
            raise UsageError(
                f"there is no file {folder}, nor a collection of that name",
                hint=f"look at its path; a collection is a folder such as {folder.stem}{SUFFIX}",
            )
        raise UsageError(
            f"there is no collection {folder}", hint=f"imi add {folder} FILE makes one; imi ls lists those here"
        )
    make(folder, dtype=dtype)
    if not (folder / FILE).is_file():
        raise UsageError(f"{folder} became something else while a collection was made there", hint="try again")


def _is_of_files(suffix: str) -> bool:
    """Whether a name with this ending is that of a file, which somebody thought was there."""
    from imi.text.readers import READERS

    return suffix in READERS or suffix in (".npy", ".npz", ".zip", ".gz")
