"""Zero-shot classification: each text gets the label that its meaning is nearest to; no labelled row is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.figures import draw_confusion, save_figure
from imi.tasks.certainty import Certainty, certainty_of
from imi.tasks.classify import (
    PlainAnswer,
    beside,
    macro_f1,
    metrics_table,
    plain_answers,
    plain_label,
    prediction_tables,
    surest_wrong,
)
from imi.tasks.intervals import Interval, wilson
from imi.tasks.label_phrasings import known, phrasings, star_of, stars_as
from imi.tasks.labelled import LabelledRows
from imi.tasks.parts import PARTS, in_parts, tiled
from imi.tasks.plain import commonest, shared_words
from imi.tasks.report import Findings, Phrase, Reported
from imi.tasks.rows import Rows, is_collection, read_rows, worth_reading
from imi.tasks.self_taught import agreement_of, enough_rows, sure_as, taught_scores
from imi.types import Floats
from imi.vectors import normalize, truncate

Method = Literal["rows", "descriptions"]
METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True)
class ZeroShot(Reported):
    """The predictions of zero-shot classification, row by row, and how often they are right where the truth is given.

    predictions: a label or None (abstained) for each row; confidence: (n,) of the best label. The figures judge the n
    rows whose truth is among the labels: accuracy and confusion over those answered, coverage their share. calibrated:
    accuracy with each label's threshold fitted on other folds of the truth; None without truth. method: "rows" where
    the surest rows taught the rest, "descriptions" where those alone decided. certainty: how often answers of a
    confidence are right.
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
    baselines: tuple[PlainAnswer, ...] = ()
    worst: tuple[tuple[Any, ...], ...] = ()
    ids: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    method: Method = "descriptions"
    certainty: Certainty | None = None

    def findings(self) -> Findings:
        """Return the figures beside the plain ways where a truth was given, else the labels with their texts."""
        if self.accuracy is None or self.macro_f1 is None or self.interval is None or self.confusion is None:
            return LabelledRows(self.ids, self.predictions, self.confidence, self.texts).findings()
        says = [
            Phrase(
                f"judged on {self.n} rows, whose true labels were not looked at before",
                f"{self.n} 件で評価（正解は予測に使っていません）",
            )
        ]
        if self.coverage is not None and self.coverage < 1:
            says.append(
                Phrase(f"{self.coverage:.1%} of them were answered", f"そのうち {self.coverage:.1%} に回答しました")
            )
        says += [beside(one, METHODS) for one in self.baselines[:1]]
        if self.calibrated is not None:
            says.append(
                Phrase(
                    f"with thresholds that other rows chose: {self.calibrated:.3f}",
                    f"ほかの行の正解からしきい値を決めた場合：{self.calibrated:.3f}",
                )
            )
        metrics = metrics_table(self.method, self.accuracy, self.macro_f1, self.interval, self.baselines)
        tables = (metrics, *prediction_tables(self.confusion, self.labels, self.certainty, self.worst))
        return Findings(Phrase("Zero-shot classification", "ゼロショット分類"), tuple(says), tables)

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
            "method": self.method,
            "certainty": None if self.certainty is None else self.certainty.to_dict(),
            "baseline": self.baselines[0].to_dict() if self.baselines else None,
            "baselines": [one.to_dict() for one in self.baselines],
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
    method: Method | None = None,
) -> ZeroShot:
    """Give each text the label that its meaning is nearest to.

    A label's score is the mean cosine to its descriptions. Descriptions that resemble the texts ("I love it") do better
    than the bare word: those of sentiments, stars and spam are known (`imi.tasks.label_phrasings`); for another bare
    word, four phrasings in its language are averaged. Where there are fifty rows a label or more, the rows that are
    surest by the descriptions then teach what the texts of a label are like (`imi.tasks.self_taught`), and the mean
    confidence is the share of rows where they agree with the descriptions. Where the truth is given, the plain ways are
    judged on the same rows: the descriptions alone, always the commonest label, and the words shared with the
    descriptions.

    Args:
        data: n texts, or a collection.
        labels: two or more names, or names with one or more descriptions each.
        model: an embedder; for a collection, None takes the collection's own.
        truth: n true labels to judge by, or the collection's column that holds them; rows with another value are not
            judged. Stars are read as sentiment where the labels are a positive and a negative one.
        abstain: answers with less confidence than this become None.
        dims: leading dimensions of each vector to use.
        seed: of the folds of `calibrated`.
        sentences: read texts also sentence by sentence (`imi.tasks.parts`). None: yes for texts, and for a collection
            of up to 20,000 long texts with the built-in model.
        method: "rows" (they teach each other), "descriptions" (each text by itself), or None: rows where enough.

    Raises:
        UsageError: fewer than two labels, an empty one, no model, an unknown column, a truth that has none of the
            labels, an unknown method.
    """
    if method is not None and method not in METHODS:
        raise UsageError(f"method is {method!r}, allowed are {', '.join(METHODS)}")
    described = _descriptions(labels)
    names = tuple(described)
    if not 0 <= abstain < 1:
        raise UsageError(f"abstain is {abstain!r}, allowed are numbers from 0 to below 1")
    rows, embedder, answers, parts = _vectors(data, model, truth, dims, sentences)
    width = rows.z.shape[1] // PARTS if parts else rows.z.shape[1]
    vectors = [truncate(embedder.embed(list(texts), "query"), width) for texts in described.values()]
    scores, plain, confidences, used = _scored(rows.z, vectors, parts, method, even=not known(names))
    best, confidence = confidences.argmax(axis=1), confidences.max(axis=1)
    predictions = tuple(names[code] if sure >= abstain else None for code, sure in zip(best, confidence, strict=True))
    result = ZeroShot(predictions, confidence, names, ids=tuple(rows.ids), texts=tuple(rows.texts or ()), method=used)
    return result if answers is None else _judge(result, (scores, plain), answers, seed, rows, described)


def _scored(
    z: Floats, vectors: Sequence[Floats], parts: bool, method: Method | None, *, even: bool
) -> tuple[Floats, Floats, Floats, Method]:
    """Return the scores (n, c), those by the descriptions alone, the confidences (n, c), and the method used."""
    spread = [tiled(one) if parts else one for one in vectors]
    meanings = np.stack([normalize(one.mean(axis=0)) for one in vectors])
    plain = np.asarray(z @ (tiled(meanings) if parts else meanings).T, dtype=np.float32)
    if method == "descriptions" or (method is None and not enough_rows(len(z), len(vectors))):
        return plain, plain, _confidences(plain), "descriptions"
    taught = taught_scores(z, spread, plain, even=even).astype(np.float32)
    return taught, plain, sure_as(taught, agreement_of(taught, plain)), "rows"


def _descriptions(labels: Sequence[str] | Mapping[str, str | Sequence[str]]) -> dict[str, list[str]]:
    if isinstance(labels, str):
        raise UsageError(f"labels is one text, {labels!r}", hint="give a list, such as ['positive', 'negative']")
    given = labels if isinstance(labels, Mapping) else {label: () for label in labels}
    described: dict[str, list[str]] = {}
    for label, texts in given.items():
        if not isinstance(label, str) or not label.strip():
            raise UsageError(f"a label is {label!r}, allowed are texts that are not empty")
        own = [texts] if isinstance(texts, str) else list(texts)
        described[label] = own or phrasings(label, list(given))
    if len(described) < 2:
        raise UsageError(
            f"at least 2 different labels are needed, not {len(described)}", hint='--labels "good,bad" gives two'
        )
    return described


def _vectors(
    data: Any, model: Any, truth: Sequence[Any] | str | None, dims: int | None, sentences: bool | None
) -> tuple[Rows, Any, Sequence[Any] | None, bool]:
    """Return the rows, the model, the truth as one value a row, and whether the rows are in parts."""
    if is_collection(data):
        rows = read_rows(data, dims)
        parts = worth_reading(rows.texts or (), data) if sentences is None else sentences
        if parts:
            rows = replace(rows, z=in_parts(list(rows.texts or ()), data.model, rows.z.shape[1], rows.z))
        answers = rows.column(truth) if isinstance(truth, str) else truth
        return rows, model or data.model, None if answers is None else list(answers), parts
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
    parts = sentences is not False
    z = in_parts(texts, model, dims) if parts else normalize(model.embed(texts, "document", dims))
    return Rows(z, [str(row) for row in range(len(texts))], texts), model, truth, parts


def _confidences(scores: Floats) -> Floats:
    """Return softmax confidences (n, c), the scale of the scores taken from how much they differ within rows."""
    inner = scores - scores.mean(axis=1, keepdims=True)
    spread = float(np.sqrt((inner**2).mean())) or 1.0
    # 1.5: between praise and complaint, nine in ten that are .9 sure are right (reviews and hotels that no test reads)
    grown = np.exp((inner - inner.max(axis=1, keepdims=True)) * (1.5 / spread))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True), dtype=np.float32)


def _judge(
    result: ZeroShot,
    scored: tuple[Floats, Floats],
    truth: Sequence[Any],
    seed: int,
    rows: Rows,
    described: Mapping[str, Sequence[str]],
) -> ZeroShot:
    if len(truth) != len(result.predictions):
        raise UsageError(f"there are {len(truth)} true labels for {len(result.predictions)} texts")
    place = {name: code for code, name in enumerate(result.labels)}
    codes = _truth(result.labels, place, truth)
    scores, by_descriptions = scored
    judged = np.flatnonzero(codes >= 0)
    if not len(judged):
        held = sorted({str(value) for value in truth if value is not None})[:5]
        raise UsageError(
            f"no row's truth is one of the labels {', '.join(result.labels)}; it holds {', '.join(held)}",
            hint="write labels and the column's values alike; positive and negative also judge stars",
        )
    answered = np.array([row for row in judged if result.predictions[row] is not None], dtype=np.int64)
    predicted = np.array([place[str(result.predictions[row])] for row in answered], dtype=np.int64)
    confusion = np.zeros((len(place), len(place)), np.int64)
    np.add.at(confusion, (codes[answered], predicted), 1)
    right = int(np.trace(confusion))
    calibrated = _calibrated(scores[judged], codes[judged], seed)
    said = {result.method: predicted, "commonest": commonest(codes, answered, answered)}
    if result.method != "descriptions":
        said["descriptions"] = by_descriptions[answered].argmax(axis=1)
    if rows.texts is not None and any(rows.texts):
        said["shared words"] = shared_words([rows.texts[row] for row in answered], list(described.values()))
    return replace(
        result,
        accuracy=right / max(1, len(answered)),
        macro_f1=macro_f1(confusion) if len(answered) else 0.0,
        interval=wilson(right, len(answered)),
        confusion=confusion,
        n=len(judged),
        coverage=len(answered) / len(judged),
        calibrated=None if calibrated is None else float((calibrated == codes[judged]).mean()),
        baselines=plain_answers(said, result.method, codes[answered], len(place), seed) if len(answered) else (),
        certainty=certainty_of(result.confidence[judged], _best(scores[judged]) == codes[judged]),
        worst=surest_wrong(
            rows, answered, codes[answered], predicted, result.confidence[answered], list(result.labels)
        ),
    )


def _best(scores: Floats) -> NDArray[np.int64]:
    return np.asarray(scores.argmax(axis=1), dtype=np.int64)


def _truth(labels: Sequence[str], place: Mapping[str, int], truth: Sequence[Any]) -> NDArray[np.int64]:
    """Return the label's place of each true value, -1 where it has none: as written, as stars, or as sentiment."""
    codes = _codes(place, truth)
    if (codes >= 0).any():
        return codes
    by_star = {star_of(label): at for at, label in enumerate(labels)}
    if None not in by_star and len(by_star) == len(labels):
        codes = np.array([by_star.get(star_of(value), -1) for value in truth], dtype=np.int64)
    if not (codes >= 0).any():
        stars = stars_as(labels, truth)
        codes = codes if stars is None else _codes(place, stars)
    return codes


def _codes(place: Mapping[str, int], truth: Sequence[Any]) -> NDArray[np.int64]:
    return np.array([place.get(str(plain_label(value)), -1) for value in truth], dtype=np.int64)


def _calibrated(scores: Floats, codes: NDArray[np.int64], seed: int, folds: int = 5) -> NDArray[np.int64] | None:
    """Return the answers with one offset a label, each fold's by offsets that the other folds chose."""
    if len(codes) < 2 * folds:
        return None
    fold = np.random.default_rng(seed).permutation(len(codes)) % folds
    said = np.empty(len(codes), np.int64)
    for held in range(folds):
        offsets = _offsets(scores[fold != held], codes[fold != held])
        said[fold == held] = (scores[fold == held] + offsets).argmax(axis=1)
    return said


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
