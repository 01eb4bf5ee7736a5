"""Asks a helper that has everything loaded, where one runs; else the command runs in this process as ever.

The first question that is asked with `--keep-warm` (or `IMI_WARM=1`) leaves a helper behind: `imi.cli.warm_helper`.
Later ones hand it their arguments, folder, environment and the terminal itself, by a socket in a folder that only the
user may enter, and wait for the exit code. Where that fails before the helper has begun, the command is run here.

This module is imported by every command and therefore imports next to nothing itself.
"""

from __future__ import annotations

import os
import sys

from imi._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

VERBS = frozenset({"search", "similar", "ask"})
"""Verbs that only read, and are over sooner than what they need is loaded."""
OPTION = "--keep-warm"
_PATIENCE = 0.2
"""Seconds in which a helper has to say that it takes a command."""
_LONGEST_PATH = 100
"""The name of a socket may have about so many bytes."""
READY, GO = b"!", b"g"


def answered(arguments: Sequence[str]) -> int | None:
    """Let the helper run a command; return its exit code, or None where the command has to run here."""
    if not arguments or arguments[0] not in VERBS or os.environ.get("IMI_WARM") == "0" or not hasattr(os, "fork"):
        return None
    address = socket_path()
    try:
        about, folder = os.lstat(address), os.lstat(os.path.dirname(address))
    except OSError:
        return None
    # The helper is sent the environment, keys and all: nobody else may be able to put a socket there.
    mine = about.st_uid == folder.st_uid == os.getuid() and not folder.st_mode & 0o022
    return _ask(address, arguments) if mine else None


def start_where_wanted(arguments: Sequence[str]) -> None:
    """Leave a helper behind where this command asked for one and none is there."""
    if not arguments or arguments[0] not in VERBS:
        return
    wanted = os.environ.get("IMI_WARM")
    if wanted == "0" or (OPTION not in arguments and wanted != "1"):
        return
    if not hasattr(os, "fork"):
        _say(f"{OPTION}: a helper cannot be kept on this system")
        return
    if os.path.exists(socket_path()):
        return
    import subprocess

    nothing = subprocess.DEVNULL
    command = [sys.executable, "-m", "imi.cli.warm_helper"]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    # This Python and this package, without a shell and without a word of anybody's.
    try:
        subprocess.Popen(  # noqa: S603
            command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True, env=environment
        )
    except OSError as refused:  # the question is answered, which is what counts
        _say(f"no helper could be left behind: {refused.strerror or refused}")


def _say(message: str, hint: str | None = None) -> None:
    from imi.language import local

    print(f"imi: {local(message)}", file=sys.stderr)
    if hint:
        print(f"{local('try')}: {local(hint)}", file=sys.stderr)


def dismiss() -> bool:
    """Let the helper go, which ends within seconds; say whether one was there."""
    try:
        os.unlink(socket_path())
    except OSError:
        return False
    return True


def socket_path() -> str:
    """Return where the helper of this user, this version and this installation listens."""
    which = _short(f"{__version__} {sys.executable} {__file__}")
    home = os.environ.get("IMI_HOME")
    folder = home or os.environ.get("XDG_RUNTIME_DIR") or os.path.expanduser("~/.cache")
    path = os.path.join(folder, "imi-run", f"{which}.sock")
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        return path
    # Both sides look whose the folder is before they trust it.
    return f"/tmp/imi-run-{os.getuid()}/{which}-{_short(os.path.abspath(folder))}.sock"  # noqa: S108


def _short(text: str) -> str:
    """Return eight digits for a text: no module that knows a checksum is loaded sooner than this is done."""
    return f"{int.from_bytes(os.fsencode(text), 'big') % 0xFFFFFFFB:08x}"


def message(arguments: Sequence[str], folder: str, encodings: Sequence[tuple[str, str]], umask: int) -> bytes:
    """Return what a helper is sent: all that a command finds in its process, in parts that end with a zero byte."""
    parts = [folder, str(umask), *(word for pair in encodings for word in pair), str(len(arguments)), *arguments]
    parts += [f"{name}={value}" for name, value in os.environ.items()]
    return b"".join(os.fsencode(part) + b"\0" for part in parts)


def _ask(address: str, arguments: Sequence[str]) -> int | None:
    import _socket  # `socket` itself takes longer to import than the helper takes to answer

    streams = (sys.stdin, sys.stdout, sys.stderr)
    try:
        handles = b"".join(stream.fileno().to_bytes(4, sys.byteorder) for stream in streams)
        umask = os.umask(0)
        os.umask(umask)
        encodings = [(stream.encoding, stream.errors or "strict") for stream in streams]
        sent = message(arguments, os.getcwd(), encodings, umask)
        link = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            return _answer_by(link, address, sent, handles)
        finally:
            link.close()
    except (OSError, ValueError, AttributeError):
        return None  # nothing has been printed yet: once the helper has begun, nothing here raises these


def _answer_by(link: Any, address: str, sent: bytes, handles: bytes) -> int | None:
    """Send a command with the handles of its streams; return its exit code, None where the helper does not begin."""
    import _socket

    link.settimeout(_PATIENCE)
    try:
        link.connect(address)
    except ConnectionRefusedError:
        os.unlink(address)  # left by a helper that was killed
        return None
    link.sendmsg([len(sent).to_bytes(8, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, handles)])
    link.sendall(sent)
    if link.recv(1) != READY:
        return None
    link.sendall(GO)
    link.settimeout(None)
    try:
        return _ended(link.recv(1))
    except KeyboardInterrupt:
        link.shutdown(_socket.SHUT_WR)  # the helper's copy stops as by Ctrl-C itself, says so, and sends its code
        return _ended(link.recv(1))


def _ended(code: bytes) -> int:
    if code:
        return code[0]
    _say("the helper that is kept warm ended before the answer was whole", "the same command again")
    return 1
