"""Rungs: how many dimensions are read, in which code, by which structure, and how many candidates go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from imi.errors import UsageError

Codec = Literal["float32", "float16", "int8", "pq", "rabitq", "binary"]
Kind = Literal["flat", "hnsw", "ivf", "symphonyqg", "hnsw-rabitq"]

CODECS: dict[Kind, tuple[Codec, ...]] = {
    "flat": ("float32", "float16", "int8", "rabitq", "binary"),
    "hnsw": ("float32", "float16", "int8", "binary"),
    "ivf": ("pq", "float32", "float16", "int8", "rabitq"),
    "symphonyqg": ("int8", "float32", "rabitq"),
    "hnsw-rabitq": ("rabitq", "int8"),
}
"""What each structure can hold; the first is its default. pq is four bits for each two dimensions."""

RERANK_CODECS: tuple[Codec, ...] = ("float32", "float16", "int8")


@dataclass(frozen=True, slots=True)
class Rung:
    """One step of a ladder.

    dims: leading dimensions compared.
    keep: candidates handed to the next step; a search for more than this many keeps as many as it needs.
    codec: how these dimensions are stored; "float32" on a later rung reads the full vectors themselves.
    structure: what finds the candidates; only the first rung has one.
    effort: how hard the structure looks (ef of a graph, lists probed of ivf); 0 for what `keep` suggests.
    rotated: the first rung's dims are the leading axes of a rotation learnt from the vectors, for vectors whose own
        first dimensions carry no more than any others; written as "128r".
    """

    dims: int
    keep: int
    codec: Codec = "float32"
    structure: Kind | None = None
    effort: int = 0
    rotated: bool = False

    def __str__(self) -> str:
        code = "" if self.structure is None and self.codec == "float32" else f".{self.codec}"
        head = f"{self.structure or 'rerank'}{code}/" if self.structure or code else ""
        return f"{head}{self.dims}{'r' if self.rotated else ''}:{self.keep}" + (
            f"@{self.effort}" if self.effort else ""
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "dims": self.dims,
            "keep": self.keep,
            "codec": self.codec,
            "structure": self.structure,
            "effort": self.effort,
            "rotated": self.rotated,
        }

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Rung:
        """Read what `to_dict` wrote."""
        return cls(**{key: plain[key] for key in ("dims", "keep", "codec", "structure", "effort", "rotated")})


def format_ladder(rungs: Sequence[Rung]) -> str:
    """Return the text form that `parse_ladder` reads."""
    return ",".join(str(rung) for rung in rungs)


def parse_ladder(text: str, width: int, structure: Kind = "flat") -> tuple[Rung, ...]:
    """Read a ladder such as "64:200,512:10", first rung first.

    Each rung is `dims:keep`; `:keep` may be left off the last one. The whole form is
    `structure.codec/dims:keep@effort`, and `rerank.codec/dims:keep` for later rungs, as `format_ladder` prints it.

    Args:
        text: the rungs, separated by commas.
        width: the vectors' width, which no rung may pass.
        structure: what the first rung uses where the text does not say it.

    Raises:
        UsageError: the text cannot be read or the rungs do not go together.
    """
    rungs = []
    parts = [part.strip() for part in text.split(",")]
    for at, part in enumerate(parts):
        head, _, numbers = part.rpartition("/")
        sizes, _, effort = numbers.partition("@")
        dims, _, keep = sizes.partition(":")
        name, _, codec = head.partition(".")
        try:
            rung = Rung(int(dims.rstrip("r")), int(keep or 10), effort=int(effort or 0), rotated=dims.endswith("r"))
        except ValueError as wrong:
            raise _unreadable(text, part) from wrong
        if not keep and at < len(parts) - 1:
            raise _unreadable(text, part)
        if at == 0:
            kind = name if name not in ("", "rerank") else structure
            codecs = CODECS.get(kind)  # type: ignore[call-overload]
            if codecs is None:
                raise UsageError(f"structure {kind!r} is not known: {', '.join(CODECS)}")
            rung = replace(rung, structure=kind, codec=codec or codecs[0])  # type: ignore[arg-type]
        else:
            rung = replace(rung, codec=codec or "float32", structure=None if name in ("", "rerank") else name)  # type: ignore[arg-type]
        rungs.append(rung)
    return check_rungs(rungs, width)


def _unreadable(text: str, part: str) -> UsageError:
    return UsageError(f"ladder {text!r}: {part!r} cannot be read as dims:keep", hint="64:200,512:10")


def check_rungs(rungs: Sequence[Rung], width: int) -> tuple[Rung, ...]:
    """Return the rungs when a ladder can be made of them, dims not falling and shortlists not growing.

    Raises:
        UsageError: otherwise, naming the rung.
    """
    if not rungs:
        raise UsageError("a ladder needs at least one rung", hint="64:200,512:10")
    for at, rung in enumerate(rungs):
        if not 1 <= rung.dims <= width:
            raise UsageError(f"rung {rung}: dims {rung.dims} is outside 1 to the vectors' width {width}")
        if rung.keep < 1 or rung.effort < 0:
            raise UsageError(f"rung {rung}: keep must be at least 1 and effort at least 0")
        if rung.codec not in get_args(Codec):
            raise UsageError(f"rung {rung}: codec {rung.codec!r} is not known: {', '.join(get_args(Codec))}")
        if at == 0:
            _check_first(rung)
            continue
        before = rungs[at - 1]
        if rung.structure is not None or rung.codec not in RERANK_CODECS or rung.rotated:
            allowed = ", ".join(RERANK_CODECS)
            raise UsageError(f"rung {rung}: only the first has a structure or a rotation, later codecs are {allowed}")
        if rung.dims < before.dims or rung.keep > before.keep:
            raise UsageError(
                f"rung {rung} after {before}: dims must not fall and keep must not grow", hint="64:200,512:10"
            )
    return tuple(rungs)


def _check_first(rung: Rung) -> None:
    if rung.structure is None or rung.structure not in CODECS:
        raise UsageError(f"rung {rung}: the first needs a structure: {', '.join(CODECS)}")
    if rung.codec not in CODECS[rung.structure]:
        allowed = ", ".join(CODECS[rung.structure])
        raise UsageError(f"rung {rung}: {rung.structure} holds {allowed}, not {rung.codec}")
    if rung.structure in ("symphonyqg", "hnsw-rabitq") and rung.dims < 64:
        raise UsageError(f"rung {rung}: {rung.structure} needs at least 64 dims", hint="use hnsw or flat below 64")
