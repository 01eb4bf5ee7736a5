"""The documentation of Python's own standard library as documents: real input that every machine has.

Modules are imported one by one, quietly, and their public classes, functions and methods read by `inspect`. Modules
that are deprecated, that open windows or print when imported, or that this Python lacks are left out.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import io
import pkgutil
import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType, ModuleType
from typing import Any

from imi.records import Document

# Gone or going (PEP 594 and friends), aliases of others, or with effects when imported.
_SKIPPED = re.compile(
    "aifc|antigravity|asynchat|asyncore|audioop|cgi|cgitb|chunk|crypt|distutils|ensurepip|genericpath|idlelib|imghdr|imp|"
    "lib2to3|mailcap|msilib|nis|nntplib|nt|ntpath|nturl2path|ossaudiodev|pipes|posix|posixpath|pydoc_data|smtpd|sndhdr|"
    "spwd|sre_compile|sre_constants|sre_parse|sunau|telnetlib|test|this|tkinter|turtle|turtledemo|uu|xdrlib|_.*"
)
# Submodules without a public face: tables of codecs, command lines and parsers' innards.
_SKIPPED_BELOW = re.compile(
    r"^(encodings|idlelib|pydoc_data|test)\.|\.(_.*|tests?|__main__|gen.*_data|pulldom|expatbuilder)$"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})|[_.]+")
_CALL = re.compile(r"^([\w.]+ = )?[\w.]+ ?\(.*")
# A call with what is done around it: an example of use, which says more than arguments do.
_EXAMPLE = re.compile(r"^[ \t]+(for|while|with|if|try)\b.*:[ \t]*$", re.MULTILINE)
_ABOUT_ARGUMENTS = re.compile(r"The [\w\"'`*, ]{1,60} arguments? (can|may|must|is|are)\b")
_CLASS = re.compile(r"^[ \t]*class[ \t]+(\w+)", re.MULTILINE)
_UNDERLINE = re.compile(r"[~=*-]{3,}")
_OPERATORS = {
    "__add__": "add",
    "__sub__": "subtract",
    "__mul__": "multiply",
    "__truediv__": "divide",
    "__pow__": "power",
    "__and__": "intersection",
    "__or__": "union",
}
_LONGEST = 400
_SUMMARY = 120


@dataclass(frozen=True, slots=True)
class _Place:
    """A module being read: its name, what it is about and where its classes begin."""

    name: str
    summary: str
    source: str | None
    classes: dict[str, int]
    declared: frozenset[str]


def entries() -> Iterator[Document]:
    """Yield one document for each public module, class, function and method of the running Python, in a fixed order.

    The text is the dotted name, the words in it, and the first paragraph of its documentation, with the module's own
    first sentence where that is short. Metadata: `kind`, `module`, `name`, and unless it is compiled into Python
    `source` (the file) and `line`. An object that is public under several names is given once.
    """
    seen: set[int] = set()
    # All are imported before one is read: importing a module may shadow a function of its package (curses.has_key).
    modules = [(name, _import_quietly(name)) for name in _module_names()]
    for name, module in modules:
        if module is None:
            continue
        # Everything is built in; that of built-ins says nothing.
        summary = first_sentence(module.__doc__ or "") if name != "builtins" else ""
        declared = frozenset(getattr(module, "__all__", ()))
        place = _Place(name, summary[:_SUMMARY], _file_of(module), _class_lines(module), declared)
        if module.__doc__:
            yield _document(place, name, module, "module")
        for label, value in _public(module):
            # random.shuffle is the method of a hidden instance: the same function as Random.shuffle.
            same = id(getattr(value, "__func__", value))
            if same not in seen:
                seen.add(same)
                yield from _members(place, f"{name}.{label}" if name != "builtins" else label, value, seen)


def _module_names() -> list[str]:
    top = sorted(name for name in sys.stdlib_module_names if not _SKIPPED.fullmatch(name))
    # Built-ins and packages come before what they gather from below, so that an object gets its shortest name.
    names = ["builtins", "os.path", *(name for name in top if name != "builtins")]
    for name in top:
        package = _import_quietly(name)
        path = getattr(package, "__path__", None)
        if path is not None:
            found = (f"{name}.{child.name}" for child in pkgutil.iter_modules(path))
            names += sorted(child for child in found if not _SKIPPED_BELOW.search(child))
    names += ["xml.etree.ElementTree"]
    return names


def _import_quietly(name: str) -> ModuleType | None:
    silence = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(silence), contextlib.redirect_stderr(silence):
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except (Exception, SystemExit):
            # Whatever a module of another platform raises, it is not there for this user.
            return None


def _public(module: ModuleType) -> list[tuple[str, Any]]:
    declared = getattr(module, "__all__", None)
    names = sorted(vars(module) if declared is None else declared)
    found = []
    for name in names:
        value = vars(module).get(name)
        if name.startswith("_") or not (inspect.isclass(value) or inspect.isroutine(value)):
            continue
        # Without a declaration, what came from elsewhere is an import; C modules call their home differently.
        home = getattr(value, "__module__", None)
        foreign = home not in (module.__name__, f"_{module.__name__}", None, "builtins")
        if declared is None and foreign and module.__name__ != "builtins":
            continue
        found.append((name, value))
    # Functions first: the short way to a thing before the methods that do the same.
    return sorted(found, key=lambda pair: inspect.isclass(pair[1]))


def _members(place: _Place, name: str, value: Any, seen: set[int]) -> Iterator[Document]:
    if not inspect.isclass(value):
        if readable(value):
            yield _document(place, name, value, "function")
        return
    if issubclass(value, BaseException):
        if readable(value):
            yield _document(place, name, value, "exception")
        return
    # A class that its module declares is worth an entry even where only its name speaks for it.
    if readable(value) or name.rpartition(".")[2] in place.declared:
        yield _document(place, name, value, "class")
    for label, member in sorted(vars(value).items()):
        inner = getattr(member, "__func__", member)
        public = not label.startswith("_") and (inspect.isroutine(inner) or isinstance(inner, property))
        if public and id(inner) not in seen and readable(inner):
            seen.add(id(inner))
            yield _document(place, f"{name}.{label}", inner, "property" if isinstance(inner, property) else "method")


def readable(value: Any) -> str:
    """Return the first paragraph of an object's own documentation on one line; empty where there is none."""
    own = value.__doc__
    if not isinstance(own, str) or own.startswith("Alias for field number"):
        return ""
    paragraphs = re.split(r"\n\s*\n", inspect.cleandoc(own))
    # Compiled functions begin with their call; what they do comes after it, at times behind what they take.
    told = [part for part in paragraphs if not _CALL.match(part)]
    chosen = [next((part for part in told if not _ABOUT_ARGUMENTS.match(part)), (told or paragraphs)[0])]
    if paragraphs[0] is not chosen[0] and _EXAMPLE.search(paragraphs[0]):
        chosen.insert(0, paragraphs[0])
    text = " ".join(" ".join(chosen).split())
    return text[:_LONGEST] if len(text) >= 12 else ""


def words(name: str) -> str:
    """Return the words in a dotted name: `zipfile.ZipFile.extract_all` holds zipfile, zip, file, extract, all."""
    parts = [part.lower() for part in _CAMEL.split(name) if part]
    return " ".join(dict.fromkeys(parts))


def arithmetic(cls: type) -> str:
    """Return what the operators of a class do, which no method of a name that one would ask by does."""
    return ", ".join(word for name, word in _OPERATORS.items() if name in vars(cls))


def module_text(text: str) -> str:
    """Return the beginning of a module's documentation: what it is about and the paragraph after that."""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", _UNDERLINE.sub("", text).strip())]
    return " ".join(paragraphs[:2])[:_LONGEST]


def first_sentence(text: str) -> str:
    """Return the first sentence of a documentation text, without the name that it begins with."""
    paragraph = " ".join(re.split(r"\n\s*\n", _UNDERLINE.sub("", text).strip())[0].split())
    sentence = re.split(r"(?<=[.!?])\s", paragraph, maxsplit=1)[0]
    return re.sub(r"^[\w.]+ +(--?|—) +", "", sentence)[:_LONGEST]


def _document(place: _Place, name: str, value: Any, kind: str) -> Document:
    about = module_text(value.__doc__) if kind == "module" else readable(value)
    spelled = words(name)
    title = name if spelled == name else f"{name} ({spelled})"
    context = f" [{place.name}: {place.summary}]" if kind != "module" and len(about) < 120 and place.summary else ""
    source, line = _where(place, name, value, kind)
    metadata: dict[str, Any] = {"kind": kind, "module": place.name, "name": name}
    if source is not None:
        metadata |= {"source": source, "line": line}
    if kind == "class" and (able := arithmetic(value)):
        about = f"{about.rstrip('.:')}. Arithmetic: {able}.".removeprefix(". ")
    text = f"{title}: {about}" if about else title
    return Document(id=name if kind != "module" else f"module {name}", text=text + context, metadata=metadata)


def _where(place: _Place, name: str, value: Any, kind: str) -> tuple[str | None, int | None]:
    if kind == "module":
        return place.source, 1 if place.source else None
    function = inspect.unwrap(value.fget if isinstance(value, property) and value.fget else value)
    code = getattr(function, "__code__", None)
    if isinstance(code, CodeType):
        frozen = code.co_filename.startswith("<frozen")
        home = sys.modules.get(getattr(function, "__module__", None) or "")
        return (_file_of(home) if frozen and home else code.co_filename), code.co_firstlineno
    line = place.classes.get(name.rpartition(".")[2]) if inspect.isclass(value) else None
    return (place.source, line) if line is not None else (None, None)


def _file_of(module: ModuleType) -> str | None:
    path = getattr(module, "__file__", None)
    return path if path is not None and path.endswith(".py") else None


def _class_lines(module: ModuleType) -> dict[str, int]:
    path = _file_of(module)
    if path is None:
        return {}
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return {}
    return {match[1]: text.count("\n", 0, match.start()) + 1 for match in _CLASS.finditer(text)}
