"""The doctor: what is wrong with these vectors and texts, what each finding means, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imi.collection.pictures import Unfamiliar, unfamiliar_pictures
from imi.errors import ImiError, UsageError
from imi.tasks.compare import unrelated_texts
from imi.tasks.geometry import geometry_findings
from imi.tasks.rows import is_collection
from imi.vectors import normalize, truncate

Level = Literal["ok", "info", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One check: its name, how bad it is, the figure, what that means, and what to do ("" for nothing)."""

    check: str
    level: Level
    value: Any
    meaning: str
    remedy: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return asdict(self)


@dataclass(frozen=True)
class Diagnosis:
    """All findings, the worst first."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Return whether nothing is worse than information."""
        return all(finding.level in ("ok", "info") for finding in self.findings)

    def __getitem__(self, check: str) -> Finding:
        for finding in self.findings:
            if finding.check == check:
                return finding
        raise UsageError(
            f"there is no finding {check!r}, there are {', '.join(finding.check for finding in self.findings)}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return {"findings": [finding.to_dict() for finding in self.findings]}


def doctor(
    data: Any, texts: Sequence[str] | None = None, *, width: int | None = None, model: Any = None, seed: int = 0
) -> Diagnosis:
    """Examine vectors, and texts where there are any.

    Args:
        data: a collection, or (n, d) numbers that need not be sound.
        texts: n texts for an array.
        width: the width that the vectors should have; a collection knows its model's.
        model: the embedder of the vectors: it says how many tokens it reads, to find texts that are too long, and what
            questions on other things score; a collection brings its own.
        seed: of the samples.

    Raises:
        UsageError: it is not a table of numbers, it has no rows, or the number of texts differs.
    """
    pictured: list[Finding] = []
    if is_collection(data):
        documents = list(data.documents())
        texts = [document.text or "" for document in documents]
        z = np.asarray(data.vectors())
        model = model or _own_model(data)
        if (seen := unfamiliar_pictures(getattr(data, "store", None), lambda: model)).looked_at:
            pictured = [_unfamiliar(seen)]
        bound = getattr(data, "bound", None)
        width = width or (None if bound is None else int(bound.info.width))
        # Vectors without text are as they should be; only rows that have neither are empty.
        if all(document.text is None for document in documents):
            texts = None
    else:
        z = _table(data)
        if texts is not None and len(texts) != len(z):
            raise UsageError(
                f"there are {len(texts)} texts for {len(z)} vectors", hint="give one text a row, '' where there is none"
            )
    if width is None and model is not None:
        width = int(model.info.width)
    found = [*_vector_findings(z, width), *pictured]
    sound = np.isfinite(z).all(axis=1)
    sound &= np.where(sound, np.abs(np.where(np.isfinite(z), z, 0)).max(axis=1, initial=0) > 0, False)
    if sound.sum() >= 10:
        found += [Finding(*values) for values in geometry_findings(z[sound].astype(np.float32), seed)]
        if texts is not None and _asks_here(model, z.shape[1]):
            found.append(_least_score(z[sound], model))
    if texts is not None:
        found += _text_findings(texts, model)
    worst: dict[str, int] = {"error": 0, "warning": 1, "info": 2, "ok": 3}
    return Diagnosis(tuple(sorted(found, key=lambda finding: worst[finding.level])))


def _unfamiliar(seen: Unfamiliar) -> Finding:
    """Return how many of an album's pictures are unlike all that the picture tower has seen."""
    remedy = "search by a picture, add captions, or imi migrate ALBUM --model clip:NAME" if seen.most else ""
    return Finding("unfamiliar pictures", "warning" if seen.most else "ok", seen.count, str(seen), remedy)


def _table(data: Any) -> NDArray[Any]:
    try:
        z = np.asarray(data, dtype=np.float64 if np.asarray(data).dtype == np.float64 else np.float32)
    except (TypeError, ValueError) as wrong:
        raise UsageError(f"this is not a table of numbers: {wrong}", hint="give (n, d) floats") from wrong
    if z.ndim != 2 or 0 in z.shape:
        raise UsageError(f"vectors of shape {z.shape}: a table (n, d) with at least one row is needed")
    return z


def _own_model(collection: Any) -> Any:
    try:
        return collection.model
    except ImiError:  # vectors of the user's own, or a model that is not installed here: what it would tell is left out
        return None


def _asks_here(model: Any, width: int) -> bool:
    """Return whether questions can be embedded on this machine, as wide as the rows."""
    return model is not None and model.info.weights != "remote" and model.info.width >= width


def _least_score(z: NDArray[Any], model: Any) -> Finding:
    """Return what a question that has nothing to do with the rows scores at best: where "found" may begin."""
    questions = unrelated_texts()
    asked = normalize(truncate(model.embed(questions, kind="query"), z.shape[1]))
    value = float(np.median((asked @ normalize(z).T).max(axis=1)))
    meaning = f"of {len(questions)} questions on other things, half find no row with a score of {value:.2f} or more"
    return Finding(
        "min_score",
        "info",
        value,
        meaning,
        f"to leave out what fits nothing, search with --mode meaning --min-score {value:.2f}; lower for single words",
    )


def _vector_findings(z: NDArray[Any], width: int | None) -> Iterator[Finding]:
    finite = np.isfinite(z).all(axis=1)
    broken = np.flatnonzero(~finite)
    yield _count(
        "nan",
        broken,
        len(z),
        "rows hold NaN or infinite numbers; they match nothing, or everything",
        "embed these rows again, or leave them out",
        "error",
    )
    lengths = np.linalg.norm(np.where(np.isfinite(z), z, 0).astype(np.float64), axis=1)
    zero = np.flatnonzero(finite & (lengths == 0))
    yield _count(
        "zero",
        zero,
        len(z),
        "rows are all zeros: they have no direction and no cosine",
        "embed these rows again, or leave them out",
        "error",
    )
    yield _lengths(lengths[finite & (lengths > 0)], z.shape[1], width)
    yield _width(z.shape[1], width)
    whole = np.ascontiguousarray(z[finite])
    copies = len(whole) - len(np.unique(whole.view(np.dtype((np.void, whole.dtype.itemsize * z.shape[1]))).ravel()))
    level: Level = "warning" if copies > 0.01 * len(z) else ("info" if copies else "ok")
    yield Finding(
        "duplicates",
        level,
        copies,
        f"{copies} of {len(z)} rows repeat another row's vector exactly",
        "imi dedupe lists groups and which rows to keep" if copies else "",
    )


def _count(check: str, rows: NDArray[np.int64], n: int, meaning: str, remedy: str, level: Level) -> Finding:
    if not len(rows):
        return Finding(check, "ok", 0, f"none of {n} {meaning.split(':')[0].split(';')[0]}")
    first = ", ".join(str(row) for row in rows[:5])
    return Finding(check, level, len(rows), f"{len(rows)} of {n} {meaning}; first rows: {first}", remedy)


def _lengths(lengths: NDArray[np.float64], dims: int, width: int | None) -> Finding:
    """Tell unit rows, rows cut without re-normalising, and rows that were never normalised apart."""
    if not len(lengths):
        return Finding("unit", "info", None, "there is no row to measure")
    away = float((np.abs(lengths - 1) > 1e-3).mean())
    if away == 0:
        return Finding("unit", "ok", 0.0, "all rows have length one")
    low, high, mean = float(lengths.min()), float(lengths.max()), float(lengths.mean())
    spread = f"lengths go from {low:.3f} to {high:.3f}, mean {mean:.3f}"
    # Prefixes of unit rows are all shorter than one, and of similar length; a model's raw output is not bounded by one.
    if away > 0.95 and high <= 1.001 and mean > 0.05 and float(lengths.std()) < 0.35 * mean:
        full = f" of {width}" if width and width > dims else ""
        return Finding(
            "unit",
            "error",
            away,
            f"rows look cut to {dims} dimensions{full} without re-normalising: {spread}; "
            "dot products then rank by leftover length",
            "imi.truncate(z, dims) cuts and re-normalises; to mend these, imi.normalize(z)",
        )
    return Finding(
        "unit",
        "warning",
        away,
        f"{away:.1%} of the rows do not have length one: {spread}; dot products are not cosines",
        "imi.normalize(z), or search by cosine",
    )


def _width(dims: int, width: int | None) -> Finding:
    if width is None:
        return Finding("width", "info", dims, f"rows have {dims} dimensions; what they should have is not known", "")
    if dims == width:
        return Finding("width", "ok", dims, f"rows have the {width} dimensions of the model")
    if dims * 4 == width:
        return Finding(
            "width",
            "error",
            dims,
            f"rows have {dims} dimensions, a quarter of the model's {width}: "
            "most likely base64 was read as the wrong type, and the numbers mean nothing",
            "read base64 as little-endian float32, or ask the service with encoding_format='float'; then embed again",
        )
    if dims < width:
        return Finding(
            "width",
            "info",
            dims,
            f"rows have {dims} of the model's {width} dimensions; queries must be cut to {dims}, too",
            "",
        )
    return Finding(
        "width",
        "error",
        dims,
        f"rows have {dims} dimensions, the model makes {width}: they are not of this model",
        "name the right model",
    )


def _text_findings(texts: Sequence[str], model: Any) -> list[Finding]:
    empty = np.array([row for row, text in enumerate(texts) if not text.strip()], dtype=np.int64)
    counts = Counter(text for text in texts if text.strip())
    again = sum(counts.values()) - len(counts)
    level: Level = "warning" if again > 0.01 * len(texts) else ("info" if again else "ok")
    found = [
        _count(
            "empty texts",
            empty,
            len(texts),
            "texts are empty: their vectors mean nothing",
            "leave these rows out",
            "warning",
        ),
        Finding(
            "repeated texts",
            level,
            again,
            f"{again} of {len(texts)} texts repeat another one exactly",
            "imi dedupe lists groups and which rows to keep" if again else "",
        ),
    ]
    return [*found, _long_texts(texts, model)]


def _long_texts(texts: Sequence[str], model: Any) -> Finding:
    most = None if model is None else model.info.max_tokens
    if most is None:
        longest = max((len(text) for text in texts), default=0)
        level: Level = "warning" if longest > 20_000 else "info"
        return Finding(
            "long texts",
            level,
            longest,
            f"the longest text has {longest} characters; one vector for so much says little of each part"
            if level == "warning"
            else f"the longest text has {longest} characters",
            "imi add cuts texts into chunks" if level == "warning" else "",
        )
    # A token is rarely shorter than one byte, so short texts need not be counted.
    possible = [row for row, text in enumerate(texts) if len(text.encode("utf-8", "replace")) > most]
    counted: Callable[[Sequence[str]], Any] = model.count_tokens
    tokens = counted([texts[row] for row in possible]) if possible else []
    over = np.array([row for row, count in zip(possible, tokens, strict=True) if count > most], dtype=np.int64)
    return _count(
        "long texts",
        over,
        len(texts),
        f"texts are longer than the {most} tokens that the model reads: the rest is ignored",
        "imi add cuts texts into chunks",
        "warning",
    )
