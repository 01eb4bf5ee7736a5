"""Vectors of one's own from end to end: the example with signals keeps what it promises."""

import runpy
from pathlib import Path


def test_signals_are_found_guarded_and_worked_on(capsys):
    example = runpy.run_path(str(Path(__file__).resolve().parent.parent / "examples" / "signals.py"))
    assert example["main"]()
    said = capsys.readouterr().out
    for task in ("classify", "regress", "cluster", "odd", "copies", "diversity", "recommended", "fewer numbers"):
        assert f"\n{task}" in said
    assert "odd: ['broken'" in said and "['hum-0', 'copy']" in said.replace("(", "[").replace(")", "]")
    assert "words find no sound: " in said and "another width: the vectors have 32 dimensions" in said
