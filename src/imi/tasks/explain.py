"""From characters to numbers: what a model reads in a text, and which tokens carry the similarity of two."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

from imi.embedders.base import Embedder
from imi.types import Floats


@runtime_checkable
class Explaining(Protocol):
    """A model that can show its tokens: a sum of rows of one table."""

    def explain(self, a: str, b: str | None = None) -> Any:
        """Return the pieces of a text, or of two, with what they weigh."""
        ...

    def tokens(self, text: str) -> list[tuple[str, int]]:
        """Return the names and ids of a text's pieces alone."""
        ...

    def rows(self, ids: Sequence[int]) -> Floats:
        """Return rows of the table, (t, d) float32."""
        ...

    @property
    def vocabulary(self) -> int:
        """How many rows the table has."""
        ...


@dataclass(frozen=True, slots=True)
class Character:
    """One character: its code point, name and UTF-8 bytes in hexadecimal."""

    text: str
    code: str
    name: str
    utf8: str


@dataclass(frozen=True, slots=True)
class Token:
    """One token: its id, the first values of its row, and what it does in the text.

    weight: how long its row is, whatever the text.
    share: of one text, the token's exact part of the sum (shares add up to 1); of two, its part of the cosine of sums.
    effect: how much of the cosine goes, or how far the vector turns, without it; None where it is the only one.
    """

    text: str
    id: int
    weight: float
    share: float
    effect: float | None
    row: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """One text as a model reads it; `tokens` is empty where the model does not show them."""

    text: str
    characters: tuple[Character, ...]
    bytes: int
    tokens: tuple[Token, ...]
    vector: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Explanation:
    """One text, or two with their similarity: `cosine` is the model's, `cosine_of_sums` what the shares add up to."""

    model: str
    width: int
    vocabulary: int | None
    readings: tuple[Reading, ...]
    cosine: float | None = None
    cosine_of_sums: float | None = None

    @property
    def parameters(self) -> int | None:
        """Numbers in the table: rows times width."""
        return None if self.vocabulary is None else self.vocabulary * self.width

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints: those of the (first) text, and `other` for a second one."""
        keys = self.readings[0].to_dict()
        keys |= {
            "model": self.model,
            "width": self.width,
            "vocabulary": self.vocabulary,
            "parameters": self.parameters,
        }
        if len(self.readings) > 1:
            keys |= {
                "other": self.readings[1].to_dict(),
                "cosine": self.cosine,
                "cosine_of_sums": self.cosine_of_sums,
            }
        return keys


def explain(model: Embedder, a: str, b: str | None = None, *, first: int = 4) -> Explanation:
    """Explain one text, or what makes two similar.

    Args:
        model: what reads them; models that are not a sum of rows show no tokens.
        a: a text.
        b: another one.
        first: how many values of each row to show.
    """
    texts = [a] if b is None else [a, b]
    z = model.embed(texts)
    shown = model.explain(a, b) if isinstance(model, Explaining) else None
    pieces: list[Any] = [[], []] if shown is None else [shown.a, shown.b]
    readings = tuple(
        Reading(
            text,
            tuple(characters(text)),
            len(text.encode("utf-8", "surrogatepass")),
            tuple(_tokens(model, parts, first)),
            tuple(z[at].tolist()),
        )
        for at, (text, parts) in enumerate(zip(texts, pieces, strict=False))
    )
    return Explanation(
        model.info.id,
        model.info.width,
        model.vocabulary if isinstance(model, Explaining) else None,
        readings,
        None if b is None else float(z[0] @ z[1]),
        None if shown is None else shown.cosine_of_sums,
    )


def characters(text: str) -> list[Character]:
    """Return the characters of a text with code points, names and bytes: 猫 is U+732B, E7 8C AB."""
    return [
        Character(
            character,
            f"U+{ord(character):04X}",
            unicodedata.name(character, "").lower(),
            character.encode("utf-8", "surrogatepass").hex(" "),
        )
        for character in text
    ]


def _tokens(model: Embedder, pieces: Sequence[Any], first: int) -> list[Token]:
    if not pieces or not isinstance(model, Explaining):
        return []
    rows = model.rows([piece.id for piece in pieces])[:, :first]
    return [
        Token(piece.text, piece.id, piece.weight, piece.share, piece.effect, tuple(row.tolist()))
        for piece, row in zip(pieces, rows, strict=True)
    ]
