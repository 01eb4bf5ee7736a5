"""How `imi explain PICTURE` shows what a picture is to a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imi.cli.output import named, note, number, show
from imi.language import language, local

if TYPE_CHECKING:
    from imi.tasks.explain_picture import PictureReading

# Dots of a Braille character, by row and column: 2 × 4 dots of the drawing are one character.
_BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def show_picture(found: PictureReading, *, quiet: bool) -> None:
    """Print the drawing of bits, the planes, the vector, and the one-dot experiment."""
    size = local(f"{found.width:,} × {found.height:,} dots × 3 planes = {found.numbers:,} numbers")
    note(f"{found.picture}: {size}", quiet=quiet)
    rows = [[line] for line in drawing(found.bits)]
    show(None, ["64 × 64 dots, black or white: 64 rows of 8 bytes"], rows, as_json=False)
    shown = [[at + 1, row] for at, row in enumerate(found.bits) if at in (0, 31, 63)]
    show(None, ["row", "its 8 bytes"], shown, as_json=False)
    planes = [[local(plane.name), *plane.first, "…", plane.mean] for plane in found.planes]
    head = ["plane", *map(str, range(1, len(found.planes[0].first) + 1)), "", "mean"]
    show(None, head, planes, as_json=False)
    first = [found.model, len(found.vector), *found.vector[:4], "…"]
    show(None, ["model", "numbers", "1", "2", "3", "4", ""], [first], as_json=False)
    names = found.guesses[language()]
    note(f"it may show, a guess: {', '.join(names) or local('nothing that the model knows well')}", quiet=quiet)
    dot = found.one_dot
    total = found.shown[0] * found.shown[1] * 3
    answers = [["exact match", _same(dot.exact_match)]]
    answers += [["numbers that agree", local(f"{dot.same:,} of {total:,} agree")]]
    answers += [[f"cosine by {name}", number(value, 5)] for name, value in dot.likeness.items()]
    title = local(f"one dot changed, at column {dot.at[0]}, row {dot.at[1]}: {dot.before} is {dot.after} now")
    show(None, ["", "with the changed one"], named(answers), as_json=False, title=title)
    if found.other is not None:
        rows = [[f"cosine by {name}", number(value)] for name, value in found.other.likeness.items()]
        if found.other.exact_match is not None:
            rows.insert(0, ["exact match", _same(found.other.exact_match)])
        show(None, ["", found.other.name], named(rows), as_json=False, given=True)


def _same(equal: bool) -> str:
    return local("the same") if equal else local("not the same")


def drawing(rows: tuple[str, ...]) -> list[str]:
    """Return 64 rows of 8 bytes, as hexadecimal, as 16 lines of 32 Braille characters, black dots raised."""
    dots = [[byte >> (7 - at) & 1 for byte in bytes.fromhex(row) for at in range(8)] for row in rows]
    return [
        "".join(
            chr(
                0x2800
                + sum(bit for y, line in enumerate(_BRAILLE) for x, bit in enumerate(line) if dots[top + y][left + x])
            )
            for left in range(0, 64, 2)
        )
        for top in range(0, 64, 4)
    ]
