"""How long the first search of a folder takes until it shows hits, and one of an unchanged folder.

    python benchmarks/mirror.py [--files 10000] [--unchanged 1000]

Makes folders of short Markdown, text, code, JSON and YAML files and runs `imi search` on them as a user would, in
processes of their own. Prints seconds on the clock and of processors, and how many files were read when the first hits
came; then what it takes to see that nothing changed, in one process.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORDS = [
    "window",
    "river",
    "stone",
    "paper",
    "light",
    "music",
    "bread",
    "winter",
    "letter",
    "garden",
    "猫",
    "会議",
    "料理",
]


def fill(folder: Path, files: int) -> None:
    chance = random.Random(0)
    for n in range(files):
        line = [" ".join(chance.choice(WORDS) for _ in range(12)) for _ in range(8)]
        kinds = {
            "md": f"# Note {n}\n\n" + "\n".join(line),
            "txt": "\n".join(line[:3]),
            "py": f'def f{n}():\n    """{line[0]}."""\n    return {n}\n',
            "json": f'{{"text": "{line[0]}"}}\n',
            "yaml": f"text: {line[0]}\n",
        }
        suffix = list(kinds)[n % len(kinds)]
        path = folder / f"d{n % 100}" / f"{n}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(kinds[suffix], "utf-8")
        os.utime(path, (1_700_000_000 + n, 1_700_000_000 + n))


def timed(*command: str) -> tuple[float, float, str]:
    """Return seconds on the clock, of processors, and what was said."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "imi", *command], capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, used, done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--unchanged", type=int, default=1_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        os.environ["IMI_HOME"] = str(Path(made, "home"))
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # modules are compiled wherever a package is installed
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(made, "bytecode"))
        few = Path(made, "few")
        fill(few, 5)
        subprocess.run([sys.executable, "-m", "imi", "search", str(few), "x"], capture_output=True, check=True)
        many, some = Path(made, "many"), Path(made, "some")
        fill(many, asked.files)
        fill(some, asked.unchanged)
        clock, used, said = timed("search", str(many), "winter garden music", "-k", "3")
        read = re.search(r"read ([\d,]+) of", said)
        print(
            f"first search, {asked.files:,} files: {clock:.2f} s ({used:.2f} s of processors), {read and read[1]} read"
        )
        timed("search", str(some), "winter garden music", "--wait")
        for said in ("the finer model reads the first hits", "and again"):
            clock, used, _ = timed("search", str(some), "winter garden music")
            print(f"search, {asked.unchanged:,} unchanged files, {said}: {clock:.2f} s ({used:.2f} s of processors)")
        from imi.mirror import Mirror, refresh

        refresh(Mirror.of(some))
        start = time.process_time()
        refresh(Mirror.of(some))
        print(f"seeing that nothing changed: {(time.process_time() - start) * 1000:.0f} ms of a processor")
        refresh(Mirror.of(many))  # after whoever reads on, so that the folder can be removed


if __name__ == "__main__":
    main()
