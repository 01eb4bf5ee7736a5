"""What the tests of the command line share: commands run in this process, in a folder of their own."""

import io
import json
import shutil
import sys
from dataclasses import dataclass

import pytest

import imi.cli


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def rows(self):
        return [line.split("\t") for line in self.out.splitlines()]


@pytest.fixture
def run(capsys, monkeypatch):
    """Return run(*arguments, stdin=…) -> Done."""

    def call(*arguments, stdin=b""):
        given = stdin if isinstance(stdin, bytes) else stdin.encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given), encoding="utf-8"))
        capsys.readouterr()
        code = imi.cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


@pytest.fixture
def here(tmp_path, tmp_path_factory, monkeypatch, data):
    """Return an empty working folder with reviews.csv in it; the test embedder is the default model."""
    shutil.copy(data / "reviews.csv", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMI_MODEL", "hash")
    monkeypatch.setenv("IMI_HOME", str(tmp_path_factory.mktemp("home")))
    return tmp_path


@pytest.fixture
def reviews(here, run):
    """Return the working folder with the collection reviews.imi, ids as in the file."""
    done = run("add", "reviews.imi", "reviews.csv", "--id", "Id", "--template", "Title: {Summary}; Content: {Text}")
    assert done.code == 0, done.err
    return here
