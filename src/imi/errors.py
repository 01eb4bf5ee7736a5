"""Every exception that crosses imi's public face.

    ImiError
    ├── UsageError        (also ValueError)  what was asked for is not possible; exit code 2
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
    """One row or file that could not be taken: where it stands and why."""

    source: str
    line: int | None
    reason: str

    def to_dict(self) -> dict[str, str | int | None]:
        """Return the keys that `--json` prints."""
        return asdict(self)


class ImiError(Exception):
    """The base of everything imi raises; `exit_code` is what the command line ends with."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\ntry: {self.hint}"


class UsageError(ImiError, ValueError):
    """What was asked for is not possible: the message names the value and what is allowed."""

    exit_code = 2


class DataError(ImiError):
    """Some of the data cannot be taken; `failures` lists every row or file with its reason."""

    def __init__(self, message: str, *, hint: str | None = None, failures: Iterable[Failure] = ()) -> None:
        super().__init__(message, hint=hint)
        self.failures: tuple[Failure, ...] = tuple(failures)


class ModelMismatch(ImiError):
    """Vectors of two models would meet: their fingerprints differ, whatever their widths."""


class CollectionError(ImiError):
    """The collection cannot do what was asked."""


class Locked(CollectionError):
    """Another process or thread is writing to the collection."""


class Damaged(CollectionError):
    """Stored bytes do not agree with their checksum; `rows` names the rows that are affected."""

    def __init__(self, message: str, *, hint: str | None = None, rows: Sequence[int | str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.rows = tuple(rows)


class Gone(CollectionError):
    """The file was moved, deleted or replaced while a handle was open on it; nothing was written to it."""


class NotTrusted(CollectionError):
    """A file names a model, or holds a format, that is used only on the user's own word."""


class TooNew(CollectionError):
    """The collection was written by a newer imi than this one understands."""


class EndpointError(ImiError):
    """A remote service failed; `status` is its HTTP status (None when no reply came)."""

    def __init__(
        self, message: str, *, hint: str | None = None, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.retry_after = retry_after


class MissingExtra(ImiError):
    """An optional package is not installed; `extra` is the name to install it by."""

    exit_code = 2

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"the package {package!r} is needed for this and is not installed", hint=f"pip install 'imi[{extra}]'"
        )
        self.package = package
        self.extra = extra
