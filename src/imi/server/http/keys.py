"""Keys: who may read or write what. Only hashes are kept, and a key is shown once, when it is made.

A key is 256 random bits, so one round of SHA-256 keeps it as safe at rest as a slow hash would keep a password.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from imi.errors import DataError, UsageError

Right = Literal["read", "write"]
RIGHTS: tuple[Right, ...] = ("read", "write")
EVERY = "*"
_PREFIX = "imi-"


@dataclass(frozen=True, slots=True)
class Key:
    """One key as it is kept: its name, its hash, and for each collection ("*" for all) the right to read or write."""

    name: str
    digest: str
    grants: Mapping[str, Right] = field(default_factory=dict)
    created: int = 0

    def may(self, right: Right, collection: str) -> bool:
        """Return whether the key allows it; what names the collection itself wins over what names all."""
        granted = self.grants.get(collection, self.grants.get(EVERY))
        return granted == "write" or granted == right

    def to_dict(self) -> dict[str, Any]:
        """Return what `imi keys ls` prints: nothing that could be tried as a key."""
        return {"name": self.name, "grants": dict(self.grants), "created": self.created}


class Keys:
    """A file of keys; read again when it changes, so that a key that was taken away stops working at once."""

    def __init__(self, path: Path) -> None:
        """Read the file where there is one.

        Raises:
            DataError: it cannot be read.
        """
        self.path = path
        self._stamp: tuple[int, int, int] | None = None
        self._looked = 0.0
        self._keys: tuple[Key, ...] = ()
        self.refresh(now=True)

    def __len__(self) -> int:
        return len(self._keys)

    def all(self) -> tuple[Key, ...]:
        """Return every key."""
        return self._keys

    def refresh(self, *, now: bool = False) -> None:
        """Read the file again if it changed; looks at most once a second unless told `now`."""
        clock = time.monotonic()
        if not now and clock - self._looked < 1.0:
            return
        self._looked = clock
        try:
            state = self.path.stat()
        except FileNotFoundError:
            self._stamp, self._keys = None, ()
            return
        stamp = (state.st_mtime_ns, state.st_ino, state.st_size)
        if stamp != self._stamp:
            self._keys = _read(self.path)
            self._stamp = stamp

    def find(self, secret: str) -> Key | None:
        """Return the key that a secret is, None for none; compares with every key, each in constant time."""
        digest = digest_of(secret)
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found

    def add(self, name: str, grants: Mapping[str, Right]) -> str:
        """Make a key and return its secret, which is kept nowhere.

        Raises:
            UsageError: the name is taken or empty, or a right is unknown.
        """
        self.refresh(now=True)
        if not name or any(key.name == name for key in self._keys):
            raise UsageError(
                f"the key name {name!r} is {'empty' if not name else 'taken'}",
                hint="choose another name, or remove the key first: imi keys rm NAME",
            )
        for collection, right in grants.items():
            if right not in RIGHTS or not collection:
                raise UsageError(f"the right {right!r} on {collection!r} is not possible", hint="read or write")
        secret = _PREFIX + secrets.token_urlsafe(32)
        self._write((*self._keys, Key(name, digest_of(secret), dict(grants), int(time.time()))))
        return secret

    def remove(self, name: str) -> None:
        """Take a key away.

        Raises:
            UsageError: there is no key of this name.
        """
        self.refresh(now=True)
        kept = tuple(key for key in self._keys if key.name != name)
        if len(kept) == len(self._keys):
            known = ", ".join(key.name for key in self._keys) or "none at all"
            raise UsageError(f"there is no key named {name!r}", hint=f"keys here: {known}")
        self._write(kept)

    def _write(self, keys: tuple[Key, ...]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rows = [key.to_dict() | {"digest": key.digest} for key in keys]
        # mkstemp makes the file readable by its owner alone; the rename shows it whole or not at all.
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump({"keys": rows}, out, ensure_ascii=False, indent=1)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, self.path)
        self.refresh(now=True)


def digest_of(secret: str) -> str:
    """Return the hash by which a key is kept."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _read(path: Path) -> tuple[Key, ...]:
    try:
        rows = json.loads(path.read_text("utf-8"))["keys"]
        return tuple(Key(row["name"], row["digest"], row["grants"], row["created"]) for row in rows)
    except (OSError, ValueError, KeyError, TypeError) as wrong:
        raise DataError(
            f"{path} holds no keys that can be read: {wrong}", hint="remove the file and make new keys: imi keys add"
        ) from wrong
