"""Results that are kept as they come: a JSON file, a page with its table, and nothing measured twice."""

from __future__ import annotations

import json
import platform
import time
from pathlib import Path

import imi

_WEIGHTS = {"model": None, "later model": None}
DOCS = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"


def processor() -> str:
    """Return the processor's name where the system tells it."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    named = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine()


class Record:
    """Named results of one benchmark, written after each, so that a run that was cut goes on where it stopped."""

    def __init__(self, name: str, about: dict, again: bool = False, out: Path = DOCS, *, older: bool = False) -> None:
        """Read what an earlier run left, unless all is to be measured again or was measured about something else.

        With `older`, what was measured with other weights of the model stays, and the page says which rows are new.
        """
        self.path = out / f"{name}.json"
        # Another model makes other vectors: its results are not of this one.
        self.about = {**about, "model": imi.load().info.fingerprint}
        self.results: dict[str, list[dict]] = {}
        self.later = False
        if self.path.exists() and not again:
            kept = json.loads(self.path.read_text())
            now = json.loads(json.dumps(self.about))
            if kept["about"] == now:
                self.results = kept["results"]
            elif older and kept["about"] | _WEIGHTS == now | _WEIGHTS:
                self.results, self.about = kept["results"], {**kept["about"], "later model": now["model"]}
                self.later = True

    def __contains__(self, name: str) -> bool:
        return name in self.results

    def put(self, name: str, rows: list[dict]) -> None:
        """Keep one result and write all."""
        when = {"at": time.strftime("%Y-%m-%d %H:%M")} | ({"later": True} if self.later else {})
        self.results[name] = [row | when for row in rows]
        self.write()

    def write(self) -> None:
        """Write all that is kept."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        plain = {"about": self.about, "processor": processor(), "results": self.results}
        self.path.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n")

    def rows(self) -> list[dict]:
        """Return all rows with the name of what they belong to."""
        return [{"name": name, **row} for name, rows in self.results.items() for row in rows]

    def page(self, title: str, columns: dict[str, str], notes: str, figure: str = "") -> Path:
        """Write the page: columns are names of values and how they are printed, such as {"recall": ".3f"}."""
        later = [name for name, rows in self.results.items() if any(row.get("later") for row in rows)]
        if later:
            notes += f"\n\nMeasured later, with later weights of the built-in model: {', '.join(later)}."
        lines = [f"# {title}", "", notes.strip(), "", f"Processor: {processor()}.", ""]
        lines += ["| " + " | ".join(["", *columns]) + " |", "|---" * (len(columns) + 1) + "|"]
        for row in self.rows():
            cells = ["" if row.get(name) is None else format(row[name], form) for name, form in columns.items()]
            lines.append("| " + " | ".join([row["name"], *cells]) + " |")
        if figure:
            lines += ["", f"![{title}]({figure})"]
        path = self.path.with_suffix(".md")
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path


def say(*parts: object) -> None:
    """Print a line with the time, at once."""
    print(time.strftime("%H:%M:%S"), *parts, flush=True)
