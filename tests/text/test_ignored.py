"""What ignore files leave out is what git leaves out, held to git itself; and what a walk of a folder brings."""

import os
import random
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import examples

from imi.text import ignored
from imi.text.ignored import Ignored, parse_rule
from imi.text.readers import ReadOptions, Report, files_of, walked
from imi.text.walk import Walking, unwritten, walk

NAMES = [
    "a",
    "b",
    "ab",
    "a.txt",
    "b.log",
    "foo",
    "bar",
    "build",
    "x y",
    "#h",
    "!n",
    "猫.md",
    "a]b",
    "é",
    "-a",
    "end ",
    "A",
    "Foo",
    "A.TXT",
]
PARTS = [
    *("a", "b", "*", "**", "?", "/", "[ab]", "[!a]", "[a-c]", "foo", "build", ".txt", ".log", "\\*", "\\a", "[]a]"),
    *("[^b]", "!", "#", " ", "x", "[[:alpha:]]", "猫", "[a-", "\\", "***", "[\\]a]", "[z-a]", "*/", "**/", "/**", "\t"),
    *("A", "[A]", "[A-C]", "\\A", "[[:upper:]]", ".TXT", "FOO"),
    *("bar/", "[[:foo:]]", "[a-c-e]", "[[:alpha", "[!]]", "[a-]"),
]
LINES = st.builds(
    lambda start, parts, end: start + "".join(parts) + end,
    st.sampled_from(["", "", "", "!", "/"]),
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=4),
    st.sampled_from(["", "", "/", " ", "/**", "\r"]),
)
IGNORE = st.lists(LINES, min_size=1, max_size=5)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "nothing"))


def repository(folder, seed):
    """Return the folders of a small tree in a new repository."""
    chance = random.Random(seed)
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    folders = [folder]
    for kind in ["folder"] * 5 + ["file"] * 18:
        path = chance.choice(folders) / chance.choice(NAMES)
        if path.exists():
            continue
        if kind == "folder":
            path.mkdir()
            folders.append(path)
        else:
            path.write_text("text")
    return folders


def git_says(folder, paths):
    asked = "\0".join(paths).encode()
    command = ["git", "-C", str(folder), "check-ignore", "--no-index", "-z", "--stdin"]
    done = subprocess.run(command, input=asked, capture_output=True, check=False)
    return set(done.stdout.decode().split("\0")) - {""}


def all_paths(folder):
    for where, below, names in os.walk(folder):
        below[:] = [name for name in below if name != ".git"]
        for name in [*below, *names]:
            yield os.path.relpath(os.path.join(where, name), folder)


@pytest.mark.skipif(shutil.which("git") is None, reason="git is the oracle")
@settings(max_examples=examples(40), deadline=None)
@given(
    seed=st.integers(0, 10**6),
    ignores=st.lists(st.tuples(st.integers(0, 5), IGNORE), min_size=1, max_size=4),
    fold=st.booleans(),
)
def test_what_is_left_out_is_what_git_ignores(seed, ignores, fold, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree").resolve()
    folders = repository(folder, seed)
    if fold:
        with (folder / ".git" / "config").open("a") as config:
            config.write("[core]\n\tignoreCase = true\n")
    for at, lines in ignores:
        (folders[at % len(folders)] / ".gitignore").write_text("\n".join(lines) + "\n", newline="")
    (folder / ".git" / "info" / "exclude").write_text("\n".join(ignores[0][1]))
    ours = {file.path for file in walk(folder, Walking(hidden=True)).files}
    paths = [path for path in all_paths(folder) if (folder / path).is_file()]
    assert ours == set(paths) - git_says(folder, paths)
    shutil.rmtree(folder)


def tree(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


def names(folder, **walking):
    return [file.path for file in walk(folder, Walking(**walking)).files]


def test_own_ignore_files_are_stronger_than_git_s_and_need_no_repository(tmp_path):
    tree(tmp_path, **{"a.txt": "a", "b.txt": "b", "c.txt": "c", ".gitignore": "a.txt\n", ".ignore": "b.txt\n!a.txt\n"})
    assert names(tmp_path) == ["a.txt", "c.txt"]
    (tmp_path / ".imiignore").write_text("*.txt\n!b.txt\n")
    assert names(tmp_path) == ["b.txt"]
    assert names(tmp_path, no_ignore=True) == ["a.txt", "b.txt", "c.txt"]


def test_rules_above_the_folder_and_of_the_user_count(tmp_path, monkeypatch):
    tree(
        tmp_path,
        **{"in__deep__secret.txt": "s", "in__deep__b.bak": "b", "in__deep__c.txt": "c", "in__.gitignore": "sec*"},
    )
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    own = tmp_path / "settings"
    (tmp_path / "config").write_text(f"[core]\n\texcludesFile = {own}\n")
    own.write_text("*.bak\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    assert names(tmp_path / "in" / "deep") == ["c.txt"]
    (tmp_path / ".git" / "info" / "exclude").write_text("c.txt\n")
    assert names(tmp_path / "in" / "deep") == []
    assert names(tmp_path / "in" / "deep", no_ignore=True) == ["b.bak", "c.txt", "secret.txt"]


def test_hidden_names_links_and_what_nobody_wrote(tmp_path):
    root = tmp_path / "root"
    tree(
        root,
        **{".env": "KEY", "a.md": "a", "uv.lock": "x", "app.min.js": "x", "api_pb2.py": "x", "big.txt": "x" * 3000},
    )
    tree(root, **{"node_modules__x__index.js": "x", "venv__pyvenv.cfg": "x", "venv__lib.py": "x", ".git__config": "x"})
    tree(tmp_path, **{"outside.txt": "out"})
    (root / "link.txt").symlink_to(tmp_path / "outside.txt")
    (root / "up").symlink_to(tmp_path)
    found = walk(root, Walking(written=True, largest=2000))
    assert [file.path for file in found.files] == ["a.md"]
    assert found.left_out["links are not followed"] == ["link.txt", "up"]
    assert found.left_out["lock files"] == ["uv.lock"] and found.left_out["larger than 0 MB"] == ["big.txt"]
    assert found.left_out["installed packages"] == ["node_modules", "venv"]
    assert names(root, hidden=True) == [".env", "a.md", "api_pb2.py", "app.min.js", "big.txt", "uv.lock"]
    assert "node_modules/x/index.js" in names(root, no_ignore=True)


def test_what_nobody_wrote_of_a_folder_is_named_and_not_added(tmp_path):
    tree(tmp_path, **{"a.yaml": "port: 1", "pnpm-lock.yaml": "x: 1", "app.min.css": "x{}", "api_pb2.py": "x = 1"})

    def read_of(**walking):
        report = Report()
        found = walked(str(tmp_path), ReadOptions(report=report, walking=Walking(**walking)))
        return [os.path.basename(path) for path in found.files], [notice.text for notice in report.notices]

    said = "left out, as nobody wrote them: api_pb2.py, app.min.css, pnpm-lock.yaml (3 files); --no-ignore reads them"
    assert read_of() == (["a.yaml"], [said])
    assert read_of(no_ignore=True) == (["a.yaml", "api_pb2.py", "app.min.css", "pnpm-lock.yaml"], [])
    assert files_of(str(tmp_path / "pnpm-lock.yaml")) == [str(tmp_path / "pnpm-lock.yaml")]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"text\0more", "binary files"),
        ("a.txt", "猫".encode("utf-16"), None),
        ("a.js", b"var a=1;" * 2000, "minified code"),
        ("a.js", b"var a = 1;\n" * 2000, None),
        ("a.py", b"# Code generated by protoc. DO NOT EDIT.\nx = 1\n", "generated code"),
        ("a.py", b'"""How to write DO NOT EDIT."""\nx = "@generated"\n', None),
        ("a.py", b"x = 1\ny = 'DO NOT EDIT'\n", None),
        ("a.md", b"# DO NOT EDIT\n", None),
    ],
)
def test_contents_tell_what_nobody_wrote(tmp_path, name, content, reason):
    (tmp_path / name).write_bytes(content)
    assert unwritten(str(tmp_path / name), text=True) == reason


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    tree(tmp_path, **{"a.txt": "a", "closed__b.txt": "b"})
    listed = os.scandir

    def refusing(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = walk(tmp_path)
    assert [file.path for file in found.files] == ["a.txt"] and found.left_out == {"cannot be read": ["closed"]}


def test_folders_may_be_deeper_than_calls(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(1100):
        os.mkdir("a")
        os.chdir("a")
    os.close(os.open("x.txt", os.O_CREAT))
    assert [one.path for one in walk(tmp_path).files] == ["a/" * 1100 + "x.txt"]
    monkeypatch.undo()
    subprocess.run(["rm", "-rf", str(tmp_path / "a")], check=True)


def test_comments_and_empty_lines_say_nothing():
    assert parse_rule(b"# a") is None and parse_rule(b"   ") is None and parse_rule(b"/") is None
    assert parse_rule(b"ab\0c").pattern.fullmatch(b"ab") and parse_rule(b"\0a") is None
    rule = parse_rule(b"!/a/\\ ")
    assert rule is not None and rule.keep and not rule.folders and rule.whole and rule.pattern.fullmatch(b"a/ ")
    assert Ignored(()).leaves_out("/a", folder=False) is False


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("true ; on this disk", "true"),
        ("true # on this disk", "true"),
        ("2", "2"),
        ('"~/a ; b"', "~/a ; b"),
        ('~/my" # "list', "~/my # list"),
        (r'"C:\\lists\\mine"', r"C:\lists\mine"),
    ],
)
def test_settings_are_read_without_quotes_and_comments(tmp_path, value, read):
    (tmp_path / "config").write_text(f"[core]\n\texcludesFile = {value}\n")
    said = subprocess.run(
        ["git", "config", "--file", str(tmp_path / "config"), "core.excludesFile"], capture_output=True, text=True
    )
    assert ignored._core(tmp_path / "config", "excludesfile") == read == said.stdout.rstrip("\n")
