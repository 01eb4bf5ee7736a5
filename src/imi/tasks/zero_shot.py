"""Zero-shot classification: each text gets the label whose descriptions are nearest in meaning; nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.tasks.classify import macro_f1, plain_label
from imi.tasks.intervals import Interval, wilson
from imi.tasks.parts import PARTS, in_parts, tiled
from imi.tasks.plots import draw_confusion, save_figure
from imi.tasks.rows import is_collection, read_rows
from imi.vectors import Floats, normalize, truncate

_ENGLISH = ("{}", "This is {}.", "A text that is {}.", "A text about {}.")
_JAPANESE = ("{}", "これは{}です。", "{}な文章", "{}についての文章")


@dataclass(frozen=True)
class ZeroShot:
    """What zero-shot said, row by row, and how often it was right where the truth was given.

    predictions: a label or None (abstained) for each row; confidence: (n,) of the best label. The figures judge the n
    rows that have a
    truth among the labels: accuracy and confusion over those answered, coverage their share. calibrated: accuracy
    with each label's threshold moved by what other folds of the truth say; None without truth.
    """

    predictions: tuple[str | None, ...]
    confidence: Floats
    labels: tuple[str, ...]
    accuracy: float | None = None
    macro_f1: float | None = None
    interval: Interval | None = None
    confusion: NDArray[np.int64] | None = None
    n: int = 0
    coverage: float | None = None
    calibrated: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints: the report where a truth was given, the labels otherwise."""
        if self.accuracy is None or self.confusion is None or self.interval is None:
            pairs = zip(self.predictions, self.confidence.tolist(), strict=True)
            return {
                "predictions": [{"label": label, "confidence": confidence} for label, confidence in pairs],
                "labels": list(self.labels),
            }
        return {
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "interval": list(self.interval),
            "labels": list(self.labels),
            "confusion": self.confusion.tolist(),
            "n": self.n,
            "coverage": self.coverage,
            "calibrated": self.calibrated,
        }

    def figure(self, path: str | Path) -> None:
        """Draw the confusion matrix.

        Raises:
            UsageError: no truth was given.
        """
        if self.confusion is None or self.interval is None or self.accuracy is None:
            raise UsageError(
                "there is no truth to draw a confusion matrix against", hint="give truth=, or --column TRUTH"
            )
        title = (
            f"zero-shot accuracy {self.accuracy:.3f} ({self.interval[0]:.3f} to {self.interval[1]:.3f}), n = {self.n}"
        )
        save_figure(draw_confusion(self.confusion, self.labels, title), path)


def zero_shot(
    data: Any,
    labels: Sequence[str] | Mapping[str, str | Sequence[str]],
    model: Any = None,
    *,
    truth: Sequence[Any] | str | None = None,
    abstain: float = 0.0,
    dims: int | None = None,
    seed: int = 0,
    sentences: bool | None = None,
) -> ZeroShot:
    """Give each text the label whose descriptions are nearest.

    A label's score is the mean cosine to its descriptions. Descriptions that resemble the texts ("An Amazon review
    with a positive sentiment.") do better than the bare word; for a bare word, four phrasings in its language are
    averaged.

    Args:
        data: n texts, or a collection.
        labels: two or more names, or names with one or more descriptions each.
        model: an embedder; for a collection, None takes the collection's own.
        truth: n true labels to judge by, or the collection's column that holds them; rows with another value are not
            judged.
        abstain: answers with less confidence than this become None.
        dims: leading numbers of each vector to use.
        seed: of the folds of `calibrated`.
        sentences: read texts also sentence by sentence (`imi.tasks.parts`). None: yes for texts; no for a collection,
            whose vectors are there already.

    Raises:
        UsageError: fewer than two labels, an empty one, no model, an unknown column, a truth that has none of the
            labels.
    """
    described = _descriptions(labels)
    names = tuple(described)
    if not 0 <= abstain < 1:
        raise UsageError(f"abstain is {abstain!r}, allowed are numbers from 0 to below 1")
    rows, embedder, answers, parts = _vectors(data, model, truth, dims, sentences)
    width = rows.shape[1] // PARTS if parts else rows.shape[1]
    meanings = np.stack([_meaning(embedder, texts, width) for texts in described.values()])
    scores = rows @ (tiled(meanings) if parts else meanings).T  # (n, c)
    confidences = _confidences(scores)
    best, confidence = confidences.argmax(axis=1), confidences.max(axis=1)
    predictions = tuple(names[code] if sure >= abstain else None for code, sure in zip(best, confidence, strict=True))
    result = ZeroShot(predictions, confidence, names)
    return result if answers is None else _judge(result, scores, answers, seed)


def _descriptions(labels: Sequence[str] | Mapping[str, str | Sequence[str]]) -> dict[str, list[str]]:
    if isinstance(labels, str):
        raise UsageError(f"labels is one text, {labels!r}", hint="give a list, such as ['positive', 'negative']")
    given = labels if isinstance(labels, Mapping) else {label: () for label in labels}
    described: dict[str, list[str]] = {}
    for label, texts in given.items():
        if not isinstance(label, str) or not label.strip():
            raise UsageError(f"a label is {label!r}, allowed are texts that are not empty")
        own = [texts] if isinstance(texts, str) else list(texts)
        templates = _ENGLISH if label.isascii() else _JAPANESE
        described[label] = own or [template.format(label) for template in templates]
    if len(described) < 2:
        raise UsageError(f"there are {len(described)} different labels, at least 2 are needed")
    return described


def _vectors(
    data: Any, model: Any, truth: Sequence[Any] | str | None, dims: int | None, sentences: bool | None
) -> tuple[Floats, Any, Sequence[Any] | None, bool]:
    """Return unit rows, the model, the truth as one value a row, and whether the rows are in parts."""
    if is_collection(data):
        rows = read_rows(data, dims, sentences=bool(sentences))
        answers = rows.column(truth) if isinstance(truth, str) else truth
        return rows.z, model or data.model, None if answers is None else list(answers), bool(sentences)
    texts = [data] if isinstance(data, str) else list(data)
    if not texts or not all(isinstance(text, str) for text in texts):
        raise UsageError(
            f"there are {len(texts)} rows that are not all texts" if texts else "there are no texts",
            hint="zero_shot takes texts, or a collection",
        )
    if model is None:
        raise UsageError("texts need a model to become vectors", hint="zero_shot(texts, labels, imi.load())")
    if isinstance(truth, str):
        raise UsageError(
            f"column {truth!r} was asked of a list of texts", hint="give the true labels themselves, one a text"
        )
    if sentences is False:
        return normalize(model.embed(texts, "document", dims)), model, truth, False
    return in_parts(texts, model, dims), model, truth, True


def _meaning(model: Any, texts: Sequence[str], dims: int) -> Floats:
    """Return the unit mean of the descriptions' vectors, (dims,)."""
    return normalize(truncate(model.embed(list(texts), "query"), dims).mean(axis=0))


def _confidences(scores: Floats) -> Floats:
    """Return softmax confidences (n, c), the scale of the scores taken from how much they differ within rows."""
    inner = scores - scores.mean(axis=1, keepdims=True)
    spread = float(np.sqrt((inner**2).mean())) or 1.0
    grown = np.exp((inner - inner.max(axis=1, keepdims=True)) / spread)
    return np.asarray(grown / grown.sum(axis=1, keepdims=True), dtype=np.float32)


def _judge(result: ZeroShot, scores: Floats, truth: Sequence[Any], seed: int) -> ZeroShot:
    if len(truth) != len(result.predictions):
        raise UsageError(f"there are {len(truth)} true labels for {len(result.predictions)} texts")
    place = {name: code for code, name in enumerate(result.labels)}
    codes = np.array([place.get(str(plain_label(value)), -1) for value in truth])
    judged = np.flatnonzero(codes >= 0)
    if not len(judged):
        raise UsageError(
            f"no row's truth is one of the labels {', '.join(result.labels)}",
            hint="labels and the column's values must be written alike",
        )
    answered = np.array([row for row in judged if result.predictions[row] is not None], dtype=np.int64)
    predicted = np.array([place[str(result.predictions[row])] for row in answered], dtype=np.int64)
    confusion = np.zeros((len(place), len(place)), np.int64)
    np.add.at(confusion, (codes[answered], predicted), 1)
    right = int(np.trace(confusion))
    return replace(
        result,
        accuracy=right / max(1, len(answered)),
        macro_f1=macro_f1(confusion) if len(answered) else 0.0,
        interval=wilson(right, len(answered)),
        confusion=confusion,
        n=len(judged),
        coverage=len(answered) / len(judged),
        calibrated=_calibrated(scores[judged], codes[judged], seed),
    )


def _calibrated(scores: Floats, codes: NDArray[np.int64], seed: int, folds: int = 5) -> float | None:
    """Return the accuracy with one offset a label, each fold judged by offsets that the other folds chose."""
    if len(codes) < 2 * folds:
        return None
    fold = np.random.default_rng(seed).permutation(len(codes)) % folds
    right = 0
    for held in range(folds):
        offsets = _offsets(scores[fold != held], codes[fold != held])
        right += int(((scores[fold == held] + offsets).argmax(axis=1) == codes[fold == held]).sum())
    return right / len(codes)


def _offsets(scores: Floats, codes: NDArray[np.int64]) -> Floats:
    """Return the offsets (c,) with the most right answers, moving one label at a time."""
    offsets = np.zeros(scores.shape[1], np.float32)
    for _ in range(2):
        for label in range(len(offsets)):
            moved = scores + offsets
            others = np.delete(moved, label, axis=1)
            flips = others.max(axis=1) - moved[:, label]  # the shift from which on this row says `label`
            order = np.argsort(flips, kind="stable")
            gains = (
                np.where(codes[order] == label, 1, 0)
                - (np.delete(np.arange(len(offsets)), label)[others.argmax(axis=1)] == codes)[order]
            )
            totals = np.concatenate([[0], np.cumsum(gains)])
            best = int(totals.argmax())
            edges = np.concatenate(
                [[flips[order[0]] - 1e-3], (flips[order][1:] + flips[order][:-1]) / 2, [flips[order[-1]] + 1e-3]]
            )
            stay = int((flips < 0).sum())
            if totals[best] > totals[stay]:
                offsets[label] += edges[best]
    return offsets
