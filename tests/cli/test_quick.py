"""The quick reading of a command line says what Typer's says, or leaves it to Typer."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from imi.cli import quick
from imi.cli.options import Filtered, K
from imi.cli.parameters import Argument, Option
from imi.cli.search import SearchOptions
from imi.cli.similar import SimilarOptions
from imi.cli.verbs import verb


@dataclass(frozen=True, kw_only=True)
class Middle(Filtered):
    """Arguments of which the one in the middle takes many."""

    first: Annotated[Path, Argument(help="One.")]
    many: Annotated[list[str], Argument(help="Many.")]
    last: Annotated[int, Argument(help="One.")]
    size: Annotated[float, Option("--size", "-s", help="A number.", min=0, max=10)] = 1.5
    names: Annotated[list[str], Option("--name", help="Names.")] = field(default_factory=list)
    k: K = 3


VERBS = {"search": SearchOptions, "similar": SimilarOptions, "middle": Middle}
WORDS = [
    "a.imi",
    "cat 猫",
    "-",
    "3",
    "007",
    "-1",
    "+2",
    " 3",
    "1e3",
    "nan",
    "2.5",
    "",
    "--",
    "--json",
    "-q",
    "-k",
    "-k3",
    "--k",
    "--where",
    "--where=a=b",
    "--compare",
    "--min-score",
    "--min-score=.5",
    "--facet",
    "--quiet",
    "--image",
    "--dims",
    "--dims=64",
    "--help",
    "--size",
    "-s",
    "--name",
    "--name=",
    "--json=1",
    "--no-json",
    "-qk",
    "10",
    "11",
]


def by_typer(name, words):
    seen = []
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.callback()(lambda: None)
    verb(app, name, VERBS[name], seen.append, example=f"imi {name}")
    command = typer.main.get_group(app).commands[name]
    try:
        with command.make_context(name, list(words)) as context:
            command.invoke(context)
    except (typer.Exit, typer.BadParameter.__bases__[0]):
        return None
    return seen[0]


def by_us(name, words, monkeypatch):
    seen = []

    class Module:
        @staticmethod
        def register(app):
            verb(app, name, VERBS[name], seen.append, example=f"imi {name}")

    monkeypatch.setattr(quick.importlib, "import_module", lambda _: Module)
    run = quick.read(name, "module", words)
    if run is None:
        return None
    run()
    return seen[0]


@given(st.sampled_from(sorted(VERBS)), st.lists(st.sampled_from(WORDS), max_size=7))
def test_what_is_read_quickly_is_what_typer_reads(name, words):
    with pytest.MonkeyPatch.context() as patch:
        ours = by_us(name, words, patch)
    if ours is not None:
        theirs = by_typer(name, words)
        plain = {key: value or None if value == [] else value for key, value in vars(ours).items()}
        assert theirs is not None and plain == {k: v or None if v == [] else v for k, v in vars(theirs).items()}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("search", ["a.imi", "delicious", "beans", "-k", "3", "--where", "Score>=4", "--json"]),
        ("search", ["a.imi", "-", "--mode=text", "--min-score", "0.25", "-q"]),
        ("similar", ["cat", "猫", "車", "--dims", "64"]),
        ("middle", ["a", "b", "c", "d", "4", "--name", "x", "--name=y", "-s", "3"]),
    ],
)
def test_common_lines_are_read_quickly(name, words, monkeypatch):
    ours = by_us(name, words, monkeypatch)
    assert ours is not None and vars(ours) == vars(by_typer(name, words))


def test_no_plain_verb_asks_for_typer():
    heavy = "{'typer', 'rich', 'pydantic', 'click', 'scipy', 'faiss'}"
    script = (
        "import sys, imi.cli; imi.cli.main(['similar', 'cat', '猫', '--json', '--model', 'hash']);"
        f"imi.cli.main(['--help']); print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    script = "import sys, imi.cli; imi.cli.main(['--help']); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
