"""Large files in bounded memory: what a run takes does not grow with the file."""

import json
import subprocess
import sys

import pytest

from imi.text.readers import READERS

RUN = """
import json, resource, sys
import imi.cli
code = imi.cli.main(sys.argv[1:])
kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
print(json.dumps({"megabytes": kilobytes / 1024}), file=sys.stderr)
sys.exit(code)
"""
READ = """
import json, resource, sys
from imi.text.readers import read
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)
for _ in read(sys.argv[1]):
    pass
small = peak()
rows = sum(1 for _ in read(sys.argv[2]))
print(json.dumps({"rows": rows, "grown": peak() - small}))
"""
LINE = "国境の長いトンネルを抜けると雪国であった。 The quick brown fox jumps over the lazy dog. {}\n"

pytest.importorskip("resource", reason="peak memory is not told here")


def read_both(small, large):
    """Return how many rows the large file has, and by how many megabytes it exceeds what the small one took."""
    done = subprocess.run([sys.executable, "-c", READ, small, large], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def write_text(path, megabytes, line=LINE):
    with path.open("w", encoding="utf-8") as file:
        while file.tell() < megabytes * 2**20:
            file.write("".join(line.format(at) for at in range(5000)))


def write_pdf(path, pages):
    """Write a PDF of so many pages, each of forty lines of its own."""
    pytest.importorskip("pypdf", reason="pypdf is not installed")
    assert ".pdf" in READERS
    count = 3 + 2 * pages
    places = []
    with path.open("wb") as file:
        file.write(b"%PDF-1.4\n")

        def write(body):
            places.append(file.tell())
            file.write(f"{len(places)} 0 obj\n{body}\nendobj\n".encode())

        kids = " ".join(f"{4 + 2 * at} 0 R" for at in range(pages))
        write("<< /Type /Catalog /Pages 2 0 R >>")
        write(f"<< /Type /Pages /Kids [{kids}] /Count {pages} /MediaBox [0 0 612 792] >>")
        write("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
        for page in range(pages):
            font = "/Resources << /Font << /F1 3 0 R >> >>"
            write(f"<< /Type /Page /Parent 2 0 R {font} /Contents {5 + 2 * page} 0 R >>")
            lines = "".join(
                f"(Line {at} of page {page + 1} says that beans are good.) Tj 0 -14 Td " for at in range(40)
            )
            stream = f"BT /F1 12 Tf 40 760 Td {lines}ET"
            write(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        start = file.tell()
        file.write(f"xref\n0 {count + 1}\n0000000000 65535 f \n".encode())
        file.write(b"".join(f"{place:010} 00000 n \n".encode() for place in places))
        file.write(f"trailer\n<< /Size {count + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode())


def test_a_text_is_read_in_memory_that_does_not_grow(tmp_path):
    write_text(tmp_path / "small.txt", 1)
    write_text(tmp_path / "large.txt", 16)
    found = read_both(tmp_path / "small.txt", tmp_path / "large.txt")
    assert found["rows"] > 14_000 and found["grown"] < 12


def test_a_pdf_is_read_in_memory_that_does_not_grow_much(tmp_path):
    write_pdf(tmp_path / "small.pdf", 5)
    write_pdf(tmp_path / "large.pdf", 60)
    found = read_both(tmp_path / "small.pdf", tmp_path / "large.pdf")
    assert found["rows"] >= 60 and found["grown"] < 12


def add(tmp_path, name, model):
    words = ["add", tmp_path / "c.imi", tmp_path / name, "--json", "-q", "--model", model]
    done = subprocess.run([sys.executable, "-c", RUN, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["added"], json.loads(done.stderr.splitlines()[-1])["megabytes"]


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_two_hundred_megabytes_of_text_in_bounded_memory(tmp_path):
    paragraph = LINE.replace("\n", " " + "A longer line of a report. " * 30 + "\n")
    write_text(tmp_path / "small.txt", 1, paragraph)
    write_text(tmp_path / "large.txt", 200, paragraph)
    _, small = add(tmp_path, "small.txt", "hash")
    rows, large = add(tmp_path, "large.txt", "hash")
    # The texts are not held; the indexes of their words and of their vectors (64 numbers) are while they are made.
    assert rows > 200_000 and large - small < 700


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_a_pdf_of_five_hundred_pages_in_bounded_memory(tmp_path):
    write_pdf(tmp_path / "small.pdf", 5)
    write_pdf(tmp_path / "large.pdf", 500)
    _, small = add(tmp_path, "small.pdf", "built-in")
    rows, large = add(tmp_path, "large.pdf", "built-in")
    assert rows >= 500 and large - small < 100
