"""Whether a file holds what imi makes and nothing else: views and triggers of others would run whatever they say."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import apsw

from imi.errors import Damaged
from imi.store.schema import MIGRATIONS

_STATEMENT = re.compile(r"^\s*(CREATE TRIGGER .*?\bEND|CREATE .*?);\s*$", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"--[^\n]*")
_NAME = re.compile(r"(?:TABLE|INDEX|TRIGGER) (\w+)")
_OF_SQLITE = {
    "sqlite_sequence": ("table", "CREATE TABLE sqlite_sequence(name,seq)"),
    "sqlite_stat1": ("table", "CREATE TABLE sqlite_stat1(tbl,idx,stat)"),
    "sqlite_stat4": ("table", "CREATE TABLE sqlite_stat4(tbl,idx,neq,nlt,ndlt,sample)"),
}
_OF_FULLTEXT = tuple(f"fulltext_{part}" for part in ("data", "idx", "docsize", "config", "content"))


def defend(connection: apsw.Connection) -> None:
    """Let nothing that a file's schema says run unasked, and let pages be looked at before they are believed."""
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    connection.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    connection.pragma("cell_size_check", True)


def check_schema(connection: apsw.Connection, path: Path) -> None:
    """Compare the schema with what imi makes.

    Raises:
        Damaged: something else is in it.
    """
    expected = _expected()
    for kind, name, table, sql in connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"):
        if not _is_ours(kind, str(name), table, sql, expected):
            raise Damaged(
                f"{path} holds the {kind} {str(name)[:80]!r}, which imi does not make so: somebody has altered it",
                hint="restore a backup, or ask whoever sent it for an export: imi export NAME rows.jsonl",
            )


def _is_ours(kind: object, name: str, table: object, sql: object, expected: dict[str, tuple[str, str]]) -> bool:
    if kind == "index" and sql is None:
        return name.startswith("sqlite_autoindex_") and table in expected
    if not isinstance(sql, str):
        return False
    if name in _OF_FULLTEXT:
        # Which columns they have is FTS5's affair, of whatever version; that they are plain tables is ours.
        return kind == "table" and re.match(rf"CREATE TABLE ['\"]?{name}['\"]?\s*\(", sql) is not None
    wanted = _OF_SQLITE.get(name) or expected.get(name)
    return wanted is not None and wanted[0] == kind and _plain(wanted[1]) == _plain(sql)


@lru_cache(maxsize=1)
def _expected() -> dict[str, tuple[str, str]]:
    """Return what the migrations make: kind and statement, by name."""
    made = {}
    for script in MIGRATIONS:
        for statement in _STATEMENT.findall(_COMMENT.sub("", script)):
            kind = str(statement).split()[1].lower()
            named = _NAME.search(statement)
            if named is not None:
                made[named[1]] = ("table" if kind == "virtual" else kind, str(statement))
    return made


def _plain(sql: str) -> str:
    """Return a statement without what SQLite changes when it renames a table: quotes around names, and spaces."""
    return re.sub(r"\s+", " ", sql.replace('"', "").replace(" (", "(")).strip()
