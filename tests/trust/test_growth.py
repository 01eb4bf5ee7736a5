"""Every regular expression takes time in proportion to a text's length, also of texts made against it.

All of them are found by reading the sources, so that a new one is tried from the day on which it is written. Texts are
made of its own parts: what each repetition repeats, what may stand before it, and then something that does not fit.
"""

import ast
import importlib
import re
import re._constants as kinds
import re._parser as parser
import time
from pathlib import Path

import pytest

import imi
from imi.patterns import Pattern

ROOT = Path(imi.__file__).parent
METHODS = {"match", "search", "sub", "finditer", "findall", "split", "fullmatch"}
LENGTH, QUICK, GROWTH = 4000, 0.004, 9.0
"""Characters, seconds that are not looked into, and how much longer four times as many may take: 16 is quadratic."""
EXEMPT = {
    "imi.store.schema_check._STATEMENT": "reads imi's own migrations alone",
    "imi.text.graphemes._RUBY": "is given a window of 128 characters",
    "imi.text.markup.inline._COMMENT": "looks 5,000 characters ahead at most, which is longer than these texts",
}
REPEATS = (kinds.MAX_REPEAT, kinds.MIN_REPEAT, kinds.POSSESSIVE_REPEAT)
CATEGORIES = {
    kinds.CATEGORY_DIGIT: "1",
    kinds.CATEGORY_SPACE: " ",
    kinds.CATEGORY_WORD: "a",
    kinds.CATEGORY_NOT_DIGIT: "a",
    kinds.CATEGORY_NOT_SPACE: "a",
    kinds.CATEGORY_NOT_WORD: "-",
}


def characters(members):
    """Return characters of a class."""
    plain = [chr(value if kind is kinds.LITERAL else value[0]) for kind, value in members
             if kind in (kinds.LITERAL, kinds.RANGE)]  # fmt: skip
    plain += [CATEGORIES[value] for kind, value in members if kind is kinds.CATEGORY]
    if members[0][0] is not kinds.NEGATE:
        return plain[:3]
    spaced = any(value is kinds.CATEGORY_SPACE for kind, value in members if kind is kinds.CATEGORY)
    return [one for one in 'a -1あ\n"' if one not in plain and not (spaced and one.isspace())][:2] or ["\u0e01"]


def fitting(items, most=3):
    """Return texts that the parts of an expression match."""
    found = [""]
    for kind, value in items:
        found = [text + more for text in found for more in one_fitting(kind, value)][:most]
    return found


def one_fitting(kind, value):
    if kind is kinds.LITERAL:
        return [chr(value)]
    if kind is kinds.IN:
        return characters(value)
    if kind in (kinds.ANY, kinds.NOT_LITERAL):
        return ["a"]
    if kind is kinds.BRANCH:
        return [text for branch in value[1] for text in fitting(branch, 1)][:4]
    if kind is kinds.SUBPATTERN:
        return fitting(value[3])
    if kind is kinds.ATOMIC_GROUP:
        return fitting(value)
    if kind in REPEATS:
        return [text * max(1, value[0]) for text in fitting(value[2])]
    return [""]


def attacks(items, before=""):
    """Yield beginnings, and what comes after each again and again."""
    for kind, value in items:
        inner = {kinds.SUBPATTERN: lambda v: [v[3]], kinds.ATOMIC_GROUP: lambda v: [v], kinds.BRANCH: lambda v: v[1]}
        if kind in REPEATS:
            yield from ((before, text) for text in fitting(value[2]))
            yield from attacks(value[2], before)
        for part in inner.get(kind, lambda _: [])(value):
            yield from attacks(part, before)
        before += one_fitting(kind, value)[0]
        yield "", before


def expressions():
    """Yield the name, the expression and the ways of use of each expression in the sources."""
    for path in sorted(ROOT.rglob("*.py")):
        source = path.read_text("utf-8")
        if path.name == "__main__.py" or not re.search(r"^import re\b|\bPattern\b", source, re.MULTILINE):
            continue
        name = ".".join(["imi", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__")
        for node in ast.walk(ast.parse(source)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re" and node.args):
                continue
            if node.func.attr in METHODS and isinstance(node.args[0], ast.Constant):
                named = [getattr(re, one.attr, None) for one in ast.walk(node) if isinstance(one, ast.Attribute)]
                flags = sum(one for one in named if isinstance(one, re.RegexFlag))
                yield f"{name}:{node.lineno}", re.compile(node.args[0].value, flags), {node.func.attr}
        try:
            module = importlib.import_module(name)
        except (ImportError, imi.ImiError):
            continue  # of a package that is not installed
        for word, value in vars(module).items():
            value = value.compiled if isinstance(value, Pattern) else value
            if isinstance(value, re.Pattern):
                yield f"{name}.{word}", value, set(re.findall(rf"\b{word}\.(\w+)\(", source)) & METHODS or {"search"}


def seconds(found, way, text):
    call = getattr(found, way)
    began = time.process_time()
    if way == "sub":
        call(text[:0], text)
    elif way == "finditer":
        for _ in call(text):
            pass
    else:
        call(text)
    return time.process_time() - began


def slow_text(found, ways, length=LENGTH, quick=QUICK):
    """Return a text whose time grows faster than its length, and how; None where none was found."""
    raw = isinstance(found.pattern, bytes)
    written = found.pattern.decode("latin-1") if raw else found.pattern
    items = parser.parse(written, found.flags & ~re.UNICODE if raw else found.flags)
    tried = [one for one in dict.fromkeys(attacks(items)) if one[1]]
    tried += [("", one) for one in dict.fromkeys(text for _, text in tried for text in text[:1])]
    for before, again in dict.fromkeys(tried):
        for after in ("\0", "\n"):

            def text(length, before=before, again=again, after=after):
                made = before + again * (length // len(again)) + after
                return made.encode("latin-1", "replace") if raw else made

            for way in ways:
                if seconds(found, way, text(length)) < quick:
                    continue
                # A busy machine is slow by chance, but not the same text each time.
                growth = (
                    seconds(found, way, text(4 * length)) / max(1e-6, seconds(found, way, text(length)))
                    for _ in range(3)
                )
                if all(one > GROWTH for one in growth):
                    return way, before, again, after
    return None


def test_expressions_are_linear():
    names, slow = [], {}
    for name, found, ways in expressions():
        names.append(name)
        if name not in EXEMPT and (said := slow_text(found, ways)) is not None:
            slow[name] = said
    assert slow == {}
    assert len(names) > 150 and set(EXEMPT) <= set(names)


@pytest.mark.parametrize("bad", [r"\s+$", r"\s*=", r"^[a.]*\.[a.]*x", r"\d+;", r"a[^b]*b[^c]*c"])
def test_this_test_finds_what_is_not(bad):
    assert slow_text(re.compile(bad), {"search"}, LENGTH // 2, QUICK / 4) is not None
