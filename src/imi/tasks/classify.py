"""Classification: train a head on labelled vectors, say how well it does on held-out ones, and use it on new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imi.errors import UsageError
from imi.tasks.classifier_heads import ClassifierHead, Kind, as_labels, train_head
from imi.tasks.intervals import Interval, wilson
from imi.tasks.plots import draw_confusion, save_figure
from imi.tasks.rows import check_share, check_varied, is_collection, read_rows
from imi.vectors import Floats

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Classification:
    """How well labels were predicted on the n held-out rows, and the head, trained afterwards on all rows.

    confusion: (c, c) counts, rows the truth, columns the prediction, in the order of `labels`. interval: 95 % of the
    accuracy.
    """

    accuracy: float
    macro_f1: float
    interval: Interval
    labels: tuple[Any, ...]
    confusion: NDArray[np.int64]
    n: int
    head: ClassifierHead

    def predict(self, z: Any) -> NDArray[Any]:
        """Return the label of each vector, (n,)."""
        return self.head.predict(z)

    def to_dict(self) -> dict[str, Any]:
        """Return the keys that `--json` prints."""
        return {
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "interval": list(self.interval),
            "labels": list(self.labels),
            "confusion": self.confusion.tolist(),
            "n": self.n,
        }

    def figure(self, path: str | Path) -> None:
        """Draw the confusion matrix."""
        title = f"accuracy {self.accuracy:.3f} ({self.interval[0]:.3f} to {self.interval[1]:.3f}), n = {self.n}"
        save_figure(draw_confusion(self.confusion, [str(label) for label in self.labels], title), path)


def classify(
    data: Any,
    labels: Sequence[Any] | str,
    head: Kind = "kernel",
    test: float = 0.2,
    seed: int = 0,
    dims: int | None = None,
    *,
    sentences: bool = False,
) -> Classification:
    """Train on a part of labelled rows, predict the rest, and report.

    Args:
        data: (n, d) vectors, or a collection.
        labels: n labels; for a collection, the column that holds them. Rows labelled None are left out.
        head: "kernel" (bends where labels do), "logistic" (regularised, softmax) or "knn" (votes weighted by cosine).
        test: share of the rows held out, drawn by label in proportion where each label has two rows or more.
        seed: of the split.
        dims: leading numbers of each vector to use.
        sentences: read a collection's texts also sentence by sentence (`imi.tasks.parts`): better where they are long.

    Raises:
        UsageError: fewer than two labels, as many labels as rows, one vector for all rows, an unknown column, a share
            outside 0 to 1.
        MissingExtra: the logistic head without scikit-learn.
    """
    rows = read_rows(data, dims, sentences=sentences)
    z, codes, names = labelled(rows.z, rows.column(labels) if isinstance(labels, str) else labels)
    check_varied(z, "classification")
    train, held = split_rows(codes, check_share(test, "test"), seed)
    judged = train_head(z[train], codes[train], names, head, seed=seed)
    predicted = judged.confidences(z[held]).argmax(axis=1)
    confusion = np.zeros((len(names), len(names)), np.int64)
    np.add.at(confusion, (codes[held], predicted), 1)
    right = int(np.trace(confusion))
    final = train_head(z, codes, names, head, seed=seed)
    if is_collection(data):
        final = replace(with_model(final, data), sentences=sentences)
    return Classification(
        right / len(held), macro_f1(confusion), wilson(right, len(held)), tuple(names), confusion, len(held), final
    )


def labelled(z: Floats, labels: Sequence[Any] | NDArray[Any]) -> tuple[Floats, Codes, list[Any]]:
    """Return the rows that have a label, their codes, and the labels in sorted order.

    Raises:
        UsageError: the numbers of labels and rows differ, or what is left cannot be told apart or learned.
    """
    if len(labels) != len(z):
        raise UsageError(
            f"there are {len(labels)} labels for {len(z)} vectors",
            hint="give one label a row, None where it is unknown",
        )
    values = as_labels([plain_label(label) for label in labels])
    known = np.array([value is not None for value in values], dtype=bool)
    names = sorted(set(values[known]), key=lambda value: (str(type(value)), value))
    if len(names) < 2:
        found = f"only {names[0]!r}" if names else "none"
        raise UsageError(f"two labels or more are needed, there is {found} in {int(known.sum())} labelled rows")
    if len(names) > known.sum() / 2:
        raise UsageError(
            f"there are {len(names)} different labels in {int(known.sum())} rows: too few rows a label to learn from",
            hint="imi regress predicts numbers; a column of ids or of free text is no label",
        )
    place = {name: at for at, name in enumerate(names)}
    return z[known], np.array([place[value] for value in values[known]], dtype=np.int64), names


def plain_label(label: Any) -> Any:
    """Return a label as a Python str, int, float or bool; None for what counts as missing.

    Raises:
        UsageError: the label is a list or another value that is no label.
    """
    value = label.item() if isinstance(label, np.generic) else label
    if value is None or value == "" or (isinstance(value, float) and np.isnan(value)):
        return None
    if not isinstance(value, str | int | float | bool):
        raise UsageError(f"a label is {value!r}, allowed are texts, numbers and truth values")
    return value


def split_rows(codes: Codes, test: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows to train on and those held out, by label in proportion; a label with one row trains.

    Raises:
        UsageError: nothing would be held out or trained on.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(codes))
    # Within each label every (1/test)-th row in shuffled order is held out; a running offset keeps the total at the
    # share asked for.
    held = np.zeros(len(codes), dtype=bool)
    owed = 0.0
    for code in np.unique(codes):
        rows = order[codes[order] == code]
        exact = len(rows) * test + owed
        take = min(int(np.floor(exact + 0.5)), len(rows) - 1)
        owed = exact - take
        held[rows[:take]] = True
    if not held.any() or held.all():
        raise UsageError(f"test={test} of {len(codes)} rows leaves nothing to test or to train on")
    return np.flatnonzero(~held), np.flatnonzero(held)


def macro_f1(confusion: NDArray[np.int64]) -> float:
    """Return the mean over labels of F1; labels that are neither true nor predicted anywhere are left out."""
    right = np.diag(confusion).astype(np.float64)
    seen = confusion.sum(axis=0) + confusion.sum(axis=1)
    return float((2 * right[seen > 0] / seen[seen > 0]).mean())


def with_model(head: ClassifierHead, collection: Any) -> ClassifierHead:
    """Return the head marked with the fingerprint of the collection's model, to refuse another model's vectors."""
    return replace(head, model=collection.info.fingerprint or "")
