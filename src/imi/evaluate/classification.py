"""Classification over vectors: labels of the nearest neighbours, and logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imi.embedders.base import Embedder
from imi.errors import MissingExtra, UsageError
from imi.evaluate.intervals import mean_interval
from imi.evaluate.ranking import nearest
from imi.evaluate.scores import ByDims, Dims, Score, at_dims, encode
from imi.progress import Progress
from imi.types import Floats

Head = Literal["knn", "logistic"]


def classification(
    model: Embedder | tuple[Floats, Floats],
    train: tuple[Sequence[str], ArrayLike],
    test: tuple[Sequence[str], ArrayLike],
    dims: Dims = None,
    *,
    head: Head = "knn",
    neighbours: int = 5,
    progress: Progress | None = None,
) -> ByDims:
    """Measure how well labels can be predicted from vectors.

    Args:
        model: an embedder, or the vectors (n, d) of the train and (m, d) of the test texts; texts may be empty then.
        train: n texts and their labels.
        test: m texts and their labels.
        dims: leading dimensions to use, one or several; None for all.
        head: "knn", the vote of the nearest by cosine, or "logistic", regression (needs the extra `tasks`).
        neighbours: how many vote.
        progress: called as progress(done, total) while texts are encoded.

    Returns:
        For each dims a `Score` of metric "accuracy", with "macro_f1" in `also`.

    Raises:
        UsageError: an unknown head, labels that do not agree with the rows; MissingExtra: no scikit-learn.
    """
    if head not in ("knn", "logistic"):
        raise UsageError(f"head is {head!r}, allowed are 'knn' and 'logistic'")
    sides = encode(model, [(train[0], "document"), (test[0], "document")], progress)
    names, known = np.unique(np.asarray(train[1]), return_inverse=True)
    truth = np.asarray(test[1])
    if len(known) != len(sides[0]) or len(truth) != len(sides[1]) or not len(truth) or not len(known):
        raise UsageError(
            f"{len(known)} and {len(truth)} labels meet {len(sides[0])} and {len(sides[1])} vectors: one each is needed"
        )
    out: ByDims = {}
    for size, (seen, asked) in at_dims(sides, dims):
        found = _vote(seen, known, asked, neighbours) if head == "knn" else _regression(seen, known, asked)
        out[size] = accuracy(names[found], truth)
    return out


def accuracy(predicted: ArrayLike, truth: ArrayLike) -> Score:
    """Return the share of right labels as a `Score`, with macro F1 over the labels that occur in `truth`."""
    found, right = np.asarray(predicted), np.asarray(truth)
    items = (found == right).astype(np.float64)
    labels = np.unique(right)
    both = np.array([((found == one) & (right == one)).sum() for one in labels])
    either = np.array([(found == one).sum() + (right == one).sum() for one in labels])
    f1 = float((2 * both / np.maximum(either, 1)).mean())
    return Score("accuracy", float(items.mean()), mean_interval(items), {"macro_f1": f1}, items)


def _vote(seen: Floats, known: NDArray[np.int64], asked: Floats, neighbours: int) -> NDArray[np.int64]:
    """Return the label with the largest sum of cosines among the nearest, (m,)."""
    cosines, rows = nearest(asked, seen, neighbours)
    votes = np.zeros((len(asked), int(known.max()) + 1), np.float32)
    # A cosine below zero is not a vote, but a neighbour all the same.
    np.add.at(votes, (np.arange(len(asked))[:, None], known[rows]), np.maximum(cosines, 1e-6))
    return np.asarray(votes.argmax(axis=1), dtype=np.int64)


def _regression(seen: Floats, known: NDArray[np.int64], asked: Floats) -> NDArray[np.int64]:
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as missing:
        raise MissingExtra("scikit-learn", "tasks") from missing
    # Unit rows are short: with the default C of 1 the weights would stay too small to tell many labels apart.
    head = LogisticRegression(C=10, max_iter=200, tol=1e-3).fit(seen, known)
    return np.asarray(head.predict(asked), dtype=np.int64)
