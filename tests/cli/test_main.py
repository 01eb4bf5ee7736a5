import subprocess
import sys
import warnings

import pytest

import imi.cli
import imi.cli.command
from imi.cli.groups import GROUPS
from imi.cli.verbs import first_page
from imi.errors import DataError, Failure


def test_the_first_page_fits_one_screen_and_names_every_verb(run):
    done = run("--help")
    lines = done.out.splitlines()
    assert done.code == 0 and len(lines) <= 30 and max(map(len, lines)) <= 80
    words = set(done.out.split())
    assert all(name in words for group in GROUPS if not group.hidden for name in group.verbs)
    assert run().out == done.out and first_page(GROUPS).strip() == done.out.strip()


def test_version(run):
    assert run("--version").out == f"{imi.__version__}\n"


@pytest.mark.parametrize(("typed", "near"), [("serach", "imi search"), ("xyzzy", "imi --help")])
def test_unknown_verbs_suggest_the_nearest(run, typed, near):
    done = run(typed)
    assert done.code == 2 and f"there is no verb '{typed}'" in done.err and near in done.err


def test_unknown_options_point_to_the_help(run):
    done = run("similar", "a", "b", "--nope")
    assert done.code == 2 and done.err.startswith("imi: no such option: --nope")
    assert done.err.endswith("try: imi similar --help\n")


def test_interruption_broken_pipe_and_bugs(run, monkeypatch):
    def raising(error):
        def invoke(_):
            raise error

        monkeypatch.setattr(imi.cli.command, "_invoke", invoke)

    raising(KeyboardInterrupt())
    done = run("ls")
    assert done.code == 130 and done.err == "imi: interrupted\n"
    done = run("add")
    assert done.code == 130 and "committed before is safe" in done.err
    raising(ZeroDivisionError("division by zero"))
    done = run("ls")
    assert done.code == 1 and "unexpected ZeroDivisionError" in done.err and "IMI_DEBUG=1" in done.err
    monkeypatch.setenv("IMI_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        imi.cli.main(["ls"])
    monkeypatch.delenv("IMI_DEBUG")
    raising(PermissionError(13, "Permission denied", "secret.csv"))
    assert run("ls").err == "imi: permission denied: secret.csv\n"
    raising(DataError("bad", failures=[Failure("a", n, "why") for n in range(12)]))
    assert run("ls").err.splitlines()[-2:] == ["… and 2 more", "imi: bad"]


def test_a_closed_pipe_is_no_error(tmp_path):
    script = f"{sys.executable} -m imi --help | head -1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {script}"], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_light_verbs_import_nothing_heavy():
    script = (
        "import sys, imi.cli; imi.cli.main(['similar', 'cat', '猫', '--model', 'hash']);"
        "print(sorted({'torch', 'pandas', 'httpx', 'pyarrow', 'faiss', 'fastapi', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_completion_knows_verbs_and_collections(tmp_path, monkeypatch, run):
    from imi.cli.options import complete_collection, complete_model

    (tmp_path / "reviews.imi").mkdir()
    monkeypatch.chdir(tmp_path)
    assert complete_collection("re") == ["reviews.imi"]
    assert complete_model("op") == ["openai:"]
    environment = {"_IMI_COMPLETE": "complete_bash", "COMP_WORDS": "imi sim", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "imi"], capture_output=True, text=True, env={"PATH": "", **environment}
    )
    assert "similar" in done.stdout.split()


@pytest.mark.parametrize("quiet", [(), ("-q",), ("--quiet",)])
def test_what_the_library_warns_of_is_said_in_words(run, monkeypatch, quiet):
    def invoke(_):
        warnings.warn("the cache was damaged", RuntimeWarning, stacklevel=1)
        return 0

    monkeypatch.setattr(imi.cli.command, "_invoke", invoke)
    monkeypatch.setattr(sys, "warnoptions", [])
    before = warnings.showwarning
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        shows = warnings.showwarning
        done = run("ls", *quiet)
        assert warnings.showwarning is shows
    assert (done.code, done.err) == (0, "" if quiet else "imi: the cache was damaged\n")
    assert warnings.showwarning is before


def test_who_asks_python_for_warnings_gets_its_form(run, monkeypatch):
    seen = []

    def invoke(_):
        seen.append(warnings.showwarning)
        return 0

    monkeypatch.setattr(imi.cli.command, "_invoke", invoke)
    monkeypatch.setattr(sys, "warnoptions", ["default"])
    run("ls", "-q")
    assert seen == [warnings.showwarning]
