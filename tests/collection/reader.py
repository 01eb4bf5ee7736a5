"""A process that reads while another writes: run as `python reader.py FOLDER SECONDS`; prints what it saw as JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import imi
from imi.embedders.testing import HashEmbedder


def read(folder: Path, seconds: float) -> dict[str, object]:
    """Search again and again; rows are added in order, so what was seen once must be there ever after."""
    times: list[float] = []
    problems: list[str] = []
    newest = -1
    with imi.open(folder, HashEmbedder(), "r") as c:
        c.search("row 1", k=3, mode="meaning")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.perf_counter()
            c.search(f"row {max(newest, 0)} version 0", k=5, mode="meaning")
            times.append(time.perf_counter() - began)
            # A filter reads all rows, so that it would time how many there are: it checks, and is not timed.
            if len(times) % 20 == 0 and newest >= 0 and not c.search("row", 1, "meaning", where={"n": {">=": newest}}):
                problems.append(f"row {newest} was seen and is gone")
            count = len(c)
            if count < newest + 1:
                problems.append(f"{count} rows after {newest + 1} were seen")
            newest = max(newest, count - 1)
    times.sort()
    return {"searches": len(times), "median": times[len(times) // 2], "problems": problems[:5], "newest": newest}


if __name__ == "__main__":
    print(json.dumps(read(Path(sys.argv[1]), float(sys.argv[2]))))
