"""How long `imi --help`, `imi similar` and `imi search` take from a cold start, and with a helper that is kept warm.

    python benchmarks/cold.py

Each command runs in a process of its own, several times, by the script that installers write for it, with its modules
compiled, as they are wherever a package is installed; the least processor time of all is printed, beside the
interpreter's own and numpy's, as other processes only ever add. The rows that the finer model orders were read by it
before, as a second question finds them. With the helper, which works for the command, it is the least time by the
clock, and the median, of questions half a second apart, again beside the interpreter's own.
Below are figures that others have published of their own tools, on their machines; none of them was run here.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PUBLISHED = {
    "semble, its index in memory": "1.5 ms a question, half a second to index a repository first",
    "qmd, with expansion and its reranker": "15 to 20 s a question; two gigabytes of models",
    "qmd search, words alone": "400 ms a question (tobi/qmd#477)",
    "anygrep": "no figure was found",
}
SCRIPT = """#!{}
import sys
from imi.cli import start
if __name__ == '__main__':
    sys.exit(start())
"""
WORDS = "window door river stone paper green light music bread winter letter garden summer bridge engine forest".split()  # noqa: SIM905


def processor_seconds(command: list[str], times: int) -> float:
    """Return the least processor time that a command took, its user and system time together."""
    least = float("inf")
    for _ in range(times):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        least = min(least, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return least


def seconds(command: list[str], times: int) -> tuple[float, float]:
    """Return the least time by the clock that a command took, and the median; there is a pause after each."""
    took = []
    for _ in range(times):
        before = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        took.append(time.perf_counter() - before)
        time.sleep(0.5)
    return min(took), sorted(took)[len(took) // 2]


def sentences(count: int) -> str:
    """Return that many lines that differ."""
    return "".join(
        f"The {WORDS[n % 16]} by the {WORDS[n // 16 % 16]} is number {n}, near the {WORDS[n // 256 % 16]}.\n"
        for n in range(count)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=9)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        imi = [str(Path(folder, "imi"))]
        Path(imi[0]).write_text(SCRIPT.format(sys.executable), "utf-8")
        Path(imi[0]).chmod(0o700)
        os.environ["IMI_HOME"] = folder
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(folder, "bytecode"))
        lines, collection = Path(folder, "lines.txt"), str(Path(folder, "lines.imi"))
        lines.write_text(sentences(asked.rows), "utf-8")
        subprocess.run([*imi, "add", collection, str(lines), "-q"], check=True, stdout=subprocess.DEVNULL)
        question = [*imi, "search", collection, "a window by the river"]
        notes = Path(folder, "notes")
        notes.mkdir()
        for number in range(1000):
            Path(notes, f"{number}.txt").write_text(
                f"The {WORDS[number % 16]} by the river is number {number}.\n", "utf-8"
            )
        of_folder = [*imi, "search", str(notes), "a window by the river", "--rerank", "none"]
        subprocess.run([*of_folder, "--wait", "-q"], check=True, stdout=subprocess.DEVNULL)
        commands = {
            "python, nothing": [sys.executable, "-c", "pass"],
            "python, numpy": [sys.executable, "-c", "import numpy"],
            "imi --help": [*imi, "--help"],
            "imi similar cat 猫": [*imi, "similar", "cat", "猫"],
            f"imi search, {asked.rows:,} rows, --rerank none": [*question, "--rerank", "none"],
            "the same, ordered by deep": question,
            "imi search, a folder of 1,000 files, --rerank none": of_folder,
        }
        subprocess.run([*question, "--budget", "5000"], check=True, stdout=subprocess.DEVNULL)
        for command in commands.values():
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        for name, command in commands.items():
            print(f"{name:<58}{processor_seconds(command, asked.times) * 1000:5.0f} ms of processor time")
        helper = subprocess.Popen([sys.executable, "-m", "imi.cli.warm_helper"])
        try:
            time.sleep(5)
            for name, command in [*list(commands.items())[:1], *list(commands.items())[3:]]:
                least, median = (1000 * one for one in seconds(command, asked.times))
                name += ", kept warm" * (command[0] == imi[0])
                print(f"{name:<58}{least:5.0f} ms by the clock (median {median:.0f})")
        finally:
            helper.terminate()
    for name, figure in PUBLISHED.items():
        print(f"{name + ' (published)':<58}{figure}")


if __name__ == "__main__":
    main()
