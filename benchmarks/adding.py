"""Compare two checkouts in what adding costs: rows of a CSV, small files, and one long text; in pairs, in process time.

    git worktree add /tmp/before COMMIT
    python benchmarks/adding.py /tmp/before [--rows 19000] [--files 1000] [--megabytes 20] [--pairs 5]

The same Python runs both, with their bytecode kept, so that only the code differs. Each line is one pair; the median of
the ratios is what counts, since a machine is slower at one time than at another. `--kinds rows` runs one part alone.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent.parent
KINDS = ("rows", "files", "text")
SHOWN = {"rows": "{rows:,} rows of a CSV", "files": "{files:,} small files", "text": "a text of {megabytes} MB"}


def sentence(rng: random.Random, vocabulary: list[str], words: int) -> str:
    """Return a sentence of as many words; common ones come often."""
    chosen = (vocabulary[min(int(rng.paretovariate(0.8)), len(vocabulary)) - 1] for _ in range(words))
    return " ".join(chosen).capitalize() + "."


def written(place: Path, options: argparse.Namespace) -> dict[str, list[str]]:
    """Write what is added, and return the arguments of each kind."""
    rng = random.Random(0)
    letters = "etaoinshrdlucmfwypvbgk"
    vocabulary = ["".join(rng.choices(letters, k=rng.randint(2, 9))) for _ in range(20_000)]
    with (place / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["Id", "Product", "Time", "Score", "Share", "Summary", "Text"])
        for at in range(options.rows):
            numbers = [f"B{rng.randrange(10**6):06}", 10**9 + at, rng.randint(1, 5), f"{rng.random():.4f}"]
            table.writerow([at, *numbers, sentence(rng, vocabulary, 4), sentence(rng, vocabulary, 35)])
    (place / "files").mkdir()
    for at in range(options.files):
        text = "\n\n".join(sentence(rng, vocabulary, 40) for _ in range(2))
        (place / "files" / f"{at}.txt").write_text(text + "\n", "utf-8")
    with (place / "long.txt").open("w", encoding="utf-8") as file:
        while file.tell() < options.megabytes * 1e6:
            file.write(" ".join(sentence(rng, vocabulary, 12) for _ in range(6)) + "\n\n")
    how = ["--id", "Id", "--template", "Title: {Summary}; Content: {Text}"]
    return {"rows": [str(place / "rows.csv"), *how], "files": [str(place / "files")], "text": [str(place / "long.txt")]}


def cost(checkout: Path, place: Path, what: list[str]) -> float:
    """Return the process time in seconds of one `imi add` into a new collection."""
    with tempfile.TemporaryDirectory(dir=place) as new:
        environment = {
            **os.environ,
            "PYTHONPATH": str(checkout / "src"),
            "PYTHONPYCACHEPREFIX": str(place / "bytecode"),
            "PYTHONDONTWRITEBYTECODE": "",
            "IMI_HOME": str(place / "home"),
            "OMP_NUM_THREADS": "1",
        }
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "imi", "add", f"{new}/new.imi", *what, "-q"]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the pairs and the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="the other checkout")
    parser.add_argument("--now", type=Path, default=HERE, help="this checkout by default")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--rows", type=int, default=19_000)
    parser.add_argument("--files", type=int, default=1_000)
    parser.add_argument("--megabytes", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        inputs = written(place, options)
        for checkout in (options.before, options.now):
            cost(checkout, place, inputs["files"])  # writes the bytecode
        for kind in options.kinds:
            ratios = []
            for _ in range(options.pairs):
                before, now = (cost(checkout, place, inputs[kind]) for checkout in (options.before, options.now))
                ratios.append(now / before)
                print(f"  {kind}: before {before:.2f} s, now {now:.2f} s, ratio {ratios[-1]:.3f}", flush=True)
            median = statistics.median(ratios)
            print(f"{SHOWN[kind].format(**vars(options))}: {median:.3f} of the time before ({min(ratios):.3f} at best)")


if __name__ == "__main__":
    main()
