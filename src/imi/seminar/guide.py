"""The steps of the seminar, read from the package, and the small data that they run on."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from imi.errors import UsageError
from imi.tasks.report import Phrase

FOLDER = Path("seminar")
"""Where the steps keep their files, in the current folder."""
_PARTS = ("part1", "part2", "part3", "appendix")
_EXTRAS = {"PIL": ("Pillow", "pictures")}
_ADD = {
    "four": "imi add seminar/four.imi seminar/four.txt -q",
    "messages": "imi add seminar/messages.imi seminar/messages.csv --id id --template '{text}' -q",
    "reviews": (
        'imi add seminar/reviews.imi seminar/reviews.csv --id Id --template "Title: {Summary}; Content: {Text}" -q'
    ),
    "album": "imi add seminar/album.imi seminar/pictures --model pixels -q",
    "sensors": "imi add seminar/sensors.imi seminar/sensors.jsonl --id id --vectors vector -q",
}


@dataclass(frozen=True)
class SeminarStep:
    """One step: what the slide says, the commands and Python that show it, what to look at, a question to try.

    needs: the collections and pictures that are made before it runs. package: a package that it cannot run without.
    """

    id: str
    part: Phrase
    title: Phrase
    slide: Phrase
    look: Phrase
    question: Phrase
    runs: tuple[str, ...] = ()
    code: str = ""
    needs: tuple[str, ...] = ()
    package: str | None = None

    def to_dict(self, language: str = "en") -> dict[str, Any]:
        """Return the step in one language as JSON values."""
        phrases = {
            "part": self.part,
            "title": self.title,
            "slide": self.slide,
            "look": self.look,
            "try": self.question,
        }
        said = {name: phrase.in_language(language) for name, phrase in phrases.items()}
        return {"step": self.id, **said, "commands": list(self.runs), "code": self.code}

    def missing(self) -> Phrase | None:
        """Return why this step cannot run here, None where it can."""
        if self.package is None or find_spec(self.package) is not None:
            return None
        name, extra = _EXTRAS[self.package]
        return Phrase(
            f"skipped: {name} is not installed; pip install 'imi[{extra}]'",
            f"省略しました：{name} がありません。pip install 'imi[{extra}]' でインストールできます",
        )


@cache
def steps() -> tuple[SeminarStep, ...]:
    """Return all steps, in the order of the seminar."""
    found = []
    for name in _PARTS:
        data = tomllib.loads((resources.files("imi.seminar") / f"{name}.toml").read_text("utf-8"))
        found += [_step(_phrase(data["part"]), entry) for entry in data["step"]]
    return tuple(found)


def find_step(name: str) -> SeminarStep:
    """Return the step called `name`, such as 2.5 or A.1.

    Raises:
        UsageError: there is none.
    """
    for step in steps():
        if step.id.lower() == name.strip().lower():
            return step
    ids = [step.id for step in steps()]
    raise UsageError(f"there is no step {name!r}: {ids[0]} to {ids[-1]}, or next", hint="imi seminar lists all steps")


def step_after(shown: str | None) -> SeminarStep | None:
    """Return the step that follows `shown`, the first where nothing was shown yet, None after the last."""
    if shown is None:
        return steps()[0]
    at = steps().index(find_step(shown)) + 1
    return steps()[at] if at < len(steps()) else None


def last_shown() -> str | None:
    """Return the step that was shown last in this folder, None where none was."""
    kept = FOLDER / ".step"
    if not kept.exists():
        return None
    name = kept.read_text("utf-8").strip()
    return name if any(step.id == name for step in steps()) else None


def remember(step: SeminarStep) -> None:
    """Keep which step was shown, for `imi seminar next`."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / ".step").write_text(step.id, "utf-8")


def prepare(step: SeminarStep) -> list[str]:
    """Write the files that a step needs where they are not there yet; return the commands that make its collections."""
    FOLDER.mkdir(exist_ok=True)
    for name in step.needs:
        _FILES[name]()
    return [command for command in makes(step) if not Path(command.split()[2]).exists()]


def makes(step: SeminarStep) -> list[str]:
    """Return the commands that made the collections of a step, whether or not they are there already."""
    return [_ADD[name] for name in step.needs if name in _ADD]


def run_code(step: SeminarStep) -> dict[str, Any]:
    """Run the Python of a step, exactly as it is shown, and return the names that it made."""
    made: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(step.code, f"step {step.id}", "exec"), made)  # noqa: S102  # the code of a step of this package, as it is shown
    return made


def _step(part: Phrase, entry: Mapping[str, Any]) -> SeminarStep:
    return SeminarStep(
        entry["id"],
        part,
        _phrase(entry["title"]),
        _phrase(entry["slide"]),
        _phrase(entry["look"]),
        _phrase(entry["try"]),
        tuple(entry.get("runs", ())),
        entry.get("code", "").strip("\n"),
        tuple(entry.get("needs", ())),
        entry.get("package"),
    )


def _phrase(entry: Mapping[str, str]) -> Phrase:
    return Phrase(entry["en"], entry["ja"])


def _copied(name: str) -> Callable[[], None]:
    def write() -> None:
        if not (FOLDER / name).exists():
            text = (resources.files("imi.seminar") / "data" / name).read_text("utf-8")
            (FOLDER / name).write_text(text, "utf-8")

    return write


def _draw_pictures() -> None:
    """Draw two cats and three balls of 64 × 64 dots."""
    from PIL import Image, ImageDraw

    pets, toys = FOLDER / "pictures" / "pets", FOLDER / "pictures" / "toys"
    pets.mkdir(parents=True, exist_ok=True)
    toys.mkdir(exist_ok=True)
    for name, colour in (("cat", "orange"), ("grey-cat", "gray")):
        picture = Image.new("RGB", (64, 64), "white")
        pen = ImageDraw.Draw(picture)
        for left in (10, 36):
            pen.polygon([(left, 28), (left + 9, 4), (left + 18, 28)], fill=colour)
        pen.ellipse((8, 14, 56, 58), fill=colour)
        for left in (20, 38):
            pen.ellipse((left, 28, left + 6, 36), fill="black")
        pen.polygon([(28, 42), (36, 42), (32, 47)], fill="hotpink")
        _save(picture, pets / f"{name}.png")
    for colour in ("red", "orange", "blue"):
        picture = Image.new("RGB", (64, 64), "white")
        ImageDraw.Draw(picture).ellipse((8, 8, 56, 56), fill=colour)
        _save(picture, toys / f"{colour}-ball.png")


def _save(picture: Any, path: Path) -> None:
    if not path.exists():
        picture.save(path)


def _write_sensors() -> None:
    """Write 100 spectra of 16 bands; two machines have a worn bearing, which hums in the upper bands."""
    path = FOLDER / "sensors.jsonl"
    if path.exists():
        return
    import numpy as np

    rng = np.random.default_rng(0)
    usual = np.exp(-np.arange(16) / 4)
    lines = []
    for number in range(100):
        spectrum = usual + rng.normal(0, 0.03, 16)
        if number in (37, 81):
            spectrum[10:13] += 0.6
        row = {"id": f"sensor-{number}", "vector": spectrum.round(4).tolist()}
        lines.append(json.dumps(row) + "\n")
    path.write_text("".join(lines), "utf-8")


_FILES: dict[str, Callable[[], None]] = {
    "four": _copied("four.txt"),
    "messages": _copied("messages.csv"),
    "reviews": _copied("reviews.csv"),
    "pictures": _draw_pictures,
    "album": _draw_pictures,
    "sensors": _write_sensors,
}
