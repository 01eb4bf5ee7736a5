"""What pyproject.toml promises: extras that the messages name, one that has them all, torch without a pin."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]


def test_all_has_every_other_extra():
    (everything,) = EXTRAS["all"]
    assert set(re.fullmatch(r"imi\[(.*)\]", everything)[1].split(",")) == set(EXTRAS) - {"all"}


def test_every_extra_that_a_message_or_page_names_is_there():
    named = set()
    for path in [
        *(ROOT / "src").rglob("*.py"),
        *(ROOT / "docs").rglob("*.md"),
        ROOT / "README.md",
        ROOT / "README.ja.md",
    ]:
        text = path.read_text("utf-8")
        named |= {one for several in re.findall(r"'(?:imi|\.)\[([a-z,]+)\]'", text) for one in several.split(",")}
        named |= set(re.findall(r"MissingExtra\([^()]*, \"([a-z]+)\"\)", text))
    assert len(named) > 10 and named <= set(EXTRAS)


def test_make_installs_extras_that_are_there_and_torch_as_the_constraints_say():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (listed,) = re.findall(r"^EXTRAS := (.*)$", makefile, re.MULTILINE)
    assert set(listed.split(",")) <= set(EXTRAS)
    assert re.search(r"^torch==", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    assert "--constraint constraints.txt" in makefile
    assert not [one for several in EXTRAS.values() for one in several if "==" in one], "users' installs are not pinned"


def test_every_requirement_of_the_base_has_a_floor():
    assert all(">=" in one for one in PROJECT["project"]["dependencies"])
