"""Heads: what turns vectors into labels once trained: kernel, logistic or neighbours; kept as one file, no pickles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from imi.atomic import whole
from imi.errors import DataError, MissingExtra, UsageError
from imi.tasks.kernel_ridge import Kernel, fit_kernel, fitting
from imi.types import Floats

Kind = Literal["kernel", "logistic", "knn"]
KINDS: tuple[Kind, ...] = ("kernel", "logistic", "knn")
_FORMAT = 2
_PLAIN = ("kind", "k", "model", "gamma", "sentences")
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class ClassifierHead:
    """A trained head; `model` is the fingerprint of the model whose vectors it was trained on, "" when unknown.

    logistic: weights (c, d) and bias (c,). knn: weights are the training rows (n, d), codes (n,) their labels, `k`
    how many vote. kernel: weights are the landmarks (m, d), `mix` (m, c) what each says, `gamma` the kernel's.
    sentences: whether it reads texts in parts.
    """

    kind: Kind
    labels: tuple[Any, ...]
    weights: Floats
    bias: Floats
    codes: NDArray[np.int64]
    k: int = 0
    model: str = ""
    mix: Doubles | None = None
    gamma: float = 0.0
    sentences: bool = False

    @property
    def dims(self) -> int:
        """Numbers of a vector that the head reads."""
        return int(self.weights.shape[1])

    def confidences(self, z: Any) -> Floats:
        """Return the confidence in each label, (n, c), rows summing to one.

        Raises:
            UsageError: the vectors are narrower than the head.
        """
        unit = fitting(z, self.dims, parts=self.sentences)
        if self.kind == "knn":
            return self._vote(unit)
        if self.mix is not None:
            return _softmax(Kernel(self.weights, self.mix, self.bias.astype(np.float64), self.gamma).read(unit))
        return _softmax(unit @ self.weights.T + self.bias)

    def predict(self, z: Any) -> NDArray[Any]:
        """Return the label of each vector, (n,)."""
        predicted: NDArray[Any] = as_labels(self.labels)[self.confidences(z).argmax(axis=1)]
        return predicted

    def _vote(self, unit: Floats) -> Floats:
        import faiss

        index = faiss.IndexFlatIP(self.dims)
        index.add(self.weights)
        cosines, rows = index.search(unit, self.k)
        return vote(cosines, self.codes[rows], len(self.labels))

    def save(self, path: str | Path) -> None:
        """Write the head to a .npz file."""
        about = {"format": _FORMAT, "labels": list(self.labels)}
        about |= {name: getattr(self, name) for name in _PLAIN}
        arrays: dict[str, Any] = {"weights": self.weights, "bias": self.bias, "codes": self.codes}
        if self.mix is not None:
            arrays["mix"] = self.mix
        with whole(Path(path)) as beside, beside.open("wb") as file:
            np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)


def load_head(path: str | Path) -> ClassifierHead:
    """Read a head that `save` wrote.

    Raises:
        UsageError: there is no such file.
        DataError: the file is not a head, or was written by a newer imi.
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
            return ClassifierHead(
                labels=tuple(about["labels"]),
                weights=file["weights"],
                bias=file["bias"],
                codes=file["codes"],
                mix=file["mix"] if "mix" in file.files else None,
                **{name: about[name] for name in _PLAIN},
            )
    except (OSError, KeyError, ValueError) as wrong:
        raise DataError(
            f"{path} is not a head: {wrong}", hint="imi classify COLLECTION --column LABEL --save HEAD.npz makes one"
        ) from wrong


def train_head(
    z: Floats, codes: NDArray[np.int64], labels: Sequence[Any], kind: Kind, *, seed: int = 0
) -> ClassifierHead:
    """Train a head on unit rows.

    Its dials (kernel and noise, the strength of the logistic head's regularisation, the neighbours that vote) are
    chosen by cross-validation inside these rows, so that what is held out stays unseen.

    Args:
        z: (n, d) unit rows.
        codes: (n,) places in `labels`.
        labels: the c labels.
        kind: "kernel", "logistic" or "knn".
        seed: of the folds, and of the landmarks of large tables.

    Raises:
        UsageError: an unknown kind.
        MissingExtra: the logistic head without scikit-learn.
    """
    if kind not in KINDS:
        raise UsageError(f"head is {kind!r}, allowed are {', '.join(KINDS)}")
    if kind == "knn":
        k = _best_k(z, codes, len(labels))
        return ClassifierHead("knn", tuple(labels), z, np.empty(0, np.float32), codes, k)
    if kind == "kernel":
        return _kernel_head(z, codes, labels, seed)
    strength = _best_strength(z, codes, seed)
    weights, bias = _fit_logistic(z, codes, strength)
    return ClassifierHead(
        "logistic", tuple(labels), *_full(weights, bias, np.unique(codes), len(labels)), np.empty(0, np.int64)
    )


def _kernel_head(z: Floats, codes: NDArray[np.int64], labels: Sequence[Any], seed: int) -> ClassifierHead:
    """Fit one reading a label, 1 for its rows and 0 for others, scaled so that softmax is right of rows left out."""
    fit = fit_kernel(z, np.eye(len(labels))[codes], seed=seed)
    own = np.arange(len(fit.rows)), codes[fit.rows]
    scales = np.geomspace(1, 64, 25)
    losses = [-np.log(_softmax(scale * fit.left_out)[own] + 1e-9).mean() for scale in scales]
    scale = float(scales[int(np.argmin(losses))])
    kernel = fit.kernel
    bias = (scale * kernel.mean).astype(np.float32)
    mix = scale * kernel.weights
    return ClassifierHead(
        "kernel", tuple(labels), kernel.landmarks, bias, np.empty(0, np.int64), mix=mix, gamma=kernel.gamma
    )


def _softmax(scores: NDArray[Any]) -> Floats:
    grown = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=1, keepdims=True), dtype=np.float32)


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
