"""Add every data file of a folder by itself, and say what became of it: taken whole, in part, or refused.

    python benchmarks/odd_files.py FOLDER... [--most 400]

Made for the test suites of projects that read CSV files and spreadsheets, which are full of odd ones. Files that an
error other than imi's own stops, and files of which something is missing without a word, are listed last and make the
exit code 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

import imi
from imi.embedders.testing import HashEmbedder
from imi.errors import ImiError

SUFFIXES = (
    ".csv", ".tsv", ".tab", ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods", ".json", ".jsonl", ".ndjson", ".parquet",
    ".csv.gz", ".zip", ".txt", ".html", ".htm",
)  # fmt: skip


def tried(path: Path, place: Path) -> tuple[str, str]:
    """Return what became of a file, and in which words."""
    with imi.open(place, model=HashEmbedder()) as collection:
        try:
            added = collection.add_files(str(path), on_error="skip")
        except ImiError as refused:
            return "refused", refused.message.replace(str(path), "FILE")
        rows = len(collection)
    words = [failure.reason for failure in added.failed]
    if added.summary is not None:
        words += [notice.text for notice in added.summary.notices]
        words += [f"{name!r} was left out: {why}" for name, why in added.summary.dropped.items()]
        words += [f"the id {one.id!r} occurs twice" for one in added.summary.repeated]
    if not rows:
        return ("nothing in it", "; ".join(words)) if words else ("silence", "no row and no word")
    return (f"in part ({rows} rows)", "; ".join(words)) if added.failed else (f"whole ({rows} rows)", "; ".join(words))


def main() -> int:
    """Print a table a folder and the totals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--most", type=int, default=400, help="files of a folder at most")
    options = parser.parse_args()
    wrong: list[str] = []
    for folder in options.folders:
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name.lower().endswith(SUFFIXES))
        counts: Counter[str] = Counter()
        print(f"\n## {folder} ({len(files[: options.most])} files)")
        for path in files[: options.most]:
            with tempfile.TemporaryDirectory() as place:
                try:
                    outcome, words = tried(path, Path(place) / "c.imi")
                except Exception as crash:
                    outcome, words = "crash", f"{type(crash).__name__}: {crash}"
            counts[outcome.split(" (")[0]] += 1
            if outcome in ("crash", "silence"):
                wrong.append(f"{path}: {words}")
            print(f"{path.relative_to(folder)}\t{outcome}\t{' '.join(words.split())[:160]}")
        print(f"# {dict(counts)}")
    print("\n".join(("", "wrong:", *wrong)) if wrong else "\nno crash, no silence")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
