"""The helper that is kept warm: loads what a question needs, and lets a copy of itself answer each; see `imi.cli.warm`.

Each command runs in a fork: it has the caller's terminal, folder and environment, changes nothing for the next, and two
do not wait for each other. The helper itself opens no collection after its start, and ends after an hour without a
question, when imi was replaced by another version, or with `imi forget --warm`.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import stat
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from imi.cli import warm

IDLE_SECONDS = 3600.0
_LOOK_SECONDS = 20.0
"""How often it looks whether its socket is still there: `imi forget --warm` removes it."""
_PAUSE_SECONDS = 0.1
_MOST = 8
"""Commands at once; one more is left to its own process."""
_LARGEST = 16 << 20
"""Bytes of a command line with its environment."""


def main() -> int:
    """Load, listen, and answer until nobody has asked for an hour."""
    path = warm.socket_path()
    if _is_alive(path):
        return 0
    load()
    listener = listen(path)
    if listener is None:
        return 0
    made = os.stat(path).st_ino
    try:
        serve(listener, lambda: _inode(path) == made)
    finally:
        if _inode(path) == made:
            os.unlink(path)
    return 0


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def listen(path: str) -> socket.socket | None:
    """Return a socket that only this user can reach, None where another helper listens there.

    Raises:
        PermissionError: the folder is another user's, or others may enter it.
    """
    folder = Path(path).parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid() or about.st_mode & 0o077:
        raise PermissionError(f"{folder} has to be a folder of this user alone")
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


def load() -> None:
    """Import and read what a search needs, by making one; afterwards this process has no file of it open."""
    from imi.embedders.load import keep

    keep("built-in")
    with suppress(Exception):
        keep("deep")
    from imi.cli.command import run

    silence = os.open(os.devnull, os.O_RDWR)
    before = [os.dup(handle) for handle in (1, 2)]
    for handle in (1, 2):
        os.dup2(silence, handle)
    with tempfile.TemporaryDirectory() as folder:
        collection, lines = f"{folder}/warm.imi", Path(folder, "warm.txt")
        lines.write_text("a first line\n最初の行\n", encoding="utf-8")
        with warnings.catch_warnings():  # what is warned of here, unheard, is not taken for said in a copy
            run(["add", collection, str(lines), "--model", "built-in", "-q"])
            run(["search", collection, "first line", "--budget", "1000"])
            run(["ask", collection, "what is the first line?"])
    for handle, kept in zip((1, 2), before, strict=True):
        os.dup2(kept, handle)
        os.close(kept)
    os.close(silence)
    gc.collect()
    gc.freeze()  # copies then share these objects' memory for as long as they live


def serve(listener: socket.socket, wanted: Callable[[], bool], idle: float = IDLE_SECONDS) -> None:
    """Answer commands until none has come for so many seconds, the socket is gone, or imi was replaced.

    Args:
        listener: where commands come in.
        wanted: whether this helper is still the one that is asked.
        idle: seconds without a command after which it ends.
    """
    running: set[int] = set()
    files, last = _stamp(), time.monotonic()
    listener.settimeout(min(_LOOK_SECONDS, idle))
    while wanted() and time.monotonic() - last < idle:
        with suppress(ChildProcessError):
            while running and (ended := os.waitpid(-1, os.WNOHANG)[0]):
                running.discard(ended)
        try:
            link = listener.accept()[0]
        except TimeoutError:
            continue
        except OSError:  # no file handle is free, or memory: it does not become better by asking at once
            time.sleep(_PAUSE_SECONDS)
            continue
        last = time.monotonic()
        with link:
            if _stamp() != files:
                return
            if len(running) >= _MOST:
                continue
            child = os.fork()
            if child:
                running.add(child)
                continue
            code = 1
            try:
                listener.close()
                code = answer(link)
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
    asked = _read(link, length)
    if asked is None or asked["arguments"][0] not in warm.VERBS:
        return 1
    os.chdir(asked["folder"])
    link.sendall(warm.READY)
    if link.recv(1) != warm.GO:
        return 1
    link.settimeout(None)
    _take_over(handles, asked)
    threading.Thread(target=_end_with, args=(link,), daemon=True).start()
    from imi.cli.command import run

    code = run(asked["arguments"])
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    link.sendall(bytes([code & 0xFF]))
    return code


def _read(link: socket.socket, length: int) -> Any:
    parts = bytearray()
    while len(parts) < length:
        part = link.recv(min(1 << 16, length - len(parts)))
        if not part:
            return None
        parts += part
    return json.loads(bytes(parts))


def _take_over(handles: list[int], asked: Any) -> None:
    """Be the caller's process as far as a command can tell: its streams and its environment."""
    for at, handle in enumerate(handles):
        os.dup2(handle, at)
        os.close(handle)
    os.environ.clear()
    os.environ.update(asked["environment"])
    made = []
    for at, (encoding, errors) in enumerate(asked["encodings"]):
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
