"""Whose word counts: which models are loaded, and which hosts get a key, where only a file names them.

A collection, an export or an engine's table is data, whoever made it. The model that it names is used without a
question only where it is one of imi's own. Anything else, an endpoint, a folder, a hub's name, a plug-in, needs the
user's word: the model was named by the user on this machine before, or is trusted now (`--trust`, `trust=True`,
IMI_TRUST). That word is kept in `trusted.json` of the user's configuration, by the name and the fingerprint together,
and a key only ever goes to a URL that the user typed or configured.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from imi.atomic import link_new, locked, sibling, write_whole
from imi.errors import ImiError, NotTrusted
from imi.hashing import blake2b, compare_digest

OWN = ("built-in", "quality", "deep", "hash")
"""Models that came with imi."""
_OWN_KINDS = ("pixels",)
_FOLDERS = ("st", "hf-static", "onnx", "clip")
"""Kinds whose names may be folders."""
_YES, _NO = ("1", "true", "yes", "on", "all"), ("", "0", "false", "no", "off")
_FILE = "trusted.json"
_SECRET, _SECRET_BYTES = "index.key", 32
_SEAL = "blake2b:"
_granted: ContextVar[bool] = ContextVar("imi_trust", default=False)


@dataclass(frozen=True, slots=True)
class Word:
    """What a user said of a model: that it may be used, and, where they typed its URL, that it gets the key."""

    model: str
    fingerprint: str
    key: bool
    since: int = 0


def is_own(model: str) -> bool:
    """Whether a model's name is one of imi's own, which reads nothing that a file could have brought."""
    return model in OWN or model.partition(":")[0] in _OWN_KINDS


def grant() -> None:
    """Trust the models that collections name which are opened in this context from now on: what `--trust` does."""
    _granted.set(True)


def granted_now() -> bool:
    """Whether `grant` was called in this context."""
    return _granted.get()


def word_on(model: str, fingerprint: str) -> Word | None:
    """Return the user's word on a model that a file names; None where there is none.

    Args:
        model: the name in the file.
        fingerprint: of its vectors, as the file says.
    """
    said = os.environ.get("IMI_TRUST", "").strip()
    if os.environ.get("IMI_MODEL") == model:
        return Word(model, fingerprint, key=True)
    kept = _read().get(_key_of(model, fingerprint))
    if kept is not None:
        return kept
    if said.lower() in _YES:
        return Word(model, fingerprint, key=False)
    if said.lower() not in _NO:
        named = [one.strip() for one in said.split(",")]
        if model in named or any(len(one) >= 8 and fingerprint.startswith(one) for one in named):
            return Word(model, fingerprint, key=False)
    return None


def remember(model: str, fingerprint: str, *, key: bool) -> None:
    """Keep the user's word on a model; where the file of it cannot be written, it holds for this time alone.

    Args:
        model: its name.
        fingerprint: of its vectors.
        key: whether the user typed the name, and with it the URL that gets the key.
    """
    if is_own(model):
        return
    known = _read().get(_key_of(model, fingerprint))
    if known is not None and (known.key or not key):
        return
    path = words_file()
    with suppress(OSError, ImiError), locked(path):
        words = _read()
        words[_key_of(model, fingerprint)] = Word(_placed(model), fingerprint, key, int(time.time()))
        plain = {"trusted": [asdict(word) for word in words.values()]}
        write_whole(path, json.dumps(plain, ensure_ascii=False, indent=1).encode())


def refused(place: Path | str, model: str) -> NotTrusted:
    """Return the error for a model that a file names and the user has not."""
    return NotTrusted(
        f"{place} names the model {model}, which is not one of imi's own and was not named by you, so it was not used",
        hint=f"--trust (or IMI_TRUST=1) uses it from now on, or name it yourself: --model {model}",
    )


def home() -> Path:
    """Return the folder for what belongs to a user rather than to a collection: IMI_HOME, else ~/.imi."""
    return Path(os.environ.get("IMI_HOME") or Path.home() / ".imi")


def seal(data: bytes) -> str | None:
    """Return what shows that this user wrote something on this machine; None where no secret can be kept for it."""
    secret = _secret(make=True)
    return None if secret is None else _sealed_by(secret, data)


def is_sealed(data: bytes, given: object) -> bool:
    """Whether `seal` gave this for the data, to this user on this machine."""
    secret = _secret(make=False)
    if secret is None or not isinstance(given, str):
        return False
    said = given.encode("utf-8", "replace")
    if given.startswith(_SEAL):
        return compare_digest(_sealed_by(secret, data).encode(), said)
    import hmac  # of an earlier version; it loads OpenSSL, which takes longer than a search reads an index

    return compare_digest(hmac.new(secret, data, "sha256").hexdigest().encode(), said)


def _sealed_by(secret: bytes, data: bytes) -> str:
    return _SEAL + blake2b(data, key=secret, digest_size=32).hexdigest()


_alone: dict[int, bytes] = {}  # of a process whose home cannot be written: what it made itself it may read


def _secret(*, make: bool) -> bytes | None:
    """Return this user's secret, 32 random bytes in a file that nobody else may read."""
    path = home() / _SECRET
    try:
        secret = path.read_bytes()
        if len(secret) == _SECRET_BYTES:
            return secret
        path.unlink()  # cut off while it was written by a machine that lost power
    except FileNotFoundError:
        pass
    except OSError:
        return _alone.setdefault(os.getpid(), os.urandom(_SECRET_BYTES))
    if not make:
        return _alone.get(os.getpid())
    try:
        beside = sibling(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(beside, os.urandom(_SECRET_BYTES))
        try:
            link_new(beside, path)  # of two that make one, the first one's counts
        except OSError:
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
        return path.read_bytes()
    except OSError:
        return _alone.setdefault(os.getpid(), os.urandom(_SECRET_BYTES))


def words_file() -> Path:
    """Return where the user's word is kept; removing a line from it takes the word back."""
    return home() / _FILE


def _placed(model: str) -> str:
    """Return the name with its folder made absolute: a relative one is another folder elsewhere."""
    kind, colon, rest = model.partition(":")
    if colon and kind in _FOLDERS:
        parts = [str(Path(one).resolve()) if Path(one).exists() else one for one in rest.split(",")]
        return f"{kind}:{','.join(parts)}"
    return str(Path(model).resolve()) if Path(model).exists() else model


def _key_of(model: str, fingerprint: str) -> str:
    import hashlib

    return hashlib.sha256(json.dumps([_placed(model), fingerprint]).encode()).hexdigest()


def _read() -> dict[str, Word]:
    try:
        rows: list[dict[str, Any]] = json.loads(words_file().read_text("utf-8"))["trusted"]
        words = [Word(str(row["model"]), str(row["fingerprint"]), row["key"] is True, row["since"]) for row in rows]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}  # no word, no trust
    return {_key_of(word.model, word.fingerprint): word for word in words}
