"""The rules that carry the house, held by reading the source: who may import whom, and how big things may be."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import imi
from imi.language import FOLDER, entries
from tests.cli.texts import said_anywhere

SOURCE = Path(imi.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))

# Lower layers never import higher ones, and modules of one layer never import each other.
LAYERS: list[set[str]] = [
    {"unicode_forms", "progress", "patterns", "language"},
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


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return "imi" if parts == ("__init__",) else parts[0]


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imported(tree: ast.AST) -> set[str]:
    """Return the first-level modules of imi that a file imports; "imi" stands for the facade itself."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.split(".")[0] == "imi"]
            found |= {name.split(".")[1] if "." in name else "imi" for name in names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            parts = (node.module or "").split(".")
            if parts[0] == "imi":
                found |= {parts[1]} if len(parts) > 1 else {a.name if a.name in LEVEL else "imi" for a in node.names}
    return found


@pytest.fixture(params=FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def parsed(request) -> tuple[Path, ast.Module]:
    return request.param, parse(request.param)


def test_every_module_has_a_layer():
    assert {module_of(path) for path in FILES} <= set(LEVEL)


def test_imports_point_downwards(parsed):
    path, tree = parsed
    here = module_of(path)
    if here == "imi":
        return  # the facade names what it loads lazily, the command line never among it
    for there in imported(tree) - {here}:
        assert there in LEVEL, f"{path.name} imports imi.{there}, which has no layer"
        down = LEVEL[there] < LEVEL[here] or (here, there) in SIBLINGS
        assert down, f"{path.relative_to(SOURCE)} (layer of {here}) may not import imi.{there}"


def test_training_does_not_know_collections(parsed):
    path, tree = parsed
    if module_of(path) == "train":
        assert "collection" not in imported(tree)


def test_files_and_functions_stay_small(parsed):
    path, tree = parsed
    assert len(path.read_text("utf-8").splitlines()) <= 600, "one concept a file"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= 60, f"{node.name}: {lines} lines"
            parameters = len(node.args.posonlyargs + node.args.args + node.args.kwonlyargs)
            assert parameters <= 9, f"{node.name}: {parameters} parameters"


def test_library_neither_prints_nor_asserts(parsed):
    path, tree = parsed
    if module_of(path) == "cli":
        return
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Assert), f"line {node.lineno}: assert is no validation"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"line {node.lineno}: the library does not print"


def test_modules_and_public_names_are_documented(parsed):
    _, tree = parsed
    assert ast.get_docstring(tree), "a file says in its first line what it holds"
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name


def test_nothing_is_called_by_a_name_that_says_nothing():
    assert not [path for path in FILES if path.stem in FORBIDDEN]


def graph() -> dict[str, set[str]]:
    """Return the modules of imi and what each imports, lazily and for types alone included."""
    names = {".".join(p.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__"): p for p in FILES}
    found: dict[str, set[str]] = {name: set() for name in names}
    for name, path in names.items():
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names} & names.keys()
            elif isinstance(node, ast.ImportFrom) and node.module:
                full = {f"{node.module}.{alias.name}" for alias in node.names}
                found[name] |= (full & names.keys()) or ({node.module} & names.keys())
        found[name].discard(name)
    return found


def test_no_circle_of_imports():
    left = graph()
    # The facade loads its names lazily, by text; what stands below never imports it.
    while free := {name for name, below in left.items() if not below & left.keys()}:
        left = {name: below for name, below in left.items() if name not in free}
    assert not left, f"these import each other in a circle, or stand above one: {sorted(left)}"


# LangChain and LlamaIndex have adapters of the same names, as each framework's users expect.
SAME_NAMES = {"ImiRetriever", "ImiVectorStore"}


def test_one_class_name_stands_for_one_thing():
    seen: dict[str, str] = {}
    for path in FILES:
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and node.name not in SAME_NAMES:
                assert node.name not in seen, f"{node.name} is a class of {seen[node.name]} and of {path.name}"
                seen[node.name] = path.name


def test_nothing_is_left_unfinished(parsed):
    path, _ = parsed
    text = path.read_text("utf-8")
    assert not [word for word in ("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error") if word in text]


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
    missing = {text: sorted(where)[0] for text, where in said_anywhere().items() if text not in dict(entries(FOLDER))}
    assert not missing, "their Japanese belongs in src/imi/japanese/*.txt, English and Japanese on a line each"


def test_the_japanese_of_what_nobody_says_is_gone():
    # What only a run tells, such as the names of figures that --json prints, is in a file of its own.
    labels = (FOLDER / "labels.txt").read_text("utf-8").splitlines()
    assert not {english for english, _ in entries(FOLDER)} - said_anywhere().keys() - set(labels)
