"""Telling coding agents that imi is there: the entry of its server in their settings, and a skill.

Settings keep every other byte, comments included. What was there before is kept, so that it can be put back byte for
byte.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imi.bridges.settings_text import Unfit, with_server, without_server
from imi.errors import DataError, UsageError

NAME = "imi"
_SKILL = Path(__file__).parent / "skill" / "SKILL.md"


@dataclass(frozen=True, slots=True)
class Agent:
    """Where an agent keeps its servers and skills, for one project and for the user.

    servers: the key in the settings that holds the servers; the settings of Codex are TOML.
    """

    project: str
    user: str
    project_skills: str
    user_skills: str
    servers: str = "mcpServers"


def _code_settings() -> str:
    if sys.platform == "darwin":
        return "~/Library/Application Support/Code/User/mcp.json"
    return "~/AppData/Roaming/Code/User/mcp.json" if os.name == "nt" else "~/.config/Code/User/mcp.json"


AGENTS = {
    "claude-code": Agent(".mcp.json", "~/.claude.json", ".claude/skills", "~/.claude/skills"),
    "cursor": Agent(".cursor/mcp.json", "~/.cursor/mcp.json", ".cursor/skills", "~/.cursor/skills"),
    "codex": Agent(".codex/config.toml", "~/.codex/config.toml", ".agents/skills", "~/.agents/skills", "mcp_servers"),
    "vscode": Agent(".vscode/mcp.json", _code_settings(), ".github/skills", "~/.copilot/skills", "servers"),
    "gemini": Agent(".gemini/settings.json", "~/.gemini/settings.json", ".gemini/skills", "~/.gemini/skills"),
}


@dataclass(frozen=True, slots=True)
class Change:
    """A file that is written, removed, or left as it is, and how it differs; `before` and `after` are None for none."""

    path: str
    before: str | None
    after: str | None
    undo: bool = False

    @property
    def kind(self) -> str:
        """What happens to the file: "unchanged", "removed", "new" or "changed"."""
        if self.before == self.after:
            return "unchanged"
        return "removed" if self.after is None else "new" if self.before is None else "changed"

    @property
    def diff(self) -> str:
        """How the file differs, as `diff -u` shows it."""
        before, after = ((text or "").splitlines(keepends=True) for text in (self.before, self.after))
        lines = difflib.unified_diff(before, after, self.path, self.path)
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)

    def to_dict(self) -> dict[str, str]:
        """Return the keys that `--json` prints."""
        return {"path": self.path, "change": self.kind, "diff": self.diff}


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a file held before imi wrote it, and what imi wrote; `made` are the folders that were made for it."""

    before: str | None
    after: str
    made: tuple[str, ...] = ()

    @classmethod
    def of(cls, path: Path) -> _Kept | None:
        """Return what is kept for a file, None where nothing is, or nothing that can be read."""
        try:
            said = json.loads(_kept(path).read_bytes())
            return cls(said["before"], said["after"], tuple(said.get("made", ())))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def write(self, path: Path) -> None:
        """Keep it, for the user alone: settings hold keys."""
        place = _kept(path)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _replace(place, json.dumps({"before": self.before, "after": self.after, "made": self.made}), 0o600)


def changes(
    agent: str, folder: Path | None = None, *, undo: bool = False, command: Sequence[str] | None = None
) -> list[Change]:
    """Return what installing changes, or undoing it; nothing is written.

    Args:
        agent: one of `AGENTS`.
        folder: of a project; None for the user's own settings.
        undo: take back what was installed.
        command: what starts the server; by default this `imi` on the folder that the agent works in.

    Raises:
        UsageError: no such agent.
        DataError: its settings cannot be read, changed by this alone, or written; nothing is guessed then.
    """
    if agent not in AGENTS:
        raise UsageError(f"the agent {agent!r} is not known", hint=f"choose one of {', '.join(AGENTS)}, or all")
    where = AGENTS[agent]
    settings = _place(folder, where.project, where.user)
    skill = _place(folder, where.project_skills, where.user_skills) / NAME / "SKILL.md"
    line = list(command or _command(shared=folder is not None))
    made = [_writable(_settings(settings, where, line, undo=undo)), _writable(_skill(skill, undo=undo))]
    return made[::-1] if undo else made  # the folders that were made for the first then are empty


def apply(change: Change) -> None:
    """Write a change, and keep what was there for `undo`, which also removes the folders that were made for it."""
    if change.kind == "unchanged":
        return
    path = Path(os.path.realpath(change.path))  # a link to the file stays one
    kept = _Kept.of(path)
    if change.after is None:
        path.unlink(missing_ok=True)
    else:
        missing = [str(folder) for folder in path.parents if not folder.exists()]
        path.parent.mkdir(parents=True, exist_ok=True)
        if not change.undo:
            # Installed twice, the later time by another imi: what was there before the first is what comes back.
            again = kept is not None and kept.after == change.before
            before, made = (kept.before, kept.made) if kept is not None and again else (change.before, tuple(missing))
            _Kept(before, change.after, made).write(path)
        _replace(path, change.after, path.stat().st_mode & 0o777 if path.exists() else None)
    if change.undo:
        _kept(path).unlink(missing_ok=True)
        for folder in kept.made if kept is not None else ():
            with suppress(OSError):  # somebody else's files are in it
                os.rmdir(folder)


def _replace(path: Path, text: str, mode: int | None) -> None:
    """Write a file whole or not at all, its newlines as they are, open to nobody but the user while it is written."""
    made = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        handle = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600)
        with open(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        if mode is not None:
            os.chmod(made, mode)
        os.replace(made, path)
    except BaseException:  # also Ctrl-C, and what UTF-8 cannot encode: nothing is left beside the settings
        made.unlink(missing_ok=True)
        raise


def _place(folder: Path | None, project: str, user: str) -> Path:
    return Path(os.path.expanduser(user)) if folder is None else folder / project


def _command(*, shared: bool) -> list[str]:
    """Return how the server is started: settings of a project are read on other machines, where paths differ."""
    found = shutil.which("imi")
    if shared:
        return ["imi", "mcp", "."]
    return [found, "mcp", "."] if found else [sys.executable, "-m", "imi", "mcp", "."]


def _read(path: Path) -> str | None:
    """Return what a file holds, newlines as they are; None where there is none."""
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except OSError as broken:
        raise DataError(f"{path} cannot be read: {(broken.strerror or str(broken)).lower()}") from broken
    except UnicodeDecodeError as broken:
        raise DataError(f"{path} is not UTF-8, and is left alone", hint="save it as UTF-8") from broken
    return text


def _writable(change: Change) -> Change:
    """Return a change that can be made, as far as one can know before.

    Raises:
        DataError: the file or its folder may not be written.
    """
    if change.kind == "unchanged":
        return change
    path = Path(os.path.realpath(change.path))
    locked = change.before is not None and not (os.access(path, os.W_OK) and path.stat().st_mode & 0o222)
    folder = next((one for one in path.parents if one.exists()), path.parent)
    if locked or not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        at = path if locked else folder
        if not locked and not folder.is_dir():
            raise DataError(f"{change.path} cannot be written: {at} is not a folder", hint="move that file away")
        raise DataError(f"{change.path} cannot be written: {at} is read-only", hint=f"chmod u+w {shlex.quote(str(at))}")
    return change


def _settings(path: Path, agent: Agent, command: list[str], *, undo: bool) -> Change:
    before, toml = _read(path), path.suffix == ".toml"
    entry: dict[str, Any] = {"command": command[0], "args": command[1:]}
    if agent.servers == "servers":
        entry = {"type": "stdio", **entry}
    try:
        if not undo:
            return Change(str(path), before, with_server(before or "", agent.servers, NAME, entry, toml=toml))
        kept = _Kept.of(Path(os.path.realpath(path)))
        if before is None or (kept is not None and kept.after == before):
            return Change(str(path), before, kept.before if kept and before is not None else None, undo=True)
        return Change(str(path), before, without_server(before, agent.servers, NAME, toml=toml), undo=True)
    except Unfit as why:
        shown = with_server("", agent.servers, NAME, entry, toml=toml).rstrip("\n")
        raise DataError(
            f"{path} is left alone: {why}",
            hint=f"take the server {NAME!r} out by hand" if undo else f"add to it by hand:\n{shown}",
        ) from why


def _skill(path: Path, *, undo: bool) -> Change:
    before, ours = _read(path), _SKILL.read_text("utf-8")
    if not undo:
        return Change(str(path), before, ours)
    kept = _Kept.of(Path(os.path.realpath(path)))
    if kept is not None and kept.after == before:
        return Change(str(path), before, kept.before, undo=True)
    # A skill that somebody rewrote is theirs.
    mine = before is not None and re.search(r"(?m)^name: imi$", before) is not None
    return Change(str(path), before, None if mine else before, undo=True)


def _kept(path: Path) -> Path:
    """Return where imi keeps what a file held before: in its own folder, under a digest of the file's path."""
    home = os.environ.get("IMI_HOME")
    base = Path(home) if home else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imi"
    name = hashlib.blake2b(os.fsencode(os.path.abspath(path)), digest_size=10).hexdigest()
    return base / "agents" / f"{name}.json"
