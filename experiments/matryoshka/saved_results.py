"""Results kept on disk, each under the name and the settings it was made with, so that an interrupted run goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


class Shelf:
    """A folder of results; what is there whole is not made again."""

    def __init__(self, folder: Path) -> None:
        """Use a folder, made when missing; git is told to look away, as everything in it can be made again."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".gitignore").write_text("*\n", "utf-8")

    def path(self, name: str, settings: object, suffix: str) -> Path:
        """Return where a result stands: its name, and eight digits over the settings."""
        digest = hashlib.blake2b(repr(settings).encode(), digest_size=4).hexdigest()
        return self.folder / f"{name}.{digest}{suffix}"

    def table(self, name: str, settings: object, make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """Return a JSON result, from the shelf or newly made."""
        path = self.path(name, settings, ".json")
        if not path.exists():
            self._write(path, lambda part: part.write_text(json.dumps(make(), ensure_ascii=False), "utf-8"))
        loaded: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return loaded

    def arrays(self, name: str, settings: object, make: Callable[[], Arrays]) -> Arrays:
        """Return named arrays, from the shelf or newly made."""
        path = self.path(name, settings, ".npz")
        if not path.exists():
            made = make()
            self._write(path, lambda part: _save(part, made))
        with np.load(path) as kept:
            return {key: kept[key] for key in kept.files}

    def _write(self, path: Path, write: Callable[[Path], Any]) -> None:
        beside = path.with_suffix(".part")
        write(beside)
        beside.replace(path)


def _save(path: Path, arrays: Arrays) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
