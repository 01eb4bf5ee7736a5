"""Telling coding agents that imi is there: the entry of its server in their settings, and a skill.

Settings are changed as data, not as text: everything else in them stays. What was there before is kept, so that it can
be put back to the byte.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imi.errors import DataError, UsageError

NAME = "imi"
_SKILL = Path(__file__).parent / "skill" / "SKILL.md"
_TABLE = re.compile(r"(?ms)^\n?\[mcp_servers\.imi(\.[^\]\n]{0,200})?\]\n.*?(?=^\[|\Z)")


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
        return "".join(difflib.unified_diff(before, after, self.path, self.path))

    def to_dict(self) -> dict[str, str]:
        """Return the keys that `--json` prints."""
        return {"path": self.path, "change": self.kind, "diff": self.diff}


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
        DataError: its settings cannot be read, such as JSON with comments; nothing is guessed then.
    """
    if agent not in AGENTS:
        raise UsageError(f"the agent {agent!r} is not known", hint=f"{', '.join(AGENTS)}, or all")
    where = AGENTS[agent]
    settings = _place(folder, where.project, where.user)
    skill = _place(folder, where.project_skills, where.user_skills) / NAME / "SKILL.md"
    line = list(command or _command(shared=folder is not None))
    return [_settings(settings, where, line, undo=undo), _skill(skill, undo=undo)]


def apply(change: Change) -> None:
    """Write a change, and keep what was there for `undo`; a folder that it leaves empty goes with a removed file."""
    path = Path(change.path)
    if change.kind == "unchanged":
        return
    if change.after is None:
        path.unlink(missing_ok=True)
        _kept(path).unlink(missing_ok=True)
        _remove_empty(path.parent)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    _kept(path).parent.mkdir(parents=True, exist_ok=True)
    _kept(path).write_text(json.dumps({"before": change.before, "after": change.after}), "utf-8")
    made = path.with_name(f"{path.name}.{os.getpid()}")
    made.write_text(change.after, "utf-8", newline="")
    if path.exists():
        shutil.copymode(path, made)
    os.replace(made, path)


def _remove_empty(folder: Path) -> None:
    """Remove the folders that held nothing but what was removed: of skills, and an agent's own hidden one."""
    while (folder.name in (NAME, "skills") or folder.name.startswith(".")) and folder != Path.home():
        if not folder.is_dir() or any(folder.iterdir()):
            return
        folder.rmdir()
        folder = folder.parent


def _place(folder: Path | None, project: str, user: str) -> Path:
    return Path(os.path.expanduser(user)) if folder is None else folder / project


def _command(*, shared: bool) -> list[str]:
    """Return how the server is started: settings of a project are read on other machines, where paths differ."""
    found = shutil.which("imi")
    if shared:
        return ["imi", "mcp", "."]
    return [found, "mcp", "."] if found else [sys.executable, "-m", "imi", "mcp", "."]


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as broken:
        raise DataError(f"{path} cannot be read: {broken}") from broken


def _settings(path: Path, agent: Agent, command: list[str], *, undo: bool) -> Change:
    before = _read(path)
    if undo:
        return Change(str(path), before, _as_it_was(path, before, agent))
    entry: dict[str, Any] = {"command": command[0], "args": command[1:]}
    if path.suffix == ".toml":
        return Change(str(path), before, _with_table(path, before, entry))
    value = _json(path, before)
    servers = value.setdefault(agent.servers, {})
    if not isinstance(servers, dict):
        raise DataError(f"{path}: {agent.servers} is not an object, so no server can be added")
    if agent.servers == "servers":
        entry = {"type": "stdio", **entry}
    if servers.get(NAME) == entry:
        return Change(str(path), before, before)
    servers[NAME] = entry
    return Change(str(path), before, _dumped(value, before))


def _as_it_was(path: Path, before: str | None, agent: Agent) -> str | None:
    """Return settings without the server: to the byte as they were where nobody changed them since."""
    kept = _read(_kept(path))
    if kept is not None and before is not None:
        said = json.loads(kept)
        if said["after"] == before:
            was: str | None = said["before"]
            return was
    if before is None:
        return None
    if path.suffix == ".toml":
        return _TABLE.sub("", before)
    value = _json(path, before)
    servers = value.get(agent.servers)
    if not isinstance(servers, dict) or NAME not in servers:
        return before
    del servers[NAME]
    return _dumped(value, before)


def _json(path: Path, text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text) if text and text.strip() else {}
    except ValueError as broken:
        raise DataError(
            f"{path} is not plain JSON ({broken}), and is left alone",
            hint="add the server by hand: imi install AGENT --project --dry-run in an empty folder shows what to add",
        ) from broken
    if not isinstance(value, dict):
        raise DataError(f"{path} holds no JSON object, and is left alone")
    return value


def _dumped(value: dict[str, Any], before: str | None) -> str:
    """Return JSON indented as it was before."""
    indent: int | str = 2
    found = re.search(r"\n([ \t]+)\"", before or "")
    if found is not None:
        indent = "\t" if "\t" in found[1] else len(found[1])
    return json.dumps(value, indent=indent, ensure_ascii=False) + "\n"


def _with_table(path: Path, before: str | None, entry: dict[str, Any]) -> str:
    text = before or ""
    try:
        known = tomllib.loads(text)
    except tomllib.TOMLDecodeError as broken:
        raise DataError(f"{path} is not TOML ({broken}), and is left alone") from broken
    if known.get("mcp_servers", {}).get(NAME) == entry:
        return text
    bare = _TABLE.sub("", text)
    values = "\n".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in entry.items())
    gap = "" if not bare or bare.endswith("\n\n") else "\n" if bare.endswith("\n") else "\n\n"
    return f"{bare}{gap}[mcp_servers.{NAME}]\n{values}\n"


def _skill(path: Path, *, undo: bool) -> Change:
    before, ours = _read(path), _SKILL.read_text("utf-8")
    if not undo:
        return Change(str(path), before, ours)
    # A skill that somebody rewrote is theirs.
    mine = before is not None and re.search(r"(?m)^name: imi$", before) is not None
    return Change(str(path), before, None if mine else before)


def _kept(path: Path) -> Path:
    """Return where imi keeps what a file held before: in its own folder, called by the file's path."""
    home = os.environ.get("IMI_HOME")
    base = Path(home) if home else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imi"
    name = hashlib.blake2b(os.fsencode(os.path.abspath(path)), digest_size=10).hexdigest()
    return base / "agents" / f"{name}.json"
