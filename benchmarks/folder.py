"""Make a folder of a thousand mixed files, half of them Japanese, and add it as a user would.

    python benchmarks/folder.py [--files 1000] [--model NAME] [--keep FOLDER]

Text, Markdown, HTML, CSV, JSON Lines, source code, notebooks, PDF, Word and zip, each as often as the others, a few of
them broken. Prints the seconds, on the clock and of processors, of a first `imi add`, of the same again with nothing
changed, and of a third time with one file in ten changed, with the most memory that they took (Linux and macOS).
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

SENTENCES = (
    "うちの猫はタマと言います。",
    "国境の長いトンネルを抜けると雪国であった。",
    "締め切りは来月の末日です。",
    "圧縮されたファイルを開いて、中の表を読みます。",
    "The deadline of the report is the last day of next month.",
    "Delicious beans, but the delivery took three weeks.",
    "A vector's first numbers are themselves a good vector.",
    "The aeroplane's wing was tested at high speed.",
)
RUN = (
    "import sys, resource, imi.cli\n"
    "code = imi.cli.main(sys.argv[1:])\n"
    "used = resource.getrusage(resource.RUSAGE_SELF)\n"
    "print(used.ru_utime + used.ru_stime, used.ru_maxrss, file=sys.stderr)\n"
    "sys.exit(code)"
)


def prose(rng: random.Random, sentences: int) -> str:
    """Return sentences of one language, each a little different."""
    part = SENTENCES[:4] if rng.random() < 0.5 else SENTENCES[4:]
    return " ".join(f"{rng.choice(part)} ({rng.randrange(10**6)})" for _ in range(sentences))


def sections(rng: random.Random) -> str:
    return "\n\n".join(f"# {rng.choice(SENTENCES)}\n\n{prose(rng, 12)}" for _ in range(4))


def pdf(pages: list[str]) -> bytes:
    """Return a PDF with a line of text a page, written by hand."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    kids = []
    for text in pages:
        safe = text.encode("ascii", "ignore").decode().replace("(", "").replace(")", "")
        lines = "".join(f"({safe[at : at + 80]}) Tj 0 -14 Td " for at in range(0, len(safe), 80))
        stream = f"BT /F1 12 Tf 20 760 Td {lines}ET"
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
        font = "<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
        objects.append(f"<< /Type /Page /Parent 2 0 R /Contents {len(objects)} 0 R /Resources {font} >>")
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} /MediaBox [0 0 612 792] >>"
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF"
    return out + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{end}".encode()


def write_word(path: Path, rng: random.Random) -> None:
    from docx import Document

    document = Document()
    for _ in range(3):
        document.add_heading(rng.choice(SENTENCES))
        document.add_paragraph(prose(rng, 10))
    document.save(str(path))


def write_zip(path: Path, rng: random.Random) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a.txt", "b.md"):
            archive.writestr(name, sections(rng))


def table(rng: random.Random, rows: int) -> list[dict[str, object]]:
    return [{"id": at, "text": prose(rng, 2), "score": rng.randrange(6)} for at in range(rows)]


def write_csv(path: Path, rng: random.Random) -> None:
    lines = [f'{row["id"]},"{row["text"]}",{row["score"]}' for row in table(rng, 20)]
    path.write_text("\n".join(["id,text,score", *lines]), "utf-8")


def write_notebook(path: Path, rng: random.Random) -> None:
    cells = [{"cell_type": "markdown", "source": [sections(rng)]}, {"cell_type": "code", "source": ["print(1)"]}]
    path.write_text(json.dumps({"cells": cells}), "utf-8")


WRITERS: dict[str, Callable[[Path, random.Random], object]] = {
    ".txt": lambda path, rng: path.write_text("\n".join(prose(rng, 3) for _ in range(12)), "utf-8"),
    ".md": lambda path, rng: path.write_text(sections(rng), "utf-8"),
    ".html": lambda path, rng: path.write_text(
        f"<html><body><nav>menu</nav><main><h1>t</h1><p>{prose(rng, 30)}</p></main></body></html>", "utf-8"
    ),
    ".csv": write_csv,
    ".jsonl": lambda path, rng: path.write_text("\n".join(map(json.dumps, table(rng, 20))), "utf-8"),
    ".py": lambda path, rng: path.write_text("\n".join(f"# {prose(rng, 1)}\nx = {at}" for at in range(40)), "utf-8"),
    ".ipynb": write_notebook,
    ".pdf": lambda path, rng: path.write_bytes(pdf([prose(rng, 12) for _ in range(4)])),
    ".docx": write_word,
    ".zip": write_zip,
}


def make(folder: Path, files: int) -> None:
    """Write the files; one in a hundred is broken."""
    rng, kinds = random.Random(0), list(WRITERS)
    for at in range(files):
        path = folder / f"part{at % 10}" / f"file{at:05d}{kinds[at % len(kinds)]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        WRITERS[path.suffix](path, rng)
        if at % 100 == 57:
            path.with_suffix(".pdf").write_bytes(b"%PDF-1.4 broken")


def timed(label: str, collection: Path, folder: Path, model: str | None) -> None:
    chosen = ["--model", model] if model else []
    words = ["add", str(collection), str(folder), "--skip-errors", "--sync", "--json", "-q", *chosen]
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", RUN, *words], capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(done.stderr)
    counts = json.loads(done.stdout)
    failed = len(counts.pop("failed"))
    busy, peak = map(float, done.stderr.split()[-2:])
    megabytes = peak / (2**20 if sys.platform == "darwin" else 2**10)
    print(f"{label:18}{seconds:8.1f} s{busy:8.1f} s of work{megabytes:8.0f} MB   {counts}, failed {failed}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Add a folder of mixed files, again, and with a tenth changed.")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--model", default=None)
    parser.add_argument("--keep", type=Path, default=None, help="where the files are to stay")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch) / "folder"
        make(folder, given.files)
        collection = Path(scratch) / "folder.imi"
        timed("first time", collection, folder, given.model)
        timed("nothing changed", collection, folder, given.model)
        for path in sorted(folder.rglob("*.md")):
            path.write_text(path.read_text("utf-8") + "\n\n# 新しい\n\nnew\n", "utf-8")
        timed("a tenth changed", collection, folder, given.model)
        shutil.rmtree(collection)
