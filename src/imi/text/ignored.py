"""What git would leave out of a folder: `.gitignore` at every level, the repository's and the user's own files.

The rules are git's to the letter (gitignore(5), and `wildmatch.c` for what is not written there), bytes and all, and
held to `git check-ignore` by tests. The package pathspec reads the same files and differs where a name is excluded by
one line and a folder above it brought back by another.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# From the strongest to the weakest: a file that one of these brings back is in, whatever the next ones say.
OWN = (".imiignore", ".ignore")
GIT = ".gitignore"
_SPECIAL = b"*?[\\"
_CLASSES = {
    b"alnum": rb"0-9A-Za-z",
    b"alpha": rb"A-Za-z",
    b"blank": rb"\x20\t",
    b"cntrl": rb"\x00-\x1f\x7f",
    b"digit": rb"0-9",
    b"graph": rb"!-~",
    b"lower": rb"a-z",
    b"print": rb"\x20-~",
    b"punct": rb"!-/:-@\[-`{-~",
    b"space": rb"\x20\t\n\r\f\v",
    b"upper": rb"A-Z",
    b"xdigit": rb"0-9A-Fa-f",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of an ignore file.

    keep: whether it brings back (`!`) what lines before it leave out.
    folders: whether it speaks of folders only (a slash at its end).
    whole: whether it is compared with the whole path below its file's folder, not with the last name alone.
    pattern: what it matches.
    fold: whether that is a path in small letters, as git compares where the file system knows no difference.
    """

    keep: bool
    folders: bool
    whole: bool
    pattern: re.Pattern[bytes]
    fold: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """The lines of one ignore file, and the folder that their paths begin in, with a slash at its end."""

    base: bytes
    rules: tuple[Rule, ...]

    def verdict(self, path: bytes, folder: bool) -> bool | None:
        """Return True where a path is left out, False where it is brought back, None where nothing is said of it."""
        if not path.startswith(self.base):
            return None
        below = path[len(self.base) :]
        name = below[below.rfind(b"/") + 1 :]
        for rule in reversed(self.rules):
            if rule.folders and not folder:
                continue
            compared = below if rule.whole else name
            if rule.pattern.fullmatch(compared.lower() if rule.fold else compared):
                return not rule.keep
        return None


@dataclass(frozen=True, slots=True)
class Stack:
    """All files of one name, or of git's family, that speak of a folder: the last that says anything decides."""

    files: tuple[Rules, ...] = ()

    def verdict(self, path: bytes, folder: bool) -> bool | None:
        """Return what the nearest file says that says anything."""
        for rules in reversed(self.files):
            said = rules.verdict(path, folder)
            if said is not None:
                return said
        return None

    def with_file(self, file: Path, base: bytes, *, fold: bool = False) -> Stack:
        """Return the stack with one more file on top, itself where there is no such file."""
        rules = read_rules(file, fold=fold)
        return Stack((*self.files, Rules(base, rules))) if rules else self


def read_rules(file: Path, *, fold: bool = False) -> tuple[Rule, ...]:
    """Return the rules in a file, none where it cannot be read; a link is not followed, as git does not."""
    try:
        if file.is_symlink() or not file.is_file():
            return ()
        content = file.read_bytes()
    except OSError:
        return ()
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return tuple(rule for rule in (parse_rule(line, fold=fold) for line in lines) if rule is not None)


def parse_rule(line: bytes, *, fold: bool = False) -> Rule | None:
    """Return the rule that a line says, None for a comment, an empty line, or a pattern that can match nothing.

    Args:
        line: without its newline.
        fold: whether capital letters of ASCII count as small ones; see `Rule`.
    """
    line = line.removesuffix(b"\r").partition(b"\0")[0]  # git's lines end as strings of C do
    if line.startswith(b"#"):
        return None
    keep = line.startswith(b"!")
    text = _without_spaces_at_end(line[1:] if keep else line)
    folders = text.endswith(b"/")
    if folders:
        text = text[:-1]
    if not text:
        return None
    whole = b"/" in text
    text = text.removeprefix(b"/")
    # Git compares up to the first special character letter by letter, and a `**` right behind it counts as leading.
    plain = next((at for at, byte in enumerate(text) if byte in _SPECIAL), len(text))
    body = _regex(text[plain:], whole=whole, fold=fold)
    if body is None:
        return None
    begin = re.escape(text[:plain].lower() if fold else text[:plain])
    return Rule(keep, folders, whole, re.compile(begin + body, re.DOTALL), fold)


def _without_spaces_at_end(line: bytes) -> bytes:
    end = at = 0
    while at < len(line):
        if line[at : at + 1] == b"\\":
            at = end = min(at + 2, len(line))
            continue
        at += 1
        if line[at - 1 : at] != b" ":
            end = at
    return line[:end]


def _regex(text: bytes, *, whole: bool, fold: bool) -> bytes | None:
    """Return git's pattern as a regular expression; None where it can match nothing.

    A path in small letters is matched by plain capital letters, not by one behind a backslash, as in git.
    """
    out, at = b"", 0
    star, one = (b"[^/]*", b"[^/]") if whole else (b".*", b".")
    while at < len(text):
        byte = text[at : at + 1]
        if byte == b"*":
            end = at
            while text[end : end + 1] == b"*":
                end += 1
            piece, at = _stars(text, at, end, star) if whole and end - at > 1 else (star, end)
            out += piece
        elif byte == b"?":
            out, at = out + one, at + 1
        elif byte == b"[":
            found = _class(text, at + 1, fold=fold)
            if found is None:
                return None
            piece, at = found
            out += (b"(?!/)" if whole else b"") + piece
        elif byte == b"\\":
            if at + 1 == len(text):
                return None
            out, at = out + re.escape(text[at + 1 : at + 2]), at + 2
        else:
            out, at = out + re.escape(byte.lower() if fold else byte), at + 1
    return out


def _stars(text: bytes, start: int, end: int, star: bytes) -> tuple[bytes, int]:
    """Return what several stars match, and where to go on: they cross slashes only as a whole part of a path."""
    after = text[end : end + 2]
    if start > 0 and text[start - 1 : start] != b"/":
        return star, end
    if after == b"":
        return b".*", end
    if after[:1] == b"/":
        return b"(?:.*/)?", end + 1
    if after == b"\\/":
        return b"(?:.*)", end
    return star, end


def _class(text: bytes, at: int, *, fold: bool) -> tuple[bytes, int] | None:
    """Return the set of bytes that begins at a place, and where it ends; None where it has no end.

    Of a path in small letters, a capital one in the set matches nothing, and one within a range its small one.
    """
    negated = text[at : at + 1] in (b"!", b"^")
    at += negated
    members: list[bytes] = []
    first = True
    while first or text[at : at + 1] != b"]":
        if at >= len(text):
            return None
        first = False
        close = text.find(b"]", at + 2) if text[at : at + 2] == b"[:" else -1
        if close > at + 2 and text[close - 1 : close] == b":":
            name = text[at + 2 : close - 1]
            if name not in _CLASSES:
                return None
            members.append(_CLASSES[b"lower" if fold and name == b"upper" else name])
            at = close + 1
            continue
        low, at = _member(text, at)
        if low is None:
            return None
        if text[at : at + 1] == b"-" and text[at + 1 : at + 2] not in (b"]", b""):
            high, at = _member(text, at + 1)
            if high is None:
                return None
            if low <= high:
                members.append(re.escape(bytes([low])) + b"-" + re.escape(bytes([high])))
                if fold and max(low, 65) <= min(high, 90):
                    members.append(bytes([max(low, 65)]).lower() + b"-" + bytes([min(high, 90)]).lower())
            continue
        members.append(re.escape(bytes([low])))
    body = b"".join(members)
    if not body:
        return (b"." if negated else b"(?!)"), at + 1
    return b"[" + (b"^" if negated else b"") + body + b"]", at + 1


def _member(text: bytes, at: int) -> tuple[int | None, int]:
    if text[at : at + 1] == b"\\":
        at += 1
    return (text[at], at + 1) if at < len(text) else (None, at)


# --- the files that speak of a folder ---


@dataclass(frozen=True, slots=True)
class Ignored:
    """Everything that speaks of what is below a folder: imi's own files, other tools' and git's, strongest first."""

    stacks: tuple[Stack, ...]
    fold: bool = False

    @classmethod
    def above(cls, root: Path) -> Ignored:
        """Return what the user's settings, the repository and the folders between it and a folder say."""
        git = Stack()
        top = repository_of(root)
        said = (_setting(top, "ignorecase") or "").lower()
        fold = said in ("true", "yes", "on") or (said.isdecimal() and int(said) != 0)
        globally = global_file(top)
        if globally is not None:
            git = git.with_file(globally, b"" if top is None else _base(top), fold=fold)
        own: tuple[Stack, ...] = tuple(Stack() for _ in OWN)
        if top is not None:
            git = git.with_file(_git_folder(top) / "info" / "exclude", _base(top), fold=fold)
        ignored = cls((*own, git), fold)
        for folder in _between(top, root):
            ignored = ignored.below(folder)
        return ignored

    def below(self, folder: Path, names: Sequence[str] | None = None) -> Ignored:
        """Return the rules inside a folder: these, and those of the ignore files in it.

        Args:
            folder: its path.
            names: of what is in it, where they are known.
        """
        stacks = list(self.stacks)
        for at, name in enumerate((*OWN, GIT)):
            if names is None or name in names:
                stacks[at] = stacks[at].with_file(folder / name, _base(folder), fold=self.fold and name == GIT)
        return Ignored(tuple(stacks), self.fold)

    def leaves_out(self, path: str, *, folder: bool) -> bool:
        """Whether a path is left out whose folders are all in."""
        encoded = os.fsencode(path)
        for stack in self.stacks:
            said = stack.verdict(encoded, folder)
            if said is not None:
                return said
        return False


def _base(folder: Path) -> bytes:
    return os.fsencode(folder).rstrip(b"/") + b"/"


def _between(top: Path | None, root: Path) -> Iterator[Path]:
    """Yield the folders from a repository's top down to the one above a folder."""
    if top is None or top == root:
        return
    yield top
    for part in root.relative_to(top).parts[:-1]:
        top = top / part
        yield top


def repository_of(folder: Path) -> Path | None:
    """Return the top of the git repository that a folder is in, None outside any."""
    for one in (folder, *folder.parents):
        if (one / ".git").exists():
            return one
    return None


def _git_folder(top: Path) -> Path:
    """Return where a repository keeps its own things; a worktree's `.git` is a file that says where."""
    git = top / ".git"
    if git.is_file():
        said = git.read_text("utf-8", "replace").partition("gitdir:")[2].strip()
        git = Path(said) if os.path.isabs(said) else top / said
        common = git / "commondir"
        if common.is_file():
            git = (git / common.read_text("utf-8", "replace").strip()).resolve()
    return git


def global_file(top: Path | None) -> Path | None:
    """Return the user's own ignore file: `core.excludesFile` of the settings, else `git/ignore` beside them."""
    named = _setting(top, "excludesfile")
    return Path(named).expanduser() if named else _config_folder() / "ignore"


def _config_folder() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "git"


def _setting(top: Path | None, name: str) -> str | None:
    """Return what git's settings, the user's and then the repository's, say of `core` last; a bare name says true."""
    files = [_config_folder() / "config", Path.home() / ".gitconfig"]
    if os.environ.get("GIT_CONFIG_GLOBAL"):
        files = [Path(os.environ["GIT_CONFIG_GLOBAL"])]
    if top is not None:
        files.append(_git_folder(top) / "config")
    said = None
    for file in files:
        said = _core(file, name) or said
    return said


def _core(file: Path, name: str) -> str | None:
    """Return the last value of a name in the section `core` of one of git's own files."""
    try:
        text = file.read_text("utf-8", "replace")
    except OSError:
        return None
    if name not in text.lower():
        return None
    import configparser

    parser = configparser.RawConfigParser(strict=False, allow_no_value=True, interpolation=None)
    try:
        parser.read_string("\n".join(line.strip() for line in text.splitlines()))
        value = parser.get("core", name, fallback="")
        return "true" if value is None else _unquoted(value) or None
    except configparser.Error:
        return None


def _unquoted(value: str) -> str:
    """Return a value as git reads it: no comment behind it, no quotes, no backslash before a quote or a backslash."""
    found = re.match(r'(?:"(?:[^"\\]|\\.)*+"|\\.|[^"\\;#])*+', value)
    return re.sub(r'\\(["\\])|"', r"\1", found[0] if found is not None else value).strip()
