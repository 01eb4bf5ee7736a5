"""What is said of wrong input names the value and what is allowed, in the words of this program."""

import pytest

from imi.cli import command
from imi.cli.command import run


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("complaints")
    (folder / "r.csv").write_text("Id,Text\n1,beans\n2,coffee\n3,tea\n")
    patch = pytest.MonkeyPatch()
    patch.setenv("IMI_MODEL", "hash")
    patch.chdir(folder)
    assert run(["add", "r.imi", "r.csv", "--id", "Id", "-q"]) == 0
    patch.undo()
    return folder


@pytest.mark.parametrize(
    ("line", "said", "hint"),
    [
        ("search r.imi x -k x", "invalid value for '-k': 'x' is not a whole number", "imi search --help"),
        ("search r.imi x --offset=2.5", "invalid value for '--offset': '2.5' is not a whole number", "--help"),
        ("search r.imi x --min-score abc", "invalid value for '--min-score': 'abc' is not a number", "--help"),
        ("serve r.imi --port 99999", "invalid value for '--port': '99999' is above 65535", "imi serve --help"),
        ("search nix.csv x", "there is no file nix.csv, nor a collection", "nix.imi"),
        ("search nix.srt x", "there is no file nix.srt, nor a collection", "nix.imi"),
        ("doctor nix.npy", "there is no file nix.npy, nor a collection", "look at its path"),
        ("doctor r.csv", "r.csv is not a file of vectors", "give .npy or .npz"),
        ("search r.imi --vector r.csv", "r.csv holds no vector and no JSON", "a JSON list of numbers"),
        ("recommend r.imi --like UNKNOWN", "r.imi has no row with the id 'UNKNOWN'", "imi search r.imi finds ids"),
        ("cluster r.imi -k 1", "k is 1, allowed are whole numbers from 2 to 3", "give 2 or more"),
        ("cluster r.imi -k 9", "k is 9, allowed are whole numbers from 2 to 3", "give 3 or fewer"),
        ("ask r.imi x -k 0", "k is 0, allowed are whole numbers from 1", "by default"),
        ("zero-shot r.imi --labels a", "at least 2 different labels are needed, not 1", "good,bad"),
        ("zero-shot r.imi --labels ''", "at least 2 different labels are needed, not 0", "good,bad"),
        ("code nowhere x", "there is no folder or file 'nowhere'", "imi code ."),
        ("code r.csv x", "r.csv is not source code that can be read", ".py"),
        ("map r.imi --out nowhere/a.html", "no such folder: ", "nowhere"),
        ("forget r.imi", "there is no index of the folder r.imi", "folders that were searched"),
        ("similar a b --model foo", "unknown model 'foo'", "leave it out"),
    ],
)
def test_wrong_input_is_named_with_what_is_allowed(place, monkeypatch, capsys, tmp_path, line, said, hint):
    monkeypatch.setenv("IMI_MODEL", "hash")
    monkeypatch.setenv("IMI_HOME", str(tmp_path))
    monkeypatch.chdir(place)
    assert run(line.replace("''", "").split(" ")) in (1, 2)
    complaint = capsys.readouterr().err
    assert said in complaint and hint in complaint
    assert "Input should" not in complaint and ".new" not in complaint


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("'-k': 5 is not in the range 0<=x<=4", "'-k': it is above 4"),
        ("'-k': -1 is not in the range 0<=x<=4", "'-k': it is below 0"),
        ("'-k': -1 is not in the range x>=0", "'-k': it is below 0"),
        ("'-k': 0.7 is not in the range x<=0.5", "'-k': it is above 0.5"),
        ("'TEXT': 'a is not in the range of b'", "'TEXT': 'a is not in the range of b'"),
        ("'-k': 1 is not in the range x<1", "'-k': 1 is not in the range x<1"),
    ],
)
def test_ranges_are_said_in_the_words_of_all_versions(said, shown):
    assert command._above_or_below(said) == shown
