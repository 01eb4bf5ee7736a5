"""Keys: who may read or write what. Only hashes are kept, and a key is shown once, when it is made.

A key is 256 random bits, so one round of SHA-256 keeps it as safe at rest as a slow hash would keep a password.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from imi.atomic import locked, write_whole
from imi.errors import DataError, UsageError

Right = Literal["read", "write"]
RIGHTS: tuple[Right, ...] = ("read", "write")
EVERY = "*"
_PREFIX = "imi-"
LOOK_SECONDS = 1.0
"""How long a server answers by the keys that it read, before it looks whether the file changed."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key as it is kept: its name, its hash, and for each collection ("*" for all) the right to read or write."""

    name: str
    digest: str
    grants: Mapping[str, Right] = field(default_factory=dict)
    created: int = 0
    llm: bool = False
    """Whether it may use the language model, which costs its owner more than a search."""

    def may(self, right: Right, collection: str) -> bool:
        """Return whether the key allows it; what names the collection itself wins over what names all."""
        granted = self.grants.get(collection, self.grants.get(EVERY))
        return granted == "write" or granted == right

    def to_dict(self) -> dict[str, Any]:
        """Return what `imi keys ls` prints: nothing that could be tried as a key."""
        return {"name": self.name, "grants": dict(self.grants), "llm": self.llm, "created": self.created}


class Keys:
    """A file of keys; read again when it changes, so that a key that was taken away stops working at once.

    Whoever changes the file holds its lock, so that of two changes at once none is lost.
    """

    def __init__(self, path: Path, token: str | None = None) -> None:
        """Read the file where there is one.

        Args:
            path: the file.
            token: a secret that is the one key, instead of those in the file.

        Raises:
            DataError: it cannot be read.
        """
        self.path = path
        self.broken = False
        self._token = token
        self._stamp: tuple[int, int, int] | None = None
        self._looked = 0.0
        self._keys: tuple[Key, ...] = ()
        if token is not None:
            self._keys = (Key("token", digest_of(token), {EVERY: "write"}, llm=True),)
        else:
            self._read_again()

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def asked(self) -> bool:
        """Whether a request needs a key: there are some, or the file that should hold them cannot be read."""
        return bool(self._keys) or self.broken

    def all(self) -> tuple[Key, ...]:
        """Return every key."""
        return self._keys

    def refresh(self) -> None:
        """Read the file again if it changed, looking at most every second; a broken one holds no key that is good."""
        clock = time.monotonic()
        if self._token is not None or clock - self._looked < LOOK_SECONDS:
            return
        self._looked = clock
        try:
            self._read_again()
        except DataError:
            self._keys, self._stamp, self.broken = (), None, True

    def _read_again(self) -> None:
        try:
            state = self.path.stat()
        except FileNotFoundError:
            self._stamp, self._keys, self.broken = None, (), False
            return
        except OSError as wrong:
            raise _unreadable(self.path, wrong) from wrong
        if not stat.S_ISREG(state.st_mode):  # a pipe would be waited for
            raise _unreadable(self.path, OSError(0, "it is not a regular file"))
        stamp = (state.st_mtime_ns, state.st_ino, state.st_size)
        if stamp != self._stamp:
            self._keys = _read(self.path)
            self._stamp, self.broken = stamp, False

    def find(self, secret: str) -> Key | None:
        """Return the key that a secret is, None for none; compares with every key, each in constant time."""
        digest = digest_of(secret)
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found

    def add(self, name: str, grants: Mapping[str, Right], *, llm: bool = False) -> str:
        """Make a key and return its secret, which is kept nowhere.

        Args:
            name: what it is called.
            grants: for each collection, "*" for all, the permission to read or to write.
            llm: whether it may use the language model.

        Raises:
            UsageError: the name is taken or empty, or a permission is unknown.
            Locked: somebody else is changing the file.
        """
        for collection, right in grants.items():
            if right not in RIGHTS or not collection:
                raise UsageError(
                    f"unknown permission {right!r} for {collection!r}; allowed: {', '.join(RIGHTS)}",
                    hint=f"imi keys add {name or 'NAME'} --read COLLECTION --write COLLECTION",
                )
        secret = _PREFIX + secrets.token_urlsafe(32)
        with locked(self.path):
            self._read_again()
            if not name or any(key.name == name for key in self._keys):
                raise UsageError(
                    f"the key name {name!r} is {'empty' if not name else 'taken'}",
                    hint="choose another name, or remove the key first: imi keys rm NAME",
                )
            self._write((*self._keys, Key(name, digest_of(secret), dict(grants), int(time.time()), llm)))
        return secret

    def remove(self, name: str) -> None:
        """Take a key away.

        Raises:
            UsageError: there is no key of this name.
            Locked: somebody else is changing the file.
        """
        with locked(self.path):
            self._read_again()
            kept = tuple(key for key in self._keys if key.name != name)
            if len(kept) == len(self._keys):
                known = ", ".join(key.name for key in self._keys) or "none at all"
                raise UsageError(f"there is no key named {name!r}", hint=f"keys here: {known}")
            self._write(kept)

    def _write(self, keys: tuple[Key, ...]) -> None:
        rows = [key.to_dict() | {"digest": key.digest} for key in keys]
        # Readable by its owner alone, and there whole or not at all.
        write_whole(
            self.path, json.dumps({"keys": rows}, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace")
        )
        self._read_again()


def digest_of(secret: str) -> str:
    """Return the hash by which a key is kept."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _read(path: Path) -> tuple[Key, ...]:
    try:
        return tuple(map(_key, json.loads(path.read_text("utf-8"))["keys"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as wrong:
        raise _unreadable(path, wrong) from wrong


def _key(row: Any) -> Key:
    """Return one key of the file.

    Raises:
        ValueError, KeyError, TypeError: it is not one.
    """
    key = Key(row["name"], row["digest"], row["grants"], row["created"], row.get("llm", False))
    sound = isinstance(key.name, str) and isinstance(key.llm, bool) and isinstance(key.grants, dict)
    sound = sound and isinstance(key.created, int)
    if not sound or not _DIGEST.fullmatch(key.digest) or not all(right in RIGHTS for right in key.grants.values()):
        raise ValueError(f"the key {key.name!r} is malformed")
    return key


def _unreadable(path: Path, wrong: Exception) -> DataError:
    return DataError(
        f"{path} holds no keys that can be read: {getattr(wrong, 'strerror', None) or wrong}",
        hint=f"mend the file, or remove it and make new keys: rm {path}, then imi keys add NAME",
    )


_DIGEST = re.compile("[0-9a-f]{64}")
