import io
import sys

import numpy as np
from rich.cells import cell_len

from imi.cli.output import one_line, plain, progress, show, show_json


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_values_become_json():
    value = {
        "z": np.float32([1, np.nan]),
        3: float("inf"),
        "set": {1},
        "none": None,
        "n": np.int64(4),
        "猫": (True, "x"),
    }
    assert plain(value) == {"z": [1.0, None], "3": None, "set": [1], "none": None, "n": 4, "猫": [True, "x"]}


def test_json_is_one_line_of_readable_text(capsys):
    show_json({"猫": [1.5]})
    assert capsys.readouterr().out == '{"猫": [1.5]}\n'


def test_lines_in_a_pipe_keep_one_row_a_line(capsys):
    show(None, ["a", "b", "c"], [["x\ty", "two\nlines", 0.123456789], [None, 3, "[bold]"]], as_json=False)
    assert capsys.readouterr().out == "x y\ttwo lines\t0.123457\n\t3\t[bold]\n"


def test_a_table_on_a_terminal_takes_brackets_literally(monkeypatch):
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    show(None, ["score", "text"], [[0.98765, "[red]not markup[/red] 猫"]], as_json=False)
    assert "0.988" in terminal.getvalue() and "[red]not markup[/red] 猫" in terminal.getvalue()


def test_progress_is_silent_where_nobody_looks(monkeypatch):
    with progress("x") as bar:
        assert bar is None
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with progress("working") as bar:
        bar(1, 2)
    with progress("x", quiet=True) as bar:
        assert bar is None
    assert "working" in terminal.getvalue()


def test_one_line():
    assert one_line(None) == "" and one_line(" a\n b ") == "a b" and one_line("abcdef", 4) == "abc…"


def test_a_table_shows_every_column_whole_on_a_terminal_of_eighty_columns(monkeypatch):
    heads = ["スコア", "ID", "テキスト", "最も近い気に入った行", "共通する単語", "気に入らない行との近さ", "単純順位"]
    text = "Hot, hot, hot; this chili sauce burns in the best way and still tastes of fruit. A drop is enough."
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("TERM", "dumb")
    show(None, heads, [[0.437, "37", text, "1", "sauce, best, tastes", 0.379, 12345]], as_json=False, given=True)
    lines = screen.getvalue().splitlines()
    assert max(map(cell_len, lines)) <= 80
    for whole in ("0.437", "0.379", "12345", "sauce", "tastes"):
        assert any(whole in line for line in lines), whole
    rule = next(at for at, line in enumerate(lines) if "──" in line)
    said = "".join("".join(line.split()) for line in lines[:rule])
    assert all(said.count(char) >= 1 for char in "".join(heads))
    assert "".join("".join(line.split()) for line in lines[rule + 1 :]).count("enough") == 1
