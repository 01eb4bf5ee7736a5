"""The guided path: every command and every piece of Python of every step runs, in both languages."""

import re
import shlex
from importlib.util import find_spec

import pytest

import imi
import imi.cli
from imi.errors import DataError
from imi.seminar.guide import prepare, run_code, steps

IDS = [step.id for step in steps()]
# What draws or lays out takes a second or more; those on the paper run in a test of their own.
SLOW = {"2.12", "A.6", "A.9", "A.10", "A.11"}


@pytest.fixture
def seat(tmp_path, tmp_path_factory, monkeypatch):
    """Return an empty working folder; the test embedder is the default model, the language English."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMI_MODEL", "hash")
    monkeypatch.setenv("IMI_LANG", "en")
    monkeypatch.setenv("IMI_HOME", str(tmp_path_factory.mktemp("home")))
    return tmp_path


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Return a working folder for the built-in model, in which steps find what earlier ones left."""
    try:
        imi.load("built-in")
    except DataError:
        pytest.skip("the built-in model has not been trained in this clone (make model)")
    return tmp_path_factory.mktemp("desk")


def tried(step):
    """Return the commands that a step's question names, in both languages."""
    said = f"{step.question.en} {step.question.ja}"
    return sorted(set(re.findall(r"`(imi [^`]+)`", said)))


def marked(step):
    return pytest.param(step, marks=pytest.mark.nightly) if step.id in SLOW else step


def test_a_step_names_what_its_commands_use():
    collections = r"seminar/(four|reviews|messages|sensors|album)\.imi"
    for step in steps():
        used = set(re.findall(collections, " ".join([*step.runs, *tried(step), step.code])))
        made = set(re.findall(r"imi add " + collections, " ".join(step.runs)))
        assert used - made <= {*step.needs}, step.id


@pytest.mark.parametrize("step", [marked(step) for step in steps()], ids=IDS)
def test_every_command_and_every_line_of_python_runs(step, desk, monkeypatch, capsys):
    if step.package is not None:
        pytest.importorskip(step.package)
    monkeypatch.chdir(desk)
    monkeypatch.setenv("IMI_HOME", str(desk / "home"))
    monkeypatch.delenv("IMI_MODEL", raising=False)
    assert step.runs or step.code
    for command in [*prepare(step), *step.runs, *tried(step)]:
        words = shlex.split(command)
        assert words[0] == "imi" and imi.cli.main(words[1:]) == 0, f"{command}\n{capsys.readouterr().err}"
    if step.code:
        capsys.readouterr()
        run_code(step)
        assert capsys.readouterr().out.strip()


def test_the_built_in_model_finds_what_the_steps_tell_people_to_look_at(desk, run, monkeypatch):
    monkeypatch.chdir(desk)
    monkeypatch.setenv("IMI_HOME", str(desk / "home"))
    monkeypatch.delenv("IMI_MODEL", raising=False)
    for command in {command for step in steps() if step.package is None for command in prepare(step)}:
        assert imi.cli.main(shlex.split(command)[1:]) == 0
    for dims in (512, 128, 32):
        cat, neko, _ = run("similar", "cat", "猫", "車", "--dims", dims, "--json").json["matrix"]
        assert cat[1] > 2 * neko[2] - 0.01 and cat[1] > cat[2] + 0.2
    by_meaning = ("search", "seminar/four.imi", "--mode", "meaning", "-k", 1)
    assert "猫" in run(*by_meaning, "ねこ").out and "寝ています" in run(*by_meaning, "寝ている").out
    found = run("search", "seminar/reviews.imi", "bad delivery", "-k", 3).rows
    assert {row[1] for row in found[:2]} <= {"11", "12", "13", "14", "53"} and "53" in {row[1] for row in found}
    assert run("anomalies", "seminar/messages.imi", "--share", ".05").rows[0][1] == "24"
    sensors = run("anomalies", "seminar/sensors.imi", "--share", ".02", "--method", "mean").rows
    assert {row[1] for row in sensors} == {"sensor-37", "sensor-81"}
    assert "nothing here answers" in run("ask", "seminar/reviews.imi", "What is the capital of France?").out.lower()
    exact, ladder = (
        [row[1] for row in run("search", "seminar/reviews.imi", "delicious beans", "-k", 3, *how).rows]
        for how in (("--mode", "meaning", "--exact"), ("--mode", "meaning", "--ladder", "16:20,512:3"))
    )
    assert exact == ladder


def test_the_steps_on_the_paper_print_what_they_tell_people_to_look_at(desk, monkeypatch, capsys):
    monkeypatch.chdir(desk)
    monkeypatch.delenv("IMI_MODEL", raising=False)
    said = {}
    for step in steps():
        if step.id in ("A.9", "A.10", "A.11"):
            for command in prepare(step):
                assert imi.cli.main(shlex.split(command)[1:]) == 0
            capsys.readouterr()
            run_code(step)
            said[step.id] = capsys.readouterr().out
    four, eight = (
        [float(number) for number in re.findall(r"([\d.]+) %", line)] for line in said["A.9"].splitlines()[:2]
    )
    assert four[0] > four[1] + 2 and eight[0] > eight[1] + 5, said["A.9"]
    rows = [[int(share) for share in re.findall(r"(\d+)%", line)] for line in said["A.10"].splitlines()]
    shares = [row for row in rows if row]
    assert shares[2] == [100, 100] and all(kind > own for own, kind in shares[3:]), said["A.10"]
    rows = [[int(share) for share in re.findall(r"(\d+)%", line)] for line in said["A.11"].splitlines()]
    assert all(full >= 95 and small >= 90 and full >= last for full, small, _, last in rows), said["A.11"]


def test_steps_have_all_words_in_both_languages():
    assert len(IDS) == len(set(IDS)) and {one[0] for one in IDS} == {"1", "2", "3", "A"}
    kana = re.compile(r"[぀-ヿ]")
    for step in steps():
        for phrase in (step.title, step.slide, step.look, step.question):
            assert phrase.en.strip() and phrase.ja.strip() and kana.search(phrase.ja), step.id
        assert tried(step) == sorted(set(re.findall(r"`(imi [^`]+)`", step.question.ja))), "both name the same commands"


def test_the_list_names_every_step_by_language(seat, run, monkeypatch):
    done = run("seminar")
    assert done.code == 0 and [row[0] for row in done.rows] == IDS and "imi seminar next" in done.err
    assert [one["step"] for one in run("seminar", "--json").json] == IDS
    monkeypatch.setenv("IMI_LANG", "ja")
    assert "転置インデックス" in run("seminar").out


def test_next_goes_on_from_the_step_that_was_shown_last(seat, run, monkeypatch):
    assert run("seminar", "next").out.startswith("1.1")
    done = run("seminar", "next")
    assert done.out.startswith("1.2") and "fox    id 2" in done.out and "1.3" in done.err
    (seat / "seminar" / ".step").write_text("A.11")
    assert "last step" in run("seminar", "next").err and run("seminar", "next", "--json").json is None
    (seat / "seminar" / ".step").write_text("from another version")
    assert run("seminar", "next").out.startswith("1.1")


def test_a_step_makes_what_it_needs_and_keeps_what_is_there(seat, run):
    (seat / "seminar").mkdir()
    (seat / "seminar" / "four.txt").write_text("my own line\n", "utf-8")
    done = run("seminar", "2.3")
    assert done.code == 0, done.err
    assert (seat / "seminar" / "four.txt").read_text("utf-8") == "my own line\n" and "my own line" in done.out
    again = run("seminar", "2.3")
    assert "imi add" in done.out and "imi add" not in again.out


def test_json_has_the_step_and_what_it_printed(seat, run):
    found = run("seminar", "2.5", "--json").json
    assert found["step"] == "2.5" and "coffee: 3 of 60 documents" in found["output"]
    assert found["commands"] == ["imi explain seminar/reviews.imi --index coffee"] and "defaultdict" in found["code"]
    assert "\x1b" not in found["output"]


def test_unknown_steps_and_failing_commands_say_what_to_do(seat, run):
    done = run("seminar", "9.9")
    assert done.code == 2 and "there is no step '9.9': 1.1 to A.11" in done.err
    assert run("seminar", "a.1").out.startswith("A.1")
    (seat / "seminar" / "four.imi").write_text("a file in the way")
    done = run("seminar", "1.4")
    assert done.code == 1 and "the step ended with code" in done.err and "seminar/four" in done.err


def test_without_pillow_a_step_is_skipped_with_its_reason(seat, run, monkeypatch):
    monkeypatch.setattr("imi.seminar.guide.find_spec", lambda name: None if name == "PIL" else find_spec(name))
    done = run("seminar", "3.1")
    assert done.code == 0 and "Pillow is not installed" in done.out and "imi[pictures]" in done.out
    monkeypatch.setenv("IMI_LANG", "ja")
    assert "Pillow がありません" in run("seminar", "3.1").out


def test_a_page_has_the_output_and_both_languages(seat, run, monkeypatch):
    done = run("seminar", "2.3", "--page", "seminar.html")
    assert done.code == 0, done.err
    page = (seat / "seminar.html").read_text("utf-8")
    assert "転置" not in page and "Searching by string, by meaning" in page and "文字列検索と意味検索" in page
    assert "うちの猫はタマと言います" in page and "imi search seminar/four.imi 猫 --compare" in page
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)
    assert 'id="en" checked' in page and 'id="ja" checked' not in page
    assert run("seminar", "--page", "seminar.pdf").code == 2
    monkeypatch.setenv("IMI_LANG", "ja")
    run("seminar", "1.2", "--page", "seminar.html")
    page = (seat / "seminar.html").read_text("utf-8")
    assert 'id="ja" checked' in page and 'id="en" checked' not in page and '<html lang="ja">' in page


@pytest.mark.nightly
def test_the_whole_page_is_written(seat, desk, run, monkeypatch):
    monkeypatch.delenv("IMI_MODEL")
    done = run("seminar", "--page", "seminar.html", "--json")
    assert done.code == 0 and done.json == {"page": "seminar.html", "steps": len(IDS)}
    page = (seat / "seminar.html").read_text("utf-8")
    assert all(f'id="{name}"' in page for name in IDS) and "U+732B" in page and "2662.400" in page


def test_the_reviews_of_the_package_are_those_of_the_tests(data):
    from importlib import resources

    shipped = (resources.files("imi.seminar") / "data" / "reviews.csv").read_bytes()
    assert shipped == (data / "reviews.csv").read_bytes()
