"""Why a file cannot be read, in words that people and `imi.language` know: those of parsers are for their authors."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
import zlib
from xml.etree import ElementTree
from xml.parsers import expat

from imi.errors import ImiError

_LONGEST = 120
_ITEM = re.compile(r"There is no item named '([^']{1,100})' in the archive")
# What the parsers that are compiled, or have no classes for it, say.
_KNOWN = {
    "File is not a zip file": "it is not a zip archive",
    "Cannot detect file format": "it is not in a format of spreadsheets",
    "File has not been decrypted": "it is locked by a password",
    "Cannot read an empty file": "it is empty",
    "file is not a database": "it is not an SQLite database",
}


def reason_of(error: BaseException) -> str:
    """Return why a file could not be read, in one line."""
    first = (str(error).splitlines() or [""])[0][:_LONGEST]
    found = _KNOWN.get(first) or _by_kind(error, first)
    return found or first or type(error).__name__


def _by_kind(error: BaseException, said: str) -> str | None:
    if isinstance(error, ImiError):
        return None
    if isinstance(error, RecursionError):
        return "its elements are nested too deeply"
    if isinstance(error, RuntimeError) and re.search("password|encrypted", str(error), re.IGNORECASE):
        return "it is locked by a password"
    if isinstance(error, RuntimeError) and "compression" in said:
        return "it is packed in a way that is not supported"
    if isinstance(error, gzip.BadGzipFile):
        other = said.startswith("Not a gzipped file")
        return "it is not a gzip file, whatever its name says" if other else "the compressed file is damaged"
    if isinstance(error, zipfile.BadZipFile | zlib.error):
        return "its archive is damaged"
    if isinstance(error, UnicodeError):
        return "its bytes are not of the encoding that the file seems to be in"
    if isinstance(error, EOFError):
        return "it is cut off"
    if isinstance(error, ElementTree.ParseError | expat.ExpatError):
        line, column = error.position if isinstance(error, ElementTree.ParseError) else (error.lineno, error.offset)
        return f"its XML is damaged at line {line}, column {column + 1}"
    if isinstance(error, json.JSONDecodeError):
        return f"its JSON is damaged at line {error.lineno}, column {error.colno}"
    missing = _ITEM.search(said) if isinstance(error, KeyError) else None
    return None if missing is None else f"{missing[1]} is not in it, which others of its kind have"
