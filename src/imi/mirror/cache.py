"""Where the index of a plain folder lies, who is writing it, and how it goes."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import apsw

from imi.errors import Damaged, Locked, UsageError
from imi.hashing import blake2b
from imi.store.store import FILE
from imi.text.walk import Walking

_ABOUT = "folder.json"
_HOLDER = "holder.json"
_SUSPECT = "damaged"
_LOCK = "lock"
_called: dict[str, str] = {}
"""What a user or an agent calls the folder of each collection in the cache."""


def as_called(text: str) -> str:
    """Return a message with the names of folders where it names their collections in the cache."""
    for path, name in _called.items():
        text = text.replace(path, name)
    return text


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that is reading a folder into its index."""

    pid: int
    command: str
    since: float

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command}), for {max(0, round(time.time() - self.since))} s"


@dataclass(frozen=True, slots=True)
class Mirror:
    """The index of a folder, known by the folder's real path, by what of it is read, and by the model.

    root: the folder, an absolute path without links.
    walking: what of it is read.
    model: the name of the model; None for what IMI_MODEL says, else the built-in one.
    """

    root: Path
    walking: Walking = field(default_factory=Walking)
    model: str | None = None

    @classmethod
    def of(
        cls, folder: str | Path, *, hidden: bool = False, no_ignore: bool = False, model: str | None = None
    ) -> Mirror:
        """Return the index of a folder, which need not be there yet."""
        root = Path(os.path.realpath(os.path.expanduser(folder)))
        model = model or os.environ.get("IMI_MODEL") or None
        return cls(root, Walking(hidden=hidden, no_ignore=no_ignore, written=True), model)

    @property
    def home(self) -> Path:
        """The folder in the cache that belongs to this index."""
        known = f"{self.root}\0{self.walking.hidden}\0{self.walking.no_ignore}\0{_identity(self.model)}"
        return _all() / blake2b(os.fsencode(known), digest_size=10).hexdigest()

    @property
    def collection(self) -> Path:
        """The collection, called as the folder is."""
        return self.home / f"{self.root.name or 'root'}.imi"

    def call(self, name: str) -> None:
        """Let messages call the folder as whoever reads them does."""
        _called[str(self.collection)] = name

    @property
    def exists(self) -> bool:
        """Whether anything was read before."""
        return (self.collection / FILE).is_file()

    def prepare(self) -> None:
        """Make the folder in the cache, for the user alone, and note there what it is of."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        about = self.home / _ABOUT
        if not about.exists():
            result = {"root": str(self.root), "model": self.model, "walking": asdict(self.walking)}
            _write(about, json.dumps(result, ensure_ascii=False))

    @contextmanager
    def writing(self) -> Iterator[bool]:
        """Hold the right to write the index; yields False, at once, where another process has it."""
        self.prepare()
        lock = apsw.Connection(str(self.home / _LOCK))
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except apsw.BusyError:
            lock.close()
            yield False
            return
        try:
            holder = Holder(os.getpid(), " ".join(["imi", *sys.argv[1:]])[:120], time.time())
            _write(self.home / _HOLDER, json.dumps(asdict(holder), ensure_ascii=False))
            yield True
        finally:
            (self.home / _HOLDER).unlink(missing_ok=True)
            lock.close()

    def holder(self) -> Holder | None:
        """Return who is writing, as far as it is known."""
        try:
            said: dict[str, Any] = json.loads((self.home / _HOLDER).read_text("utf-8"))
            return Holder(int(said["pid"]), str(said["command"]), float(said["since"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def discard(self) -> None:
        """Delete the collection, which comes back by reading the folder again."""
        import shutil

        shutil.rmtree(self.collection, ignore_errors=True)
        (self.home / _SUSPECT).unlink(missing_ok=True)

    def suspect(self, damage: Damaged) -> None:
        """Note that a page of the index is damaged: whoever opens or follows it next makes it again."""
        with suppress(OSError):
            (self.home / _SUSPECT).touch()
            damage.hint = f"the same again: the index of {self.root} is then made again from its files"

    @property
    def suspected(self) -> bool:
        """Whether damage was met since the index was made."""
        return (self.home / _SUSPECT).exists()


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was removed: how many indexes of a folder (one a model and a way of reading), and their bytes."""

    indexes: int
    bytes: int

    def to_dict(self) -> dict[str, int]:
        """Return the keys that `--json` prints."""
        return asdict(self)


def forget(folder: str | Path) -> Forgotten:
    """Remove every index of a folder from the cache; the folder itself, which may be gone, is not touched.

    Raises:
        Locked: a process is reading the folder.
        UsageError: nothing is known of it.
    """
    import shutil

    root = str(os.path.realpath(os.path.expanduser(folder)))
    found = [mirror for mirror in known() if str(mirror.root) == root]
    if not found:
        roots = sorted({str(mirror.root) for mirror in known()})
        shown = ", ".join(roots[:5]) + (" …" if len(roots) > 5 else "")
        raise UsageError(
            f"there is no index of the folder {folder}",
            hint=f"known are: {shown}" if roots else "only folders that were searched have one",
        )
    size = 0
    for mirror in found:
        with mirror.writing() as mine:
            if not mine:
                raise Locked(
                    f"the folder {folder} is being read by {mirror.holder() or 'another process'}",
                    hint="wait for it to end, or stop it",
                )
            size += sum(one.stat().st_size for one in mirror.home.rglob("*") if one.is_file())
        shutil.rmtree(mirror.home, ignore_errors=True)
    return Forgotten(len(found), size)


def known() -> list[Mirror]:
    """Return the indexes of folders in the cache."""
    found = []
    for about in sorted(_all().glob(f"*/{_ABOUT}")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads(about.read_text("utf-8"))
            found.append(Mirror(Path(said["root"]), Walking(**said["walking"]), said["model"]))
    return found


def _identity(model: str | None) -> str:
    """Return what a model is known by: the built-in one by its weights, which another version of imi may bring."""
    if model not in (None, "built-in"):
        return str(model)
    about = Path(__file__).parent.parent / "models" / "built-in" / "model.json"
    return str(json.loads(about.read_text("utf-8"))["weights"])


def _all() -> Path:
    """Return the folder of all indexes: in IMI_HOME, else in the user's cache folder."""
    home = os.environ.get("IMI_HOME")
    if home:
        return Path(home) / "folders"
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "imi" / "folders"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imi" / "folders"


def _write(path: Path, text: str) -> None:
    """Write a small file whole or not at all."""
    made = path.with_name(f"{path.name}.{os.getpid()}")
    made.write_text(text, "utf-8")
    os.replace(made, path)
