import io
import subprocess
import sys
from pathlib import Path

import pytest

from imi.text.pydocs import arithmetic, entries, first_sentence, readable, words


@pytest.fixture(scope="module")
def docs():
    return {document.id: document for document in entries()}


def test_thousands_of_entries_in_a_fixed_order(docs):
    assert 4000 < len(docs) < 12_000
    assert [document.id for document in entries()] == list(docs)
    assert all(document.text and "\n" not in document.text for document in docs.values())


def test_the_things_people_look_for_are_there(docs):
    names = "zipfile.ZipFile.extractall csv.reader csv.DictReader random.randint datetime.timedelta open os.path.join"
    assert {*names.split(), "str.split", "module json", "pathlib.Path.glob", "random.shuffle", "ValueError"} <= set(
        docs
    )
    assert docs["zipfile.ZipFile.extractall"].text.startswith(
        "zipfile.ZipFile.extractall (zipfile zip file extractall): Extract all members from the archive"
    )
    assert docs["csv.DictReader"].text == "csv.DictReader (csv dict reader) [csv: CSV parsing and writing.]"


def test_places_are_the_lines_that_define_them(docs):
    for name, start in [
        ("random.Random", "class Random("),
        ("json.loads", "def loads("),
        ("os.path.join", "def join("),
    ]:
        metadata = docs[name].metadata
        line = Path(metadata["source"]).read_text("utf-8").splitlines()[metadata["line"] - 1]
        assert line.strip().startswith(start)
    assert "source" not in docs["math.sqrt"].metadata and docs["math.sqrt"].metadata["module"] == "math"


def test_what_is_public_twice_is_given_once(docs):
    assert "random.shuffle" in docs and "random.Random.shuffle" not in docs
    assert "asyncio.run" in docs and "asyncio.runners.run" not in docs
    assert not [name for name in docs if "._" in name or name.startswith("test.")]


def test_nothing_is_shown_and_nothing_complains():
    script = "from imi.text.pydocs import entries; sum(1 for _ in entries())"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def documented(text):
    def function(): ...

    function.__doc__ = text
    return function


def test_an_example_of_use_and_what_comes_back_are_kept(docs):
    """What a call takes says less than how it is used and what it gives."""
    both = documented(
        'rows = f(x)\n    for row in rows:\n        use(row)\n\nThe "x" argument is a file.\n\nGives rows.'
    )
    assert readable(both) == "rows = f(x) for row in rows: use(row) Gives rows."
    assert readable(documented("f(x, y)\n\nThe x and y arguments must be whole.\n\nAdds them up.")) == "Adds them up."
    assert readable(documented("f(x, y)\n\nThe x and y arguments must be whole.")) == (
        "The x and y arguments must be whole."
    )
    assert readable(documented("Takes an argument and is done.\n\nMore of it.")) == "Takes an argument and is done."
    assert "for row in csv_reader" in docs["csv.reader"].text and "writerow" in docs["csv.writer"].text


def test_a_class_says_what_its_operators_do(docs):
    assert arithmetic(set) == "subtract, intersection, union"
    assert arithmetic(io.StringIO) == ""
    assert "values. Arithmetic: add, subtract, multiply, divide. [" in docs["datetime.timedelta"].text
    assert "Arithmetic: add, subtract, multiply, divide, power." in docs["fractions.Fraction"].text
    assert not [one for one in docs.values() if "Arithmetic: " in one.text and one.metadata["kind"] != "class"]


def test_paragraphs_calls_and_names():
    assert readable(io.StringIO.getvalue) == "Retrieve the entire contents of the object."
    assert readable(len) == "Return the number of items in a container."
    assert readable(dict).startswith("dict() -> new empty dictionary")
    assert words("email.message.EmailMessage.is_attachment") == "email message is attachment"
    assert words("ipaddress.IPv6Address") == "ipaddress ipv6 address"
    assert first_sentence("zipfile - Read and write ZIP files. And more.\n\nThe rest.") == "Read and write ZIP files."
    assert first_sentence("=====\nTitle here\n=====\n\nrest") == "Title here"
