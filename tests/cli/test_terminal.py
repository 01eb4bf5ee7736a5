"""Control characters of documents, ids and names are shown on a terminal, and left as they are in a pipe."""

import io
import json
import os
import subprocess
import sys

import pytest

import imi
from imi.cli import terminal

EVIL = "cats \x1b]0;PWNED\x07 \x1b]52;c;Y3Vyb\x07 \x1b[2J \x9b2J \x85 \x7f \r \x08 \u202e end"
MARKS = (b"\x1b]", b"\x07", b"\x1b[2J", "\x9b".encode(), b"\x7f", b"\x08", "\u202e".encode())


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_every_control_character_but_line_ends_and_tabs_is_shown():
    shown = terminal.visible("".join(map(chr, range(256))))
    assert len(shown) == 256
    assert [one for one in shown if not one.isprintable() and one not in "\n\t\xa0\xad"] == []
    assert terminal.visible("猫 café\n\tx 🐱") == "猫 café\n\tx 🐱"


def test_what_is_said_depends_on_who_listens():
    pipe, screen = io.StringIO(), Terminal()
    terminal.say(EVIL, to=pipe)
    terminal.say(EVIL, to=screen)
    assert pipe.getvalue() == EVIL + "\n"
    assert "\x1b" not in screen.getvalue() and "␛]0;PWNED␇" in screen.getvalue()


@pytest.fixture
def evil(here):
    with imi.open("a.imi", model="hash") as c:
        rows = [imi.Document(f"{n}{EVIL}", f"{EVIL} text {n}", {f"name{EVIL}": EVIL, "tag": EVIL}) for n in range(3)]
        c.add(rows)
    (here / "x\x1b]0;PWNED\x07.csv").write_text("id,text\n1,a\n2\n", "utf-8")
    return here


COMMANDS = [
    ["search", "a.imi", "cats"],
    ["search", "a.imi", "cats", "--compare"],
    ["search", "a.imi", "cats", "--facet", "tag", "--mode", "text"],
    ["search", "a.imi", "cats", "--json"],
    ["search", "a.imi", "\x1b]0;PWNED\x07", "--mode", "text"],
    ["ask", "a.imi", "what are cats", "--show-context"],
    ["show", "a.imi"],
    ["show", "a.imi", f"1{EVIL}"],
    ["show", "a.imi", "no\x1b]0;PWNED\x07such"],
    ["add", "a.imi", "x\x1b]0;PWNED\x07.csv", "--id", "nothing\x1b]0;PWNED\x07"],
    ["dedupe", "a.imi", "--threshold", "0.1"],
    ["no\x1b]0;PWNED\x07verb"],
]


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:1]))
def test_no_control_character_of_a_document_reaches_a_terminal(evil, command):
    import pty

    mine, theirs = pty.openpty()
    code = "import sys, imi.cli; sys.exit(imi.cli.main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *command], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    out = b""
    try:
        while piece := os.read(mine, 65536):
            out += piece
    except OSError:
        pass
    process.wait(60)
    os.close(mine)
    assert out
    assert [mark for mark in MARKS if mark in out] == [], out[-600:]


def test_pipes_and_json_get_what_is_there(evil, run):
    hits = run("search", "a.imi", "cats", "--json").json
    assert all(hit["text"].startswith(EVIL) and hit["metadata"]["tag"] == EVIL for hit in hits)
    assert "\x1b]0;PWNED" in run("search", "a.imi", "cats").out


def test_json_on_a_terminal_has_the_same_value(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    terminal.say_json(json.dumps({"text": EVIL}, ensure_ascii=False))
    assert json.loads(screen.getvalue()) == {"text": EVIL} and "\x9b" not in screen.getvalue()
