"""The slides' toy: a table of six rows, three numbers a word learnt from a few sentences, one vector made shorter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from imi.figures import COLOURS, new_figure, save_figure, say_above
from imi.vectors import cosine, normalize

Doubles = NDArray[np.float64]

TABLE = np.array(
    [
        [0.3374, -0.1778, -0.1690],
        [0.9178, 1.5810, 1.3010],
        [1.2753, -0.2010, -0.1606],
        [-0.4015, 0.9666, -1.1481],
        [-1.1589, 0.3255, -0.6315],
        [-2.8400, -0.7849, -1.4096],
    ],
    dtype=np.float32,
)
"""The weight matrix of the seminar's slide: six tokens, three numbers each."""

IDS = {"fox": 2, "jumps": 3, "over": 5, "dog": 1}
SENTENCES = (
    "the cat drinks milk", "the dog drinks water", "the kitten drinks milk", "the puppy drinks water",
    "the cat sleeps here", "the dog sleeps here", "the kitten sleeps here", "the puppy sleeps here",
    "the car needs fuel", "the truck needs fuel", "the bus needs fuel",
    "the car drives fast", "the truck drives fast", "the bus drives fast",
)  # fmt: skip


def lookup(words: list[str]) -> NDArray[np.float32]:
    """Return the rows of the slide's table for its words: an embedding is a row that is looked up."""
    return TABLE[[IDS[word] for word in words]]


@dataclass(frozen=True)
class Learnt:
    """Words and their vectors (n, 3)."""

    words: tuple[str, ...]
    vectors: NDArray[np.float32]

    def nearest(self, word: str) -> str:
        """Return the other word whose vector is nearest by cosine."""
        row = self.words.index(word)
        scores = cosine(self.vectors[row : row + 1], self.vectors)[0]
        scores[row] = -np.inf
        return self.words[int(scores.argmax())]


def learn(width: int = 3, steps: int = 400, seed: int = 0) -> Learnt:
    """Learn a vector for each word by predicting the words around it in `SENTENCES` (skip-gram, full softmax)."""
    words = tuple(sorted({word for sentence in SENTENCES for word in sentence.split()}))
    rows = {word: at for at, word in enumerate(words)}
    pairs = [
        (rows[a], rows[b])
        for sentence in SENTENCES
        for i, a in enumerate(sentence.split())
        for j, b in enumerate(sentence.split())
        if i != j
    ]
    inside, around = torch.tensor(pairs).T
    random = torch.Generator().manual_seed(seed)
    vectors = (0.1 * torch.randn(len(words), width, generator=random)).requires_grad_()
    contexts = (0.1 * torch.randn(width, len(words), generator=random)).requires_grad_()
    optimizer = torch.optim.Adam([vectors, contexts], lr=0.05, weight_decay=1e-4)
    for _ in range(steps):
        loss = functional.cross_entropy(vectors[inside] @ contexts, around)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Learnt(words, vectors.detach().numpy())


def autoencoder_against_pca(width: int = 2, steps: int = 3000, seed: int = 0) -> dict[str, float]:
    """Train a linear autoencoder on the learnt vectors and compare the plane it finds with that of PCA.

    Hinton's autoencoder without its bends finds the principal components' plane (Baldi and Hornik 1989).

    Returns:
        `error`, `pca_error`: mean squared error of each reconstruction; `angle`: the largest angle between the two
        planes in degrees.
    """
    x = learn(seed=seed).vectors.astype(np.float64)
    x = x - x.mean(axis=0)
    _, _, directions = np.linalg.svd(x, full_matrices=False)
    plane = directions[:width]  # (width, d)
    data = torch.from_numpy(x)
    random = torch.Generator().manual_seed(seed)
    down = (0.3 * torch.randn(x.shape[1], width, generator=random, dtype=torch.float64)).requires_grad_()
    up = (0.3 * torch.randn(width, x.shape[1], generator=random, dtype=torch.float64)).requires_grad_()
    optimizer = torch.optim.Adam([down, up], lr=0.01)
    for _ in range(steps):
        loss = functional.mse_loss(data @ down @ up, data)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    basis, _ = np.linalg.qr(up.detach().numpy().T)
    overlap = np.clip(np.linalg.svd(basis.T @ plane.T, compute_uv=False), -1, 1)
    return {
        "error": float(loss.detach()),
        "pca_error": float(((x - x @ plane.T @ plane) ** 2).mean()),
        "angle": float(np.degrees(np.arccos(overlap.min()))),
    }


def toy_section(out: Path) -> str:
    """Draw the toy's pictures into a folder and return its part of the page."""
    from experiments.matryoshka.page import table

    learnt = learn()
    _draw_words(learnt, out / "toy-words.png")
    _draw_shorter(out / "toy-shorter.png")
    planes = autoencoder_against_pca()
    rows = [
        (word, IDS[word], *(f"{x:.4f}" for x in vector)) for word, vector in zip(IDS, lookup(list(IDS)), strict=True)
    ]
    near = ", ".join(f"{word} → {learnt.nearest(word)}" for word in ("cat", "kitten", "car", "milk"))
    return (
        "## The toy of the slides\n\nAn embedding layer is a table, and embedding is looking rows up:\n\n"
        + table(("word", "id", "", "", ""), rows)
        + f"\n\nThree numbers a word, learnt from {len(SENTENCES)} sentences in a second; nearest words: {near}.\n\n"
        "![words](toy-words.png)\n\nA linear autoencoder with a waist of two against PCA: mean squared error "
        f"{planes['error']:.5f} and {planes['pca_error']:.5f}, their planes {planes['angle']:.2f}° apart.\n\n"
        "The same vector, shorter: each row is one nested vector cut to fewer dimensions, at length one again.\n\n"
        "![shorter](toy-shorter.png)"
    )


def _draw_words(learnt: Learnt, path: Path) -> None:
    canvas, axes = new_figure(6, 4.2)
    z = normalize(learnt.vectors)
    axes.scatter(z[:, 0], z[:, 1], c=z[:, 2], cmap="viridis", s=30)
    axes.set(xlim=(-1.25, 1.25), ylim=(-1.25, 1.25))
    line = {"arrowstyle": "-", "color": "#999999", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 2}
    # Points a word's place is from the middle: about 5 points a letter, 9 a line, on axes of some 420 × 270 points.
    places = z[:, :2] * np.array([168.0, 108.0])
    for word, at, label in zip(learnt.words, places, spread_labels(places, learnt.words), strict=True):
        axes.annotate(word, at / [168.0, 108.0], xytext=label - at, textcoords="offset points", fontsize=8,
                      ha="center", va="center", arrowprops=line)  # fmt: skip
    say_above(axes, "Words of one kind lie together", "two dimensions as place, the third as colour")
    save_figure(canvas, path)


def spread_labels(places: Doubles, words: Sequence[str]) -> Doubles:
    """Return where each word's middle stands, in points (n, 2): near its place, over no other word and no place.

    Args:
        places: (n, 2) in points.
        words: n texts, drawn some 5 points a letter wide and 10 high.
    """
    sizes = np.array([(5.2 * len(word) + 3, 10.0) for word in words])
    found: list[Doubles] = []
    for at, size in zip(places, sizes, strict=True):
        tries = [
            at + np.array([np.cos(angle) * (distance + size[0] / 2), np.sin(angle) * (distance + size[1] / 2)])
            for distance in range(4, 90, 6)
            for angle in np.linspace(0, 2 * np.pi, 16, endpoint=False)
        ]
        others = np.array([*found, *places])
        room = np.array([*sizes[: len(found)], *np.full((len(places), 2), 4.0)])
        free = (one for one in tries if not _covers(one, size, others, room))
        found.append(next(free, tries[0]))
    return np.array(found)


def _covers(middle: Doubles, size: Doubles, others: Doubles, room: Doubles) -> bool:
    return bool((np.abs(others - middle) < (room + size) / 2).all(axis=1).any())


def _draw_shorter(path: Path) -> None:
    canvas, axes = new_figure(6.4, 2.8)
    vector: Any = np.random.default_rng(0).normal(0, 1 / np.sqrt(1 + np.arange(64)), 64)
    sizes = (64, 32, 16, 8)
    rows = np.full((len(sizes), 64), np.nan)
    for at, size in enumerate(sizes):
        rows[at, :size] = normalize(vector[:size])
    axes.imshow(rows, cmap="RdBu", vmin=-0.6, vmax=0.6, aspect="auto")
    axes.set_yticks(range(len(sizes)), [str(size) for size in sizes])
    for at, size in enumerate(sizes):
        axes.axvline(size - 0.5, ymin=1 - (at + 1) / len(sizes), ymax=1 - at / len(sizes), color=COLOURS[8], lw=1)
    axes.set_xlabel("dimension")
    axes.set_ylabel("dimensions used")
    say_above(axes, "One vector, cut shorter: the same dimensions, brought back to length one")
    save_figure(canvas, path)
