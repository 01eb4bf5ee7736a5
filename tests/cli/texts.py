"""What the command line says, found in its source: errors, hints, notes, heads of tables, labels of figures, help."""

import ast
import dataclasses
import importlib
import inspect
import itertools
import re
import typing
from functools import cache
from pathlib import Path

import imi
import imi.errors
from imi.cli.groups import GROUPS
from imi.cli.parameters import Parameter
from imi.cli.quick import Verbs

SOURCE = Path(imi.__file__).parent
LAB = Path(__file__).parents[2] / "experiments" / "matryoshka"
ERRORS = {name for name, kind in vars(imi.errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
# Calls whose argument at this place is said; in some only where the caller is of the command line.
SAID = {
    **dict.fromkeys(ERRORS - {"MissingExtra"}, (0,)),
    "Failure": (2,),
    "Unfit": (0,),
    "Notice": (2,),
    "warn": (0,),
    "add_note": (0,),
    "local": (0,),
    "Finding": (0, 3, 4),
    "_count": (3, 4),
    "Problem": (0, 2),
    "Answer": (4,),
    "_drop": (1,),
}
SAID_BY_CLI = {"note": (0,), "say": (0,), "progress": (0,), "show": (1,), "_complain": (0, 1), "_say": (0, 1)}
SAID_BY_FIGURES = {
    "set_xlabel": (0,),
    "set_ylabel": (0,),
    "set_title": (0,),
    "say_above": (1, 2),
    "draw_confusion": (2,),
}
NAMED = {"hint", "reason", "remedy", "meaning"}
# Modules whose every sentence is said.
EVERY = {"tasks/geometry.py", "index/planner.py", "text/readers/archives.py", "text/readers/lines.py"}
NAMED_BY_FIGURES = {"label"}
_PLURAL = {"", "s", "es", "is", "are", "was", "were", "copy", "copies", "it", "they", "has", "have", "do", "does"}


class Texts:
    """The texts of one module."""

    def __init__(self, nodes):
        self.known = {}
        for node in nodes:
            if isinstance(node, ast.Assign):
                targets = node.targets
            elif isinstance(node, ast.AnnAssign | ast.AugAssign):
                targets = [node.target]
            else:
                continue
            for target in targets:
                if isinstance(target, ast.Name) and node.value is not None:
                    self.known.setdefault(target.id, []).append(node.value)
                elif isinstance(target, ast.Tuple):
                    either = isinstance(node.value, ast.IfExp)
                    values = [node.value.body, node.value.orelse] if either else [node.value]
                    for value in values:
                        if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts):
                            for name, one in zip(target.elts, value.elts, strict=True):
                                if isinstance(name, ast.Name):
                                    self.known.setdefault(name.id, []).append(one)

    def of(self, node, seen=frozenset()):
        """Return the templates that an expression may become."""
        if isinstance(node, ast.Constant):
            return {node.value} if isinstance(node.value, str) else set()
        if isinstance(node, ast.JoinedStr):
            parts = [self._part(value) for value in node.values]
            return {"".join(one) for one in itertools.product(*parts)}
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            return self.of(node.left, seen)
        if isinstance(node, ast.BinOp) and isinstance(node.left, ast.List):
            return self.of(node.left, seen) | self.of(node.right, seen)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return {a + b for a in self.of(node.left, seen) or {"{}"} for b in self.of(node.right, seen) or {"{}"}}
        if isinstance(node, ast.IfExp):
            return self.of(node.body, seen) | self.of(node.orelse, seen)
        if isinstance(node, ast.BoolOp):
            return set().union(*(self.of(value, seen) for value in node.values))
        if isinstance(node, ast.List | ast.Tuple):
            return set().union(*(self.of(value, seen) for value in node.elts)) if node.elts else set()
        if isinstance(node, ast.Starred):
            return self.of(node.value, seen)
        if isinstance(node, ast.Name) and node.id not in seen:
            return set().union(*(self.of(value, seen | {node.id}) for value in self.known.get(node.id, [])))
        return set()

    def _part(self, value):
        if isinstance(value, ast.Constant):
            return [value.value]
        inner = value.value
        if isinstance(inner, ast.Name) and inner.id.isupper() and len(told := self.of(inner)) == 1:
            return sorted(told)
        if isinstance(inner, ast.IfExp) and value.conversion == -1:
            told = self.of(inner)
            both = all(isinstance(one, ast.Constant | ast.JoinedStr) for one in (inner.body, inner.orelse))
            if both and told - _PLURAL:
                return sorted(told)
        return ["{}"]


def sentences(nodes, texts):
    """Return all texts of a module that have two spaces or more, but for its documentation."""
    left = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            left.update(id(one) for one in node.values)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Constant | ast.JoinedStr) and id(node) not in left:
            found.update(flat(text) for text in texts.of(node) if text.count(" ") >= 2 and is_said(text))
    # What goes on after a colon or a semicolon is looked up alone, what goes on after a comma with what is before.
    return {f"{{}}{text}" if text[0] == "," else text.lstrip(":; ") for text in found}


def said_first(texts, node, found, file):
    """Add the first cells of rows that `named` shows."""
    for value in texts.known.get(node.id, []) if isinstance(node, ast.Name) else [node]:
        for row in ast.walk(value):
            if isinstance(row, ast.List) and row.elts and isinstance(row.elts[0], ast.Constant | ast.JoinedStr):
                for text in texts.of(row.elts[0]):
                    if is_said(text):
                        found.setdefault(flat(text), set()).add(file)


def walked(tree):
    """Return what ast.walk yields but names' contexts, in a third of its time."""
    nodes, left = [], [tree]
    while left:
        node = left.pop()
        nodes.append(node)
        for name in node._fields:
            value = getattr(node, name, None)
            if value.__class__ is list:
                left.extend(one for one in value if isinstance(one, ast.AST))
            elif isinstance(value, ast.AST) and name != "ctx":
                left.append(value)
    return nodes


def flat(text):
    return re.sub(r"(\{\})+", "{}", " ".join(text.split()))


def is_said(text):
    """Whether a text has words that a person reads: not the name of a file, a bare command or fields alone."""
    letters = sum(one.isalpha() for one in text.replace("{}", ""))
    return letters >= (4 if "{}" in text else 2)


@cache
def spoken():
    """Return the templates of all that is said beside help, each with the files that say it."""
    found = {}
    for path in [*sorted(SOURCE.rglob("*.py")), LAB / "figures.py", LAB / "toy.py"]:
        tree = ast.parse(path.read_text("utf-8"))
        nodes = walked(tree)
        root = SOURCE if path.is_relative_to(SOURCE) else LAB.parents[1]
        texts, home = Texts(nodes), path.relative_to(root).parts[0]
        calls, names = dict(SAID), set(NAMED)
        if home == "cli":
            calls = calls | SAID_BY_CLI
        if home in ("text", "ingest"):
            calls = calls | {"say": (2,), "ValueError": (0,)}
        if home in ("tasks", "index", "evaluate", "experiments"):
            calls, names = calls | SAID_BY_FIGURES, names | NAMED_BY_FIGURES
        shown = str(path.relative_to(root))
        if shown in EVERY:
            for text in sentences(nodes, texts):
                found.setdefault(text, set()).add(shown)
        for node in nodes:
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name == "named":
                said_first(texts, node.args[0], found, shown)
            said = [node.args[at] for at in calls.get(name, ()) if at < len(node.args)]
            if name == "append" and getattr(node.func.value, "id", "") in ("said", "notes"):
                said.append(node.args[0])
            said += [one.value for one in node.keywords if one.arg in names]
            for text in set().union(*map(texts.of, said)) if said else ():
                for line in text.split("\n"):
                    if is_said(line):
                        found.setdefault(flat(line), set()).add(shown)
    return found


@cache
def helped():
    """Return the paragraphs and sentences of all help pages, each with its verb."""
    found = {}
    for group in GROUPS:
        for name, module in group.verbs.items():
            verbs = Verbs()
            importlib.import_module(module).register(verbs)
            options, run = verbs.known[name]
            for paragraph in inspect.getdoc(run).split("\n\n"):
                found.setdefault(flat(paragraph), set()).add(name)
            hints = typing.get_type_hints(options, include_extras=True)
            for field in dataclasses.fields(options):
                for declared in typing.get_args(hints[field.name]):
                    said = (
                        declared.settings.get("help")
                        if isinstance(declared, Parameter)
                        else getattr(declared, "help", None)
                    )
                    if said:
                        found.setdefault(flat(said), set()).add(name)
    return found


def said_anywhere():
    """Return all templates, each with the files or verbs that say it."""
    return {**spoken(), **helped()}
