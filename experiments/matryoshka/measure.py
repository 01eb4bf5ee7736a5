"""Figures of one seed: accuracy by a linear classifier and the nearest neighbour, retrieval, by method and size.

Embeddings are compared by cosine, each prefix brought to unit rows by `imi.vectors`. The training pictures are the
database, the test pictures the queries, as in the paper.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.matryoshka.pictures import Pictures
from experiments.matryoshka.training import Trained
from imi.errors import MissingExtra
from imi.evaluate.ranking import average_precision, gains_of_labels, precision
from imi.types import Floats
from imi.vectors import truncate

Hits = dict[str, NDArray[np.float32]]
"""One number for each test picture, under `FIGURE/METHOD/SIZE`."""

COMPRESSED = ("svd", "random")


def safe_unit(z: Floats, dims: int) -> Floats:
    """Return the first dims as unit rows; a row that ReLU left all zero gets one small equal number everywhere."""
    return truncate(np.where(np.abs(z[:, :dims]).max(axis=1, keepdims=True) > 0, z[:, :dims], 1e-3), dims)


def closest(asked: Floats, base: Floats, depth: int) -> NDArray[np.int64]:
    """Return the rows of base that are nearest by dot product, (n, depth), best first.

    By torch, which selects some three times as fast as numpy does; a run asks for millions of them.
    """
    documents = torch.from_numpy(base).T
    parts = [(part @ documents).topk(min(depth, len(base))).indices for part in torch.from_numpy(asked).split(500)]
    rows: NDArray[np.int64] = torch.cat(parts).numpy()
    return rows


def measure_seed(trained: dict[str, Trained], pictures: Pictures, between: tuple[int, ...], seed: int) -> Hits:
    """Return every figure of one seed, test picture by test picture.

    Args:
        trained: each method by its name: "mrl", "mrl-e", "slimmable" and at least the FF of full size.
        pictures: the data they were trained on.
        between: sizes that nothing was trained for, measured on "mrl".
        seed: of the random selection of features.
    """
    out: Hits = {}
    for name, model in trained.items():
        method = "ff" if name.startswith("ff-") else name
        for size in model.sizes:
            right = model.p("test", size).argmax(axis=1) == pictures.test.y
            out[f"linear/{method}/{size}"] = right.astype(np.float32)
            out |= _retrieved(f"{method}/{size}", model.z("train", size), model.z("test", size), pictures)
    for size in between:
        mrl = trained["mrl"]
        out |= _retrieved(f"mrl/{size}", mrl.z("train", size), mrl.z("test", size), pictures)
    full = max((model for name, model in trained.items() if name.startswith("ff-")), key=lambda model: model.sizes)
    out |= _cut_classifier(full, pictures, trained["mrl"].sizes)
    for name, model in trained.items():
        if name == "mrl" or name.startswith("ff-"):
            out |= _unusual(name.split("-")[0], model, pictures)
    for kind, size, train, test in _compressed(full, trained["mrl"].sizes, seed):
        right = _probe(train, pictures.train.y, test) == pictures.test.y
        out[f"linear/{kind}/{size}"] = right.astype(np.float32)
        out |= _retrieved(f"{kind}/{size}", train, test, pictures)
    return out


def _compressed(full: Trained, sizes: tuple[int, ...], seed: int) -> Iterator[tuple[str, int, Floats, Floats]]:
    """Yield the two ways to shorten a fixed representation afterwards, at each size below the full one."""
    width = full.sizes[0]
    train, test = full.z("train", width), full.z("test", width)
    _, _, directions = np.linalg.svd(train, full_matrices=False)
    chosen = np.random.default_rng(seed).permutation(width)
    for size in (size for size in sizes if size < width):
        yield "svd", size, train @ directions[:size].T, test @ directions[:size].T
        yield "random", size, train[:, chosen[:size]], test[:, chosen[:size]]


def _cut_classifier(full: Trained, pictures: Pictures, sizes: tuple[int, ...]) -> Hits:
    """Return the accuracy of the full network's own classifier, its weights cut to the largest singular directions.

    This is the paper's SVD for linear accuracy: nothing is trained again.
    """
    weights, bias = full.arrays["w"], full.arrays["b"]
    left, strength, right = np.linalg.svd(weights, full_matrices=False)
    z = full.z("test", full.sizes[0])
    out = {}
    for size in (size for size in sizes if size < full.sizes[0]):
        logits = (z @ right[:size].T) @ (left[:, :size] * strength[:size]).T + bias
        out[f"linear/svd-cut/{size}"] = (logits.argmax(axis=1) == pictures.test.y).astype(np.float32)
    return out


def _unusual(method: str, model: Trained, pictures: Pictures) -> Hits:
    """Return what a method makes of superclasses, of shifted inputs, and of inputs that belong to no class.

    Under `superclass` is whether the class that was named is of the right superclass, under `linear~SHIFT` and
    `1-nn~SHIFT` accuracy on shifted inputs, and under `outside` the share of the outside inputs that the classifier is
    less sure of than of this test row: their mean is the area under the curve.
    """
    out: Hits = {}
    groups = np.unique(pictures.groups, return_inverse=True)[1] if pictures.groups else None
    for size in model.sizes:
        sure = model.p("test", size)
        if groups is not None:
            kin = groups[sure.argmax(axis=1)] == groups[pictures.test.y]
            out[f"superclass/{method}/{size}"] = kin.astype(np.float32)
        if pictures.outside is not None:
            others = np.sort(model.p("outside", size).max(axis=1))
            own = sure.max(axis=1)
            below = np.searchsorted(others, own) + np.searchsorted(others, own, side="right")
            out[f"outside/{method}/{size}"] = (below / (2 * len(others))).astype(np.float32)
        base = safe_unit(model.z("train", size), size)
        for shift, part in pictures.shifted.items():
            right = model.p(f"shift.{shift}", size).argmax(axis=1) == part.y
            found = closest(safe_unit(model.z(f"shift.{shift}", size), size), base, 1)[:, 0]
            out[f"linear~{shift}/{method}/{size}"] = right.astype(np.float32)
            out[f"1-nn~{shift}/{method}/{size}"] = (pictures.train.y[found] == part.y).astype(np.float32)
    return out


def _probe(train: Floats, labels: NDArray[np.int64], test: Floats) -> NDArray[np.int64]:
    """Return the labels that a logistic regression on the training pictures gives the test pictures."""
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler
    except ImportError as missing:
        raise MissingExtra("scikit-learn", "train") from missing
    scaler = StandardScaler().fit(train)
    with warnings.catch_warnings():
        # A hundred steps are enough for the third digit; the rest of the way is not worth the minutes.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(max_iter=60).fit(scaler.transform(train), labels)
    guessed: NDArray[np.int64] = model.predict(scaler.transform(test))
    return guessed


def _retrieved(name: str, train: Floats, test: Floats, pictures: Pictures) -> Hits:
    size = train.shape[1]
    depth = min(100, len(train))
    rows = closest(safe_unit(test, size), safe_unit(train, size), depth)
    gains = gains_of_labels(rows, pictures.test.y, pictures.train.y)
    out = {f"1-nn/{name}": (pictures.train.y[rows[:, 0]] == pictures.test.y).astype(np.float32)}
    for k in (k for k in (10, 25, 50, 100) if k <= depth):
        out |= {f"map@{k}/{name}": average_precision(gains, k), f"p@{k}/{name}": precision(gains, k)}
    return out


def relatives(model: Trained, pictures: Pictures) -> list[dict[str, Any]]:
    """Return, for each size, accuracy, superclass accuracy, and the share of errors that stay within the superclass."""
    groups = np.unique(pictures.groups, return_inverse=True)[1]
    rows = []
    for size in model.sizes:
        guess = model.p("test", size).argmax(axis=1)
        right, kin = guess == pictures.test.y, groups[guess] == groups[pictures.test.y]
        share = float(kin[~right].mean()) if (~right).any() else 0.0
        rows.append({"size": size, "accuracy": float(right.mean()), "superclass": float(kin.mean()), "kin": share})
    return rows


def example(model: Trained, pictures: Pictures, most: int = 6) -> dict[str, Any]:
    """Return one test picture that the smallest size gets wrong and all larger ones right, and all its probabilities.

    Where no such picture exists, the one whose true class gains most from smallest to largest size.
    """
    p = np.stack([model.p("test", size) for size in model.sizes])  # (sizes, n, classes)
    right = p.argmax(axis=2) == pictures.test.y
    true = np.take_along_axis(p, pictures.test.y[None, :, None], axis=2)[:, :, 0]
    gain = true[-1] - true[0] + 10 * (~right[0] & right[1:].all(axis=0))
    row = int(gain.argmax())
    shown = np.argsort(-p[:, row].max(axis=0))[:most]
    if pictures.texts:
        seen: dict[str, Any] = {"text": pictures.texts[row]}
    else:
        pixels = pictures.test.x[row]
        scaled = (pixels - pixels.min()) / max(float(np.ptp(pixels)), 1e-9)
        seen = {"pixels": np.round(scaled.transpose(1, 2, 0), 3).astype(float).tolist()}
    return {
        "truth": pictures.classes[pictures.test.y[row]],
        "sizes": list(model.sizes),
        "classes": [pictures.classes[label] for label in shown],
        "probabilities": p[:, row][:, shown].astype(float).round(4).tolist(),
        **seen,
    }


def few_shots(
    model: Trained, size: int, labels: NDArray[np.int64], shots: tuple[int, ...] = (1, 3, 5, 10), seed: int = 0
) -> dict[str, float]:
    """Return the accuracy on novel classes by the nearest mean of a few examples, over 20 draws.

    Args:
        model: a trained method that has novel pictures.
        size: numbers used.
        labels: (n,) of the novel pictures.
        shots: examples of each class.
        seed: of the draws.
    """
    z = safe_unit(model.z("novel", size), size)
    random = np.random.default_rng(seed)
    out = {}
    for count in shots:
        scores = []
        for _ in range(20):
            order = random.permutation(len(z))
            ranked = order[np.argsort(labels[order], kind="stable")]
            place = np.arange(len(z)) - np.searchsorted(labels[ranked], labels[ranked])
            given, asked = ranked[place < count], ranked[place >= count]
            scores.append(float((_by_means(z, labels, given, asked) == labels[asked]).mean()))
        out[str(count)] = float(np.mean(scores))
    return out


def long_tail(model: Trained, size: int, pictures: Pictures) -> dict[str, float]:
    """Return head and tail accuracy by the nearest mean when class i has only about 1 / (i + 1) of its examples.

    The classes are put in a random order first, so that families do not fall together.
    """
    order = np.random.default_rng(0).permutation(len(pictures.classes))
    most = int(np.bincount(pictures.train.y).min())
    kept = []
    for rank, label in enumerate(order.tolist()):
        count = max(1, round(most / (1 + rank * most / len(order))))
        kept.append(np.flatnonzero(pictures.train.y == label)[:count])
    given = np.concatenate(kept)
    z = np.concatenate([safe_unit(model.z("train", size)[given], size), safe_unit(model.z("test", size), size)])
    labels = np.concatenate([pictures.train.y[given], pictures.test.y])
    asked = np.arange(len(given), len(z))
    right = _by_means(z, labels, np.arange(len(given)), asked) == labels[asked]
    many = np.isin(pictures.test.y, order[: max(1, len(order) // 5)])
    return {"all": float(right.mean()), "head": float(right[many].mean()), "tail": float(right[~many].mean())}


def _by_means(z: Floats, labels: NDArray[np.int64], given: Any, asked: Any) -> NDArray[np.int64]:
    means = np.zeros((int(labels.max()) + 1, z.shape[1]), np.float32)
    np.add.at(means, labels[given], z[given])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-9)
    guess: NDArray[np.int64] = (z[asked] @ means.T).argmax(axis=1)
    return guess
