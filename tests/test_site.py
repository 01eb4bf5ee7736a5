"""The site of the documentation: help, reference and pages agree, links lead somewhere, all comes from here."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from docs.site import pages

import imi
import imi.errors
import imi.tasks
from imi.cli.verbs import load_verb
from imi.embedders.testing import HashEmbedder
from imi.tasks.doctor_checks import CHECKS

ROOT = Path(__file__).resolve().parent.parent
VERBS = {name: module for modules in pages.verbs().values() for name, module in modules.items()}


@pytest.fixture(scope="module")
def generated():
    return pages.generated()


def flat(nav):
    for entry in nav:
        if isinstance(entry, str):
            yield entry
        else:
            for value in entry.values():
                yield from [value] if isinstance(value, str) else flat(value)


def test_every_page_is_in_the_tree_and_every_entry_is_a_page(generated):
    written = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    listed = list(flat(pages.nav()))
    assert len(listed) == len(set(listed))
    assert set(listed) == written | set(generated)


@pytest.mark.parametrize("name", VERBS)
def test_the_page_of_a_verb_says_what_its_help_says(name, generated, capsys):
    page = generated[f"reference/commands/{name}.md"]
    assert imi.cli.main([name, "--help"]) == 0
    plain = " ".join(capsys.readouterr().out.split())
    for parameter in load_verb(name, VERBS[name]).params:
        if parameter.name == "help" or getattr(parameter, "hidden", False):
            continue
        if parameter.param_type_name == "option":
            assert all(f"`{option}" in page for option in parameter.opts)
        assert " ".join(parameter.help.split()).replace("|", "\\|").replace("<", "&lt;") in page
    for line in re.findall(r"```console\n(.*?)```", page, re.DOTALL)[0].splitlines():
        assert " ".join(line.split()) in plain


def test_every_verb_is_in_the_list(generated):
    page = generated["reference/commands/index.md"]
    assert all(f"[`{name}`]({name}.md)" in page for name in VERBS)


@pytest.mark.parametrize("module", pages.PUBLIC)
def test_every_public_name_has_an_entry(module, generated):
    page = generated[f"reference/python/{module}.md"]
    for name in getattr(sys.modules[module], "__all__", [one.__name__ for one in pages.errors()]):
        elsewhere = {"__version__", "evaluate", "tasks", "train", *vars(imi.errors)}
        if module == "imi" and name in elsewhere:
            continue
        assert re.search(rf"^(::: [\w.]+\.|## ){name}$", page, re.MULTILINE), name


@pytest.mark.parametrize("error", pages.errors(), ids=lambda one: one.__name__)
def test_every_error_says_what_why_and_what_to_do(error):
    assert all(len(part) > 20 for part in pages.explained(error))


def test_the_doctor_finds_what_its_pages_explain():
    z = np.random.default_rng(0).standard_normal((60, 64)).astype(np.float32)
    found = imi.tasks.doctor(z, ["text"] * 60, model=HashEmbedder())
    of_albums = {"unfamiliar pictures"}
    assert {finding.check for finding in found.findings} | of_albums == set(CHECKS)


def test_files_named_in_a_page_become_links():
    assert pages.linked("see `docs/search.md`") == "see [search.md](search.md)"
    assert pages.linked("see `docs/search.md`", "lab/README.md") == "see [search.md](../search.md)"
    assert pages.linked("[the page](README.md)", "lab/TABLES.md") == "[the page](README.md)"
    assert pages.linked("[the page](README.md)") == "[the page](index.md)"
    assert pages.linked("see `docs/nothing.md` and `imi add`") == "see `docs/nothing.md` and `imi add`"


@pytest.mark.skipif(not (find_spec("mkdocs") and find_spec("mkdocstrings")), reason="mkdocs is not installed")
def test_the_site_is_built_with_every_link_and_without_a_network(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    built = list((tmp_path / "site").rglob("*.html"))
    assert len(built) > len(VERBS) + 30
    for page in built:
        text = page.read_text("utf-8")
        assert not re.search(r'<(?:script|img|iframe|source)[^>]*\ssrc="(?:https?:)?//', text), page
        assert not re.search(r'<link[^>]*rel="(?:stylesheet|preconnect|preload)"[^>]*href="(?:https?:)?//', text), page
