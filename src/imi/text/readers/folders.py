"""The files of a folder that are read, under the names that are shown for them, and what is left out of it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from imi.errors import Failure
from imi.records import composed
from imi.text.readers.encodings import guess_encoding


@dataclass
class Walked:
    """What a folder holds.

    files: paths that a reader knows, in order; failures: what cannot be read; unlisted: paths of which it is not known
    just now what they hold, so that no file below them may be taken for gone.
    """

    files: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    unlisted: list[str] = field(default_factory=list)

    def leave(self, paths: Iterable[str], reason: str) -> None:
        """Note paths that are not read."""
        for path in paths:
            self.unlisted.append(shown(path))
            self.failures.append(Failure(shown(path), None, _detailed(path, reason)))


def _detailed(path: str, reason: str) -> str:
    try:
        if os.path.islink(path):
            gone = "" if os.path.exists(path) else ", which is not there"
            return f"{reason}: it leads to {os.readlink(path)}{gone}"
        os.stat(path)
    except OSError as error:
        return f"{reason}: {(error.strerror or str(error)).lower()}"
    return reason


def shown(path: str) -> str:
    """Return a path as text: composed (NFC), and where its bytes are not UTF-8 as what they likely mean."""
    try:
        path.encode()
    except UnicodeEncodeError:
        raw = os.fsencode(path)
        path = raw.decode(guess_encoding(raw)[0], "replace")
    return composed(path)
