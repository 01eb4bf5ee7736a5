"""`python -m experiments.matryoshka --out docs/lab`: the whole set of experiments; `make lab` calls it."""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path

from experiments.matryoshka.run import NAMES, Order, run_lab, write_again


def main() -> None:
    """Parse, run, and log the steps to standard error."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.matryoshka", description="The Matryoshka paper's experiments."
    )
    parser.add_argument("name", nargs="?", default="all", choices=NAMES)
    parser.add_argument("--data", type=Path, help="pictures, or the folder that holds the two sets of photos")
    parser.add_argument("--seeds", type=int, default=int(os.environ.get("SEEDS", "3")))
    parser.add_argument("--out", type=Path, default=Path("docs/lab"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--again", action="store_true", help="write pages and figures again from results.json, train nothing"
    )
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if given.again:
        write_again(given.out)
        return
    order = Order(name=given.name, data=given.data, seeds=given.seeds, out=given.out, jobs=given.jobs)
    run_lab(order, logging.getLogger("imi.lab").info)


if __name__ == "__main__":
    main()
