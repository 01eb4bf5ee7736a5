"""The rules that carry the house, held by reading the source: who may import whom, and how big things may be."""

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import imi
from imi.language import FOLDER, entries
from tests.cli.texts import said_anywhere, walked

SOURCE = Path(imi.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
MODULES = {".".join(p.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__"): p for p in FILES}

# Lower layers never import higher ones, and modules of one layer never import each other.
LAYERS: list[set[str]] = [
    {"unicode_forms", "progress", "patterns", "language", "hashing"},
    {"_version", "errors", "records", "values", "amounts", "atomic", "trust", "jsonable", "exif"},
    {"types"},
    {"row_sets"},
    {"vectors", "fusion", "pictures", "foreign_sqlite", "figures"},
    {"llm"},
    {"embedders", "index", "text", "store", "models"},
    {"ingest"},
    {"collection"},
    {"backends", "mirror"},
    {"opening"},
    {"tasks", "rag", "evaluate", "train"},
    {"cookbook"},
    {"bridges", "seminar"},
    {"imi"},
    {"server"},
    {"cli"},
    {"__main__"},
]
LEVEL = {module: level for level, modules in enumerate(LAYERS) for module in modules}
# Records name their failures, which errors defines; both are made of the standard library alone.
SIBLINGS = {("records", "errors"), ("atomic", "errors"), ("trust", "errors"), ("trust", "atomic")}
# Words that say nothing of what a file holds, or that no engineer of another company would look for.
FORBIDDEN = {
    *("utils", "helpers", "common", "misc", "arms", "wanted", "looking", "finding", "shelf", "bodies", "wording"),
    *("places", "marking", "kinds", "floors", "room", "stuff", "things", "odd_and_alike", "upkeep", "wheres", "facts"),
}
HEAVY = {
    "torch",
    "faiss",
    "pandas",
    "httpx",
    "fastapi",
    "typer",
    "pyarrow",
    "scipy",
    "sentencepiece",
    "apsw",
    "sklearn",
    "PIL",
}


@dataclass(frozen=True)
class Module:
    """What the rules ask of one file. Its tree is not kept: half a million nodes slow down all that comes after."""

    path: Path
    text: str
    below: frozenset[str]
    """The first-level modules of imi that it imports; "imi" stands for the facade itself."""
    modules: frozenset[str]
    """Every module that it names in an import, lazily and for types alone included."""
    functions: tuple[tuple[str, int, int], ...]
    """Name, lines and parameters of each function."""
    asserts: tuple[int, ...]
    prints: tuple[int, ...]
    """The lines that assert and that print."""
    classes: tuple[str, ...]
    documented: bool
    undocumented: tuple[str, ...]
    """Whether the file has a docstring, and which of its public names have none."""

    @property
    def name(self) -> str:
        parts = self.path.relative_to(SOURCE).with_suffix("").parts
        return "imi" if parts == ("__init__",) else parts[0]


def imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names if alias.name.split(".")[0] == "imi"]
        return {name.split(".")[1] if "." in name else "imi" for name in names}
    assert node.level == 0, "imports are absolute"
    parts = (node.module or "").split(".")
    if parts[0] != "imi":
        return set()
    return {parts[1]} if len(parts) > 1 else {a.name if a.name in LEVEL else "imi" for a in node.names}


@cache
def read(path: Path) -> Module:
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    nodes = walked(tree)
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    plain = {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
    taken = [node for node in imports if isinstance(node, ast.ImportFrom) and node.module]
    named = plain | {f"{node.module}.{alias.name}" for node in taken for alias in node.names}
    # The package itself is meant where the name taken from it is not a module.
    named |= {node.module for node in taken if not any(f"{node.module}.{a.name}" in MODULES for a in node.names)}
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    public = [one for one in tree.body if isinstance(one, ast.FunctionDef | ast.ClassDef) and one.name[0] != "_"]
    return Module(
        path,
        text,
        frozenset().union(*map(imported, imports)),
        frozenset(named & MODULES.keys()),
        tuple(
            (
                one.name,
                (one.end_lineno or one.lineno) - one.lineno + 1,
                len(one.args.posonlyargs + one.args.args + one.args.kwonlyargs),
            )
            for one in functions
        ),
        tuple(node.lineno for node in nodes if isinstance(node, ast.Assert)),
        tuple(node.lineno for node in calls if node.func.id == "print"),
        tuple(node.name for node in nodes if isinstance(node, ast.ClassDef)),
        bool(ast.get_docstring(tree)),
        tuple(one.name for one in public if not ast.get_docstring(one)),
    )


@pytest.fixture(params=FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def module(request) -> Module:
    return read(request.param)


def test_every_module_has_a_layer():
    assert {read(path).name for path in FILES} <= set(LEVEL)


def test_imports_point_downwards(module):
    here = module.name
    if here == "imi":
        return  # the facade names what it loads lazily, the command line never among it
    for there in module.below - {here}:
        assert there in LEVEL, f"{module.path.name} imports imi.{there}, which has no layer"
        down = LEVEL[there] < LEVEL[here] or (here, there) in SIBLINGS
        assert down, f"{module.path.relative_to(SOURCE)} (layer of {here}) may not import imi.{there}"


def test_training_does_not_know_collections(module):
    if module.name == "train":
        assert "collection" not in module.below


def test_files_and_functions_stay_small(module):
    assert len(module.text.splitlines()) <= 600, "one concept a file"
    for name, lines, parameters in module.functions:
        assert lines <= 60, f"{name}: {lines} lines"
        assert parameters <= 9, f"{name}: {parameters} parameters"


def test_library_neither_prints_nor_asserts(module):
    if module.name == "cli":
        return
    assert not module.asserts, f"lines {module.asserts}: assert does not validate input"
    assert not module.prints, f"lines {module.prints}: the library does not print"


def test_modules_and_public_names_are_documented(module):
    assert module.documented, "a file says in its first line what it holds"
    assert not module.undocumented


def test_nothing_is_called_by_a_name_that_says_nothing():
    assert not [path for path in FILES if path.stem in FORBIDDEN]


def test_no_circle_of_imports():
    left = {name: set(read(path).modules) - {name} for name, path in MODULES.items()}
    # The facade loads its names lazily, by text; what stands below never imports it.
    while free := {name for name, below in left.items() if not below & left.keys()}:
        left = {name: below for name, below in left.items() if name not in free}
    assert not left, f"these import each other in a circle, or stand above one: {sorted(left)}"


# `Collection.ask` stands for `imi.ask`, whose module builds on collections: the one name of a module that is looked up
# as text although the module is above. The others are the facades' lists of what they load lazily.
ASKED_UPWARDS = {("collection/base.py", "imi.rag.asking")}


def test_no_import_upwards_hides_in_a_text():
    found = {
        (str(path.relative_to(SOURCE)), name)
        for path in FILES
        for name in re.findall(r'import_module\("(imi\.[\w.]+)"\)', read(path).text)
        if LEVEL[name.split(".")[1]] > LEVEL[read(path).name]
    }
    assert found == ASKED_UPWARDS


# LangChain and LlamaIndex have adapters of the same names, as each framework's users expect.
SAME_NAMES = {"ImiRetriever", "ImiVectorStore"}


def test_one_class_name_stands_for_one_thing():
    seen: dict[str, str] = {}
    for path in FILES:
        for name in read(path).classes:
            if not name.startswith("_") and name not in SAME_NAMES:
                assert name not in seen, f"{name} is a class of {seen[name]} and of {path.name}"
                seen[name] = path.name


def test_nothing_is_left_unfinished(module):
    assert not [
        word
        for word in ("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error")
        if re.search(rf"\b{word}\b", module.text)
    ]


def test_importing_imi_stays_light():
    script = "import sys, imi; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)


def test_importing_imi_costs_little_more_than_numpy():
    script = (
        "from time import process_time as now\n"
        "a = now(); import numpy; b = now(); import imi; imi.truncate; c = now()\n"
        "print((c - b) / (b - a))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True) for _ in range(3)
    ]
    assert min(float(run.stdout) for run in runs) < 0.5


def test_public_names_change_only_on_purpose():
    assert set(imi.__all__) == {
        "Added",
        "Answer",
        "Collection",
        "Document",
        "Embedder",
        "Goal",
        "Hit",
        "Hits",
        "ImiError",
        "ModelInfo",
        "NotFound",
        "ReadOptions",
        "Rerank",
        "__version__",
        "ask",
        "evaluate",
        "load",
        "normalize",
        "open",
        "plan",
        "quantize",
        "read",
        "similarity",
        "tasks",
        "train",
        "truncate",
    }
    assert all(name in dir(imi) for name in imi.__all__)


def test_what_is_said_on_the_command_line_has_its_japanese():
    """Help, errors, hints, notes, heads and labels of figures, as `tests/cli/texts.py` finds them."""
    known = dict(entries(FOLDER))
    missing = {text: sorted(where)[0] for text, where in said_anywhere().items() if text not in known}
    assert not missing, "their Japanese belongs in src/imi/japanese/*.txt, English and Japanese on a line each"


def test_the_japanese_of_what_nobody_says_is_gone():
    # What only a run tells, such as the names of figures that --json prints, is in a file of its own.
    labels = (FOLDER / "labels.txt").read_text("utf-8").splitlines()
    assert not {english for english, _ in entries(FOLDER)} - said_anywhere().keys() - set(labels)
