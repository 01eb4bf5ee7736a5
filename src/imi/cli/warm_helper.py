"""The helper that is kept warm: loads what a question needs, and lets a copy of itself answer each; see `imi.cli.warm`.

Each command runs in a fork: it has the caller's terminal, folder and environment, changes nothing for the next, and two
do not wait for each other. Two forks are made ahead and ask themselves a question first: what a fresh one takes longest
for is the memory that it shares until it writes to it. The helper itself opens no collection of the user's, and ends
after an hour without a question, when imi was replaced by another version, or with `imi forget --warm`.
"""

from __future__ import annotations

import gc
import importlib
import os
import shutil
import signal
import socket
import stat
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from imi.cli import warm
from imi.index import checked

IDLE_SECONDS = 3600.0
_LOOK_SECONDS = 20.0
"""How often it looks whether its socket is still there: `imi forget --warm` removes it."""
_PAUSE_SECONDS = 0.1
_SPARES = 2
"""Copies that are made ahead: a second question often follows the first one at once."""
_MOST = 8
"""Commands at once; one more is left to its own process."""
_LARGEST = 16 << 20
"""Bytes of a command line with its environment."""


def main() -> int:
    """Load, listen, and answer until nobody has asked for an hour."""
    path = warm.socket_path()
    if _is_alive(path):
        return 0
    _own_folder(Path(path).parent)
    _remove_leftovers(Path(path).parent)
    rehearsed = Path(f"{path}.{os.getpid()}.imi")
    os.environ.pop("IMI_LLM", None)  # it may cost money, and callers bring their own
    try:
        load(rehearsed)
        listener = listen(path)
        if listener is None:
            return 0
        made = os.stat(path).st_ino
        try:
            serve(listener, lambda: _inode(path) == made, rehearse=lambda: rehearse(rehearsed))
        finally:
            if _inode(path) == made:
                os.unlink(path)
    finally:
        shutil.rmtree(rehearsed, ignore_errors=True)
    return 0


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def _remove_leftovers(folder: Path) -> None:
    """Remove what helpers that were killed left beside their sockets; the name says whose it was."""
    for left in folder.glob("*.sock.*"):
        number = left.name.rpartition(".sock.")[2].partition(".")[0]
        if not number.isdecimal() or len(number) > 9 or int(number) == os.getpid():
            continue
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() and not left.is_symlink() else left.unlink(
                missing_ok=True
            )
        except OSError:  # somebody else's process has the number now
            continue


def listen(path: str) -> socket.socket | None:
    """Return a socket that only this user can reach, None where another helper listens there.

    Raises:
        PermissionError: the folder is another user's, or others may enter it.
    """
    _own_folder(Path(path).parent)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    own = f"{path}.{os.getpid()}"
    listener.bind(own)
    os.chmod(own, 0o600)
    listener.listen(_MOST)
    if _is_alive(path):
        os.unlink(own)
        listener.close()
        return None
    os.replace(own, path)
    return listener


def _is_alive(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        try:
            link.connect(path)
        except OSError:
            return False
        return True


def _own_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o077:
        raise PermissionError(f"{folder} has to be a folder of this user alone")


class _Found:
    """What copies found whole, of which later ones are told: they need not check it again."""

    def __init__(self) -> None:
        self._heard, self._said = os.pipe()
        os.set_blocking(self._heard, False)
        os.set_blocking(self._said, False)

    def say(self) -> None:
        """Tell the helper, from a copy, what it found."""
        with suppress(OSError):
            if news := checked.news():
                os.write(self._said, news)

    def hear(self) -> None:
        """Remember, in the helper, what copies found."""
        with suppress(BlockingIOError):
            while told := os.read(self._heard, 1 << 16):
                checked.learn(told)

    def close(self) -> None:
        """Let go of the pipe."""
        os.close(self._heard)
        os.close(self._said)


def load(collection: Path) -> None:
    """Import and read what a search needs, by making one; afterwards this process has no file of it open.

    Args:
        collection: made for it, and kept for what `rehearse` asks.
    """
    from imi.embedders.load import keep

    _own_folder(collection.parent)
    keep("built-in")
    with suppress(Exception):
        keep("deep")
    for module in ("imi.cli.similar", "imi.mirror"):  # what the questions below do not need
        importlib.import_module(module)
    from imi.cli.command import run

    silence = os.open(os.devnull, os.O_RDWR)
    before = [os.dup(handle) for handle in (1, 2)]
    for handle in (1, 2):
        os.dup2(silence, handle)
    lines = collection.with_suffix(".txt")
    lines.write_text("a first line\n最初の行\n", encoding="utf-8")
    with warnings.catch_warnings():  # what is warned of here, unheard, is not taken for said in a copy
        run(["add", str(collection), str(lines), "--model", "built-in", "-q"])
        rehearse(collection)
        run(["ask", str(collection), "what is the first line?"])
    checked.keep()
    lines.unlink()
    for handle, kept in zip((1, 2), before, strict=True):
        os.dup2(kept, handle)
        os.close(kept)
    os.close(silence)
    gc.set_threshold(100_000, 20, 100)  # as in a process of the command's own
    gc.collect()
    gc.freeze()  # copies then share these objects' memory for as long as they live


def rehearse(collection: Path) -> None:
    """Ask a question whose answer nobody reads."""
    from imi.cli.command import run

    with warnings.catch_warnings():
        run(["search", str(collection), "first line", "--budget", "1000"])


class _Spare:
    """A copy of the helper that is made ahead, and waits for the one command that it will answer."""

    def __init__(self, listener: socket.socket, prepare: Callable[[], None], found: _Found) -> None:
        self._link, inside = socket.socketpair()
        self.number = os.fork()
        if self.number:
            inside.close()
            return
        code = 1
        try:
            listener.close()
            self._link.close()
            silence = os.open(os.devnull, os.O_RDWR)
            for handle in (1, 2):
                os.dup2(silence, handle)
            os.close(silence)
            with suppress(Exception):
                prepare()
            inside.sendall(warm.READY)
            size, handles, _, _ = socket.recv_fds(inside, 4, 1)
            if handles:
                checked.learn(_whole(inside, int.from_bytes(size, "big")) or b"")
                inside.close()
                with socket.socket(fileno=handles[0]) as link:
                    code = answer(link)
                found.say()
        finally:
            os._exit(code)

    def take(self, link: socket.socket) -> bool:
        """Hand a command over; False where this copy is not ready."""
        try:
            self._link.setblocking(False)
            if self._link.recv(1, socket.MSG_PEEK) != warm.READY:
                return False
            known = checked.known()
            socket.send_fds(self._link, [len(known).to_bytes(4, "big") + known], [link.fileno()])
        except OSError:
            return False
        self._link.close()
        return True

    def dismiss(self) -> None:
        """Let it end."""
        self._link.close()


def serve(
    listener: socket.socket,
    wanted: Callable[[], bool],
    idle: float = IDLE_SECONDS,
    rehearse: Callable[[], None] | None = None,
) -> None:
    """Answer commands until none has come for so many seconds, the socket is gone, or imi was replaced.

    Args:
        listener: where commands come in.
        wanted: whether this helper is still the one that is asked.
        idle: seconds without a command after which it ends.
        rehearse: what a copy made ahead does before it waits for a command; None makes none ahead.
    """
    running: set[int] = set()
    spares: list[_Spare] = []
    found = _Found()
    files, last = _stamp(), time.monotonic()
    try:
        while wanted() and time.monotonic() - last < idle:
            with suppress(ChildProcessError):
                while (running or spares) and (ended := os.waitpid(-1, os.WNOHANG)[0]):
                    running.discard(ended)
                    spares = [spare for spare in spares if spare.number != ended]
            # While a command runs, it has the processor to itself.
            if rehearse is not None and len(spares) < _SPARES and not running:
                spares.append(_Spare(listener, rehearse, found))
            short = rehearse is not None and len(spares) < _SPARES
            listener.settimeout(min(_PAUSE_SECONDS if short else _LOOK_SECONDS, idle))
            try:
                link = listener.accept()[0]
            except TimeoutError:
                continue
            except OSError:  # no file handle is free, or memory: it does not become better by asking at once
                time.sleep(_PAUSE_SECONDS)
                continue
            last = time.monotonic()
            found.hear()
            with link:
                if _stamp() != files:
                    return
                if len(running) >= _MOST:
                    continue
                ready = next((spare for spare in spares if spare.take(link)), None)
                if ready is not None:
                    spares.remove(ready)
                running.add(_forked(listener, link, found) if ready is None else ready.number)
    finally:
        for spare in spares:
            spare.dismiss()
        found.close()


def _forked(listener: socket.socket, link: socket.socket, found: _Found) -> int:
    """Let a copy made now answer a command; return its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        listener.close()
        code = answer(link)
        found.say()
    finally:
        os._exit(code)


def _stamp() -> tuple[int, int]:
    try:
        about = os.stat(warm.__file__)
    except OSError:
        return 0, 0
    return about.st_mtime_ns, about.st_ino


def answer(link: socket.socket) -> int:
    """Run the command that a caller sends, with the caller's terminal; return, and send, its exit code."""
    link.settimeout(5)
    if not _is_own_user(link):
        return 1
    size, handles, _, _ = socket.recv_fds(link, 8, 3)
    length = int.from_bytes(size, "big")
    if len(size) != 8 or len(handles) != 3 or length > _LARGEST:
        return 1
    sent = _whole(link, length)
    if sent is None:
        return 1
    asked = _Asked.of(sent)
    if asked.arguments[0] not in warm.VERBS:
        return 1
    os.chdir(asked.folder)
    link.sendall(warm.READY)
    if link.recv(1) != warm.GO:
        return 1
    link.settimeout(None)
    _take_over(handles, asked)
    threading.Thread(target=_end_with, args=(link,), daemon=True).start()
    from imi.cli.command import run

    code = run(asked.arguments)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    link.sendall(bytes([code & 0xFF]))
    return code


@dataclass(frozen=True)
class _Asked:
    """A command, and what it would find in a process of its own."""

    folder: str
    umask: int
    encodings: list[tuple[str, str]]
    arguments: list[str]
    environment: dict[str, str]

    @classmethod
    def of(cls, message: bytes) -> _Asked:
        """Read what `warm.message` made."""
        folder, umask, *rest = [os.fsdecode(part) for part in message.split(b"\0")[:-1]]
        first = 7 + int(rest[6])
        environment = dict(pair.split("=", 1) for pair in rest[first:])
        return cls(folder, int(umask), list(zip(rest[:6:2], rest[1:6:2], strict=True)), rest[7:first], environment)


def _whole(link: socket.socket, length: int) -> bytes | None:
    """Return so many bytes that come in; None where they end before."""
    parts = bytearray()
    while len(parts) < length:
        part = link.recv(min(1 << 16, length - len(parts)))
        if not part:
            return None
        parts += part
    return bytes(parts)


def _take_over(handles: list[int], asked: _Asked) -> None:
    """Be the caller's process as far as a command can tell: its streams, environment, time zone and umask."""
    for at, handle in enumerate(handles):
        os.dup2(handle, at)
        os.close(handle)
    os.environ.clear()
    os.environ.update(asked.environment)
    time.tzset()
    os.umask(asked.umask)
    made = []
    for at, (encoding, errors) in enumerate(asked.encodings):
        stream = open(at, "r" if at == 0 else "w", encoding=encoding, errors=errors, closefd=False)  # noqa: SIM115
        made.append(stream)
    made[1].reconfigure(line_buffering=made[1].isatty())
    made[2].reconfigure(line_buffering=True)
    sys.stdin, sys.stdout, sys.stderr = made


def _end_with(link: socket.socket) -> None:
    """End as Ctrl-C would when the caller is gone."""
    with suppress(OSError):
        if link.recv(1) == b"":
            os.kill(os.getpid(), signal.SIGINT)


def _is_own_user(link: socket.socket) -> bool:
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the folder is the user's alone
    import struct

    _, user, _ = struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return bool(user == os.getuid())


if __name__ == "__main__":
    sys.exit(main())
