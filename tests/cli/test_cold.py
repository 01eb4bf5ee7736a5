"""A command starts cold in little more than what its native parts take to load."""

import resource
import subprocess
import sys

import pytest


def least(*command):
    """Return the least processor time of several runs: other processes only ever add."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def loaded_by(*arguments):
    script = f"import sys, imi.cli; imi.cli.main({list(arguments)!r}); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(done.stdout.splitlines()[-1].split())


def test_the_first_page_takes_little_more_than_the_interpreter():
    assert least(sys.executable, "-m", "imi", "--help") < 9 * least(sys.executable, "-c", "pass")


def test_a_search_takes_little_more_than_loading_its_native_parts(reviews):
    native = least(sys.executable, "-c", "import numpy, apsw, sentencepiece")
    assert least(sys.executable, "-m", "imi", "search", "reviews.imi", "beans") < 4 * native


@pytest.mark.parametrize("arguments", [("search", "reviews.imi", "beans"), ("similar", "cat", "猫")])
def test_what_a_question_does_not_need_is_not_loaded(reviews, arguments):
    loaded = loaded_by(*arguments)
    assert "numpy" in loaded
    spared = {
        "typer",
        "rich",
        "pydantic",
        "scipy",
        "faiss",
        "logging",
        "email",
        "importlib.metadata",
        "imi.text.readers",
    }
    ours = {"imi.index.planner", "imi.collection.adding", "imi.collection.migrating", "imi.collection.exporting"}
    assert not loaded & (spared | ours)
