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


def ended(script, *arguments, **how):
    whole = f"import sys, imi.cli; sys.argv[1:] = {list(arguments)!r}\n{script}\nsys.exit(imi.cli.start())"
    return subprocess.run([sys.executable, "-c", whole], capture_output=True, text=True, **how)


def test_a_command_ends_with_its_code_and_all_that_was_to_be_done_at_exit():
    done = ended("import atexit; atexit.register(print, 'done')", "--help")
    assert done.returncode == 0 and done.stdout.startswith("imi") and done.stdout.endswith("done\n"), done.stderr
    done = ended("", "no-such-verb")
    assert done.returncode == 2 and done.stderr.startswith("imi: ")
    waited = "import threading, time; threading.Thread(target=lambda: (time.sleep(0.3), print('waited'))).start()"
    assert ended(waited, "--help").stdout.endswith("waited\n")
    watched = ended(
        "import cProfile; p = cProfile.Profile(); p.enable()\nimport atexit; atexit.register(p.print_stats)", "--help"
    )
    assert watched.returncode == 0 and "function calls" in watched.stdout
    # What Python 3.12 and later say of their profilers: neither `getprofile` nor `gettrace` knows of them.
    known = "import types; sys.monitoring = types.SimpleNamespace(get_tool={2: 'cProfile'}.get)"
    ends = "import os; os._exit = lambda code: print('taken apart by nobody')"
    assert "nobody" not in ended(f"{known}; {ends}", "--help").stdout
    full = subprocess.run(f"{sys.executable} -m imi --help > /dev/full", shell=True, capture_output=True, text=True)
    assert full.returncode != 0 and full.stderr
