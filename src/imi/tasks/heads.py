"""Heads: what turns vectors into labels once trained, logistic or by neighbours, kept as one file without pickles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imi.errors import DataError, MissingExtra, UsageError
from imi.vectors import Floats, as_floats, normalize, truncate

Kind = Literal["logistic", "knn"]
KINDS: tuple[Kind, ...] = ("logistic", "knn")
_FORMAT = 1


@dataclass(frozen=True)
class Head:
    """A trained head; `model` is the fingerprint of the model whose vectors it was trained on, "" when unknown.

    logistic: weights (c, d) and bias (c,). knn: weights are the training rows (n, d), codes (n,) their labels, `k`
    how many vote.
    """

    kind: Kind
    labels: tuple[Any, ...]
    weights: Floats
    bias: Floats
    codes: NDArray[np.int64]
    k: int = 0
    model: str = ""

    @property
    def dims(self) -> int:
        """Numbers of a vector that the head reads."""
        return int(self.weights.shape[1])

    def confidences(self, z: Any) -> Floats:
        """Return the confidence in each label, (n, c), rows summing to one.

        Raises:
            UsageError: the vectors are narrower than the head.
        """
        array = np.atleast_2d(as_floats(z))
        if array.shape[1] < self.dims:
            raise UsageError(
                f"vectors have {array.shape[1]} numbers, the head reads {self.dims}",
                hint="use vectors of the model it was trained on",
            )
        unit = normalize(array) if array.shape[1] == self.dims else truncate(array, self.dims)
        return self._linear(unit) if self.kind == "logistic" else self._vote(unit)

    def predict(self, z: Any) -> NDArray[Any]:
        """Return the label of each vector, (n,)."""
        predicted: NDArray[Any] = as_labels(self.labels)[self.confidences(z).argmax(axis=1)]
        return predicted

    def _linear(self, unit: Floats) -> Floats:
        scores = unit @ self.weights.T + self.bias
        grown = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(grown / grown.sum(axis=1, keepdims=True), dtype=np.float32)

    def _vote(self, unit: Floats) -> Floats:
        import faiss

        index = faiss.IndexFlatIP(self.dims)
        index.add(self.weights)
        cosines, rows = index.search(unit, self.k)
        return vote(cosines, self.codes[rows], len(self.labels))

    def save(self, path: str | Path) -> None:
        """Write the head to a .npz file."""
        about = {"format": _FORMAT, "kind": self.kind, "labels": list(self.labels), "k": self.k, "model": self.model}
        with Path(path).open("wb") as file:
            np.savez_compressed(
                file, about=np.array(json.dumps(about)), weights=self.weights, bias=self.bias, codes=self.codes
            )


def load_head(path: str | Path) -> Head:
    """Read a head that `save` wrote.

    Raises:
        UsageError: there is no such file.
        DataError: the file is no head, or was written by a newer imi.
    """
    if not Path(path).is_file():
        raise UsageError(
            f"there is no head at {path}", hint="imi classify COLLECTION --column LABEL --save HEAD.npz makes one"
        )
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            if about["format"] != _FORMAT:
                raise DataError(
                    f"{path} has head format {about['format']}, this imi reads {_FORMAT}",
                    hint="update imi, or train the head again",
                )
            return Head(
                about["kind"],
                tuple(about["labels"]),
                file["weights"],
                file["bias"],
                file["codes"],
                about["k"],
                about["model"],
            )
    except (OSError, KeyError, ValueError) as wrong:
        raise DataError(
            f"{path} is not a head: {wrong}", hint="imi classify COLLECTION --column LABEL --save HEAD.npz makes one"
        ) from wrong


def train_head(z: Floats, codes: NDArray[np.int64], labels: Sequence[Any], kind: Kind, *, seed: int = 0) -> Head:
    """Train a head on unit rows.

    Its one dial (the strength of the logistic head's regularisation, the neighbours that vote) is chosen by
    cross-validation inside these rows, so that what is held out stays unseen.

    Args:
        z: (n, d) unit rows.
        codes: (n,) places in `labels`.
        labels: the c labels.
        kind: "logistic" or "knn".
        seed: of the folds.

    Raises:
        UsageError: an unknown kind.
        MissingExtra: the logistic head without scikit-learn.
    """
    if kind not in KINDS:
        raise UsageError(f"head is {kind!r}, allowed are {', '.join(KINDS)}")
    if kind == "knn":
        k = _best_k(z, codes, len(labels))
        return Head("knn", tuple(labels), z, np.empty(0, np.float32), codes, k)
    strength = _best_strength(z, codes, seed)
    weights, bias = _fit_logistic(z, codes, strength)
    return Head("logistic", tuple(labels), *_full(weights, bias, np.unique(codes), len(labels)), np.empty(0, np.int64))


def as_labels(labels: Sequence[Any]) -> NDArray[Any]:
    """Return labels as an object array, so that whole numbers, texts and truth values keep their kind."""
    array = np.empty(len(labels), dtype=object)
    array[:] = list(labels)
    return array


def vote(cosines: Floats, codes: NDArray[np.int64], count: int) -> Floats:
    """Return the shares of votes (n, count) that neighbours (n, k) with these codes give, weighted by cosine."""
    weights = cosines - cosines.min(axis=1, keepdims=True) + 1e-3
    votes = np.zeros((len(codes), count), np.float32)
    np.add.at(votes, (np.arange(len(codes))[:, None], codes), weights)
    return np.asarray(votes / votes.sum(axis=1, keepdims=True), dtype=np.float32)


def _best_k(z: Floats, codes: NDArray[np.int64], count: int) -> int:
    from imi.tasks.neighbours import nearest_rows

    most = min(30, len(z) - 1)
    cosines, rows = nearest_rows(z, most)
    scores = {
        k: float((vote(cosines[:, :k], codes[rows[:, :k]], count).argmax(axis=1) == codes).mean())
        for k in (1, 3, 5, 10, 20, 30)
        if k <= most
    }
    # The largest k within a thousandth of the best: more votes, calmer confidences.
    return max(k for k, score in scores.items() if score >= max(scores.values()) - 1e-3)


def _logistic(strength: float) -> Any:
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as missing:
        raise MissingExtra("scikit-learn", "tasks") from missing
    return LogisticRegression(C=strength, max_iter=300, tol=1e-3)


def _fit_logistic(z: Floats, codes: NDArray[np.int64], strength: float) -> tuple[Floats, Floats]:
    from threadpoolctl import threadpool_limits

    # Products this small gain nothing from threads, and on a busy machine threads that wait for each other cost
    # twenty times the fit.
    with threadpool_limits(1):
        fitted = _logistic(strength).fit(z, codes)
    weights, bias = fitted.coef_.astype(np.float32), fitted.intercept_.astype(np.float32)
    if len(weights) == 1:  # two classes: scikit-learn keeps one row, softmax wants two
        weights, bias = np.concatenate([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
    return weights, bias


def _best_strength(z: Floats, codes: NDArray[np.int64], seed: int, most: int = 2000) -> float:
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(z))[:most]
    folds = np.arange(len(rows)) % 3
    strengths = (1.0, 3.0, 10.0, 30.0, 100.0)
    losses = []
    for strength in strengths:
        loss = 0.0
        for fold in range(3):
            train, held = rows[folds != fold], rows[folds == fold]
            seen = np.unique(codes[train])
            held = held[np.isin(codes[held], seen)]
            if len(seen) < 2 or not len(held):
                return 10.0
            weights, bias = _fit_logistic(z[train], codes[train], strength)
            scores = z[held] @ weights.T + bias
            own = scores[np.arange(len(held)), np.searchsorted(seen, codes[held])]
            top = scores.max(axis=1)
            loss += float((top + np.log(np.exp(scores - top[:, None]).sum(axis=1)) - own).sum())
        losses.append(loss)
    return strengths[int(np.argmin(losses))]


def _full(weights: Floats, bias: Floats, seen: NDArray[np.int64], count: int) -> tuple[Floats, Floats]:
    """Place trained rows at their labels; a label without a training row gets a bias that it can never win with."""
    placed, offset = np.zeros((count, weights.shape[1]), np.float32), np.full(count, -1e9, np.float32)
    placed[seen], offset[seen] = weights, bias
    return placed, offset
