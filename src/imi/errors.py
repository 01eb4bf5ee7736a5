"""Every exception that crosses imi's public face.

    ImiError
    ├── UsageError        (also ValueError)  what was asked for is not possible; exit code 2
    │   └── NotFound      (also KeyError)  there is no row with this id
    ├── DataError         some rows or files cannot be taken; `.failures` says which; exit code 1
    ├── ModelMismatch     vectors of two models would meet
    ├── CollectionError   the collection cannot do it
    │   ├── Locked        another writer holds it
    │   ├── Damaged       a checksum does not agree; `.rows` says where
    │   ├── Gone          its file was moved, deleted or replaced under an open handle
    │   ├── NotTrusted    a file names a model that the user has not
    │   └── TooNew        written by a newer imi than this one
    ├── EndpointError     a remote service failed; `.status`, `.retry_after`
    └── MissingExtra      an optional package is not installed; `.extra` names it

A message says the value, what is allowed and, in `hint`, what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """One row or file that could not be taken: where it is and why."""

    source: str
    line: int | None
    reason: str

    def to_dict(self) -> dict[str, str | int | None]:
        """Return the keys that `--json` prints."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to know of a file that was taken all the same: how it was read, or what in it is not a row."""

    source: str
    line: int | None
    text: str

    def to_dict(self) -> dict[str, str | int | None]:
        """Return the keys that `--json` prints."""
        return asdict(self)


class ImiError(Exception):
    """The base of everything imi raises; `exit_code` is what the command line ends with.

    Why: one `except imi.ImiError` around a call catches whatever imi has to say, and nothing else.

    Mend: read the message, which names the value and what is allowed, and the line that begins with `try:`.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\ntry: {self.hint}"


class UsageError(ImiError, ValueError):
    """What was asked for is not possible: the message names the value and what is allowed.

    Why: an option, an argument or a file's name is wrong, or two of them do not go together. Nothing was
    changed.

    Mend: use one of the values that the message lists; `imi VERB --help` has an example that runs.
    """

    exit_code = 2


class NotFound(UsageError, KeyError):
    """There is no row with the id that was asked for.

    Why: the id was never added, or its row was deleted. `collection[id]` raises it as a KeyError.

    Mend: `collection.get(id, None)` answers None instead, `id in collection` asks first; `imi search` shows ids.
    """

    __str__ = ImiError.__str__  # a KeyError shows its argument quoted


class DataError(ImiError):
    """Some of the data cannot be taken; `failures` lists every row or file with its reason.

    Why: a row is malformed, a file cannot be decoded, a vector has the wrong width. The rest was not looked at,
    or is kept, as the message says.

    Mend: mend the lines that it names, or leave them out with `on_error="skip"` (without `--strict`).
    """

    def __init__(self, message: str, *, hint: str | None = None, failures: Iterable[Failure] = ()) -> None:
        super().__init__(message, hint=hint)
        self.failures: tuple[Failure, ...] = tuple(failures)


class ModelMismatch(ImiError):
    """Vectors of two models would meet: their fingerprints differ, whatever their widths.

    Why: cosines between vectors of two models mean nothing, so imi refuses to compute them.

    Mend: open the collection without `model`, which takes its own, or move it to the other model with `imi
    migrate COLLECTION --model NAME`.
    """


class CollectionError(ImiError):
    """The collection cannot do what was asked.

    Why: it is open for reading only, its folder cannot be written to, the disk is full, its model is not known
    on this machine.

    Mend: follow the `try:` line; what was acknowledged before is safe.
    """


class Locked(CollectionError):
    """Another process or thread is writing to the collection.

    Why: one writer at a time holds the file; readers are never locked out.

    Mend: wait until the other one is done, then run the same command again: rows that are in already are not
    added twice.
    """


class Damaged(CollectionError):
    """Stored bytes do not agree with their checksum; `rows` names the rows that are affected.

    Why: a disk, a copy or another program changed the file. An index that is damaged is made again by itself;
    this is about the documents.

    Mend: `imi verify COLLECTION` says what is affected, `imi repair COLLECTION` keeps every sound row and sets
    the old file aside.
    """

    def __init__(self, message: str, *, hint: str | None = None, rows: Sequence[int | str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.rows = tuple(rows)


class Gone(CollectionError):
    """The file was moved, deleted or replaced while a handle was open on it; nothing was written to it.

    Why: another program took the file away, or put a backup in its place, and a handle that was open before
    would write to a file that nobody finds again.

    Mend: close the collection and open it again; what was acknowledged before is in the file as it was moved.
    """


class NotTrusted(CollectionError):
    """A file names a model, or holds a format, that is used only on the user's own word.

    Why: a collection or an export that came from elsewhere could otherwise choose a model that runs code, or
    send your texts to its author.

    Mend: if you know where the file is from, name its model yourself (`--model`) or say `--trust`; searching by
    text needs neither.
    """


class TooNew(CollectionError):
    """The collection was written by a newer imi than this one understands.

    Why: a later version changed the format of the file; nothing is read by guessing, and nothing was written.

    Mend: `pip install --upgrade imi`. An older version never opens what a newer one has written to: keep a
    backup if both are in use.
    """


class EndpointError(ImiError):
    """A remote service failed; `status` is its HTTP status (None when no reply came).

    Why: the endpoint cannot be reached, refuses the key, is over its limit, or answered something else than
    vectors.

    Mend: check the URL and the key (`OPENAI_BASE_URL`, `OPENAI_API_KEY`); after `retry_after` seconds where it
    is given. What was embedded before is in the cache.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.retry_after = retry_after


class MissingExtra(ImiError):
    """An optional package is not installed; `extra` is the name to install it by.

    Why: the base install has only what everybody needs.

    Mend: run the `pip install 'imi[…]'` that the message ends with.
    """

    exit_code = 2

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"the package {package!r} is needed for this and is not installed", hint=f"pip install 'imi[{extra}]'"
        )
        self.package = package
        self.extra = extra
